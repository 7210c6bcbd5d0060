// Runs of string instructions are what single accesses are.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <random>

#include "tests/devices/video/vga_modes.h"

namespace relic86 {
namespace {

using namespace test;

// As the bus hands runs to a page's handler.
PageTarget target(VgaBoard& board, u32 offset) { return board.memory.page(PhysAddr(0xA0000 + offset)).write; }

bool write_run(VgaBoard& board, u32 offset, const std::vector<u8>& bytes) {
  const PageTarget page = target(board, offset);
  return page.kind == PageTarget::Kind::Mmio &&
         page.handler->write_run(page.region, page.region_offset + offset % kPageSize, bytes);
}

bool read_run(VgaBoard& board, u32 offset, std::vector<u8>& bytes) {
  const PageTarget page = target(board, offset);
  return page.kind == PageTarget::Kind::Mmio &&
         page.handler->read_run(page.region, page.region_offset + offset % kPageSize, bytes);
}

bool copy_run(VgaBoard& board, u32 from, u32 to, unsigned width, u32 count) {
  const PageTarget source = target(board, from), page = target(board, to);
  return page.kind == PageTarget::Kind::Mmio && source.kind == PageTarget::Kind::Mmio &&
         page.handler->copy_run(page.region, source.region_offset + from % kPageSize,
                                page.region_offset + to % kPageSize, width, count);
}

void program(VgaBoard& board, std::mt19937& random) {
  const u8 graphics_bits[9] = {0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF};
  for (u8 index = 0; index < 9; index++) {
    u8 value = static_cast<u8>(random() & graphics_bits[index]);
    // Runs are rare in wholly random settings.
    if (index == 5 && random() % 4 != 0) value = static_cast<u8>(value & 0x03);
    if (index == 6 && random() % 4 != 0) value = 0x05;
    if (index == 8 && random() % 2 == 0) value = 0xFF;
    board.indexed(0x3CE, index, value);
  }
  board.indexed(0x3C4, 2, static_cast<u8>(random() & 15));
  board.indexed(0x3C4, 4, random() % 4 != 0 ? 0x06 : static_cast<u8>(random() & 0x0E));
  if (random() % 8 != 0) return;
  for (u8 index = 0; index < 9; index++) board.indexed(0x3CE, index, kVga320x200.graphics[index]);
  board.indexed(0x3C4, 2, 0x0F);
  board.indexed(0x3C4, 4, 0x0E);
}

TEST(VgaRuns, EqualSingleAccesses) {
  VgaBoard runs, singles;
  std::mt19937 random(1986);
  for (VgaBoard* board : {&runs, &singles}) board->out(0x3C2, 0x63);
  unsigned taken[3] = {};
  for (unsigned step = 0; step < 20'000; step++) {
    if (step % 4 == 0) {
      std::mt19937 same = random;
      program(runs, random);
      program(singles, same);
    }
    // Few pages, so that runs meet and overlap.
    const auto place = [&](u32 size) { return (random() % 4) * 0x8000 + random() % (kPageSize - size + 1); };
    const u32 size = 1 + random() % 200;
    const u32 offset = place(size);
    switch (random() % 3) {
      case 0: {
        std::vector<u8> bytes(size, static_cast<u8>(random()));
        if (random() % 2 == 0) {
          for (u8& byte : bytes) byte = static_cast<u8>(random());
        }
        if (!write_run(runs, offset, bytes)) continue;
        taken[0]++;
        for (u32 i = 0; i < size; i++) singles.poke(0xA0000 + offset + i, bytes[i]);
        break;
      }
      case 1: {
        std::vector<u8> bytes(size);
        if (!read_run(runs, offset, bytes)) continue;
        taken[1]++;
        for (u32 i = 0; i < size; i++) ASSERT_EQ(bytes[i], singles.peek(0xA0000 + offset + i)) << step;
        break;
      }
      default: {
        const u32 to =
            random() % 2 == 0 ? place(size) : (offset & ~(kPageSize - 1)) + random() % (kPageSize - size + 1);
        if (!copy_run(runs, offset, to, 1, size)) continue;
        taken[2]++;
        for (u32 i = 0; i < size; i++) singles.poke(0xA0000 + to + i, singles.peek(0xA0000 + offset + i));
        break;
      }
    }
    ASSERT_EQ(saved(runs.vga), saved(singles.vga)) << "latches and registers, step " << step;
  }
  for (const unsigned count : taken) EXPECT_GT(count, 300u);
  const auto memory = [](VgaBoard& board) {
    std::vector<u8> bytes(VgaMemory::kPlanarBytes);
    board.memory.read_block(PhysAddr(VgaBoard::kFrameBuffer), bytes);
    return bytes;
  };
  EXPECT_EQ(memory(runs), memory(singles));
}

// What memory/plane_window.h says.
std::optional<u8> read_planes(PlaneWindow& window, u32 offset) {
  const u32 at = offset - window.first;
  if (at >= window.readable) return std::nullopt;
  std::memcpy(&window.latch, window.planes + u64{at} * 4, 4);
  return static_cast<u8>(window.latch >> window.read_shift[at & 1]);
}
bool write_planes(const PlaneWindow& window, u32 offset, u8 value) {
  const u32 at = offset - window.first;
  if (at >= window.writable) return false;
  for (unsigned plane = 0; plane < 4; plane++) {
    const auto of = [plane](u32 word) { return static_cast<u8>(word >> (plane * 8)); };
    const u8 data = static_cast<u8>((value & of(window.kept)) | of(window.set));
    const u8 merged = static_cast<u8>((data & of(window.bits)) | (of(window.latch) & ~of(window.bits)));
    u8& byte = window.planes[u64{at} * 4 + plane];
    const u8 enabled = of(window.write_planes[at & 1]);
    byte = static_cast<u8>((merged & enabled) | (byte & ~enabled));
  }
  return true;
}

TEST(VgaPlanes, TheWindowSaysWhatSingleBytesDo) {
  VgaBoard planes, singles;
  std::mt19937 random(1987);
  for (VgaBoard* board : {&planes, &singles}) board->out(0x3C2, 0x63);
  PlaneWindow* const window = planes.vga.plane_window(target(planes, 0).region);
  ASSERT_NE(window, nullptr);
  unsigned reads = 0, writes = 0, latches = 0;
  for (unsigned step = 0; step < 40'000; step++) {
    if (step % 4 == 0) {
      std::mt19937 same = random;
      program(planes, random);
      program(singles, same);
    }
    const u32 offset = random() % VgaMemory::kWindowBytes;
    if (random() % 2 == 0) {
      const auto value = read_planes(*window, offset);
      if (!value) continue;
      reads++;
      ASSERT_EQ(*value, singles.peek(0xA0000 + offset)) << step;
    } else {
      const u8 value = static_cast<u8>(random());
      if (!write_planes(*window, offset, value)) continue;
      writes++;
      latches += window->bits == 0 ? 1 : 0;
      singles.poke(0xA0000 + offset, value);
    }
    ASSERT_EQ(saved(planes.vga), saved(singles.vga)) << "latches and registers, step " << step;
  }
  EXPECT_GT(reads, 3000u);
  EXPECT_GT(writes, 300u);
  EXPECT_GT(latches, 100u);
  const auto memory = [](VgaBoard& board) {
    std::vector<u8> bytes(VgaMemory::kPlanarBytes);
    board.memory.read_block(PhysAddr(VgaBoard::kFrameBuffer), bytes);
    return bytes;
  };
  EXPECT_EQ(memory(planes), memory(singles));
}

TEST(VgaPlanes, TheWindowIsThatOfALoadedState) {
  VgaBoard board, other;
  board.set_mode(kVga640x480);
  PlaneWindow* const window = other.vga.plane_window(target(other, 0).region);
  ASSERT_NE(window, nullptr);
  EXPECT_EQ(window->readable, 0u);
  ASSERT_TRUE(load(other.vga, saved(board.vga)));
  EXPECT_EQ(window->readable, 0x10000u);
  other.vga.reset(ResetKind::PowerOn);
  EXPECT_EQ(window->readable, 0u);
}

TEST(VgaRuns, APictureNoticesThem) {
  VgaBoard board;
  board.set_mode(kVga640x480);
  board.picture();
  Frame frame;
  board.vga.render(frame);
  EXPECT_FALSE(board.vga.render(frame));
  EXPECT_TRUE(write_run(board, 0x123, std::vector<u8>(40, 0xFF)));
  EXPECT_TRUE(board.vga.render(frame));
}

// A string instruction that overwrites itself through the planes must see it: it goes byte by byte.
TEST(VgaRuns, LeaveCodeToSingleAccesses) {
  VgaBoard board;
  board.set_mode(kVga640x480);
  EXPECT_TRUE(write_run(board, 0x10, std::vector<u8>(16, 1)));
  const BackingOffset page = board.memory.page(PhysAddr(VgaBoard::kFrameBuffer)).read.backing;
  board.store.add_code(page, 1);
  EXPECT_FALSE(write_run(board, 0x10, std::vector<u8>(16, 1)));
  EXPECT_FALSE(copy_run(board, 0x2000, 0x10, 1, 16));
  EXPECT_TRUE(write_run(board, 0x2000, std::vector<u8>(16, 1)));
}

}  // namespace
}  // namespace relic86
