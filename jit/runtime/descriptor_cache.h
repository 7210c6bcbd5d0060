// What loads of segment registers have found before: descriptors with the hidden part that they give, by selector and
// CPL. Translated code reads the descriptor in its table again, and takes the rest from here if it is still the same
// (x64/segment_thunks.cpp).
#pragma once

#include <vector>

#include "cpu/cpu.h"

namespace relic86::jit {

struct alignas(64) KnownDescriptor {
  // What may be done with the descriptor at this CPL.
  // kKnown: of code or data, or none: what LAR and LSL say of it is known. kVisible: they do.
  enum Kind : u8 { kLoadable = 1, kReadable = 2, kWritable = 4, kVisible = 8, kKnown = 16 };
  static constexpr u32 kValid = 1u << 24;

  u32 key = 0;  // selector, CPL << 16, kValid; 0: none
  u8 kind = 0;
  u64 raw = 0;  // the descriptor in its table
  Segment hidden{};

  // One more of kind's: a far JMP or CALL at this CPL may enter the code segment.
  static constexpr u8 kEnterable = 1u << 5;
};
static_assert(sizeof(KnownDescriptor) == 64);

class DescriptorCache {
 public:
  static constexpr u32 kEntries = 256;  // by bits 2 to 9 of the selector

  // Behind them stands what all null selectors load.
  DescriptorCache() : entries_(kEntries + 1) {
    entries_.back().kind = KnownDescriptor::kLoadable | KnownDescriptor::kKnown;
  }
  const KnownDescriptor* data() const { return entries_.data(); }
  // Protected mode: the selector's descriptor as it stands in its table, if the TLB leads to it at once.
  void remember(Cpu& cpu, Selector selector);

 private:
  std::vector<KnownDescriptor> entries_;
};

}  // namespace relic86::jit
