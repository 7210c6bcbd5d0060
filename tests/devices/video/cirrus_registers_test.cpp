// Registers, windows and write modes of the GD5446.
#include <gtest/gtest.h>

#include <random>

#include "tests/devices/video/cirrus_board.h"

namespace relic86 {
namespace {

using namespace test;

TEST(CirrusRegisters, IdentifyTheChip) {
  CirrusBoard board;
  EXPECT_EQ(board.config(2, 0, 0x00, 4), 0x00B81013u);
  EXPECT_EQ(board.config(2, 0, 0x08, 4), 0x03000000u);
  board.set_config(2, 0, 0x10, 4, 0xFFFFFFFF);
  EXPECT_EQ(board.config(2, 0, 0x10, 4), 0xFE000008u);
  board.set_config(2, 0, 0x14, 4, 0xFFFFFFFF);
  EXPECT_EQ(board.config(2, 0, 0x14, 4), 0xFFFFF000u);
  EXPECT_EQ(board.crtc(0x27), 0xB8);
  EXPECT_EQ(board.sequencer(0x15), 0x04);
  EXPECT_EQ(board.sequencer(0x17) & 0x38, 0x20);
}

TEST(CirrusRegisters, KeyReadsBackWhatItDid) {
  CirrusBoard board;
  EXPECT_EQ(board.sequencer(6), 0x0F);
  board.sequencer(6, 0x12);
  EXPECT_EQ(board.sequencer(6), 0x12);
  board.sequencer(6, 0xFA);  // the bits that count are the same
  EXPECT_EQ(board.sequencer(6), 0x12);
  board.sequencer(6, 0);
  EXPECT_EQ(board.sequencer(6), 0x0F);
}

TEST(CirrusRegisters, HiddenDacAnswersAfterFourReads) {
  CirrusBoard board;
  board.out(0x3C6, 0x3F);
  board.hidden_dac(0xC5);
  EXPECT_EQ(board.in(0x3C6), 0x3F);
  for (unsigned i = 0; i < 3; i++) board.in(0x3C6);
  EXPECT_EQ(board.in(0x3C6), 0xC5);
  EXPECT_EQ(board.in(0x3C6), 0x3F);
  // An access to another palette port begins the count anew.
  board.out(0x3C6, 0x3F);
  for (unsigned i = 0; i < 3; i++) board.in(0x3C6);
  board.in(0x3C8);
  board.in(0x3C6);
  board.out(0x3C6, 0x77);
  EXPECT_EQ(board.in(0x3C6), 0x77);
}

TEST(CirrusRegisters, CursorPositionTakesItsLowBitsFromTheIndex) {
  CirrusBoard board;
  board.sequencer(0x10 | 5 << 5, 0x21);
  EXPECT_EQ(board.sequencer(0x10), 0x21);
  board.sequencer(0x11 | 2 << 5, 0x10);
  EXPECT_EQ(board.sequencer(0x11), 0x10);
  board.out(0x3C4, 0x10);
  EXPECT_EQ(board.in(0x3C4), 0x10u | 5 << 5);
}

TEST(CirrusRegisters, ColourRegistersAreWiderThanTheVgas) {
  CirrusBoard board;
  board.graphics(0, 0xAB);
  board.graphics(1, 0xCD);
  board.graphics(5, 0x45);
  EXPECT_EQ(board.graphics(0), 0xAB);
  EXPECT_EQ(board.graphics(1), 0xCD);
  EXPECT_EQ(board.graphics(5), 0x45);
  EXPECT_EQ(board.peek(CirrusBoard::kRegisters + 0x100), 0xAB);
  EXPECT_EQ(board.peek(CirrusBoard::kRegisters + 0x104), 0xCD);
  board.poke(CirrusBoard::kRegisters + 0x0E, 0x20);  // port 3CEh
  board.poke(CirrusBoard::kRegisters + 0x0F, 0x99);
  EXPECT_EQ(board.graphics(0x20), 0x99);
}

TEST(CirrusRegisters, CursorColoursStandBesideThePalette) {
  CirrusBoard board;
  board.colour(15, 1, 2, 3);
  board.sequencer(0x12, 2);
  board.colour(15, 60, 61, 62);
  board.out(0x3C7, 15);
  for (const u32 component : {60u, 61u, 62u}) EXPECT_EQ(board.in(0x3C9), component);
  board.sequencer(0x12, 0);
  board.out(0x3C7, 15);
  for (const u32 component : {1u, 2u, 3u}) EXPECT_EQ(board.in(0x3C9), component);
}

TEST(CirrusRegisters, ReadbacksFollowTheVga) {
  CirrusBoard board;
  board.in(0x3DA);
  EXPECT_EQ(board.crtc(0x24), 0);
  board.out(0x3C0, 0x31);
  EXPECT_EQ(board.crtc(0x24), 0x80);
  EXPECT_EQ(board.crtc(0x26), 0x31);
}

TEST(CirrusWindows, BanksInBothSizesOneAndTwo) {
  CirrusBoard board;
  board.packed_mode(640, 480, 8);
  const auto shows = [&](u32 window, u32 address) {
    board.poke(CirrusBoard::kFrameBuffer + address, static_cast<u8>(address >> 8 ^ 0x5A));
    EXPECT_EQ(board.peek(window), static_cast<u8>(address >> 8 ^ 0x5A)) << std::hex << window << ' ' << address;
    board.poke(window, 0x77);
    EXPECT_EQ(board.peek(CirrusBoard::kFrameBuffer + address), 0x77) << std::hex << window << ' ' << address;
  };
  // Each size both before the window has become plain memory, and after.
  for (unsigned again = 0; again < 600; again++) {
    if (again != 1 && again != 599) {
      board.peek(0xA0000 + again), board.peek(0xA8000 + again);
      continue;
    }
    board.graphics(0x0B, 0);
    board.graphics(0x09, 0x10);
    shows(0xA0123, 0x10123), shows(0xA8123, 0x18123);
    board.graphics(0x0B, 0x20);
    shows(0xA0123, 0x40123), shows(0xA8123, 0x48123);
    board.graphics(0x0B, 0x01);
    board.graphics(0x0A, 0x31);
    shows(0xA0123, 0x10123), shows(0xA8123, 0x31123);
    board.graphics(0x0B, 0x21);
    shows(0xA0123, 0x40123), shows(0xA8123, 0xC4123);
    for (unsigned i = 0; i < 600; i++) board.peek(0xA0000 + i), board.peek(0xA8000 + i);
    shows(0xA0123, 0x40123), shows(0xA8123, 0xC4123);
    board.graphics(0x09, 0x02);
    shows(0xA0123, 0x08123);
  }
}

TEST(CirrusWindows, RegistersAtTheEndOfTheFrameBuffer) {
  CirrusBoard board;
  board.packed_mode(640, 480, 8);
  const u32 end = CirrusBoard::kFrameBuffer + CirrusBoard::kMemory - 0x100;
  for (unsigned i = 0; i < 5000; i++) board.peek(CirrusBoard::kFrameBuffer + i);  // it is plain memory by now
  board.poke(end + 8, 0x11);
  EXPECT_EQ(board.graphics(0x20), 0);
  board.sequencer(0x17, 0x44);
  board.poke(end + 8, 0x22);
  EXPECT_EQ(board.graphics(0x20), 0x22);
  board.sequencer(0x17, 0x00);
  EXPECT_EQ(board.peek(end + 8), 0x11);
}

TEST(CirrusWindows, ExtendedWriteModesExpandBits) {
  CirrusBoard board;
  board.packed_mode(640, 480, 8);
  for (u32 i = 0; i < 32; i++) board.poke(CirrusBoard::kFrameBuffer + i, 0xEE);
  board.graphics(0, 0xB0), board.graphics(1, 0xF1);
  board.graphics(0x0B, 0x06);  // eight-byte addressing, extended write modes
  board.sequencer(2, 0xFF);
  board.graphics(5, 0x44);
  board.poke(0xA0001, 0b10100001);
  const u8 ones[] = {0xF1, 0xEE, 0xF1, 0xEE, 0xEE, 0xEE, 0xEE, 0xF1};
  board.graphics(5, 0x45);
  board.sequencer(2, 0x7F);  // all but the leftmost pixel
  board.poke(0xA0002, 0b11000000);
  const u8 both[] = {0xEE, 0xF1, 0xB0, 0xB0, 0xB0, 0xB0, 0xB0, 0xB0};
  board.graphics(0x0B, 0);
  for (u32 i = 0; i < 8; i++) {
    EXPECT_EQ(board.peek(CirrusBoard::kFrameBuffer + 8 + i), ones[i]) << i;
    EXPECT_EQ(board.peek(CirrusBoard::kFrameBuffer + 16 + i), both[i]) << i;
  }
  // Pixels of 16 bits have sixteen bytes.
  board.graphics(0x10, 0xB1), board.graphics(0x11, 0xF2);
  board.sequencer(2, 0xFF);
  board.graphics(0x0B, 0x16);
  board.poke(0xA0004, 0b01000000);
  board.graphics(0x0B, 0);
  const u8 words[] = {0xB0, 0xB1, 0xF1, 0xF2, 0xB0, 0xB1};
  for (u32 i = 0; i < 6; i++) EXPECT_EQ(board.peek(CirrusBoard::kFrameBuffer + 64 + i), words[i]) << i;
}

TEST(CirrusWindows, EightByteLatchesCopyEightPixels) {
  CirrusBoard board;
  board.packed_mode(640, 480, 8);
  for (u32 i = 0; i < 8; i++) board.poke(CirrusBoard::kFrameBuffer + 0x40 + i, static_cast<u8>(i + 1));
  board.graphics(0x0B, 0x0A);
  board.graphics(5, 0x41);
  board.peek(0xA0008);
  board.poke(0xA0010, 0);
  board.graphics(0x0B, 0);
  board.graphics(5, 0x40);
  for (u32 i = 0; i < 8; i++) EXPECT_EQ(board.peek(CirrusBoard::kFrameBuffer + 0x80 + i), i + 1) << i;
}

// Random accesses, through whatever of plain memory and registers is shown, and a saved state in between.
TEST(CirrusRegisters, ResetAndSaveLoadSave) {
  CirrusBoard board, fresh;
  std::mt19937 random(54);
  for (unsigned step = 0; step < 200'000; step++) {
    const u16 port = static_cast<u16>(0x3B0 + random() % 0x30);
    switch (random() % 4) {
      case 0: board.out(port, static_cast<u32>(random()), 1 + random() % 2); break;
      case 1: board.in(port, 1 + random() % 2); break;
      case 2: board.memory.write(PhysAddr(0xA0000 + random() % 0x20000 / 8 * 8), 1u << random() % 4, random()); break;
      default: board.memory.read(PhysAddr(CirrusBoard::kFrameBuffer + random() % 0x2000000 / 8 * 8), 8); break;
    }
    if (step % 10'000 != 0) continue;
    Frame frame;
    board.vga.render(frame);
    const auto state = saved(board.vga);
    ASSERT_TRUE(load(board.vga, state));
    ASSERT_EQ(saved(board.vga), state) << step;
  }
  board.vga.reset(ResetKind::Hard);
  fresh.vga.reset(ResetKind::Hard);
  EXPECT_EQ(saved(board.vga), saved(fresh.vga));
}

}  // namespace
}  // namespace relic86
