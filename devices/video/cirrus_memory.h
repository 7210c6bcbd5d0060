// Video memory of the GD5446 in its packed-pixel modes: banks, eight- and sixteen-byte addressing, extended write modes
// and latches (graphics controller registers 0, 1, 5 and 9 to Bh; sources: docs/devices.md).
#pragma once

#include <array>
#include <optional>
#include <span>

#include "devices/video/cirrus_registers.h"
#include "memory/backing_store.h"

namespace relic86 {

class CirrusMemory {
 public:
  static constexpr u32 kBankBytes = 0x8000;  // half of the window at A0000h

  explicit CirrusMemory(const CirrusRegisters& registers) : registers_(registers) {}

  // bytes: all video memory, a power of two. store and first: where it lies; store may be null (tests).
  void connect(std::span<u8> bytes, BackingStore* store, BackingOffset first);
  void reset() { latches_ = {}; }
  void state(StateArchive& archive) { archive.bytes("latches", latches_); }

  // Where byte offset of the window (below 64 KiB) begins to count in the linear frame buffer.
  u32 banked(u32 offset) const { return bank_start(offset >> 15 & 1) + (offset & (kBankBytes - 1)); }
  // What half 0 or 1 of the window shows, if it lies within the memory.
  std::optional<u32> plain_bank(unsigned half) const;
  // Nothing but storing happens, and addresses are bytes of the memory.
  bool plain() const;

  // address: of the linear frame buffer, as the CPU counts; what lies beyond the memory's end comes from its start.
  u8 read(u32 address);
  void write(u32 address, u8 value);

 private:
  u32 bank_start(unsigned half) const;
  unsigned address_shift() const;
  void write_expanded(u32 first, u8 bits);
  void note(u32 first, u32 size);

  const CirrusRegisters& registers_;
  std::span<u8> bytes_;
  BackingStore* store_ = nullptr;
  BackingOffset first_{};
  std::array<u8, 8> latches_{};
};

}  // namespace relic86
