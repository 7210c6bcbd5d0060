// A board with a GD5446 in PCI slot 2, its memory decoding on and its BARs placed.
#pragma once

#include <initializer_list>

#include "devices/pci_bus.h"
#include "devices/video/cirrus_vga.h"
#include "tests/devices/test_board.h"

namespace relic86::test {

struct CirrusBoard : TestBoard {
  static constexpr u32 kFrameBuffer = 0xE0000000, kRegisters = 0xF0000000;
  static constexpr u32 kMemory = CirrusVga::kVideoMemory, kBlitAperture = kFrameBuffer + (16 << 20);

  CirrusBoard() : TestBoard(u64{2} << 20, CirrusVga::backing_room()) {
    RELIC86_ASSERT(pci.add(vga, 2).ok() && pci.attach(attachment).ok() && vga.attach(attachment).ok());
    pci.reset(ResetKind::PowerOn);
    vga.reset(ResetKind::PowerOn);
    set_config(2, 0, 0x10, 4, kFrameBuffer);
    set_config(2, 0, 0x14, 4, kRegisters);
    set_config(2, 0, 0x04, 2, 3);
    out(0x3C2, 0x63);  // ports at 3Dxh, video memory answers
  }

  void sequencer(u8 index, u8 value) { out(0x3C4, u32{value} << 8 | index, 2); }
  void graphics(u8 index, u8 value) { out(0x3CE, u32{value} << 8 | index, 2); }
  void crtc(u8 index, u8 value) { out(0x3D4, u32{value} << 8 | index, 2); }
  u8 sequencer(u8 index) { return out(0x3C4, index), static_cast<u8>(in(0x3C5)); }
  u8 graphics(u8 index) { return out(0x3CE, index), static_cast<u8>(in(0x3CF)); }
  u8 crtc(u8 index) { return out(0x3D4, index), static_cast<u8>(in(0x3D5)); }
  void hidden_dac(u8 value) {
    for (unsigned i = 0; i < 4; i++) in(0x3C6);
    out(0x3C6, value);
  }
  void poke(u32 address, u8 value) { memory.write(PhysAddr(address), 1, value); }
  u8 peek(u32 address) { return static_cast<u8>(memory.read(PhysAddr(address), 1)); }

  // A picture of packed pixels from the start of video memory on; depth 8, 15, 16, 24 or 32.
  void packed_mode(unsigned width, unsigned height, unsigned depth) {
    const u8 modes[] = {0x01, 0x07, 0x05, 0x09};
    sequencer(7, modes[(depth + 7) / 8 - 1]);
    hidden_dac(depth == 16 ? 0xC1 : depth == 15 ? 0xC0 : depth > 16 ? 0xC5 : 0);
    sequencer(1, 0x01);
    sequencer(4, 0x0E);
    graphics(6, 0x05);
    graphics(5, 0x40);
    const unsigned pitch = width * ((depth + 7) / 8) / 8;
    const unsigned last = height - 1;
    crtc(0x11, 0);
    for (u8 index = 0; index < 0x19; index++) crtc(index, 0);
    crtc(0x00, static_cast<u8>(width / 8 + 10));
    crtc(0x01, static_cast<u8>(width / 8 - 1));
    crtc(0x02, 0xFF);
    crtc(0x06, static_cast<u8>(height + 20));
    crtc(0x07, static_cast<u8>((last >> 8 & 1) << 1 | (last >> 9 & 1) << 6 | 0x10 | ((height + 20) >> 8 & 1) |
                               ((height + 20) >> 9 & 1) << 5));
    crtc(0x09, 0x60);
    crtc(0x12, static_cast<u8>(last));
    crtc(0x13, static_cast<u8>(pitch));
    crtc(0x15, 0xFF);
    crtc(0x17, 0xC3);
    crtc(0x18, 0xFF);
    crtc(0x1A, 0);
    crtc(0x1B, static_cast<u8>(0x22 | (pitch >> 8 & 1) << 4));
    crtc(0x1D, 0);
    in(0x3DA);
    out(0x3C0, 0x20);
  }
  void colour(u8 index, u8 red, u8 green, u8 blue) {
    out(0x3C8, index);
    for (const u8 component : {red, green, blue}) out(0x3C9, component);
  }
  std::span<u8> bytes() { return store.bytes(BackingOffset(store.size() - CirrusVga::backing_room()), kMemory); }

  PciBus pci;
  CirrusVga vga;
};

inline u32 pixel(const Frame& frame, unsigned x, unsigned y) { return frame.pixels.at(y * frame.width + x); }

}  // namespace relic86::test
