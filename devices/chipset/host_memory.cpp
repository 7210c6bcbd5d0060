#include "devices/chipset/host_memory.h"

#include <algorithm>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u32 kReadEnable = 1, kWriteEnable = 2;
constexpr u64 kConventionalEnd = 0xA0000;
constexpr u64 kExtended = 0x100000;
constexpr u64 kVideoWindowSize = 0x20000;
constexpr u64 kRomAliasSize = 0x20000;
}  // namespace

HostMemory::HostMemory(std::span<const u8> bios) : bios_(bios.begin(), bios.end()) {
  RELIC86_ASSERT(bios.size() <= kMostRom);
  for (u32 i = 0; i < 12; i++) {
    segments_[i] = {0xC0000 + i * 0x4000, 0x4000, static_cast<u8>(1 + i / 2), static_cast<u8>(i % 2 * 4)};
  }
  segments_[12] = {0xF0000, 0x10000, 0, 4};
}

Result<> HostMemory::attach(PhysicalBus& bus, u64 low_ram) {
  bus_ = &bus;
  for (Segment& segment : segments_) segment.key = bus.new_key();
  smram_key_ = bus.new_key();
  const u64 high = bus.store().ram_size() - low_ram;
  RELIC86_ASSERT(low_ram > kExtended - 1);
  if (auto done = bus.map_fixed(bus.new_key(), ram_range("ram", PhysAddr(0), kConventionalEnd, BackingOffset(0)));
      !done) {
    return done;
  }
  if (low_ram > kExtended) {
    const PhysRange above = ram_range("ram", PhysAddr(kExtended), low_ram - kExtended, BackingOffset(kExtended));
    if (auto done = bus.map_fixed(bus.new_key(), above); !done) return done;
  }
  if (high != 0) {
    const PhysRange rest = ram_range("ram above 4G", PhysAddr(u64{1} << 32), high, BackingOffset(low_ram));
    if (auto done = bus.map_fixed(bus.new_key(), rest); !done) return done;
  }
  return bios_.empty() ? Result<>() : map_rom();
}

Result<> HostMemory::map_rom() {
  BackingStore& store = bus_->store();
  const u64 size = rom_room(bios_.size());
  const BackingOffset rom = store.allocate(size, "bios");
  const std::span<u8> bytes = store.bytes(rom, size);
  std::fill(bytes.begin(), bytes.end(), u8{0xFF});
  std::copy(bios_.begin(), bios_.end(), bytes.end() - static_cast<std::ptrdiff_t>(bios_.size()));
  bios_ = {};
  const PhysRange range = rom_range("bios", PhysAddr((u64{1} << 32) - size), size, rom);
  if (auto done = bus_->map_fixed(bus_->new_key(), range); !done) return done;
  return map_low_rom(*bus_, rom, size);
}

Result<> HostMemory::map_low_rom(PhysicalBus& bus, BackingOffset rom, u64 size) {
  const u64 alias = std::min(size, kRomAliasSize);
  return bus.map_fixed(bus.new_key(),
                       rom_range("bios.alias", PhysAddr(kExtended - alias), alias, rom + (size - alias)));
}

void HostMemory::show_shadow(const Pam& registers) {
  for (Segment& segment : segments_) {
    const auto wanted = static_cast<u8>(registers[segment.reg] >> segment.shift & (kReadEnable | kWriteEnable));
    if (wanted == segment.shown) continue;
    segment.shown = wanted;
    PhysRange range = ram_range("shadow", PhysAddr(segment.first), wanted == 0 ? 0 : segment.size,
                                BackingOffset(segment.first), Priority::Window);
    range.affects_read = (wanted & kReadEnable) != 0;
    range.affects_write = (wanted & kWriteEnable) != 0;
    bus_->map_movable(segment.key, range);
  }
}

void HostMemory::show_smram(bool shown) {
  if (shown == smram_shown_) return;
  smram_shown_ = shown;
  bus_->map_movable(smram_key_, ram_range("smram", PhysAddr(kConventionalEnd), shown ? kVideoWindowSize : 0,
                                          BackingOffset(kConventionalEnd), Priority::Overlay));
}

}  // namespace relic86
