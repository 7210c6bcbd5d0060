// Intel 82441FX host bridge (PMC): what the first 4 GiB show - RAM, BIOS ROM, shadow RAM (PAM), SMRAM. The chip has 1
// GiB at most; RAM that finds no room below the PCI devices is mapped from 4 GiB on, as QEMU's has it.
#pragma once

#include <array>
#include <span>

#include "devices/pci_device.h"

namespace relic86 {

class I440fx final : public PciDevice {
 public:
  // How much of the machine's RAM lies below 4 GiB, where PCI (and the ROM at the top) need room as well: up to 3.5 GiB
  // all of it, else 3 GiB, and the rest begins at 4 GiB.
  static constexpr u64 ram_below_4g(u64 ram) { return ram < u64{0xE0000000} ? ram : u64{0xC0000000}; }
  static constexpr u64 kMostRom = u64{16} << 20;

  // bios: at most 16 MiB; empty: the board has flash memory in its place. Its last byte is FFFFFFFFh; its last 128 KiB
  // show at E0000h to FFFFFh, too. The backing store needs bios.size() rounded up to 64 KiB of extra room (rom_room()).
  explicit I440fx(std::span<const u8> bios);
  // The last bytes of a ROM or flash memory, which are what the processor starts in, below 1 MiB. size: what of it
  // there is, in whole pages; rom: where.
  static Result<> map_low_rom(PhysicalBus& bus, BackingOffset rom, u64 size);
  static u64 rom_room(u64 bios_size) { return (bios_size + 0xFFFF) & ~u64{0xFFFF}; }

  // The processor entered or left system management mode: SMRAM opens and closes.
  void set_system_management_mode(bool active);

  std::string_view name() const override { return "i440fx"; }
  void reset(ResetKind kind) override;
  u64 read(RegionId, u64, unsigned width) override { return all_ones(width); }
  void write(RegionId, u64, unsigned, u64) override {}
  void event(u32, GuestTime) override {}

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  struct Segment {
    u32 first;
    u32 size;
    u8 reg;    // PAM register
    u8 shift;  // of its two attribute bits
    u32 key = 0;
    u8 shown = 0;  // attribute bits that the bus has now
  };
  void update_shadow();
  void update_smram();
  Result<> map_memory();

  std::vector<u8> bios_;
  PhysicalBus* bus_memory_ = nullptr;
  std::array<Segment, 13> segments_;
  u32 smram_key_ = 0;
  bool smram_shown_ = false;
  bool system_management_mode_ = false;
};

}  // namespace relic86
