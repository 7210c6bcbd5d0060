// The GD5446's BitBLT engine beside a model of it (cirrus_blit_model.h), as drivers reach it: through ports and mapped
// registers, with data in words of any width through any window.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "tests/devices/video/cirrus_blit_model.h"
#include "tests/devices/video/cirrus_board.h"

namespace relic86 {
namespace {

using namespace test;

constexpr u8 kStart = 0x02, kReset = 0x04, kAutoStart = 0x80, kBusy = 0x01;
constexpr u8 kOperations[] = {0x00, 0x05, 0x06, 0x09, 0x0B, 0x0D, 0x0E, 0x50, 0x59,
                              0x6D, 0x90, 0x95, 0xAD, 0xD0, 0xD6, 0xDA, 0x33};

struct BlitBoard : CirrusBoard {
  BlitBoard() {
    packed_mode(640, 480, 8);
    sequencer(0x17, 0x04);  // registers at B8000h, too
  }

  // By a port, or by one of the two places where registers are memory; what has no such place goes by its port.
  void set(u8 index, u8 value, unsigned way) {
    static constexpr u8 kPlaces[] = {0x00, 0x10, 0x12, 0x14, 0x01, 0x11, 0x13, 0x15, 0x20, 0x21, 0x22, 0x23,
                                     0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0xFF, 0x2C, 0x2D, 0x2E, 0x2F,
                                     0x30, 0xFF, 0x32, 0x33, 0x34, 0x35, 0xFF, 0xFF, 0x38, 0x39};
    for (u32 place = 0; way != 0 && place < std::size(kPlaces); place++) {
      if (kPlaces[place] == index) return poke((way == 1 ? 0xB8000 : kRegisters + 0x100) + place, value);
    }
    if (way != 0 && index == 0x31) return poke((way == 1 ? 0xB8000 : kRegisters + 0x100) + 0x40, value);
    graphics(index, value);
  }
  bool busy() { return (graphics(0x31) & kBusy) != 0; }
};

// A blit of a size that is worth looking at; rarely one of any size at any place.
std::array<u8, 0x40> random_program(std::mt19937& random) {
  std::array<u8, 0x40> r{};
  for (u8& value : r) value = static_cast<u8>(random());
  if (random() % 512 != 0) {
    const unsigned width = random() % 4 == 0 ? random() % 600 : random() % 70, height = random() % 12;
    r[0x20] = static_cast<u8>(width);
    r[0x21] = static_cast<u8>(width >> 8);
    r[0x22] = static_cast<u8>(height);
    r[0x23] = 0;
  } else {
    r[0x23] = 0;
  }
  // Source and target near each other, so that they overlap, and often at the edges of memory.
  const u32 base = random() % 4 == 0 ? static_cast<u32>(0 - random() % 300) : random() & 0x3FFFFF;
  const u32 target = base + random() % 128, source = random() % 2 == 0 ? base + random() % 128 : random() & 0x3FFFFF;
  for (unsigned i = 0; i < 3; i++) {
    r[0x28 + i] = static_cast<u8>(target >> (i * 8));
    r[0x2C + i] = static_cast<u8>(source >> (i * 8));
  }
  if (random() % 2 == 0) r[0x25] = r[0x27] = 1;
  r[0x30] = static_cast<u8>(random() & (random() % 2 == 0 ? 0xFD : 0xFF));
  if (random() % 3 == 0) r[0x30] &= 0x3B;  // copies
  r[0x32] = kOperations[random() % std::size(kOperations)];
  r[0x33] = random() % 8;
  if (random() % 2 == 0) r[0x35] = r[0x34] = 0;
  return r;
}

void give(BlitBoard& board, const std::vector<u8>& data, std::mt19937& random) {
  const u32 windows[] = {0xA0000, BlitBoard::kFrameBuffer, BlitBoard::kBlitAperture};
  const u32 window = windows[random() % 3];
  for (std::size_t at = 0; at < data.size();) {
    unsigned width = 1u << random() % 4;
    while (width > data.size() - at) width /= 2;
    u64 value = 0;
    for (unsigned i = 0; i < width; i++) value |= u64{data[at + i]} << (i * 8);
    board.memory.write(PhysAddr(window + random() % 0x1000 * 8), width, value);
    at += width;
  }
}

std::vector<u8> take(BlitBoard& board, std::size_t size, std::mt19937& random) {
  const u32 windows[] = {0xA0000, BlitBoard::kFrameBuffer, BlitBoard::kBlitAperture};
  const u32 window = windows[random() % 3];
  std::vector<u8> data;
  while (data.size() < size) {
    const u64 value = board.memory.read(PhysAddr(window + random() % 0x1000 * 8), 4);
    for (unsigned i = 0; i < 4; i++) data.push_back(static_cast<u8>(value >> (i * 8)));
  }
  return data;
}

void start(BlitBoard& board, const std::array<u8, 0x40>& r, std::mt19937& random) {
  const unsigned way = random() % 3;
  const bool by_target = random() % 4 == 0;
  board.set(0x31, by_target ? kAutoStart : 0, way);
  for (u8 index = 0; index < r.size(); index++) {
    const bool colour = index < 2 || (index >= 0x10 && index < 0x16);
    if (colour || (index >= 0x20 && index < 0x36 && index != 0x31 && index != 0x2A)) board.set(index, r[index], way);
  }
  board.set(0x2A, r[0x2A], way);
  if (!by_target) board.set(0x31, kStart, way);
}

TEST(CirrusBlitter, EqualsItsModel) {
  const bool full = std::getenv("RELIC86_FULL") != nullptr;
  const unsigned blits = full ? 1'000'000 : 4'000;
  constexpr unsigned kCompareEvery = 50;
  BlitBoard board;
  BlitModel model(BlitBoard::kMemory);
  std::mt19937 random(5446);
  std::span<u8> memory = board.bytes();
  for (std::size_t i = 0; i < memory.size(); i++) memory[i] = model.memory[i] = static_cast<u8>(random() >> 7);
  unsigned kinds[4] = {};
  for (unsigned blit = 0; blit < blits; blit++) {
    model.r = random_program(random);
    start(board, model.r, random);
    std::vector<u8> data;
    if (model.takes_data()) {
      data.resize(model.all_data());
      for (u8& byte : data) byte = static_cast<u8>(random());
      give(board, data, random);
      kinds[0]++;
    }
    const std::vector<u8> expected = model.run(data);
    if (model.gives_data()) {
      ASSERT_EQ(take(board, expected.size(), random), expected) << "blit " << blit;
      kinds[1]++;
    }
    ASSERT_FALSE(board.busy()) << "blit " << blit;
    kinds[model.nothing() ? 2 : 3]++;
    if (blit % kCompareEvery != 0 && blit + 1 != blits) continue;
    const auto differs = std::mismatch(memory.begin(), memory.end(), model.memory.begin()).first - memory.begin();
    ASSERT_EQ(static_cast<std::size_t>(differs), memory.size())
        << "after blit " << blit << ", mode " << unsigned{model.r[0x30]} << ", operation " << unsigned{model.r[0x32]};
  }
  for (const unsigned kind : kinds) EXPECT_GT(kind, blits / 100);
}

// Whatever the registers hold, a blit ends, and within video memory.
TEST(CirrusBlitter, HostileSizesAreContained) {
  BlitBoard board;
  std::mt19937 random(1);
  for (const u8 mode : {0x00, 0x01, 0x08, 0x19, 0x40, 0x80, 0x88, 0xC0, 0xE8, 0xF0}) {
    for (u8 index = 0x20; index < 0x30; index++) board.graphics(index, 0xFF);
    board.graphics(0x30, mode);
    board.graphics(0x32, 0x59);
    board.graphics(0x33, 0);
    board.graphics(0x31, kStart);
    EXPECT_FALSE(board.busy()) << unsigned{mode};
  }
  // One that waits for data waits until it is reset; another start does not disturb it.
  board.graphics(0x30, 0x04);
  board.graphics(0x31, kStart);
  EXPECT_TRUE(board.busy());
  board.graphics(0x31, kStart);
  for (unsigned i = 0; i < 10'000; i++) board.memory.write(PhysAddr(0xA0000 + i * 4), 4, 0);
  EXPECT_TRUE(board.busy());
  board.graphics(0x31, kReset);
  EXPECT_FALSE(board.busy());
  board.graphics(0x31, 0);
  // The window is memory again.
  board.poke(0xA0010, 0x5A);
  EXPECT_EQ(board.peek(BlitBoard::kFrameBuffer + 0x10), 0x5A);
}

// Drivers write whole words; what the last line does not need is no pixel of the screen.
TEST(CirrusBlitter, ExcessDataIsLost) {
  BlitBoard board;
  for (const u32 window : {u32{0xA0000}, BlitBoard::kFrameBuffer, BlitBoard::kBlitAperture}) {
    board.graphics(0x20, 9), board.graphics(0x21, 0), board.graphics(0x22, 0), board.graphics(0x29, 1);
    board.graphics(0x01, 0xEE), board.graphics(0x30, 0x84), board.graphics(0x32, 0x0D), board.graphics(0x33, 0);
    for (u32 i = 0; i < 8; i++) board.poke(BlitBoard::kFrameBuffer + i, 0x11);
    board.graphics(0x31, kStart);
    board.memory.write(PhysAddr(window), 4, 0xFFFFFFFF);
    EXPECT_FALSE(board.busy());
    for (u32 i = 0; i < 8; i++) EXPECT_EQ(board.peek(BlitBoard::kFrameBuffer + i), 0x11) << window << ' ' << i;
    EXPECT_EQ(board.peek(BlitBoard::kFrameBuffer + 0x109), 0xEE);
  }
}

TEST(CirrusBlitter, SavedInTheMiddleOfATransfer) {
  BlitBoard board, other;
  std::mt19937 random(7);
  BlitModel model(BlitBoard::kMemory);
  model.r[0x20] = 100;
  model.r[0x22] = 9;
  model.r[0x25] = 2;
  model.r[0x30] = 0x04;
  model.r[0x32] = 0x0D;
  start(board, model.r, random);
  std::vector<u8> data(model.all_data());
  for (u8& byte : data) byte = static_cast<u8>(random());
  const std::size_t half = data.size() / 2 + 1;
  give(board, {data.begin(), data.begin() + static_cast<std::ptrdiff_t>(half)}, random);
  ASSERT_TRUE(load(other.vga, saved(board.vga)));
  std::copy(board.bytes().begin(), board.bytes().end(), other.bytes().begin());
  EXPECT_EQ(saved(other.vga), saved(board.vga));
  EXPECT_TRUE(other.busy());
  give(other, {data.begin() + static_cast<std::ptrdiff_t>(half), data.end()}, random);
  model.run(data);
  EXPECT_FALSE(other.busy());
  EXPECT_TRUE(std::equal(model.memory.begin(), model.memory.end(), other.bytes().begin()));
}

}  // namespace
}  // namespace relic86
