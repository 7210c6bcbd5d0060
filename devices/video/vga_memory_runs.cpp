// Video memory by runs: what string instructions, and translated code's single accesses, do to Mode X and the 16-colour
// modes, where each byte of the window is one of every plane, and to mode 13h, where it is one of a single plane. All
// else goes by single bytes (vga_memory.cpp).
#include <algorithm>
#include <cstring>

#include "devices/video/vga_memory.h"
#include "devices/video/vga_planes.h"

namespace relic86 {

using namespace vga_planes;

namespace {
constexpr u32 kEvenPlanes = spread(0x5), kOddPlanes = spread(0xA);
constexpr u32 kSingle = 4;  // bytes of the storage behind one of the window: within a page
}  // namespace

bool VgaMemory::locate_run(u32 offset, u32 size, u32& within) const {
  u32 last;
  return size != 0 && !dispi_.enabled() && decode(offset, within) && decode(offset + size - 1, last);
}

// The part of the window that graphics register 6 maps.
const VgaMemory::Map& VgaMemory::map_of(u8 miscellaneous) {
  static constexpr Map kMaps[4] = {{0, kPlanarBytes / 4}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
  return kMaps[miscellaneous >> 2 & 3];
}

bool VgaMemory::is_planar() const {
  return !dispi_.enabled() && registers_.memory_enabled() &&
         (registers_.graphics()[VgaRegisters::kMiscellaneous] & kChainOddEven) == 0 &&
         (registers_.sequencer()[VgaRegisters::kMemoryMode] & kChain4) == 0;
}

bool VgaMemory::plane_run(u32 offset, u32 size, u32& address) const {
  if (!is_planar()) return false;
  const Map& map = map_of(registers_.graphics()[VgaRegisters::kMiscellaneous]);
  address = offset - map.first;
  return size != 0 && address < map.size && size <= map.size - address;
}

bool VgaMemory::update_planes() {
  constexpr u8 kWriteMode = 3, kLatches = 1, kRotation = 7, kOperation = 0x18;
  if (!is_planar()) {
    planes_.readable = planes_.writable = 0;
    return false;
  }
  const auto& g = registers_.graphics();
  const u8 mode = g[VgaRegisters::kGraphicsMode], write_mode = mode & kWriteMode;
  const Map& map = map_of(g[VgaRegisters::kMiscellaneous]);
  planes_.planes = bytes_.data();
  planes_.first = map.first;
  planes_.readable = (mode & kReadCompare) == 0 ? map.size : 0;
  const bool plain = write_mode == 0 && (g[VgaRegisters::kDataRotate] & (kRotation | kOperation)) == 0;
  planes_.writable = plain || write_mode == kLatches ? map.size : 0;
  const PlanePair shift = planes_to_read(), write = planes_to_write();
  for (unsigned odd = 0; odd < 2; odd++) {
    planes_.read_shift[odd] = shift[odd];
    planes_.write_planes[odd] = write[odd];
  }
  const u32 enabled = spread(g[VgaRegisters::kEnableSetReset]);
  planes_.kept = ~enabled;
  planes_.set = spread(g[VgaRegisters::kSetReset]) & enabled;
  planes_.bits = write_mode == kLatches ? 0 : repeat(g[VgaRegisters::kBitMask]);
  return true;
}

// Code that a run overwrites may be the instruction that makes it.
bool VgaMemory::holds_code(u32 first, u32 size) const {
  if (store_ == nullptr || (size <= kSingle && !store_->watched(first_ + first))) return false;
  const u64 begin = first_.raw + first, end = begin + size;
  for (u64 page = begin & ~u64{kPageSize - 1}; page < end; page += kPageSize) {
    if (store_->code_granules(BackingOffset(page)) != 0) return true;
  }
  return false;
}

VgaMemory::PlanePair VgaMemory::planes_to_write() const {
  const u32 planes = spread(registers_.sequencer()[VgaRegisters::kMapMask]);
  if ((registers_.sequencer()[VgaRegisters::kMemoryMode] & kSequentialAccess) != 0) return {planes, planes};
  return {planes & kEvenPlanes, planes & kOddPlanes};
}

// Bit number of the plane that is read, at even and odd addresses.
VgaMemory::PlanePair VgaMemory::planes_to_read() const {
  const auto& g = registers_.graphics();
  const u32 plane = g[VgaRegisters::kReadMapSelect];
  if ((g[VgaRegisters::kGraphicsMode] & kReadOddEven) == 0) return {plane * 8, plane * 8};
  return {(plane & 2) * 8, (plane | 1) * 8};
}

bool VgaMemory::read_run(u32 offset, std::span<u8> into) {
  const auto size = static_cast<u32>(into.size());
  u32 address;
  if (!plane_run(offset, size, address)) {
    if (!window_is_linear() || !locate_run(offset, size, address)) return false;
    std::copy_n(bytes_.begin() + address, size, into.begin());
    planes_.latch = load((address + size - 1) / 4);
    return true;
  }
  const bool compares = (registers_.graphics()[VgaRegisters::kGraphicsMode] & kReadCompare) != 0;
  const PlanePair shift = planes_to_read();
  for (u32 i = 0; i < size; i++) {
    planes_.latch = load(address + i);
    into[i] = compares ? matching_colours(planes_.latch) : static_cast<u8>(planes_.latch >> shift[(address + i) & 1]);
  }
  return true;
}

bool VgaMemory::write_run(u32 offset, std::span<const u8> from) {
  const auto size = static_cast<u32>(from.size());
  u32 address;
  if (!plane_run(offset, size, address)) {
    if (!window_is_linear() || !locate_run(offset, size, address) || holds_code(address, size)) return false;
    std::copy(from.begin(), from.end(), bytes_.begin() + address);
    note_run(address, size);
    return true;
  }
  if (holds_code(address * 4, size * 4)) return false;
  const PlanePair planes = planes_to_write();
  u8* to = bytes_.data() + u64{address} * 4;
  u8 value = from[0];
  u32 written = written_planes(value);
  for (u32 i = 0; i < size; i++, to += 4) {
    if (from[i] != value) {  // fills repeat one value
      value = from[i];
      written = written_planes(value);
    }
    const u32 mask = planes[(address + i) & 1];
    u32 old;
    std::memcpy(&old, to, 4);
    const u32 merged = (written & mask) | (old & ~mask);
    std::memcpy(to, &merged, 4);
  }
  note_run(address * 4, size * 4);
  return true;
}

// Elements of several bytes are left to single accesses: the latches hold their last byte's planes for all of them.
bool VgaMemory::copy_run(u32 from, u32 to, unsigned width, u32 count) {
  constexpr u8 kWriteMode = 3, kLatches = 1;
  u32 source, target;
  if (width != 1 || !plane_run(from, count, source) || !plane_run(to, count, target) ||
      holds_code(target * 4, count * 4))
    return false;
  const u8 mode = registers_.graphics()[VgaRegisters::kGraphicsMode];
  const bool compares = (mode & kReadCompare) != 0, latches = (mode & kWriteMode) == kLatches;
  const PlanePair planes = planes_to_write(), shift = planes_to_read();
  for (u32 i = 0; i < count; i++) {
    planes_.latch = load(source + i);
    u32 written = planes_.latch;
    if (!latches)
      written = written_planes(compares ? matching_colours(planes_.latch)
                                        : static_cast<u8>(planes_.latch >> shift[(source + i) & 1]));
    const u32 mask = planes[(target + i) & 1];
    const u32 merged = (written & mask) | (load(target + i) & ~mask);
    std::memcpy(bytes_.data() + u64{target + i} * 4, &merged, 4);
  }
  note_run(target * 4, count * 4);
  return true;
}

void VgaMemory::note_run(u32 first, u32 size) {
  if (store_ == nullptr) return;
  // Single accesses mostly find a page that is noted already.
  const BackingOffset at = first_ + first;
  if (size > kSingle || (at.raw & (kPageSize - 1)) + size > kPageSize || store_->watched(at))
    store_->note_write(at, size);
}

}  // namespace relic86
