// Register programmes of the standard modes, as IBM's video BIOS sets them (PS/2 Hardware Interface Technical
// Reference, "Video Subsystem", register values by mode), and a board with a VGA to run them on.
#pragma once

#include <array>
#include <initializer_list>
#include <string_view>

#include "devices/pci_bus.h"
#include "devices/video/vga.h"
#include "tests/devices/test_board.h"

namespace relic86::test {

struct VgaMode {
  u8 miscellaneous;
  std::array<u8, 4> sequencer;  // 1 to 4
  std::array<u8, 25> crtc;
  std::array<u8, 9> graphics;
  std::array<u8, 5> attribute;  // 10h to 14h
};

inline constexpr VgaMode kText80x25 = {0x67,
                                       {0x00, 0x03, 0x00, 0x02},
                                       {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00,
                                        0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF},
                                       {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF},
                                       {0x0C, 0x00, 0x0F, 0x08, 0x00}};

inline constexpr VgaMode kCga320x200 = {  // mode 4
    0x63,
    {0x09, 0x03, 0x00, 0x02},
    {0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, 0xBF, 0x1F, 0x00, 0xC1, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x14, 0x00, 0x96, 0xB9, 0xA2, 0xFF},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x0F, 0x00, 0xFF},
    {0x01, 0x00, 0x03, 0x00, 0x00}};

inline constexpr VgaMode kCga640x200 = {  // mode 6
    0x63,
    {0x01, 0x01, 0x00, 0x06},
    {0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0x00, 0xC1, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x00, 0x96, 0xB9, 0xC2, 0xFF},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0D, 0x00, 0xFF},
    {0x01, 0x00, 0x01, 0x00, 0x00}};

inline constexpr VgaMode kEga320x200 = {  // mode 0Dh
    0x63,
    {0x09, 0x0F, 0x00, 0x06},
    {0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, 0xBF, 0x1F, 0x00, 0xC0, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x14, 0x00, 0x96, 0xB9, 0xE3, 0xFF},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0F, 0xFF},
    {0x01, 0x00, 0x0F, 0x00, 0x00}};

inline constexpr VgaMode kVga640x480 = {  // mode 12h
    0xE3,
    {0x01, 0x0F, 0x00, 0x06},
    {0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0x0B, 0x3E, 0x00, 0x40, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0xEA, 0x8C, 0xDF, 0x28, 0x00, 0xE7, 0x04, 0xE3, 0xFF},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0F, 0xFF},
    {0x01, 0x00, 0x0F, 0x00, 0x00}};

inline constexpr VgaMode kVga320x200 = {  // mode 13h
    0x63,
    {0x01, 0x0F, 0x00, 0x0E},
    {0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0x00, 0x41, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x40, 0x96, 0xB9, 0xA3, 0xFF},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0F, 0xFF},
    {0x41, 0x00, 0x0F, 0x00, 0x00}};

// A VGA in PCI slot 2 with its memory decoding on and BARs at kFrameBuffer, kRegisters and kRom.
struct VgaBoard : TestBoard {
  static constexpr u32 kFrameBuffer = 0xE0000000, kRegisters = 0xF0000000, kRom = 0xF1000000;

  explicit VgaBoard(std::span<const u8> rom = {}) : TestBoard(u64{2} << 20, Vga::backing_room(rom.size())), vga(rom) {
    RELIC86_ASSERT(pci.add(vga, 2).ok() && pci.attach(attachment).ok() && vga.attach(attachment).ok());
    pci.reset(ResetKind::PowerOn);
    vga.reset(ResetKind::PowerOn);
    set_config(2, 0, 0x10, 4, kFrameBuffer);
    set_config(2, 0, 0x18, 4, kRegisters);
    set_config(2, 0, 0x30, 4, kRom | 1);
    set_config(2, 0, 0x04, 2, 3);
  }

  void indexed(u16 port, u8 index, u8 value) { out(port, u32{value} << 8 | index, 2); }
  void attribute(u8 index, u8 value) {
    in(0x3DA);
    out(0x3C0, index);
    out(0x3C0, value);
    out(0x3C0, 0x20);
  }
  void colour(u8 index, u8 red, u8 green, u8 blue) {
    out(0x3C8, index);
    for (const u8 component : {red, green, blue}) out(0x3C9, component);
  }
  void dispi(u16 index, u16 value) {
    out(0x1CE, index, 2);
    out(0x1CF, value, 2);
  }
  u16 dispi(u16 index) {
    out(0x1CE, index, 2);
    return static_cast<u16>(in(0x1CF, 2));
  }
  void vbe(u16 width, u16 height, u16 depth, u16 flags = 0) {
    dispi(VbeDispi::kEnable, 0);
    dispi(VbeDispi::kXres, width);
    dispi(VbeDispi::kYres, height);
    dispi(VbeDispi::kBpp, depth);
    dispi(VbeDispi::kEnable, static_cast<u16>(VbeDispi::kEnabled | VbeDispi::kLinear | flags));
    in(0x3BA), in(0x3DA);
    out(0x3C0, 0x20);
  }
  // Sets a mode with palette registers 0 to 15 to themselves and DAC colour n to (n, 63 - n, n * 2), all modulo 64.
  void set_mode(const VgaMode& mode) {
    out(0x3C2, mode.miscellaneous);
    for (u8 i = 0; i < 4; i++) indexed(0x3C4, static_cast<u8>(i + 1), mode.sequencer[i]);
    indexed(0x3D4, 0x11, 0);
    for (u8 i = 0; i < 25; i++) indexed(0x3D4, i, mode.crtc[i]);
    for (u8 i = 0; i < 9; i++) indexed(0x3CE, i, mode.graphics[i]);
    for (u8 i = 0; i < 16; i++) attribute(i, i);
    for (u8 i = 0; i < 5; i++) attribute(static_cast<u8>(i + 0x10), mode.attribute[i]);
    out(0x3C6, 0xFF);
    for (unsigned i = 0; i < 256; i++) {
      colour(static_cast<u8>(i), static_cast<u8>(i & 63), static_cast<u8>(63 - (i & 63)), static_cast<u8>(i * 2 & 63));
    }
  }
  // What set_mode() makes of DAC colour n.
  static u32 rgb(unsigned n) {
    const auto wide = [](u32 v) { return (v & 63) << 2 | (v & 63) >> 4; };
    return wide(n) << 16 | wide(63 - (n & 63)) << 8 | wide(n * 2);
  }
  void poke(u32 address, u8 value) { memory.write(PhysAddr(address), 1, value); }
  u8 peek(u32 address) { return static_cast<u8>(memory.read(PhysAddr(address), 1)); }
  // A glyph into plane 2, the way a BIOS loads fonts.
  void glyph(unsigned font_offset, u8 character, std::initializer_list<u8> rows) {
    indexed(0x3C4, 2, 4);
    indexed(0x3C4, 4, 7);
    indexed(0x3CE, 5, 0);
    indexed(0x3CE, 6, 4);
    u32 at = 0xA0000 + font_offset + character * 32u;
    for (const u8 row : rows) poke(at++, row);
    indexed(0x3C4, 2, 3);
    indexed(0x3C4, 4, 2);
    indexed(0x3CE, 5, 0x10);
    indexed(0x3CE, 6, 0x0E);
  }
  void text(unsigned cell, std::string_view characters, u8 attribute_byte = 7) {
    for (const char c : characters) {
      poke(0xB8000 + cell * 2, static_cast<u8>(c));
      poke(0xB8000 + cell * 2 + 1, attribute_byte);
      cell++;
    }
  }
  Frame picture() {
    Frame frame;
    vga.render(frame);
    return frame;
  }

  PciBus pci;
  Vga vga;
};

inline u32 pixel(const Frame& frame, unsigned x, unsigned y) { return frame.pixels.at(y * frame.width + x); }

}  // namespace relic86::test
