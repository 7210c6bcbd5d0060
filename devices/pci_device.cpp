// Standard configuration header (PCI Local Bus Specification 2.1, chapter 6)
//
//   offset   width  R/W  bits
//   00h      2      R    vendor;  02h device;  08h revision;  09h class code (3 bytes);  2Ch, 2Eh subsystem
//   04h      2      RW   command: 0 I/O space, 1 memory space, 2 bus master, 6 parity, 8 SERR#,
//                        10 interrupt disable (2.3)
//   06h      2      RWC  status: 15:11 and 8 cleared by writing ones; 10:9 DEVSEL# timing
//   0Ch      1      RW   cache line size;  0Dh latency timer
//   0Eh      1      R    header type: bit 7 multifunction
//   10h-27h  4      RW   base addresses: bit 0 I/O, bit 2 64 bits (the next one is the upper half), bit 3 prefetchable;
//                        bits below the size read 0
//   30h      4      RW   expansion ROM: bit 0 enable
//   3Ch      1      RW   interrupt line (scratch for the BIOS);  3Dh R interrupt pin
#include "devices/pci_device.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u32 kCommandIo = 1u << 0;
constexpr u32 kCommandMemory = 1u << 1;
constexpr u32 kCommandInterruptDisable = 1u << 10;
constexpr u32 kCommandWritable = 0x0547;
constexpr u32 kStatusWriteOneClears = 0xF900;
constexpr u32 kStatusInterrupt = 1u << 3;
constexpr u32 kIoBarFlag = 1;
constexpr u32 kPrefetchable = 8, kWideBar = 4;
constexpr u32 kRomEnable = 1;
constexpr u64 kPortLimit = u64{1} << 16, kFourGiB = u64{1} << 32;
constexpr u64 kPhysicalLimit = u64{1} << 52;  // SDM 3A 4.1.4

// Firmware runs a ROM only on the device that it names (PCI 2.1, 6.3.1.1). One for another device of the same maker,
// such as iPXE's for virtio cards, which have two numbers, is made to name this one. Byte 6 keeps the sum, as QEMU does
// it.
void name_in_option_rom(std::span<u8> rom, const PciIdentity& identity) {
  constexpr std::size_t kPointer = 0x18, kVendor = 4, kDevice = 6, kChecksum = 6;
  if (rom.size() < kPointer + 2) return;
  const std::size_t data = rom[kPointer] | std::size_t{rom[kPointer + 1]} << 8;
  constexpr u8 kSignature[] = {'P', 'C', 'I', 'R'};
  if (data + kDevice + 2 > rom.size() || !std::equal(std::begin(kSignature), std::end(kSignature), &rom[data])) return;
  if ((rom[data + kVendor] | rom[data + kVendor + 1] << 8) != identity.vendor) return;
  for (unsigned i = 0; i < 2; i++) {
    u8& byte = rom[data + kDevice + i];
    const auto wanted = static_cast<u8>(identity.device >> (i * 8));
    rom[kChecksum] = static_cast<u8>(rom[kChecksum] + byte - wanted);
    byte = wanted;
  }
}
}  // namespace

void PciUpstream::put(PciDevice& device, unsigned slot, unsigned function) {
  device.bus_ = this;
  device.slot_ = static_cast<u8>(slot);
  device.function_ = static_cast<u8>(function);
}

PciDevice::PciDevice(const PciIdentity& identity) : identity_(identity) {
  declare(kPciVendor, 2, identity.vendor, 0);
  declare(kPciDevice, 2, identity.device, 0);
  declare(kPciCommand, 2, 0, kCommandWritable & ~(identity.interrupt_pin == 0 ? kCommandInterruptDisable : 0));
  declare(kPciStatus, 2, 0x0200, 0, kStatusWriteOneClears);  // DEVSEL# medium
  declare(kPciRevision, 4, identity.revision | identity.class_code << 8, 0);
  declare(0x0C, 2, 0, 0xFFFF);
  declare(kPciHeaderType, 1, identity.multifunction ? 0x80 : 0, 0);
  declare(kPciSubsystemVendor, 2, identity.subsystem_vendor, 0);
  declare(kPciSubsystem, 2, identity.subsystem, 0);
  declare(kPciInterruptLine, 1, 0, identity.interrupt_pin == 0 ? 0 : 0xFF);
  declare(kPciInterruptPin, 1, identity.interrupt_pin, 0);
}

Result<> PciDevice::attach(Attachment& board) {
  RELIC86_ASSERT(bus_ != nullptr);  // PciBus::add() comes first
  io_ = &board.io();
  memory_ = &board.memory();
  if (!option_rom_.empty()) attach_option_rom();
  return attach_function(board);
}

void PciDevice::attach_option_rom() {
  RELIC86_ASSERT(option_rom_.size() <= kMostOptionRom);
  name_in_option_rom(option_rom_, identity_);
  const u64 room = std::bit_ceil(std::max<u64>(option_rom_.size(), kPageSize));
  const BackingOffset rom = memory_->store().allocate(room, std::string(name()) + ".rom");
  const std::span<u8> bytes = memory_->store().bytes(rom, room);
  std::fill(bytes.begin(), bytes.end(), u8{0xFF});
  std::copy(option_rom_.begin(), option_rom_.end(), bytes.begin());
  declare_rom_bar(static_cast<u32>(room), rom);
}

void PciDevice::reset(ResetKind kind) {
  config_.reset();
  update_bars();
  config_written(0, kConfigSize);
  interrupt_ = false;
  drive_interrupt();
  reset_function(kind);
}

void PciDevice::state(StateArchive& archive) {
  config_.state(archive, "config", kPciStatus);
  archive.field("interrupt", interrupt_);
  if (archive.loading()) update_bars();
  state_function(archive);
  if (archive.loading()) {
    config_written(0, kConfigSize);
    drive_interrupt();
  }
}

void PciDevice::config_write(u8 offset, unsigned width, u32 value) {
  for (unsigned i = 0; i < width; i++) config_.write_byte(offset + i, static_cast<u8>(value >> (i * 8)));
  const unsigned end = offset + width;
  const bool command = offset < kPciStatus && end > kPciCommand;
  if (command || (offset < 0x34 && end > kPciBar0)) update_bars();
  if (command) drive_interrupt();
  config_written(offset, width);
}

PciDevice::Bar& PciDevice::add_bar(unsigned bar, Bar::Kind kind, u32 size, u32 flags) {
  RELIC86_ASSERT(bar < bars_.size() && std::has_single_bit(size));
  RELIC86_ASSERT(kind == Bar::Kind::Io ? size >= 4 && size <= 0x10000 : size >= kPageSize);
  declare(bar_register(bar), 4, flags, ~(size - 1) | (kind == Bar::Kind::Rom ? kRomEnable : 0));
  bars_[bar].kind = kind;
  bars_[bar].size = size;
  return bars_[bar];
}

void PciDevice::declare_memory_bar(unsigned bar, u32 size, RegionId region, unsigned max_width, bool prefetchable) {
  Bar& added = add_bar(bar, Bar::Kind::Memory, size, prefetchable ? kPrefetchable : 0);
  added.region = region;
  added.max_width = max_width;
}

void PciDevice::declare_wide_memory_bar(unsigned bar, u32 size, RegionId region, unsigned max_width) {
  RELIC86_ASSERT(bar + 1 < kRomBar);
  Bar& added = add_bar(bar, Bar::Kind::Memory, size, kPrefetchable | kWideBar);
  added.region = region;
  added.max_width = max_width;
  added.wide = true;
  declare(bar_register(bar + 1), 4, 0, ~u32{0});
}

void PciDevice::declare_ram_bar(unsigned bar, u32 size, BackingOffset backing, bool prefetchable) {
  add_bar(bar, Bar::Kind::Ram, size, prefetchable ? kPrefetchable : 0).backing = backing;
}

void PciDevice::declare_io_bar(unsigned bar, u32 size, RegionId region, unsigned max_width) {
  Bar& added = add_bar(bar, Bar::Kind::Io, size, kIoBarFlag);
  added.region = region;
  added.max_width = max_width;
}

void PciDevice::declare_rom_bar(u32 size, BackingOffset backing) {
  add_bar(kRomBar, Bar::Kind::Rom, size, 0).backing = backing;
}

u64 PciDevice::wanted_address(unsigned bar) const {
  const Bar& entry = bars_[bar];
  const u32 raw = config_read(bar_register(bar), 4);
  u64 address = raw & ~(entry.size - 1);
  const u32 command = config_read(kPciCommand, 2);
  const bool io = entry.kind == Bar::Kind::Io;
  if (entry.kind == Bar::Kind::None || (command & (io ? kCommandIo : kCommandMemory)) == 0) return 0;
  if (entry.kind == Bar::Kind::Rom && (raw & kRomEnable) == 0) return 0;
  if (entry.wide) address |= u64{config_read(bar_register(bar + 1), 4)} << 32;
  // A range that ends at the very top is a size probe (all ones written), not a place.
  const bool probe = address >= kFourGiB ? address > kPhysicalLimit - entry.size
                                         : address + entry.size >= (io ? kPortLimit : kFourGiB);
  const auto space = io ? PciUpstream::Space::Io : PciUpstream::Space::Memory;
  return probe || !bus_->passes(space, address, entry.size) ? 0 : address;
}

void PciDevice::update_bars() {
  if (io_ == nullptr) return;
  for (unsigned bar = 0; bar < bars_.size(); bar++) {
    const u64 address = wanted_address(bar);
    if (address != bars_[bar].mapped) map(bar, address);
  }
}

void PciDevice::map(unsigned bar, u64 address) {
  Bar& entry = bars_[bar];
  entry.mapped = address;
  const std::string owner = std::string(name()) + (bar == kRomBar ? ".rom" : ".bar" + std::to_string(bar));
  if (entry.kind == Bar::Kind::Io) {
    if (entry.key == 0) entry.key = io_->new_key();
    io_->map_movable(entry.key, {owner, IoPort(static_cast<u16>(address)), address == 0 ? 0 : entry.size, this,
                                 entry.region, entry.max_width});
    return;
  }
  if (entry.key == 0) entry.key = memory_->new_key();
  const u64 size = address == 0 ? 0 : entry.size;
  switch (entry.kind) {
    case Bar::Kind::Memory:
      memory_->map_movable(
          entry.key, mmio_range(owner, PhysAddr(address), size, this, entry.region, entry.max_width, Priority::Bar));
      break;
    case Bar::Kind::Ram:
      memory_->map_movable(entry.key, ram_range(owner, PhysAddr(address), size, entry.backing, Priority::Bar));
      break;
    default:
      memory_->map_movable(entry.key, rom_range(owner, PhysAddr(address), size, entry.backing, Priority::Bar));
      break;
  }
}

void PciDevice::set_interrupt(bool level) {
  if (level == interrupt_) return;
  interrupt_ = level;
  drive_interrupt();
}

void PciDevice::drive_interrupt() {
  if (identity_.interrupt_pin == 0) return;
  const u32 status = config_read(kPciStatus, 2) & ~kStatusInterrupt;
  set_config(kPciStatus, 2, status | (interrupt_ ? kStatusInterrupt : 0));
  const bool disabled = (config_read(kPciCommand, 2) & kCommandInterruptDisable) != 0;
  bus_->set_interrupt(*this, interrupt_ && !disabled);
}

}  // namespace relic86
