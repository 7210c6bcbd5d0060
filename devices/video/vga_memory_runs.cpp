// Video memory by runs: what string instructions do to Mode X and the 16-colour modes, where each byte of the window
// is one of every plane. All else goes by single bytes (vga_memory.cpp).
#include <cstring>

#include "devices/video/vga_memory.h"
#include "devices/video/vga_planes.h"

namespace relic86 {

using namespace vga_planes;

bool VgaMemory::plane_run(u32 offset, u32 size, u32& address) const {
  u32 first, last;
  if (dispi_.enabled() || size == 0 || !decode(offset, first) || !decode(offset + size - 1, last)) return false;
  const u8 mode = registers_.sequencer()[VgaRegisters::kMemoryMode];
  const auto& g = registers_.graphics();
  if ((mode & kChain4) != 0 || (mode & kSequentialAccess) == 0) return false;
  if ((g[VgaRegisters::kMiscellaneous] & kChainOddEven) != 0 || (g[VgaRegisters::kGraphicsMode] & kReadOddEven) != 0)
    return false;
  address = plane_address(first, false);
  if (address + size > kPlanarBytes / 4) return false;
  // Code that a run overwrites may be the string instruction itself.
  const u64 begin = first_.raw + u64{address} * 4, end = begin + u64{size} * 4;
  for (u64 page = begin & ~u64{kPageSize - 1}; store_ != nullptr && page < end; page += kPageSize) {
    if (store_->code_granules(BackingOffset(page)) != 0) return false;
  }
  return true;
}

bool VgaMemory::read_run(u32 offset, std::span<u8> into) {
  u32 address;
  const auto& g = registers_.graphics();
  if ((g[VgaRegisters::kGraphicsMode] & kReadCompare) != 0) return false;
  if (!plane_run(offset, static_cast<u32>(into.size()), address)) return false;
  const u8* from = bytes_.data() + u64{address} * 4 + g[VgaRegisters::kReadMapSelect];
  for (std::size_t i = 0; i < into.size(); i++) into[i] = from[i * 4];
  latch_ = load(address + static_cast<u32>(into.size()) - 1);
  return true;
}

bool VgaMemory::write_run(u32 offset, std::span<const u8> from) {
  u32 address;
  if (!plane_run(offset, static_cast<u32>(from.size()), address)) return false;
  const u32 planes = spread(registers_.sequencer()[VgaRegisters::kMapMask]);
  if (planes == 0) return true;
  u8* to = bytes_.data() + u64{address} * 4;
  u8 value = from[0];
  u32 written = written_planes(value) & planes;
  for (const u8 byte : from) {
    if (byte != value) {  // fills repeat one value
      value = byte;
      written = written_planes(value) & planes;
    }
    u32 old;
    std::memcpy(&old, to, 4);
    const u32 merged = written | (old & ~planes);
    std::memcpy(to, &merged, 4);
    to += 4;
  }
  note(address * 4, static_cast<u32>(from.size()) * 4);
  return true;
}

// The latches carry each element over. Those of more than a byte keep the last byte's for all of them.
bool VgaMemory::copy_run(u32 from, u32 to, unsigned width, u32 count) {
  constexpr unsigned kLatches = 1;  // write mode
  u32 source, target;
  if (width != 1 || (registers_.graphics()[VgaRegisters::kGraphicsMode] & (3 | kReadCompare)) != kLatches) return false;
  if (!plane_run(from, count, source) || !plane_run(to, count, target)) return false;
  const u32 planes = spread(registers_.sequencer()[VgaRegisters::kMapMask]);
  for (u32 i = 0; i < count; i++) {
    latch_ = load(source + i);
    const u32 merged = (latch_ & planes) | (load(target + i) & ~planes);
    std::memcpy(bytes_.data() + u64{target + i} * 4, &merged, 4);
  }
  if (planes != 0) note(target * 4, count * 4);
  return true;
}

}  // namespace relic86
