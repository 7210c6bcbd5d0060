// What a host bridge shows of its memory below and above 4 GiB: RAM, the BIOS ROM, shadow RAM (PAM registers) and
// SMRAM. The bridges differ in where their registers are and in how much RAM they leave below 4 GiB.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/result.h"
#include "memory/physical_bus.h"

namespace relic86 {

class HostMemory {
 public:
  static constexpr u64 kMostRom = u64{16} << 20;
  static constexpr unsigned kPamRegisters = 7;
  using Pam = std::array<u8, kPamRegisters>;

  // bios: at most kMostRom; empty: the board has flash memory in its place. Its last byte is FFFFFFFFh; its last 128
  // KiB show at E0000h to FFFFFh, too. The backing store needs bios.size() rounded up to 64 KiB of extra room
  // (rom_room()).
  explicit HostMemory(std::span<const u8> bios);
  // low_ram: bytes of the RAM below 4 GiB; the rest begins there.
  Result<> attach(PhysicalBus& bus, u64 low_ram);
  // The last bytes of a ROM or flash memory, which are what the processor starts in, below 1 MiB. size: what of it
  // there is, in whole pages; rom: where.
  static Result<> map_low_rom(PhysicalBus& bus, BackingOffset rom, u64 size);
  static u64 rom_room(u64 bios_size) { return (bios_size + 0xFFFF) & ~u64{0xFFFF}; }

  // Per segment bit 0 RE, bit 1 WE (high nibble: bits 4 and 5). RE: reads go to DRAM, else to PCI (ROM); WE: writes go
  // to DRAM, else to PCI (dropped by ROM). Register 0, bits 5:4: F0000h, 64K; registers 1 to 6: C0000h.. 16K each, low
  // nibble first.
  void show_shadow(const Pam& registers);
  // A0000h to BFFFFh show RAM.
  void show_smram(bool shown);

 private:
  struct Segment {
    u32 first;
    u32 size;
    u8 reg;    // of the PAM registers
    u8 shift;  // of its two attribute bits
    u32 key = 0;
    u8 shown = 0;  // attribute bits that the bus has now
  };
  Result<> map_rom();

  std::vector<u8> bios_;
  PhysicalBus* bus_ = nullptr;
  std::array<Segment, 13> segments_;
  u32 smram_key_ = 0;
  bool smram_shown_ = false;
};

}  // namespace relic86
