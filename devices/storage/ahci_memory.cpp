// A region descriptor is sixteen bytes: address (bit 0 is 0), a reserved doubleword, and in the last one bits 21:0 the
// count less one (an even number of bytes) and bit 31, an interrupt that nothing needs: the command's end has its own.
#include "devices/storage/ahci_memory.h"

#include <algorithm>
#include <array>

#include "base/byte_order.h"

namespace relic86 {

bool AhciMemory::answers(u64 address, std::size_t size) const {
  constexpr u64 kPhysicalLimit = u64{1} << 52;
  if (address >= kPhysicalLimit - size) return false;
  for (u64 page = address & ~u64{kPageSize - 1}; page < address + size; page += kPageSize) {
    if (bus_.page(PhysAddr(page)).read.kind == PageTarget::Kind::Unmapped) return false;
  }
  return true;
}

bool AhciMemory::read(u64 address, std::span<u8> into) const {
  if (!answers(address, into.size())) return false;
  bus_.read_block(PhysAddr(address), into);
  return true;
}

bool AhciMemory::write(u64 address, std::span<const u8> from) const {
  if (!answers(address, from.size())) return false;
  bus_.write_block(PhysAddr(address), from);
  return true;
}

void AhciRegions::start(u64 table, u32 entries) {
  table_ = table;
  entries_ = entries;
  address_ = 0;
  left_ = 0;
}

void AhciRegions::state(StateArchive& archive) {
  archive.field("table", table_);
  archive.field("entries", entries_);
  archive.field("address", address_);
  archive.field("left", left_);
  constexpr u32 kMostEntries = 0xFFFF, kMostBytes = 1u << 22;
  if (archive.loading()) {
    entries_ = std::min(entries_, kMostEntries);
    left_ = std::min(left_, kMostBytes);
  }
}

AhciRegions::Outcome AhciRegions::next_region(const AhciMemory& memory) {
  if (entries_ == 0) return Outcome::Ended;
  std::array<u8, 16> entry{};
  if (!memory.read(table_, entry)) return Outcome::NoAnswer;
  table_ += entry.size();
  entries_--;
  constexpr u32 kCountBits = (1u << 22) - 1;
  address_ = load_le<u64>(entry, 0) & ~u64{1};
  left_ = ((load_le<u32>(entry, 12) & kCountBits) + 2) & ~u32{1};
  return Outcome::Moved;
}

AhciRegions::Outcome AhciRegions::move(const AhciMemory& memory, std::span<u8> buffer, bool to_memory,
                                       std::size_t& count) {
  count = 0;
  while (count < buffer.size()) {
    if (left_ == 0) {
      if (const Outcome next = next_region(memory); next != Outcome::Moved) return next;
    }
    const auto piece = buffer.subspan(count, std::min<std::size_t>(buffer.size() - count, left_));
    if (!(to_memory ? memory.write(address_, piece) : memory.read(address_, piece))) return Outcome::NoAnswer;
    count += piece.size();
    address_ += piece.size();
    left_ -= static_cast<u32>(piece.size());
  }
  return Outcome::Moved;
}

}  // namespace relic86
