#include <gtest/gtest.h>

#include "tests/devices/video/vga_modes.h"

namespace relic86 {
namespace {

using namespace test;

constexpr auto kRgb = VgaBoard::rgb;

TEST(VgaGraphics, Cga4ColoursInterleaveBitPairsAndLines) {
  VgaBoard board;
  board.set_mode(kCga320x200);
  board.poke(0xB8000, 0x1B);           // line 0: colours 0 1 2 3
  board.poke(0xB8001, 0xE4);           // then 3 2 1 0
  board.poke(0xB8000 + 0x2000, 0xFF);  // line 1
  board.poke(0xB8000 + 80, 0x40);      // line 2
  const Frame frame = board.picture();
  ASSERT_EQ(frame.width, 320u);
  ASSERT_EQ(frame.height, 200u);
  EXPECT_NEAR(frame.pixel_aspect, 5.0 / 6, 1e-9);
  EXPECT_FALSE(frame.text_mode);
  const unsigned expected[8] = {0, 1, 2, 3, 3, 2, 1, 0};
  for (unsigned x = 0; x < 8; x++) EXPECT_EQ(pixel(frame, x, 0), kRgb(expected[x])) << x;
  EXPECT_EQ(pixel(frame, 3, 1), kRgb(3));
  EXPECT_EQ(pixel(frame, 4, 1), kRgb(0));
  EXPECT_EQ(pixel(frame, 0, 2), kRgb(1));
  EXPECT_EQ(board.vga.mode_name(), "graphics 320x200, 4 colours");
}

TEST(VgaGraphics, Cga2ColoursUseOnePlane) {
  VgaBoard board;
  board.set_mode(kCga640x200);
  board.poke(0xB8000, 0x81);
  board.poke(0xB8000 + 0x2000 + 79, 0x01);
  const Frame frame = board.picture();
  ASSERT_EQ(frame.width, 640u);
  ASSERT_EQ(frame.height, 200u);
  EXPECT_EQ(pixel(frame, 0, 0), kRgb(1));
  EXPECT_EQ(pixel(frame, 1, 0), kRgb(0));
  EXPECT_EQ(pixel(frame, 7, 0), kRgb(1));
  EXPECT_EQ(pixel(frame, 639, 1), kRgb(1));
}

TEST(VgaGraphics, PlanarPixelsTakeABitOfEachPlane) {
  for (const VgaMode* mode : {&kEga320x200, &kVga640x480}) {
    VgaBoard board;
    board.set_mode(*mode);
    const unsigned width = mode == &kEga320x200 ? 320 : 640;
    const unsigned height = mode == &kEga320x200 ? 200 : 480;
    for (u8 plane = 0; plane < 4; plane++) {
      board.indexed(0x3C4, 2, static_cast<u8>(1u << plane));
      // Pixel x of the top left eight has colour 8 + x.
      const u8 bits[4] = {0x55, 0x33, 0x0F, 0xFF};
      board.poke(0xA0000, bits[plane]);
      board.poke(0xA0000 + width / 8 * height - 1, bits[plane]);
    }
    const Frame frame = board.picture();
    ASSERT_EQ(frame.width, width);
    ASSERT_EQ(frame.height, height);
    for (unsigned x = 0; x < 8; x++) {
      EXPECT_EQ(pixel(frame, x, 0), kRgb(8 + x)) << x;
      EXPECT_EQ(pixel(frame, width - 8 + x, height - 1), kRgb(8 + x)) << x;
    }
    EXPECT_EQ(pixel(frame, 8, 0), kRgb(0));
  }
}

TEST(VgaGraphics, PaletteColourSelectAndPlaneEnable) {
  VgaBoard board;
  board.set_mode(kVga640x480);
  board.poke(0xA0000, 0x80);  // all planes: colour 15
  board.attribute(15, 0x2A);
  EXPECT_EQ(pixel(board.picture(), 0, 0), kRgb(0x2A));
  board.attribute(0x14, 0x05);
  EXPECT_EQ(pixel(board.picture(), 0, 0), kRgb(0x6A));
  board.attribute(0x10, 0x81);
  EXPECT_EQ(pixel(board.picture(), 0, 0), kRgb(0x5A));
  board.attribute(0x12, 0x03);
  EXPECT_EQ(pixel(board.picture(), 0, 0), kRgb(0x53));
  board.out(0x3C6, 0x0F);
  EXPECT_EQ(pixel(board.picture(), 0, 0), kRgb(0x03));
}

TEST(VgaGraphics, Mode13hAndModeXShowTheSameMemory) {
  VgaBoard board;
  board.set_mode(kVga320x200);
  for (u32 i = 0; i < 320 * 200; i++) board.poke(0xA0000 + i, static_cast<u8>(i * 7 + i / 320));
  const Frame frame = board.picture();
  ASSERT_EQ(frame.width, 320u);
  ASSERT_EQ(frame.height, 200u);
  for (u32 i = 0; i < 320 * 200; i++) ASSERT_EQ(frame.pixels[i], kRgb((i * 7 + i / 320) & 0xFF)) << i;
  // Mode X: chain-4 and doubleword addressing off, byte addressing.
  board.indexed(0x3C4, 4, 6);
  board.indexed(0x3D4, 0x14, 0);
  board.indexed(0x3D4, 0x17, 0xE3);
  EXPECT_EQ(board.picture().pixels, frame.pixels);
  board.indexed(0x3C4, 2, 2);
  board.poke(0xA0000 + 80, 99);
  EXPECT_EQ(pixel(board.picture(), 1, 1), kRgb(99));
  board.indexed(0x3D4, 0x0D, 80);  // start address: a line down
  EXPECT_EQ(pixel(board.picture(), 1, 0), kRgb(99));
  board.attribute(0x13, 2);
  EXPECT_EQ(pixel(board.picture(), 0, 0), kRgb(99));
}

TEST(VgaGraphics, SplitScreenIsNotPannedWhenToldSo) {
  VgaBoard board;
  board.set_mode(kVga640x480);
  board.poke(0xA0000, 0x40);         // pixel (1, 0) of the split screen
  board.indexed(0x3D4, 0x0C, 0x80);  // upper part from 8000h
  board.poke(0xA8000, 0x40);
  board.indexed(0x3D4, 0x11, 0x0C);
  board.indexed(0x3D4, 0x09, 0x00);
  board.indexed(0x3D4, 0x07, 0x2E);  // line compare 99
  board.indexed(0x3D4, 0x18, 99);
  board.attribute(0x13, 1);
  EXPECT_EQ(pixel(board.picture(), 0, 0), kRgb(15));
  EXPECT_EQ(pixel(board.picture(), 0, 100), kRgb(15));
  board.attribute(0x10, 0x21);
  const Frame frame = board.picture();
  EXPECT_EQ(pixel(frame, 0, 0), kRgb(15));
  EXPECT_EQ(pixel(frame, 0, 100), kRgb(0));
  EXPECT_EQ(pixel(frame, 1, 100), kRgb(15));
}

TEST(VgaGraphics, LinesInVerticalBlankingAreBlack) {
  VgaBoard board;
  board.set_mode(kVga640x480);
  board.colour(0, 63, 63, 63);
  EXPECT_EQ(pixel(board.picture(), 0, 300), 0xFFFFFFu);
  board.indexed(0x3D4, 0x11, 0x0C);
  board.indexed(0x3D4, 0x09, 0x00);
  board.indexed(0x3D4, 0x15, 200);
  board.indexed(0x3D4, 0x07, 0x36);
  board.indexed(0x3D4, 0x16, 210);
  const Frame frame = board.picture();
  EXPECT_EQ(pixel(frame, 0, 199), 0xFFFFFFu);
  EXPECT_EQ(pixel(frame, 0, 200), 0u);
  EXPECT_EQ(pixel(frame, 0, 209), 0u);
  EXPECT_EQ(pixel(frame, 0, 210), 0xFFFFFFu);
}

TEST(VgaGraphics, ColumnsInHorizontalBlankingAreBlack) {
  for (const VgaMode& mode : {kVga640x480, kVga320x200, kCga320x200, kEga320x200}) {
    VgaBoard board;
    board.set_mode(mode);
    board.colour(0, 63, 63, 63);
    const Frame whole = board.picture();
    const unsigned columns = mode.crtc[1] + 1u, dots = whole.width / columns;
    EXPECT_EQ(std::count(whole.pixels.begin(), whole.pixels.end(), 0u), 0);
    board.indexed(0x3D4, 0x11, 0x0C);
    board.indexed(0x3D4, 0x02, 10);
    board.indexed(0x3D4, 0x03, 0x80 | 15);
    board.indexed(0x3D4, 0x05, 0x00);
    const Frame frame = board.picture();
    EXPECT_EQ(pixel(frame, 10 * dots - 1, 7), 0xFFFFFFu);
    EXPECT_EQ(pixel(frame, 10 * dots, 7), 0u);
    EXPECT_EQ(pixel(frame, 15 * dots - 1, 7), 0u);
    EXPECT_EQ(pixel(frame, 15 * dots, 7), 0xFFFFFFu);
    EXPECT_EQ(std::count(frame.pixels.begin(), frame.pixels.end(), 0u), 5L * dots * frame.height);
  }
}

struct Timing {
  unsigned retraces = 0;
  GuestTime first = -1, second = -1, retrace_time = 0, disabled_time = 0;
};

Timing measure(VgaBoard& board, GuestTime span) {
  Timing timing;
  bool before = true;
  constexpr GuestTime kStep = 1000;
  for (GuestTime t = 0; t < span; t += kStep, board.pass(kStep)) {
    const u32 status = board.in(0x3DA);
    const bool retrace = (status & 8) != 0;
    if (retrace && !before) {
      timing.retraces++;
      if (timing.retraces <= 2) (timing.retraces == 1 ? timing.first : timing.second) = board.clock.time;
    }
    before = retrace;
    timing.retrace_time += retrace ? kStep : 0;
    timing.disabled_time += (status & 1) != 0 ? kStep : 0;
    EXPECT_TRUE(!retrace || (status & 1) != 0);
  }
  return timing;
}

TEST(VgaTiming, RetraceFollowsCrtcAndClock) {
  VgaBoard board;
  board.set_mode(kText80x25);  // 900 dots by 449 lines at 28.322 MHz: 70.09 Hz
  const Timing text = measure(board, 30'000'000);
  EXPECT_EQ(text.retraces, 2u);
  EXPECT_NEAR(static_cast<double>(text.second - text.first), 900.0 * 449 / 28.322e6 * 1e9, 2000);
  // Two lines of retrace, twice.
  EXPECT_NEAR(static_cast<double>(text.retrace_time), 4 * 900 / 28.322e6 * 1e9, 4000);
  // 720 of 900 dots in 400 of 449 lines are shown.
  EXPECT_NEAR(static_cast<double>(text.disabled_time) / 30e6, 1 - 0.8 * 400 / 449, 0.02);
  board.set_mode(kVga640x480);  // 800 by 525 at 25.175 MHz: 59.94 Hz
  const Timing graphics = measure(board, 40'000'000);
  EXPECT_GE(graphics.retraces, 2u);
  EXPECT_NEAR(static_cast<double>(graphics.second - graphics.first), 800.0 * 525 / 25.175e6 * 1e9, 2000);
}

TEST(VgaTiming, FramesAreAlikeForEver) {
  VgaBoard board;
  for (const VgaMode* mode : {&kText80x25, &kVga640x480, &kVga320x200}) {
    board.set_mode(*mode);
    const VgaTiming timing = VgaTiming::of(board.vga.registers());
    u64 random = 1;
    for (unsigned i = 0; i < 20'000; i++) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      const auto time = static_cast<GuestTime>(random >> (2 + i % 40));
      const GuestTime frame = time / timing.frame();
      ASSERT_EQ(timing.frame_number(time), static_cast<u64>(frame)) << time;
      ASSERT_EQ(timing.status(time), timing.status(time % timing.frame())) << time;
      ASSERT_EQ(timing.frame_number(frame * timing.frame()), static_cast<u64>(frame));
    }
  }
}

TEST(VgaTiming, SaysWhenTheRetraceBeginsAndEnds) {
  VgaBoard board;
  for (const VgaMode* mode : {&kText80x25, &kVga640x480, &kVga320x200}) {
    board.set_mode(*mode);
    const VgaTiming timing = VgaTiming::of(board.vga.registers());
    GuestTime time = 12'345'678;
    for (unsigned i = 0; i < 6; i++) {
      const u8 before = timing.status(time) & 8;
      const GuestTime change = timing.next_retrace_change(time);
      ASSERT_GT(change, time);
      ASSERT_LE(change, time + timing.frame());
      EXPECT_EQ(timing.status(change - 1) & 8, before);
      EXPECT_EQ(timing.status(time + (change - time) / 2) & 8, before);
      EXPECT_EQ(timing.status(change) & 8, before ^ 8);
      time = change;
    }
  }
}

TEST(VgaTiming, TellsOfReadsOnce) {
  VgaBoard board;
  unsigned told = 0;
  board.vga.status_reads().tell_after(3, [&told] { told++; });
  for (unsigned reads = 1; reads < 10; reads++) {
    board.in(0x3DA);
    board.in(0x3C1);
    EXPECT_EQ(told, reads < 3 ? 0u : 1u) << reads;
  }
}

TEST(VgaTiming, VbeModesRefreshAt60Hz) {
  VgaBoard board;
  board.set_mode(kText80x25);
  board.vbe(1024, 768, 32);
  const Timing timing = measure(board, 50'100'000);
  EXPECT_EQ(timing.retraces, 3u);
}

}  // namespace
}  // namespace relic86
