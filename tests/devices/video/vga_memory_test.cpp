#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "tests/devices/video/vga_modes.h"

namespace relic86 {
namespace {

using namespace test;

// The graphics controller bit by bit, as IBM's manual tells it, with nothing done to be fast.
class ReferenceModel {
 public:
  std::array<u8, 5> sequencer{};
  std::array<u8, 9> graphics{};

  void write(u32 offset, u8 value) {
    unsigned writable = 0;
    if (!decode(offset)) return;
    for (unsigned plane = 0; plane < 4; plane++) {
      if (selected(plane)) writable |= 1u << plane;
    }
    const u32 at = address();
    for (unsigned plane = 0; plane < 4; plane++) {
      if ((writable >> plane & 1) == 0) continue;
      u8 result = 0;
      for (unsigned bit = 0; bit < 8; bit++) result |= static_cast<u8>(written_bit(plane, bit, value) << bit);
      planes[plane][at] = result;
    }
  }

  u8 read(u32 offset) {
    if (!decode(offset)) return 0xFF;
    for (unsigned plane = 0; plane < 4; plane++) latch[plane] = planes[plane][address()];
    if ((graphics[5] & 8) != 0) {
      u8 result = 0;
      for (unsigned bit = 0; bit < 8; bit++) {
        bool equal = true;
        for (unsigned plane = 0; plane < 4; plane++) {
          if ((graphics[7] >> plane & 1) == 0) continue;
          if ((latch[plane] >> bit & 1) != (graphics[2] >> plane & 1)) equal = false;
        }
        if (equal) result |= static_cast<u8>(1u << bit);
      }
      return result;
    }
    unsigned plane = graphics[4] & 3;
    if (chain4()) {
      plane = within_ % 4;
    } else if ((graphics[5] & 0x10) != 0) {
      plane = (plane & 2) + within_ % 2;
    }
    return latch[plane];
  }

  std::array<std::array<u8, 65536>, 4> planes{};
  std::array<u8, 4> latch{};

 private:
  bool chain4() const { return (sequencer[4] & 8) != 0; }
  bool decode(u32 offset) {
    const u32 first[4] = {0, 0, 0x10000, 0x18000};
    const u32 size[4] = {0x20000, 0x10000, 0x8000, 0x8000};
    const unsigned map = graphics[6] >> 2 & 3;
    if (offset < first[map] || offset >= first[map] + size[map]) return false;
    within_ = offset - first[map];
    return true;
  }
  bool selected(unsigned plane) const {
    if ((sequencer[2] >> plane & 1) == 0) return false;
    if (chain4()) return within_ % 4 == plane;
    if ((sequencer[4] & 4) == 0) return within_ % 2 == plane % 2;
    return true;
  }
  u32 address() const {
    if (chain4()) return within_ / 4;
    if ((graphics[6] & 2) != 0) return (within_ & 0xFFFE) + (within_ >= 0x10000 ? 1 : 0);
    return within_ & 0xFFFF;
  }
  unsigned written_bit(unsigned plane, unsigned bit, u8 value) const {
    const unsigned old = latch[plane] >> bit & 1;
    const unsigned rotated = value >> ((bit + (graphics[3] & 7)) % 8) & 1;
    unsigned data = 0;
    unsigned mask = graphics[8] >> bit & 1;
    switch (graphics[5] & 3) {
      case 0: data = (graphics[1] >> plane & 1) != 0 ? graphics[0] >> plane & 1 : rotated; break;
      case 1: return old;
      case 2: data = value >> plane & 1; break;
      default:
        data = graphics[0] >> plane & 1;
        mask &= rotated;
        break;
    }
    switch (graphics[3] >> 3) {
      case 1: data &= old; break;
      case 2: data |= old; break;
      case 3: data ^= old; break;
      default: break;
    }
    return mask != 0 ? data : old;
  }

  u32 within_ = 0;
};

TEST(VgaMemory, RandomAccessesMatchTheReferenceModel) {
  VgaBoard board;
  auto model = std::make_unique<ReferenceModel>();
  std::mt19937 random(86);
  board.out(0x3C2, 0x63);
  const u8 graphics_bits[9] = {0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF};
  const u8 memory_modes[] = {0x02, 0x06, 0x06, 0x0E};
  for (unsigned step = 0; step < 200'000; step++) {
    if (random() % 4 == 0) {
      const auto index = static_cast<u8>(random() % 11);
      if (index < 9) {
        model->graphics[index] = static_cast<u8>(random() & graphics_bits[index]);
        if (random() % 2 == 0 && index == 8) model->graphics[8] = 0xFF;
        board.indexed(0x3CE, index, model->graphics[index]);
      } else {
        model->sequencer[2] = static_cast<u8>(random() & 15);
        model->sequencer[4] = memory_modes[random() % 4];
        board.indexed(0x3C4, 2, model->sequencer[2]);
        board.indexed(0x3C4, 4, model->sequencer[4]);
      }
    }
    // Few addresses, so that reads meet earlier writes.
    const u32 offset = (random() % 4) * 0x8000 + random() % 8;
    if (board.memory.page(PhysAddr(0xA0000 + offset)).read.kind == PageTarget::Kind::Backing) continue;
    if (random() % 2 == 0) {
      const auto value = static_cast<u8>(random());
      model->write(offset, value);
      board.poke(0xA0000 + offset, value);
    } else {
      ASSERT_EQ(board.peek(0xA0000 + offset), model->read(offset)) << "step " << step;
    }
  }
  for (u32 address : {0u, 1u, 2u, 3u, 0x2000u, 0x8000u}) {
    for (u32 plane = 0; plane < 4; plane++) {
      ASSERT_EQ(board.peek(VgaBoard::kFrameBuffer + address * 4 + plane), model->planes[plane][address]);
    }
  }
}

TEST(VgaMemory, NothingAnswersWhileMemoryIsDisabled) {
  VgaBoard board;
  board.set_mode(kText80x25);
  board.poke(0xB8000, 'A');
  EXPECT_EQ(board.peek(0xB8000), 'A');
  board.out(0x3C2, 0x65);
  EXPECT_EQ(board.peek(0xB8000), 0xFF);
  board.poke(0xB8000, 'B');
  board.out(0x3C2, 0x67);
  EXPECT_EQ(board.peek(0xB8000), 'A');
  EXPECT_EQ(board.peek(0xA0000), 0xFF);  // the window is at B8000h
}

// Accesses after which a window that could be memory is shown as such.
void settle(VgaBoard& board) {
  for (u32 i = 0; i < 64; i++) board.peek(0xA0000 + i);
}

TEST(VgaMemory, Mode13hWindowIsRamAndChangesBackForPlanes) {
  VgaBoard board;
  board.set_mode(kVga320x200);
  EXPECT_EQ(board.memory.page(PhysAddr(0xA0000)).write.kind, PageTarget::Kind::Mmio);
  settle(board);
  EXPECT_EQ(board.memory.page(PhysAddr(0xA0000)).write.kind, PageTarget::Kind::Backing);
  EXPECT_EQ(board.memory.page(PhysAddr(0xB0000)).write.kind, PageTarget::Kind::Mmio);
  board.poke(0xA0005, 0x42);
  EXPECT_EQ(board.peek(VgaBoard::kFrameBuffer + 5), 0x42);
  board.indexed(0x3C4, 4, 6);  // mode X
  EXPECT_EQ(board.memory.page(PhysAddr(0xA0000)).write.kind, PageTarget::Kind::Mmio);
  board.indexed(0x3CE, 4, 1);
  EXPECT_EQ(board.peek(0xA0001), 0x42);  // byte 1 of plane 1
  board.indexed(0x3C4, 4, 0x0E);
  board.indexed(0x3C4, 2, 0x05);  // a map mask needs the slow path
  EXPECT_EQ(board.memory.page(PhysAddr(0xA0000)).write.kind, PageTarget::Kind::Mmio);
  board.poke(0xA0005, 0x43);
  EXPECT_EQ(board.peek(0xA0005), 0x42);
  board.indexed(0x3C4, 2, 0x0F);
  settle(board);
  EXPECT_EQ(board.memory.page(PhysAddr(0xA0000)).write.kind, PageTarget::Kind::Backing);
}

TEST(VgaMemory, TopologyChangesOnlyWhenTheWindowChanges) {
  VgaBoard board;
  board.set_mode(kVga320x200);
  settle(board);
  unsigned changes = 0;
  board.memory.on_topology_change([&] { changes++; });
  for (u8 i = 0; i < 100; i++) {
    board.colour(i, i, i, i);
    board.indexed(0x3C4, 2, 0x0F);
    board.indexed(0x3D4, 0x0D, i);
  }
  EXPECT_EQ(changes, 0u);
  board.indexed(0x3C4, 4, 6);
  EXPECT_EQ(changes, 1u);
  // Programs that set the mode for every pixel.
  for (u8 i = 0; i < 100; i++) {
    board.indexed(0x3C4, 4, 0x0E);
    board.poke(0xA0000 + i, i);
    board.indexed(0x3C4, 4, 6);
    board.poke(0xA0000 + i, i);
  }
  EXPECT_EQ(changes, 1u);
}

TEST(VgaMemory, TextWindowIsRamAndThePlanesFollow) {
  VgaBoard board;
  board.set_mode(kText80x25);
  EXPECT_EQ(board.memory.page(PhysAddr(0xB8000)).write.kind, PageTarget::Kind::Backing);
  EXPECT_EQ(board.memory.page(PhysAddr(0xBF000)).write.kind, PageTarget::Kind::Backing);
  EXPECT_EQ(board.memory.page(PhysAddr(0xB7000)).write.kind, PageTarget::Kind::Mmio);
  for (u32 at = 0; at < 0x8000; at++) board.poke(0xB8000 + at, static_cast<u8>(at * 7 + (at >> 8)));
  board.picture();
  board.poke(0xB8003, 0x55);  // behind a picture: noticed by the next one
  board.text(80, "again");
  EXPECT_EQ(board.vga.text_lines().at(1).substr(0, 5), "again");
  EXPECT_EQ(board.peek(VgaBoard::kFrameBuffer + 9), 0x55);
  // Planes 2 and 3 stay: a font is loaded meanwhile, through another map.
  board.glyph(0, 'A', {1, 2, 3});
  EXPECT_EQ(board.peek(VgaBoard::kFrameBuffer + ('A' * 32 + 1) * 4 + 2), 2);
  for (u32 at = 400; at < 0x8000; at++) {
    const u8 expected = static_cast<u8>(at * 7 + (at >> 8));
    ASSERT_EQ(board.peek(0xB8000 + at), expected);
    ASSERT_EQ(board.peek(VgaBoard::kFrameBuffer + (at & ~1u) * 4 + (at & 1)), expected);
  }
  // What the planes got elsewhere is there when the mode comes back.
  board.indexed(0x3C4, 2, 1);
  EXPECT_EQ(board.memory.page(PhysAddr(0xB8000)).write.kind, PageTarget::Kind::Mmio);
  board.poke(0xB8002, 'x');
  board.poke(0xB8003, 'y');  // plane 1 is masked
  board.indexed(0x3C4, 2, 3);
  EXPECT_EQ(board.memory.read(PhysAddr(0xB8002), 2), 0x5500u + 'x');
}

TEST(VgaMemory, ClearingAModeKeepsNoText) {
  VgaBoard board;
  board.set_mode(kText80x25);
  board.text(0, "secret");
  board.vbe(640, 480, 8);
  for (u32 at = 0; at < 64; at++) ASSERT_EQ(board.peek(VgaBoard::kFrameBuffer + at), 0);
}

TEST(VgaMemory, WideAccessesAreAscendingBytes) {
  VgaBoard board;
  board.set_mode(kText80x25);
  board.memory.write(PhysAddr(0xB8000), 4, 0x0742'0741);
  EXPECT_EQ(board.peek(0xB8002), 'B');
  EXPECT_EQ(board.memory.read(PhysAddr(0xB8000), 8) & 0xFFFFFFFF, 0x0742'0741u);
}

}  // namespace
}  // namespace relic86
