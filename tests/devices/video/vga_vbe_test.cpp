#include <gtest/gtest.h>

#include <random>

#include "tests/devices/video/vga_modes.h"

namespace relic86 {
namespace {

using namespace test;

TEST(VgaVbe, RegistersFollowTheInterface) {
  VgaBoard board;
  EXPECT_EQ(board.dispi(VbeDispi::kId), 0xB0C5);
  board.dispi(VbeDispi::kId, 0xB0C2);
  EXPECT_EQ(board.dispi(VbeDispi::kId), 0xB0C2);
  board.dispi(VbeDispi::kId, 0x1234);
  EXPECT_EQ(board.dispi(VbeDispi::kId), 0xB0C2);
  EXPECT_EQ(board.dispi(VbeDispi::kMemory64k), 256);
  EXPECT_EQ(board.dispi(0x55), 0);
  board.dispi(VbeDispi::kEnable, VbeDispi::kGetCapabilities);
  EXPECT_EQ(board.dispi(VbeDispi::kXres), 4096);
  EXPECT_EQ(board.dispi(VbeDispi::kYres), 4096);
  EXPECT_EQ(board.dispi(VbeDispi::kBpp), 32);
  board.out(0x1CE, VbeDispi::kId, 2);
  EXPECT_EQ(board.in(0x1D0, 2), 0xB0C2u);  // the aligned data port
}

TEST(VgaVbe, EnablingSetsTheViewAndClears) {
  VgaBoard board;
  board.poke(VgaBoard::kFrameBuffer + 1000, 0x55);
  board.vbe(800, 600, 32, VbeDispi::kNoClear);
  EXPECT_EQ(board.peek(VgaBoard::kFrameBuffer + 1000), 0x55);
  EXPECT_EQ(board.dispi(VbeDispi::kVirtualWidth), 800);
  EXPECT_EQ(board.dispi(VbeDispi::kVirtualHeight), 16 * 1024 * 1024 / 3200);
  EXPECT_EQ(board.dispi(VbeDispi::kXoffset), 0);
  board.vbe(800, 600, 32);
  EXPECT_EQ(board.peek(VgaBoard::kFrameBuffer + 1000), 0);
  board.dispi(VbeDispi::kVirtualWidth, 1024);
  EXPECT_EQ(board.dispi(VbeDispi::kVirtualHeight), 4096);
  board.dispi(VbeDispi::kXoffset, 500);
  EXPECT_EQ(board.dispi(VbeDispi::kXoffset), 1024 - 800);
  board.dispi(VbeDispi::kYoffset, 0xFFFF);
  EXPECT_EQ(board.dispi(VbeDispi::kYoffset), 4096 - 600);
  board.dispi(VbeDispi::kVirtualWidth, 100);  // narrower than the picture
  EXPECT_EQ(board.dispi(VbeDispi::kVirtualWidth), 800);
}

TEST(VgaVbe, NonsenseBecomesTheNearestPossibleMode) {
  VgaBoard board;
  board.vbe(1366, 768, 7);
  EXPECT_EQ(board.vga.mode_name(), "VBE 1360x768x8");
  board.vbe(0, 0, 16);
  EXPECT_EQ(board.vga.mode_name(), "VBE 8x1x16");
  board.vbe(0xFFFF, 0xFFFF, 32);  // memory ends first
  EXPECT_EQ(board.vga.mode_name(), "VBE 4096x1024x32");
  board.dispi(VbeDispi::kVirtualWidth, 0xFFFF);
  EXPECT_EQ(board.dispi(VbeDispi::kVirtualWidth), 4096);
  EXPECT_EQ(board.picture().height, 1024u);
  board.vbe(2560, 1600, 32);
  EXPECT_EQ(board.vga.mode_name(), "VBE 2560x1600x32");
}

TEST(VgaVbe, EveryDepthShowsItsPixels) {
  struct Case {
    u16 depth;
    std::vector<u8> bytes;  // of pixel (1, 0)
    u32 colour;
  };
  const Case cases[] = {
      {8, {0x37}, VgaBoard::rgb(0x37)},   {15, {0x00, 0x7C}, 0xFF0000},
      {15, {0x1F, 0x00}, 0x0000FF},       {15, {0x10, 0x42}, 0x848484},
      {16, {0xE0, 0x07}, 0x00FF00},       {16, {0x00, 0x80}, 0x840000},
      {24, {0x11, 0x22, 0x33}, 0x332211}, {32, {0x44, 0x55, 0x66, 0xFF}, 0x665544},
  };
  for (const Case& c : cases) {
    VgaBoard board;
    board.set_mode(kText80x25);
    board.vbe(640, 480, c.depth);
    const auto size = static_cast<u32>(c.bytes.size());
    for (u32 i = 0; i < size; i++) board.poke(VgaBoard::kFrameBuffer + size + i, c.bytes[i]);
    const Frame frame = board.picture();
    ASSERT_EQ(frame.width, 640u);
    ASSERT_EQ(frame.height, 480u);
    EXPECT_EQ(frame.pixel_aspect, 1.0);
    EXPECT_EQ(pixel(frame, 1, 0), c.colour) << c.depth;
    // Scrolled by a line, the same bytes one line further down show again.
    board.dispi(VbeDispi::kYoffset, 1);
    for (u32 i = 0; i < size; i++) board.poke(VgaBoard::kFrameBuffer + 641 * size + i, c.bytes[i]);
    EXPECT_EQ(pixel(board.picture(), 1, 0), c.colour) << c.depth;
  }
}

TEST(VgaVbe, PlanarModeReachesBeyond64KByBanks) {
  VgaBoard board;
  board.set_mode(kVga640x480);
  board.vbe(1024, 768, 4);
  board.dispi(VbeDispi::kBank, 1);
  board.indexed(0x3C4, 2, 0x05);
  const u32 at = 767 * 128 + 127;  // the last eight pixels
  board.poke(0xA0000 + at - 0x10000, 0x01);
  const Frame frame = board.picture();
  EXPECT_EQ(pixel(frame, 1023, 767), VgaBoard::rgb(5));
  EXPECT_EQ(pixel(frame, 1022, 767), VgaBoard::rgb(0));
}

TEST(VgaVbe, BankedWindowIsLinear) {
  VgaBoard board;
  board.set_mode(kVga320x200);
  board.vbe(640, 480, 8);
  EXPECT_EQ(board.memory.page(PhysAddr(0xA0000)).write.kind, PageTarget::Kind::Mmio);
  board.dispi(VbeDispi::kBank, 3);
  board.poke(0xA0123, 0x77);
  EXPECT_EQ(board.peek(VgaBoard::kFrameBuffer + 0x30123), 0x77);
  EXPECT_EQ(board.peek(0xA0123), 0x77);
  board.dispi(VbeDispi::kBank, 0);
  EXPECT_EQ(board.peek(0xA0123), 0);
}

// Whatever the VGA's registers say: a text mode, the other addresses, memory switched off.
TEST(VgaVbe, TheBankedWindowOpensWithoutABios) {
  for (const u16 depth : {u16{8}, u16{16}, u16{32}}) {
    VgaBoard board;
    board.set_mode(kText80x25);
    board.dispi(VbeDispi::kXres, 640);
    board.dispi(VbeDispi::kYres, 400);
    board.dispi(VbeDispi::kBpp, depth);
    board.dispi(VbeDispi::kEnable, VbeDispi::kEnabled);
    for (const u16 bank : {u16{0}, u16{3}}) {
      board.dispi(VbeDispi::kBank, bank);
      board.poke(0xA0000, static_cast<u8>(0x11 + bank));
      board.poke(0xAFFFF, static_cast<u8>(0x22 + bank));
      EXPECT_EQ(board.peek(0xA0000), 0x11 + bank);
      EXPECT_EQ(board.peek(0xAFFFF), 0x22 + bank);
      EXPECT_EQ(board.peek(VgaBoard::kFrameBuffer + bank * 0x10000u), 0x11 + bank);
      EXPECT_EQ(board.peek(VgaBoard::kFrameBuffer + bank * 0x10000u + 0xFFFF), 0x22 + bank);
    }
    board.poke(0xB8000, 0x55);
    EXPECT_EQ(board.peek(0xB8000), 0xFF) << "nothing else answers";
    board.out(0x3C2, 0);
    EXPECT_EQ(board.peek(0xA0000), 0x14);
    board.out(0x3C2, kText80x25.miscellaneous);
    board.dispi(VbeDispi::kEnable, 0);
    board.poke(0xB8000, 0x41);
    EXPECT_EQ(board.peek(0xB8000), 0x41) << "the text window is back";
    EXPECT_EQ(board.peek(0xA0000), 0xFF);
  }
}

TEST(VgaVbe, EightBitDac) {
  VgaBoard board;
  board.set_mode(kText80x25);
  board.vbe(640, 480, 8, VbeDispi::kEightBitDac);
  board.colour(1, 0x81, 0x42, 0xFF);
  board.poke(VgaBoard::kFrameBuffer, 1);
  EXPECT_EQ(pixel(board.picture(), 0, 0), 0x8142FFu);
}

TEST(VgaVbe, FrameBufferWritesAreSeenAsChanges) {
  VgaBoard board;
  board.vbe(640, 480, 32);
  Frame frame;
  EXPECT_TRUE(board.vga.render(frame));
  EXPECT_FALSE(board.vga.render(frame));
  board.poke(VgaBoard::kFrameBuffer + 640 * 4 * 479, 0xAA);
  EXPECT_TRUE(board.vga.render(frame));
  EXPECT_EQ(pixel(frame, 0, 479), 0xAAu);
  EXPECT_FALSE(board.vga.render(frame));
  board.poke(VgaBoard::kFrameBuffer + 640 * 4 * 481, 0xAA);  // behind the picture
  EXPECT_FALSE(board.vga.render(frame));
}

TEST(VgaVbe, OnlyDirtyRowsAreDrawnAgain) {
  VgaBoard board;
  board.vbe(1024, 768, 32);  // a row is a page
  Frame frame;
  board.vga.render(frame);
  EXPECT_EQ(board.vga.changed_rows().end, 768u);
  frame.pixels[5 * 1024] = 0xABCDEF;  // would be repaired by drawing row 5
  board.poke(VgaBoard::kFrameBuffer + 4096 * 10 + 40, 1);
  board.poke(VgaBoard::kFrameBuffer + 4096 * 12 + 40, 2);
  EXPECT_TRUE(board.vga.render(frame));
  EXPECT_EQ(pixel(frame, 10, 10), 1u);
  EXPECT_EQ(pixel(frame, 10, 12), 2u);
  EXPECT_EQ(pixel(frame, 0, 5), 0xABCDEFu);
  EXPECT_EQ(board.vga.changed_rows().first, 10u);
  EXPECT_EQ(board.vga.changed_rows().end, 13u);
  board.dispi(VbeDispi::kYoffset, 1);
  EXPECT_TRUE(board.vga.render(frame));
  EXPECT_EQ(pixel(frame, 10, 9), 1u);
  EXPECT_EQ(pixel(frame, 0, 5), 0u);
  // Rows that share a page, in the last page of video memory's picture too.
  board.vbe(640, 480, 8);
  board.vga.render(frame);
  for (u32 at : {0u, 4095u, 4096u, 640u * 479, 640u * 480 - 1}) {
    board.poke(VgaBoard::kFrameBuffer + at, 7);
    EXPECT_TRUE(board.vga.render(frame));
    Frame whole;
    board.vga.render(whole);
    EXPECT_EQ(frame.pixels, whole.pixels) << at;
  }
}

TEST(VgaVbe, RegisterBarMirrorsPortsAndDispi) {
  VgaBoard board;
  board.set_mode(kText80x25);
  const auto wide = [&](u32 offset, unsigned width) {
    return board.memory.read(PhysAddr(VgaBoard::kRegisters + offset), width);
  };
  EXPECT_EQ(wide(0x500, 2), 0xB0C5u);
  EXPECT_EQ(wide(0x40C, 1), 0x67u);  // 3CCh
  board.memory.write(PhysAddr(VgaBoard::kRegisters + 0x502), 2, 1600);
  board.memory.write(PhysAddr(VgaBoard::kRegisters + 0x504), 4, 32u << 16 | 1200);
  board.memory.write(PhysAddr(VgaBoard::kRegisters + 0x508), 2, 0x41);
  EXPECT_EQ(board.vga.mode_name(), "VBE 1600x1200x32");
  EXPECT_EQ(wide(0x600, 4), 8u);
  EXPECT_EQ(wide(0x604, 4), 0x1E1E1E1Eu);
  EXPECT_EQ(wide(0x800, 4), 0u);
  board.memory.write(PhysAddr(VgaBoard::kRegisters + 0x40E), 2, 0x3408);  // 3CEh index 8, data 34h
  EXPECT_EQ(board.vga.registers().graphics()[8], 0x34);
}

TEST(VgaVbe, EdidDescribesAMonitor) {
  VgaBoard board;
  std::array<u8, 128> edid{};
  board.memory.read_block(PhysAddr(VgaBoard::kRegisters), edid);
  const std::array<u8, 8> magic = {0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0};
  EXPECT_TRUE(std::equal(magic.begin(), magic.end(), edid.begin()));
  u8 sum = 0;
  for (const u8 byte : edid) sum = static_cast<u8>(sum + byte);
  EXPECT_EQ(sum, 0);
  // The preferred mode: active pixels and lines.
  EXPECT_EQ(edid[54 + 2] | (edid[54 + 4] >> 4) << 8, 1024);
  EXPECT_EQ(edid[54 + 5] | (edid[54 + 7] >> 4) << 8, 768);
  EXPECT_EQ((edid[38] + 31) * 8, 1600);
}

TEST(VgaPci, IdentityAndRom) {
  std::vector<u8> rom(39936);
  for (std::size_t i = 0; i < rom.size(); i++) rom[i] = static_cast<u8>(i * 3);
  VgaBoard board(rom);
  EXPECT_EQ(board.config(2, 0, 0, 4), 0x11111234u);
  EXPECT_EQ(board.config(2, 0, 8, 4), 0x03000002u);
  board.set_config(2, 0, 0x10, 4, 0xFFFFFFFF);
  EXPECT_EQ(board.config(2, 0, 0x10, 4), 0xFF000008u);
  board.set_config(2, 0, 0x30, 4, 0xFFFFFFFE);
  EXPECT_EQ(board.config(2, 0, 0x30, 4), 0xFFFF0000u);
  board.set_config(2, 0, 0x30, 4, VgaBoard::kRom | 1);
  EXPECT_EQ(board.peek(VgaBoard::kRom + 5), 15);
  EXPECT_EQ(board.peek(VgaBoard::kRom + 39936), 0xFF);
  board.poke(VgaBoard::kRom + 5, 1);
  EXPECT_EQ(board.peek(VgaBoard::kRom + 5), 15);
}

TEST(VgaPorts, PaletteFlipFlopAndProtection) {
  VgaBoard board;
  board.set_mode(kText80x25);
  board.colour(5, 1, 2, 3);
  board.out(0x3C7, 5);
  EXPECT_EQ(board.in(0x3C7), 3u);
  EXPECT_EQ(board.in(0x3C9), 1u);
  EXPECT_EQ(board.in(0x3C9), 2u);
  EXPECT_EQ(board.in(0x3C9), 3u);
  EXPECT_EQ(board.in(0x3C9), 6u & 63);  // the next colour follows by itself
  board.out(0x3C8, 0);
  EXPECT_EQ(board.in(0x3C7), 0u);
  board.in(0x3DA);
  board.out(0x3C0, 0x31);
  EXPECT_EQ(board.in(0x3C0), 0x31u);
  board.out(0x3C0, 0x09);
  EXPECT_EQ(board.in(0x3C1), 0x09u);
  board.indexed(0x3D4, 0x11, 0x8E);
  board.indexed(0x3D4, 0x00, 0x11);
  board.indexed(0x3D4, 0x07, 0xFF);
  EXPECT_EQ(board.vga.registers().crtc()[0], 0x5F);
  EXPECT_EQ(board.vga.registers().crtc()[7], 0x1F);
  board.indexed(0x3D4, 0x07, 0x00);
  EXPECT_EQ(board.vga.registers().crtc()[7], 0x0F);
  EXPECT_EQ(board.in(0x3B4), 0xFFu);
  board.out(0x3C2, 0x66);
  EXPECT_EQ(board.in(0x3D4), 0xFFu);
  EXPECT_EQ(board.in(0x3B4), 0x07u);
}

TEST(VgaState, ResetAndSaveLoadSave) {
  VgaBoard board;
  const auto fresh = saved(board.vga);
  board.set_mode(kText80x25);
  board.vbe(800, 600, 16);
  board.dispi(VbeDispi::kYoffset, 7);
  const auto busy = saved(board.vga);
  EXPECT_NE(fresh, busy);
  VgaBoard other;
  ASSERT_TRUE(load(other.vga, busy));
  EXPECT_EQ(saved(other.vga), busy);
  EXPECT_EQ(other.vga.mode_name(), "VBE 800x600x16");
  board.vga.reset(ResetKind::Hard);
  board.set_config(2, 0, 0x04, 2, 0);
  EXPECT_EQ(board.dispi(VbeDispi::kEnable), 0);
  EXPECT_TRUE(board.vga.text_lines().empty());
  board.set_mode(kVga320x200);
  const auto linear = saved(board.vga);
  ASSERT_TRUE(load(other.vga, linear));
  EXPECT_EQ(other.memory.page(PhysAddr(0xA0000)).write.kind, PageTarget::Kind::Backing);
}

TEST(VgaFuzz, LoadedNonsenseIsContained) {
  std::mt19937 random(4);
  VgaBoard board;
  board.vbe(800, 600, 16);
  const auto good = saved(board.vga);
  for (unsigned round = 0; round < 60; round++) {
    auto bytes = good;
    for (unsigned i = 0; i < 200; i++) bytes[random() % bytes.size()] = static_cast<u8>(random());
    load(board.vga, bytes);
    board.picture();
    board.vga.text_lines();
    for (unsigned i = 0; i < 50; i++) board.poke(0xA0000 + random() % 0x20000, 1);
    for (u16 port = 0x3C0; port < 0x3E0; port++) board.in(port);
  }
}

TEST(VgaFuzz, RandomRegistersAreContained) {
  VgaBoard board(std::vector<u8>(32768));
  std::mt19937 random(7);
  Frame frame;
  const auto width = [&] { return 1u << random() % 3; };
  for (unsigned step = 0; step < 60'000; step++) {
    switch (random() % 8) {
      case 0: board.out(static_cast<u16>(0x3B4 + random() % 44), random(), width()); break;
      case 1: board.in(static_cast<u16>(0x3B4 + random() % 44), width()); break;
      case 2: board.indexed(random() % 2 == 0 ? 0x3D4 : 0x3C4, random() % 32, static_cast<u8>(random())); break;
      case 3: board.dispi(random() % 12, static_cast<u16>(random() % 8 == 0 ? random() : random() % 3000)); break;
      case 4: board.memory.write(PhysAddr(0xA0000 + random() % 0x4000 * 8), 1u << random() % 4, random()); break;
      case 5: board.memory.read(PhysAddr(0xA0000 + random() % 0x4000 * 8), 1u << random() % 4); break;
      case 6: {
        const u32 at = VgaBoard::kRegisters + (random() % 2 == 0 ? 0x400 + random() % 0x220 : random() % 0xFF0);
        const unsigned bytes = width();
        board.memory.write(PhysAddr(at & ~(bytes - 1)), bytes, random());
        board.memory.read(PhysAddr(at & ~(bytes - 1)), bytes);
        break;
      }
      default: {
        const unsigned bytes = width();
        const auto reg = static_cast<u8>(random() % 0x40 & ~(bytes - 1));
        board.set_config(2, 0, reg, bytes, random());
        if (random() % 4 == 0) board.set_config(2, 0, 4, 2, 3);
        board.pass(random() % 100'000);
        break;
      }
    }
    if (step % 50 == 0 && board.vga.render(frame)) {
      ASSERT_EQ(frame.pixels.size(), std::size_t{frame.width} * frame.height);
    }
    if (step % 500 == 0) {
      board.vga.text_lines();
      board.vga.mode_name();
    }
  }
}

}  // namespace
}  // namespace relic86
