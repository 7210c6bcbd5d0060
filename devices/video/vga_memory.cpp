#include "devices/video/vga_memory.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "devices/video/vga_planes.h"

namespace relic86 {

using namespace vga_planes;

void VgaMemory::connect(std::span<u8> bytes, BackingStore* store, BackingOffset first) {
  RELIC86_ASSERT(bytes.size() >= kPlanarBytes);
  bytes_ = bytes;
  store_ = store;
  first_ = first;
}

bool VgaMemory::decode(u32 offset, u32& within) const {
  if (dispi_.enabled()) {  // one bank at A0000h, whatever the VGA's own map says
    within = offset;
    return offset < 0x10000;
  }
  if (!registers_.memory_enabled()) return false;
  switch (registers_.graphics()[VgaRegisters::kMiscellaneous] >> 2 & 3) {
    case 0: within = offset; return true;                                             // A0000h, 128 KiB
    case 1: within = offset; return offset < 0x10000;                                 // A0000h, 64 KiB
    case 2: within = offset - 0x10000; return offset >= 0x10000 && offset < 0x18000;  // B0000h, 32 KiB
    default: within = offset - 0x18000; return offset >= 0x18000;                     // B8000h, 32 KiB
  }
}

bool VgaMemory::window_is_linear() const {
  const auto& g = registers_.graphics();
  const auto& s = registers_.sequencer();
  return registers_.memory_enabled() && !dispi_.enabled() && (s[VgaRegisters::kMemoryMode] & kChain4) != 0 &&
         s[VgaRegisters::kMapMask] == 0xF && (g[VgaRegisters::kMiscellaneous] >> 2 & 3) == 1 &&
         g[VgaRegisters::kEnableSetReset] == 0 && g[VgaRegisters::kDataRotate] == 0 &&
         g[VgaRegisters::kBitMask] == 0xFF && (g[VgaRegisters::kGraphicsMode] & 0x0B) == 0;
}

bool VgaMemory::text_is_linear() const {
  const auto& g = registers_.graphics();
  const auto& s = registers_.sequencer();
  constexpr u8 kTextPlanes = 0x3, kHighPlanes = 0x2, kReadOrWriteMode = kReadCompare | 3;
  return registers_.memory_enabled() && !dispi_.enabled() &&
         (s[VgaRegisters::kMemoryMode] & (kChain4 | kSequentialAccess)) == 0 &&
         s[VgaRegisters::kMapMask] == kTextPlanes && (g[VgaRegisters::kMiscellaneous] >> 2 & 3) == 3 &&
         (g[VgaRegisters::kMiscellaneous] & kChainOddEven) != 0 && g[VgaRegisters::kEnableSetReset] == 0 &&
         g[VgaRegisters::kDataRotate] == 0 && g[VgaRegisters::kBitMask] == 0xFF &&
         (g[VgaRegisters::kReadMapSelect] & kHighPlanes) == 0 &&
         (g[VgaRegisters::kGraphicsMode] & (kReadOrWriteMode | kReadOddEven)) == kReadOddEven;
}

u32 VgaMemory::plane_address(u32 within, bool chain4) const {
  if (chain4) {
    within >>= 2;
  } else if ((registers_.graphics()[VgaRegisters::kMiscellaneous] & kChainOddEven) != 0) {
    // Address bit 0 chose the plane; in the 128 KiB map bit 16 takes its place.
    within = (within & ~1u) | (within >> 16 & 1);
  }
  if (dispi_.enabled()) within += dispi_.bank() << 16;
  const u32 planes = dispi_.enabled() ? static_cast<u32>(bytes_.size()) / 4 : kPlanarBytes / 4;
  return within % planes;
}

u32 VgaMemory::load(u32 address) const {
  u32 planes;
  std::memcpy(&planes, bytes_.data() + u64{address} * 4, 4);
  return planes;
}

void VgaMemory::store(u32 address, u32 planes) {
  std::memcpy(bytes_.data() + u64{address} * 4, &planes, 4);
  note(address * 4, 4);
}

void VgaMemory::note(u32 first, u32 size) {
  if (store_ == nullptr) return;
  const BackingOffset at = first_ + first;
  if (size > 4 || store_->watched(at)) store_->note_write(at, size);
}

void VgaMemory::clear(u32 first, u32 size) {
  const u32 end = static_cast<u32>(std::min<u64>(u64{first} + size, bytes_.size()));
  if (first >= end) return;
  std::fill(bytes_.begin() + first, bytes_.begin() + end, u8{0});
  note(first, end - first);
}

u8 VgaMemory::matching_colours(u32 planes) const {
  const auto& g = registers_.graphics();
  const u32 differs = (planes ^ spread(g[VgaRegisters::kColourCompare])) & spread(g[VgaRegisters::kColourDontCare]);
  return static_cast<u8>(~(differs | differs >> 8 | differs >> 16 | differs >> 24));
}

u8 VgaMemory::read(u32 offset) {
  u32 within;
  if (!decode(offset, within)) return 0xFF;
  if (banked_linear()) {
    return bytes_[(u64{dispi_.bank()} * 0x10000 + within) % bytes_.size()];
  }
  const auto& g = registers_.graphics();
  const bool chain4 = (registers_.sequencer()[VgaRegisters::kMemoryMode] & kChain4) != 0;
  planes_.latch = load(plane_address(within, chain4));
  if ((g[VgaRegisters::kGraphicsMode] & kReadCompare) != 0) return matching_colours(planes_.latch);
  u32 plane = g[VgaRegisters::kReadMapSelect];
  if (chain4) {
    plane = within & 3;
  } else if ((g[VgaRegisters::kGraphicsMode] & kReadOddEven) != 0) {
    plane = (plane & 2) | (within & 1);
  }
  return static_cast<u8>(planes_.latch >> (plane * 8));
}

// What the graphics controller makes of a byte from the CPU and the latches, before the map mask.
u32 VgaMemory::written_planes(u8 value) const {
  const auto& g = registers_.graphics();
  const unsigned rotate = g[VgaRegisters::kDataRotate] & 7u;
  const auto rotated = static_cast<u8>(value >> rotate | value << (8 - rotate));
  const u32 set_reset = spread(g[VgaRegisters::kSetReset]);
  u32 mask = repeat(g[VgaRegisters::kBitMask]);
  u32 data;
  switch (g[VgaRegisters::kGraphicsMode] & 3) {
    case 0: {
      const u32 enabled = spread(g[VgaRegisters::kEnableSetReset]);
      data = (repeat(rotated) & ~enabled) | (set_reset & enabled);
      break;
    }
    case 1: return planes_.latch;
    case 2: data = spread(value); break;
    default:
      data = set_reset;
      mask &= repeat(rotated);
      break;
  }
  switch (g[VgaRegisters::kDataRotate] >> 3 & 3) {
    case 1: data &= planes_.latch; break;
    case 2: data |= planes_.latch; break;
    case 3: data ^= planes_.latch; break;
    default: break;
  }
  return (data & mask) | (planes_.latch & ~mask);
}

void VgaMemory::write(u32 offset, u8 value) {
  u32 within;
  if (!decode(offset, within)) return;
  if (banked_linear()) {
    const auto at = static_cast<u32>((u64{dispi_.bank()} * 0x10000 + within) % bytes_.size());
    bytes_[at] = value;
    note(at, 1);
    return;
  }
  const u8 mode = registers_.sequencer()[VgaRegisters::kMemoryMode];
  const bool chain4 = (mode & kChain4) != 0;
  u32 plane_bits = registers_.sequencer()[VgaRegisters::kMapMask];
  if (chain4) {
    plane_bits &= 1u << (within & 3);
  } else if ((mode & kSequentialAccess) == 0) {
    plane_bits &= (within & 1) != 0 ? 0xAu : 0x5u;
  }
  if (plane_bits == 0) return;
  const u32 address = plane_address(within, chain4);
  const u32 planes = spread(plane_bits);
  store(address, (written_planes(value) & planes) | (load(address) & ~planes));
}

}  // namespace relic86
