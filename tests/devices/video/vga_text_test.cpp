#include <gtest/gtest.h>

#include "tests/devices/video/vga_modes.h"

namespace relic86 {
namespace {

using namespace test;

struct VgaText : ::testing::Test {
  VgaText() {
    board.set_mode(kText80x25);
    board.indexed(0x3D4, 0x0A, 0x20);  // no cursor
  }
  // The first scan line of a picture as a string: '#' for colour on, '.' for off, '?' for others.
  std::string row(unsigned y, unsigned first, unsigned count, unsigned on = 7, unsigned off = 0) {
    const Frame frame = board.picture();
    std::string text;
    for (unsigned x = first; x < first + count; x++) {
      const u32 colour = pixel(frame, x, y);
      text += colour == VgaBoard::rgb(on) ? '#' : colour == VgaBoard::rgb(off) ? '.' : '?';
    }
    return text;
  }
  VgaBoard board;
};

TEST_F(VgaText, PictureHas720By400PixelsOf4To3) {
  const Frame frame = board.picture();
  EXPECT_EQ(frame.width, 720u);
  EXPECT_EQ(frame.height, 400u);
  EXPECT_TRUE(frame.text_mode);
  EXPECT_NEAR(frame.pixel_aspect, 4.0 / 3 * 400 / 720, 1e-9);
  EXPECT_EQ(board.vga.mode_name(), "text 80x25");
}

TEST_F(VgaText, GlyphsComeFromPlane2AndColoursFromTheAttribute) {
  board.glyph(0, 'A', {0x81, 0x18});
  board.text(0, "A", 0x2E);
  EXPECT_EQ(row(0, 0, 9, 14, 2), "#......#.");
  EXPECT_EQ(row(1, 0, 9, 14, 2), "...##....");
}

TEST_F(VgaText, NinthDotContinuesLineGraphicsOnly) {
  board.glyph(0, 0xC4, {0xFF});
  board.glyph(0, 'B', {0xFF});
  board.text(0,
             "\xC4"
             "B");
  EXPECT_EQ(row(0, 0, 18), "#################.");
  board.attribute(0x10, 0x08);
  EXPECT_EQ(row(0, 0, 9), "########.");
  board.indexed(0x3C4, 1, 1);  // eight dots
  EXPECT_EQ(board.picture().width, 640u);
  EXPECT_EQ(row(0, 0, 9), "#########");
}

TEST_F(VgaText, AttributeBit3ChoosesTheSecondFont) {
  board.glyph(0x0000, 'A', {0xF0});
  board.glyph(0x2000, 'A', {0x0F});
  board.indexed(0x3C4, 3, 0x10);  // map B: 4 at 2000h, map A: 0
  board.text(0, "A", 0x07);
  board.text(1, "A", 0x0F);
  EXPECT_EQ(row(0, 0, 9), "....####.");
  EXPECT_EQ(row(0, 9, 9, 15), "####.....");
}

TEST_F(VgaText, CursorHasStartEndAndBlinks) {
  board.indexed(0x3D4, 0x0A, 2);
  board.indexed(0x3D4, 0x0B, 3);
  board.indexed(0x3D4, 0x0F, 1);
  board.text(0, "  ");
  EXPECT_EQ(row(1, 9, 9), ".........");
  EXPECT_EQ(row(2, 9, 9), "#########");
  EXPECT_EQ(row(3, 9, 9), "#########");
  EXPECT_EQ(row(4, 9, 9), ".........");
  EXPECT_EQ(row(2, 0, 9), ".........");
  board.pass(8 * 14'268'000 + 1'000'000);  // 8 frames of 70 Hz
  EXPECT_EQ(row(2, 9, 9), ".........");
  board.pass(8 * 14'268'000);
  EXPECT_EQ(row(2, 9, 9), "#########");
  board.indexed(0x3D4, 0x0A, 4);  // start below end: none
  EXPECT_EQ(row(3, 9, 9), ".........");
}

TEST_F(VgaText, AttributeBit7BlinksOrBrightensTheBackground) {
  board.glyph(0, 'A', {0xFF});
  board.text(0, "A", 0x97);
  EXPECT_EQ(row(0, 0, 9, 7, 1), "########.");
  board.pass(16 * 14'268'000 + 1'000'000);
  EXPECT_EQ(row(0, 0, 9, 7, 1), ".........");
  board.attribute(0x10, 0x04);
  EXPECT_EQ(row(0, 0, 9, 7, 9), "########.");
}

TEST_F(VgaText, UnderlineAppearsAtItsLocation) {
  board.text(0, " ", 0x01);
  board.text(1, " ", 0x02);
  EXPECT_EQ(row(12, 0, 9, 1), ".........");
  board.indexed(0x3D4, 0x14, 12);
  EXPECT_EQ(row(12, 0, 9, 1), "#########");
  EXPECT_EQ(row(12, 9, 9, 2), ".........");
  EXPECT_EQ(row(11, 0, 9, 1), ".........");
}

TEST_F(VgaText, PanningAndPresetRowScanScrollSmoothly) {
  board.glyph(0, 'A', {0x80, 0x40});
  board.text(0, "AA");
  board.attribute(0x13, 2);  // three dots
  EXPECT_EQ(row(0, 0, 9), "......#..");
  board.attribute(0x13, 8);
  board.indexed(0x3D4, 8, 1);
  EXPECT_EQ(row(0, 0, 9), ".#.......");
  EXPECT_EQ(row(15, 0, 9), ".........");
  board.text(80, "A");
  EXPECT_EQ(row(15, 0, 9), "#........");
  board.indexed(0x3D4, 8, 0x20);  // byte panning
  board.text(1, "B");
  EXPECT_EQ(row(0, 0, 9), ".........");
}

TEST_F(VgaText, SplitScreenStartsAgainAtAddress0) {
  board.glyph(0, 'A', {0x80});
  board.text(0, "A");
  board.indexed(0x3D4, 0x0D, 80);
  EXPECT_EQ(row(0, 0, 9), ".........");
  board.indexed(0x3D4, 0x07, 0x0F);
  board.indexed(0x3D4, 0x09, 0x0F);
  board.indexed(0x3D4, 0x11, 0x0E);
  board.indexed(0x3D4, 0x07, 0x0F);
  board.indexed(0x3D4, 0x18, 99);
  EXPECT_EQ(row(100, 0, 9), "#........");
  EXPECT_EQ(row(99, 0, 9), ".........");
}

TEST_F(VgaText, TextLinesAreUtf8) {
  board.text(0, "C:\\>dir");
  board.text(80 * 24 + 78, "\xC9\xCD");
  const auto lines = board.vga.text_lines();
  ASSERT_EQ(lines.size(), 25u);
  EXPECT_EQ(lines[0], "C:\\>dir");
  EXPECT_EQ(lines[1], "");
  EXPECT_EQ(lines[24], std::string(78, ' ') + "╔═");
  board.set_mode(kVga320x200);
  EXPECT_TRUE(board.vga.text_lines().empty());
  EXPECT_FALSE(board.vga.text_mode());
}

TEST_F(VgaText, WidthsOf40And132Columns) {
  board.text(131, "Z");
  board.indexed(0x3D4, 0x11, 0);
  board.indexed(0x3D4, 0x00, 0x9F);
  board.indexed(0x3D4, 0x01, 131);
  board.indexed(0x3D4, 0x13, 66);
  EXPECT_EQ(board.picture().width, 132u * 9);
  EXPECT_EQ(board.vga.mode_name(), "text 132x25");
  EXPECT_EQ(board.vga.text_lines().at(0).size(), 132u);
  board.indexed(0x3D4, 0x01, 39);
  board.indexed(0x3D4, 0x13, 20);
  board.indexed(0x3C4, 1, 9);
  EXPECT_EQ(board.picture().width, 320u);
  EXPECT_NEAR(board.picture().pixel_aspect, 4.0 / 3 * 400 / 320, 1e-9);
}

TEST_F(VgaText, MonochromeModeUsesItsOwnPortsAndWindow) {
  board.indexed(0x3CE, 6, 0x0A);  // B0000h
  board.out(0x3C2, 0x66);
  board.indexed(0x3B4, 0x0E, 0);
  board.poke(0xB0000, 'm');
  EXPECT_EQ(board.vga.text_lines().at(0), "m");
  EXPECT_EQ(board.peek(0xB8000), 0xFF);
  EXPECT_NE(board.in(0x3BA), 0xFFu);
  EXPECT_EQ(board.in(0x3DA), 0xFFu);
}

TEST_F(VgaText, BlankingShowsBlackOrOverscan) {
  board.glyph(0, 'A', {0xFF});
  board.text(0, "A");
  board.attribute(0x11, 5);
  board.in(0x3DA);
  board.out(0x3C0, 0);
  EXPECT_EQ(pixel(board.picture(), 0, 0), VgaBoard::rgb(5));
  board.out(0x3C0, 0);
  board.in(0x3DA);
  board.out(0x3C0, 0x20);
  board.indexed(0x3C4, 1, 0x20);
  EXPECT_EQ(pixel(board.picture(), 0, 0), 0u);
}

TEST_F(VgaText, ColumnsInHorizontalBlankingAreBlack) {
  board.glyph(0, ' ', {0xFF});
  board.out(0x3D4, 0x11), board.out(0x3D5, board.in(0x3D5) & 0x7F);
  const auto black_columns = [&](u8 start, unsigned end) {
    board.indexed(0x3D4, 0x02, start);
    board.indexed(0x3D4, 0x03, static_cast<u8>(0x80 | (end & 0x1F)));
    board.indexed(0x3D4, 0x05, static_cast<u8>((end & 0x20) != 0 ? 0x81 : 0x01));
    const Frame frame = board.picture();
    std::vector<unsigned> black;
    for (unsigned column = 0; column < 80; column++) {
      const bool first = pixel(frame, column * 9, 0) == 0, last = pixel(frame, column * 9 + 8, 0) == 0;
      EXPECT_EQ(first, last) << column;
      if (first) black.push_back(column);
    }
    return black;
  };
  for (unsigned cell = 0; cell < 80; cell++) board.text(cell, " ", 0x77);
  using Columns = std::vector<unsigned>;
  EXPECT_EQ(black_columns(80, 98), Columns{});  // as mode 3 has it
  EXPECT_EQ(black_columns(40, 44), (Columns{40, 41, 42, 43}));
  EXPECT_EQ(black_columns(78, 98), (Columns{78, 79}));
  EXPECT_EQ(black_columns(60, 66), (Columns{60, 61, 62, 63, 64, 65})) << "six bits are compared";
  EXPECT_EQ(black_columns(90, 3), (Columns{0, 1, 2})) << "the end lies in the next line";
  EXPECT_EQ(black_columns(200, 40), Columns{}) << "a start that the counter never reaches";
  EXPECT_EQ(black_columns(70, 6).size(), 80u - 70 + 6);
}

TEST_F(VgaText, RenderReportsChangesOnly) {
  Frame frame;
  EXPECT_TRUE(board.vga.render(frame));
  EXPECT_FALSE(board.vga.render(frame));
  board.text(3, "x");
  EXPECT_TRUE(board.vga.render(frame));
  EXPECT_FALSE(board.vga.render(frame));
  board.indexed(0x3D4, 0x0D, 1);
  EXPECT_TRUE(board.vga.render(frame));
  board.indexed(0x3D4, 0x0D, 1);
  EXPECT_FALSE(board.vga.render(frame));
  Frame other;
  EXPECT_TRUE(board.vga.render(other));
}

}  // namespace
}  // namespace relic86
