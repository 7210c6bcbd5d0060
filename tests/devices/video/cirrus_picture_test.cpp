// Pictures of the GD5446: depths, start addresses, the cursor, and that only what changed is drawn again.
#include <gtest/gtest.h>

#include "tests/devices/video/cirrus_board.h"

namespace relic86 {
namespace {

using namespace test;

TEST(CirrusPicture, EveryDepth) {
  struct Row {
    unsigned depth;
    u32 value, colour;
  };
  constexpr Row kRows[] = {{8, 0x5A, 0xFF0082},       {15, 0x7C1F, 0xFF00FF}, {15, 0x0200, 0x008400},
                           {16, 0xF81F, 0xFF00FF},    {16, 0x0400, 0x008200}, {24, 0x123456, 0x123456},
                           {32, 0xFF654321, 0x654321}};
  for (const Row& row : kRows) {
    CirrusBoard board;
    board.packed_mode(320, 240, row.depth);
    board.colour(0x5A, 63, 0, 32);
    const u32 bytes = (row.depth + 7) / 8, at = CirrusBoard::kFrameBuffer + (3 * 320 + 7) * bytes;
    for (u32 i = 0; i < bytes; i++) board.poke(at + i, static_cast<u8>(row.value >> (i * 8)));
    Frame frame;
    ASSERT_TRUE(board.vga.render(frame));
    ASSERT_EQ(frame.width, 320u);
    ASSERT_EQ(frame.height, 240u);
    EXPECT_EQ(pixel(frame, 7, 3), row.colour) << row.depth;
    EXPECT_EQ(pixel(frame, 8, 3), 0u) << row.depth;
    EXPECT_EQ(board.vga.mode_name(), "GD5446 320x240x" + std::to_string(row.depth));
    EXPECT_TRUE(board.vga.text_lines().empty());
  }
}

TEST(CirrusPicture, BlackWithoutSync) {
  CirrusBoard board;
  board.packed_mode(640, 480, 8);
  board.colour(0, 63, 0, 0);
  Frame frame;
  board.vga.render(frame);
  EXPECT_EQ(pixel(frame, 9, 9), 0xFF0000u);
  board.sequencer(1, 0x21);  // as SeaBIOS leaves it
  board.crtc(0x17, 0x03);    // and Linux
  board.vga.render(frame);
  EXPECT_EQ(pixel(frame, 9, 9), 0xFF0000u);
  board.graphics(0x0E, 0x06);
  board.vga.render(frame);
  EXPECT_EQ(pixel(frame, 9, 9), 0u);
}

TEST(CirrusPicture, StartAndPitchHaveTheirUpperBits) {
  CirrusBoard board;
  board.packed_mode(800, 600, 32);  // 3200 bytes a row: bit 8 of the pitch
  board.crtc(0x0C, 0x34), board.crtc(0x0D, 0x56);
  board.crtc(0x1B, 0x22 | 0x10 | 0x05);
  const u32 start = (0x3456 | 1 << 16 | 1 << 17) * 4;
  board.poke(CirrusBoard::kFrameBuffer + start + 3200 * 2 + 4, 0xC0);
  Frame frame;
  board.vga.render(frame);
  EXPECT_EQ(frame.width, 800u);
  EXPECT_EQ(frame.height, 600u);
  EXPECT_EQ(pixel(frame, 1, 2), 0x0000C0u);
  // Where the memory ends, the picture goes on at its beginning.
  board.crtc(0x0C, 0xFF), board.crtc(0x0D, 0xFF);
  board.crtc(0x1B, 0x22 | 0x10 | 0x0D);
  board.crtc(0x1D, 0x80);
  board.poke(CirrusBoard::kFrameBuffer, 0xD0);
  board.vga.render(frame);
  EXPECT_EQ(pixel(frame, 1, 0), 0x0000D0u);
}

TEST(CirrusPicture, DrawsOnlyRowsThatChanged) {
  CirrusBoard board;
  board.packed_mode(1024, 768, 8);
  board.colour(1, 63, 63, 63);
  Frame frame;
  ASSERT_TRUE(board.vga.render(frame));
  EXPECT_FALSE(board.vga.render(frame));
  board.poke(CirrusBoard::kFrameBuffer + 100 * 1024 + 5, 1);
  ASSERT_TRUE(board.vga.render(frame));
  EXPECT_EQ(pixel(frame, 5, 100), 0xFFFFFFu);
  EXPECT_LE(board.vga.changed_rows().first, 100u);
  EXPECT_GT(board.vga.changed_rows().end, 100u);
  EXPECT_LE(board.vga.changed_rows().end - board.vga.changed_rows().first, 4u);
  board.poke(CirrusBoard::kFrameBuffer + 1024 * 768 + 50, 1);  // not shown
  EXPECT_FALSE(board.vga.render(frame));
  // What a BitBLT draws is seen, too.
  board.graphics(0x20, 9), board.graphics(0x28, 0), board.graphics(0x29, 0), board.graphics(0x2A, 8);
  board.graphics(0x32, 0x0E), board.graphics(0x31, 2);
  ASSERT_TRUE(board.vga.render(frame));
  EXPECT_EQ(board.vga.changed_rows().first, 512u);
}

TEST(CirrusPicture, CursorOfBothSizes) {
  CirrusBoard board;
  board.packed_mode(640, 480, 8);
  board.colour(0, 0, 0, 16);
  board.sequencer(0x12, 2);
  board.colour(0, 63, 0, 0), board.colour(15, 0, 63, 0);
  const u32 patterns = CirrusBoard::kFrameBuffer + CirrusBoard::kMemory - 0x4000;
  const auto row = [&](u32 low, u32 high) {
    board.poke(patterns + low, 0b01010000), board.poke(patterns + high, 0b00110000);
  };
  row(0x200 + 5 * 4, 0x280 + 5 * 4);        // pattern 2 of 32x32: row 5 in both planes
  row(0x400 + 5 * 16, 0x400 + 5 * 16 + 8);  // pattern 4 of 64x64
  const u32 screen = 0x000041, shown[] = {screen, screen ^ 0xFFFFFF, 0xFF0000, 0x00FF00};
  for (const bool large : {false, true}) {
    board.sequencer(0x13, large ? 4 : 2);
    board.sequencer(0x12, large ? 5 : 1);
    board.sequencer(0x10 | (100 & 7) << 5, 100 >> 3);
    board.sequencer(0x11 | (50 & 7) << 5, 50 >> 3);
    Frame frame;
    board.vga.render(frame);
    for (unsigned i = 0; i < 4; i++) EXPECT_EQ(pixel(frame, 100 + i, 55), shown[i]) << large << ' ' << i;
    // It moves: its old rows are drawn again, and no others.
    board.sequencer(0x11 | (80 & 7) << 5, 80 >> 3);
    ASSERT_TRUE(board.vga.render(frame));
    EXPECT_EQ(pixel(frame, 102, 55), screen);
    EXPECT_EQ(pixel(frame, 102, 85), 0xFF0000u);
    EXPECT_EQ(board.vga.changed_rows().first, 50u);
    EXPECT_EQ(board.vga.changed_rows().end, large ? 144u : 112u);
    // A new pattern is seen.
    board.poke(patterns + (large ? 0x400 + 5 * 16 : 0x200 + 5 * 4), 0);
    ASSERT_TRUE(board.vga.render(frame));
    EXPECT_EQ(pixel(frame, 103, 85), 0xFF0000u);
    // At the right edge it ends.
    board.sequencer(0x10 | (638 & 7) << 5, 638 >> 3);
    ASSERT_TRUE(board.vga.render(frame));
    EXPECT_EQ(pixel(frame, 0, 86), screen);
    board.sequencer(0x12, 0);
    row(0x200 + 5 * 4, 0x280 + 5 * 4), row(0x400 + 5 * 16, 0x400 + 5 * 16 + 8);
  }
}

TEST(CirrusPicture, VgaModesAsEver) {
  CirrusBoard board;
  Frame frame;
  ASSERT_TRUE(board.vga.render(frame));
  EXPECT_TRUE(board.vga.text_mode());
  board.packed_mode(640, 480, 8);
  board.sequencer(7, 0);
  EXPECT_EQ(board.vga.mode_name(), "graphics 320x480, 256 colours");
}

}  // namespace
}  // namespace relic86
