// Runs of string instructions on pages of registers: found by the TLB, carried out by the region's handler.
#include "memory/mmu.h"

namespace relic86 {

namespace {
constexpr u64 kPageMask = ~u64{kPageSize - 1};
}

// Null: not registers, no entry yet, or a debugger watches.
const PageTarget* Mmu::run_target(LinAddr address, Access access, Privilege privilege) const {
  const bool write = access == Access::Write;
  const u64 entry = write ? tlb_.write_entry(address, privilege) : tlb_.read_entry(address, privilege);
  constexpr u64 kOthers = kTlbFast | kTlbWatched | kTlbDebug;
  if ((entry & (kTlbMmio | kOthers)) != kTlbMmio || !watchpoints_.empty()) return nullptr;
  const PhysPage& page = bus_.page(PhysAddr(entry & kPageMask));
  const PageTarget& target = write ? page.write : page.read;
  return target.kind == PageTarget::Kind::Mmio ? &target : nullptr;
}

// A run must not feed itself through another way to the device's memory.
bool Mmu::outside_devices(const u8* host, std::size_t size) const {
  const BackingStore& store = bus_.store();
  return !store.contains(host) || store.offset_of(host).raw + size <= store.ram_size();
}

bool Mmu::takes_run(LinAddr address, Access access, Privilege privilege) const {
  return run_target(address, access, privilege) != nullptr;
}

bool Mmu::read_run(LinAddr address, std::span<u8> into, Privilege privilege) {
  const PageTarget* const target = run_target(address, Access::Read, privilege);
  if (target == nullptr || !outside_devices(into.data(), into.size())) return false;
  return target->handler->read_run(target->region, target->region_offset + (address.raw & (kPageSize - 1)), into);
}

bool Mmu::write_run(LinAddr address, std::span<const u8> from, Privilege privilege) {
  const PageTarget* const target = run_target(address, Access::Write, privilege);
  if (target == nullptr || !outside_devices(from.data(), from.size())) return false;
  return target->handler->write_run(target->region, target->region_offset + (address.raw & (kPageSize - 1)), from);
}

bool Mmu::copy_run(LinAddr from, LinAddr to, unsigned width, u32 count, Privilege privilege) {
  const PageTarget* const source = run_target(from, Access::Read, privilege);
  const PageTarget* const target = run_target(to, Access::Write, privilege);
  if (source == nullptr || target == nullptr) return false;
  if (source->handler != target->handler || source->region != target->region) return false;
  return target->handler->copy_run(target->region, source->region_offset + (from.raw & (kPageSize - 1)),
                                   target->region_offset + (to.raw & (kPageSize - 1)), width, count);
}

}  // namespace relic86
