#include "jit/runtime/descriptor_cache.h"

#include <algorithm>
#include <cstring>

#include "cpu/access.h"
#include "cpu/segmentation.h"

namespace relic86::jit {

void DescriptorCache::remember(Cpu& cpu, Selector selector) {
  const CpuState& state = cpu.state();
  LinAddr at{};
  // With alignment checks a hidden part is another (derive_limits()).
  const bool checked = (state.system_flags & kAC) != 0;
  if (checked || state.mode.real_or_v86() || selector.null() || !locate_descriptor(state, selector, at)) return;
  const u64 entry = cpu.mmu().tlb().read_entry(at, Privilege::Supervisor);
  if ((entry & kTlbFast) == 0 || at.raw % kPageSize > kPageSize - sizeof(u64)) return;
  KnownDescriptor known;
  std::memcpy(&known.raw, reinterpret_cast<const u8*>(entry - kTlbFast + at.raw), sizeof known.raw);
  known.key = selector.raw | u32{state.mode.cpl} << 16 | KnownDescriptor::kValid;
  KnownDescriptor& kept = entries_[selector.raw >> 2 & (kEntries - 1)];
  if (kept.key == known.key && kept.raw == known.raw) return;
  const Descriptor descriptor{static_cast<u32>(known.raw), static_cast<u32>(known.raw >> 32)};
  if (descriptor.code_or_data()) known.kind = KnownDescriptor::kKnown;
  const unsigned weaker = std::max<unsigned>(state.mode.cpl, selector.rpl());
  if (descriptor.code_or_data() && (descriptor.conforming() || weaker <= descriptor.dpl())) {
    constexpr u32 kAccessed = 0x100;
    const bool loadable = descriptor.readable() && descriptor.present() && (descriptor.high & kAccessed) != 0;
    known.hidden.selector = selector;
    known.hidden.base = descriptor.base();
    known.hidden.limit = descriptor.limit();
    known.hidden.attributes = descriptor.attributes();
    derive_limits(state, known.hidden);
    const auto kind = [](bool holds, KnownDescriptor::Kind bit) { return holds ? unsigned{bit} : 0u; };
    known.kind = static_cast<u8>(KnownDescriptor::kKnown | KnownDescriptor::kVisible |
                                 kind(loadable, KnownDescriptor::kLoadable) |
                                 kind(descriptor.readable(), KnownDescriptor::kReadable) |
                                 kind(descriptor.writable(), KnownDescriptor::kWritable));
  }
  constexpr u32 kPresentAndAccessed = 0x8100;
  const unsigned cpl = state.mode.cpl;
  const bool privileged =
      descriptor.conforming() ? descriptor.dpl() <= cpl : selector.rpl() <= cpl && descriptor.dpl() == cpl;
  if (descriptor.code_or_data() && descriptor.code() && privileged &&
      (descriptor.high & kPresentAndAccessed) == kPresentAndAccessed)
    known.kind |= KnownDescriptor::kEnterable;
  kept = known;
}

}  // namespace relic86::jit
