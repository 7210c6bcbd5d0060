#include "devices/virtio/virtio_memory.h"

#include <array>

namespace relic86 {

bool VirtioMemory::reaches(PhysAddr address, u64 size, Direction direction, Needs needs) const {
  if (size == 0) return true;
  const u64 last = address.raw + (size - 1);
  if (last < address.raw) return false;
  for (u64 page = address.raw >> kPageShift; page <= last >> kPageShift; page++) {
    const PhysPage& target = bus_->page(PhysAddr(page << kPageShift));
    const PageTarget::Kind kind = direction == Direction::Read ? target.read.kind : target.write.kind;
    if (kind == PageTarget::Kind::Unmapped) return false;
    if (kind == PageTarget::Kind::Mmio && needs == Needs::Memory) return false;
  }
  return true;
}

bool VirtioMemory::load(PhysAddr from, std::span<u8> into) const {
  if (!reaches(from, into.size(), Direction::Read, Needs::Memory)) return false;
  bus_->read_block(from, into);
  return true;
}

bool VirtioMemory::store(PhysAddr to, std::span<const u8> from) {
  if (!reaches(to, from.size(), Direction::Write, Needs::Memory)) return false;
  bus_->write_block(to, from);
  return true;
}

bool VirtioMemory::load16(PhysAddr from, u16& value) const {
  std::array<u8, 2> bytes{};
  if (!load(from, bytes)) return false;
  value = static_cast<u16>(bytes[0] | bytes[1] << 8);
  return true;
}

bool VirtioMemory::store16(PhysAddr to, u16 value) {
  const std::array<u8, 2> bytes = {static_cast<u8>(value), static_cast<u8>(value >> 8)};
  return store(to, bytes);
}

bool VirtioMemory::read(PhysAddr from, std::span<u8> into) const {
  if (!reaches(from, into.size(), Direction::Read, Needs::Anything)) return false;
  bus_->read_block(from, into);
  return true;
}

bool VirtioMemory::write(PhysAddr to, std::span<const u8> from) {
  if (!reaches(to, from.size(), Direction::Write, Needs::Anything)) return false;
  bus_->write_block(to, from);
  return true;
}

}  // namespace relic86
