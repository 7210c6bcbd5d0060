// Intel 82441FX PCI and Memory Controller (datasheet 290549), configuration registers of function 0
//
//   offset  width  R/W  bits
//   00h     4      R    8086h, 1237h;  class 060000h
//   04h     2      R    command 0006h: memory space and bus master are always on
//   50h     2      RW   PMCCFG (3.2.11), kept only
//   52h     1      RW   DETURBO;  53h DBC 80h;  57h DRAMC 01h;  58h DRAMT 10h: kept only
//   59h-5Fh 1      RW   PAM0-PAM6 (3.2.18): per segment bit 0 RE, bit 1 WE (high nibble: bits 4 and 5).
//                       RE: reads go to DRAM, else to PCI (ROM); WE: writes go to DRAM, else to PCI (dropped by ROM).
//                       PAM0[5:4] F0000h 64K; PAM1..PAM4 C0000h.. 16K each, low nibble first; PAM5, PAM6 E0000h..
//   60h-67h 1      RW   DRB0-7, row boundaries: kept only
//   72h     1      RW   SMRAM (3.2.21): 6 D_OPEN, 5 D_CLS, 4 D_LCK, 3 G_SMRAME, 2:0 C_BASE_SEG (010)
//
// SMRAM: A0000h-BFFFFh show DRAM while D_OPEN, or G_SMRAME and the processor is in SMM. D_LCK clears D_OPEN and locks
// both until reset. D_CLS (data references closed while code is fetched) is kept, and has no effect: the bus does not
// tell code from data.
#include "devices/chipset/i440fx.h"

#include <algorithm>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u8 kPam0 = 0x59;
constexpr u8 kSmram = 0x72;
constexpr u8 kOpen = 0x40, kLock = 0x10, kEnable = 0x08;
constexpr u32 kReadEnable = 1, kWriteEnable = 2;
constexpr u64 kConventionalEnd = 0xA0000;
constexpr u64 kExtended = 0x100000;
constexpr u64 kVideoWindowSize = 0x20000;
constexpr u64 kRomAliasSize = 0x20000;

PciIdentity host_bridge() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x1237;
  identity.revision = 2;
  identity.class_code = 0x060000;
  return identity;
}
}  // namespace

I440fx::I440fx(std::span<const u8> bios) : PciDevice(host_bridge()), bios_(bios.begin(), bios.end()) {
  RELIC86_ASSERT(bios.size() <= kMostRom);
  declare(kPciCommand, 2, 0x0006, 0);
  declare(0x50, 2, 0, 0xFFFF);
  declare(0x52, 1, 0, 0xC0);
  declare(0x53, 1, 0x80, 0xE7);
  declare(0x57, 1, 0x01, 0xFF);
  declare(0x58, 1, 0x10, 0xFF);
  declare(kPam0, 1, 0, 0x30);
  for (u8 pam = kPam0 + 1; pam < kPam0 + 7; pam++) declare(pam, 1, 0, 0x33);
  for (u8 row = 0x60; row < 0x68; row++) declare(row, 1, 0x01, 0xFF);
  declare(kSmram, 1, 0x02, 0x78);
  for (u32 i = 0; i < 12; i++) {
    segments_[i] = {0xC0000 + i * 0x4000, 0x4000, static_cast<u8>(kPam0 + 1 + i / 2), static_cast<u8>(i % 2 * 4)};
  }
  segments_[12] = {0xF0000, 0x10000, kPam0, 4};
}

Result<> I440fx::attach_function(Attachment& board) {
  bus_memory_ = &board.memory();
  for (Segment& segment : segments_) segment.key = bus_memory_->new_key();
  smram_key_ = bus_memory_->new_key();
  return map_memory();
}

Result<> I440fx::map_memory() {
  PhysicalBus& bus = *bus_memory_;
  BackingStore& store = bus.store();
  const u64 ram = ram_below_4g(store.ram_size()), high = store.ram_size() - ram;
  RELIC86_ASSERT(ram > kExtended - 1);
  if (auto done = bus.map_fixed(bus.new_key(), ram_range("ram", PhysAddr(0), kConventionalEnd, BackingOffset(0)));
      !done) {
    return done;
  }
  if (ram > kExtended) {
    const PhysRange above = ram_range("ram", PhysAddr(kExtended), ram - kExtended, BackingOffset(kExtended));
    if (auto done = bus.map_fixed(bus.new_key(), above); !done) return done;
  }
  if (high != 0) {
    const PhysRange rest = ram_range("ram above 4G", PhysAddr(u64{1} << 32), high, BackingOffset(ram));
    if (auto done = bus.map_fixed(bus.new_key(), rest); !done) return done;
  }
  if (bios_.empty()) return {};
  const u64 size = rom_room(bios_.size());
  const BackingOffset rom = store.allocate(size, "bios");
  const std::span<u8> bytes = store.bytes(rom, size);
  std::fill(bytes.begin(), bytes.end(), u8{0xFF});
  std::copy(bios_.begin(), bios_.end(), bytes.end() - static_cast<std::ptrdiff_t>(bios_.size()));
  bios_ = {};
  if (auto done = bus.map_fixed(bus.new_key(), rom_range("bios", PhysAddr((u64{1} << 32) - size), size, rom)); !done) {
    return done;
  }
  return map_low_rom(bus, rom, size);
}

Result<> I440fx::map_low_rom(PhysicalBus& bus, BackingOffset rom, u64 size) {
  const u64 alias = std::min(size, kRomAliasSize);
  return bus.map_fixed(bus.new_key(),
                       rom_range("bios.alias", PhysAddr(kExtended - alias), alias, rom + (size - alias)));
}

// The shadow RAM keeps its contents while the machine is suspended to RAM, and its place too: firmware finds the way to
// resume by what it left there.
void I440fx::reset(ResetKind kind) {
  std::array<u32, 7> attributes;
  for (u8 i = 0; i < attributes.size(); i++) attributes[i] = config(static_cast<u8>(kPam0 + i), 1);
  PciDevice::reset(kind);
  if (kind != ResetKind::Resume) return;
  for (u8 i = 0; i < attributes.size(); i++) set_config(static_cast<u8>(kPam0 + i), 1, attributes[i]);
  update_shadow();
}

void I440fx::reset_function(ResetKind) { system_management_mode_ = false; }

void I440fx::state_function(StateArchive& archive) { archive.field("system_management_mode", system_management_mode_); }

void I440fx::set_system_management_mode(bool active) {
  system_management_mode_ = active;
  update_smram();
}

void I440fx::config_written(unsigned offset, unsigned width) {
  const unsigned end = offset + width;
  if (offset < kPam0 + 7u && end > kPam0) update_shadow();
  if (offset <= kSmram && end > kSmram) {
    const u32 value = config(kSmram, 1);
    const bool locked = (value & kLock) != 0;
    if (locked) set_config(kSmram, 1, value & ~u32{kOpen});
    // Locked: D_OPEN, D_LCK and G_SMRAME are read-only until the next reset, which restores all masks' effect below.
    declare_writable(kSmram, locked ? 0x20 : 0x78);
    update_smram();
  }
}

void I440fx::update_shadow() {
  for (Segment& segment : segments_) {
    const auto wanted = static_cast<u8>(config(segment.reg, 1) >> segment.shift & (kReadEnable | kWriteEnable));
    if (wanted == segment.shown) continue;
    segment.shown = wanted;
    PhysRange range = ram_range("shadow", PhysAddr(segment.first), wanted == 0 ? 0 : segment.size,
                                BackingOffset(segment.first), Priority::Window);
    range.affects_read = (wanted & kReadEnable) != 0;
    range.affects_write = (wanted & kWriteEnable) != 0;
    bus_memory_->map_movable(segment.key, range);
  }
}

void I440fx::update_smram() {
  const u32 value = config(kSmram, 1);
  const bool wanted = (value & kEnable) != 0 && ((value & kOpen) != 0 || system_management_mode_);
  if (wanted == smram_shown_) return;
  smram_shown_ = wanted;
  bus_memory_->map_movable(smram_key_, ram_range("smram", PhysAddr(kConventionalEnd), wanted ? kVideoWindowSize : 0,
                                                 BackingOffset(kConventionalEnd), Priority::Overlay));
}

}  // namespace relic86
