// Video memory as the CPU sees it through A0000h-BFFFFh: planes, latches, write and read modes, VBE's banks.
//
// Storage: byte 4n + p of video memory is byte n of plane p. Chain-4 (mode 13h) addresses the storage bytes in order,
// so that it is a linear frame buffer. On IBM's VGA chain-4 and doubleword addressing both leave gaps of three bytes in
// every plane; here neither does, which shows the same picture.
#pragma once

#include <array>
#include <span>

#include "devices/video/vbe_dispi.h"
#include "devices/video/vga_registers.h"
#include "memory/backing_store.h"
#include "memory/plane_window.h"

namespace relic86 {

class VgaMemory {
 public:
  static constexpr u32 kPlanarBytes = 256 * 1024;
  static constexpr u32 kWindowBytes = 0x20000;  // A0000h to BFFFFh

  VgaMemory(const VgaRegisters& registers, const VbeDispi& dispi) : registers_(registers), dispi_(dispi) {}

  // bytes: all video memory. store and first: where it lies, told of every write; store may be null (tests).
  void connect(std::span<u8> bytes, BackingStore* store, BackingOffset first);
  void reset() { planes_.latch = 0; }
  void state(StateArchive& archive) { archive.field("latch", planes_.latch); }

  // offset: from A0000h, below kWindowBytes.
  u8 read(u32 offset);
  void write(u32 offset, u8 value);
  // RegionHandler's runs (vga_memory_runs.cpp).
  bool read_run(u32 offset, std::span<u8> into);
  bool write_run(u32 offset, std::span<const u8> from);
  bool copy_run(u32 from, u32 to, unsigned width, u32 count);
  void clear(u32 first, u32 size);

  // What single bytes are to planes, as of the last update_planes(): to be called when a register has changed. True:
  // the window is one of planes.
  PlaneWindow& planes() { return planes_; }
  bool update_planes();

  // True when A0000h-AFFFFh is nothing but the first 64 KiB of the storage: chain-4 without any plane logic.
  bool window_is_linear() const;

  // True when B8000h-BFFFFh is nothing but planes 0 and 1 by turns (vga_text_window.h).
  bool text_is_linear() const;

  u32 latch() const { return planes_.latch; }  // plane p in bits 8p+7:8p
  std::span<const u8> bytes() const { return bytes_; }
  std::span<u8> bytes() { return bytes_; }

 private:
  // Where an offset leads within the memory map that graphics register 6 chooses; false: nothing answers.
  bool decode(u32 offset, u32& within) const;
  bool banked_linear() const { return dispi_.enabled() && !dispi_.planar(); }
  u32 plane_address(u32 within, bool chain4) const;
  u32 load(u32 address) const;
  void store(u32 address, u32 planes);
  void note(u32 first, u32 size);
  u32 written_planes(u8 value) const;
  u8 matching_colours(u32 planes) const;  // read mode 1
  using PlanePair = std::array<u32, 2>;   // at even and odd addresses
  bool locate_run(u32 offset, u32 size, u32& within) const;
  // Bytes of the window that are one after another in every plane: Mode X and the 16-colour modes. False: they are not.
  bool plane_run(u32 offset, u32 size, u32& address) const;
  struct Map {
    u32 first, size;
  };
  static const Map& map_of(u8 miscellaneous);
  bool is_planar() const;
  bool holds_code(u32 first, u32 size) const;  // bytes of the storage
  PlanePair planes_to_write() const;
  PlanePair planes_to_read() const;
  void note_run(u32 first, u32 size);

  const VgaRegisters& registers_;
  const VbeDispi& dispi_;
  std::span<u8> bytes_;
  BackingStore* store_ = nullptr;
  BackingOffset first_{};
  PlaneWindow planes_;  // its latch is the adapter's
};

}  // namespace relic86
