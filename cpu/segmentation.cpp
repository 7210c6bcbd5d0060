#include "cpu/segmentation.h"

#include "cpu/access.h"
#include "cpu/locked_access.h"
#include "cpu/long_mode.h"

namespace relic86 {

namespace {

bool read_descriptor(Cpu& cpu, LinAddr address, Descriptor& descriptor) {
  u64 raw = 0;
  if (!cpu.read_system(address, raw)) return false;
  descriptor.low = static_cast<u32>(raw);
  descriptor.high = static_cast<u32>(raw >> 32);
  return true;
}

}  // namespace

bool locate_descriptor(const CpuState& state, Selector selector, LinAddr& address, u32 size) {
  u64 base = state.gdtr.base;
  u32 limit = state.gdtr.limit;
  if (selector.local()) {
    const Segment& table = state.segment[kLdtr];
    if (!table.present() || table.selector.null()) return false;
    base = table.base;
    limit = table.limit;
  }
  if (selector.table_offset() + (size - 1) > limit) return false;
  address = system_address(state, base + selector.table_offset());
  return true;
}

bool fetch_descriptor(Cpu& cpu, Selector selector, Descriptor& descriptor, Vector vector, u32 external) {
  LinAddr address{};
  if (!locate_descriptor(cpu.state(), selector, address)) {
    cpu.raise(vector, selector_error(selector, external));
    return false;
  }
  return read_descriptor(cpu, address, descriptor);
}

bool fetch_wide_descriptor(Cpu& cpu, Selector selector, WideDescriptor& descriptor, Vector vector, u32 external) {
  if (!fetch_descriptor(cpu, selector, descriptor, vector, external)) return false;
  descriptor.upper = descriptor.last = 0;
  if (descriptor.code_or_data()) return true;
  constexpr u32 kSize = 16;
  LinAddr address{};
  if (!locate_descriptor(cpu.state(), selector, address, kSize)) {
    cpu.raise(vector, selector_error(selector, external));
    return false;
  }
  Descriptor rest;
  if (!read_descriptor(cpu, address + kSize / 2, rest)) return false;
  descriptor.upper = rest.low;
  descriptor.last = rest.high;
  return true;
}

bool peek_descriptor(Cpu& cpu, Selector selector, std::optional<Descriptor>& descriptor) {
  LinAddr address{};
  descriptor.reset();
  if (selector.null() || !locate_descriptor(cpu.state(), selector, address)) return true;
  Descriptor found;
  if (!read_descriptor(cpu, address, found)) return false;
  descriptor = found;
  return true;
}

bool set_accessed(Cpu& cpu, Selector selector, Descriptor& descriptor) {
  if ((descriptor.high & 0x100) != 0) return true;
  LinAddr address{};
  if (!locate_descriptor(cpu.state(), selector, address)) return true;
  descriptor.high |= 0x100;
  return change_bits(cpu, address + 5, 0, 1);
}

void set_segment(Cpu& cpu, SegmentName name, Selector selector, const Descriptor& descriptor) {
  Segment& segment = cpu.state().segment[name];
  segment.selector = selector;
  segment.base = descriptor.base();
  segment.limit = descriptor.limit();
  segment.attributes = descriptor.attributes();
  // 64-bit code has no base and no limit.
  if (name == kCs && cpu.state().mode.long_mode && segment.long_code()) {
    segment.base = 0;
    segment.limit = 0xFFFFFFFF;
  }
  derive_limits(cpu.state(), segment);
}

void set_segment_null(Cpu& cpu, SegmentName name, Selector selector) {
  Segment& segment = cpu.state().segment[name];
  segment = Segment{};
  segment.selector = selector;
}

void set_stack_null(Cpu& cpu, Selector selector, unsigned privilege) {
  set_segment_null(cpu, kSs, selector);
  cpu.state().segment[kSs].attributes = static_cast<u16>(privilege << 5);
}

void set_flat_segment(Cpu& cpu, SegmentName name, u32 selector, u16 attributes) {
  CpuState& state = cpu.state();
  Segment& segment = state.segment[name];
  segment.selector = Selector(static_cast<u16>(selector));
  segment.base = 0;
  segment.limit = 0xFFFFFFFF;
  segment.attributes = attributes;
  derive_limits(state, segment);
}

void set_segment_real(Cpu& cpu, SegmentName name, Selector selector) {
  CpuState& state = cpu.state();
  Segment& segment = state.segment[name];
  segment.selector = selector;
  segment.base = u64{selector.raw} << 4;
  if (state.mode.v86) {
    segment.limit = 0xFFFF;
    segment.attributes = 0xF3;  // present, DPL 3, read/write data, accessed
  } else {
    // Limit, granularity and size stay ("big real mode"); rights become those of read/write data at DPL 0.
    segment.attributes = static_cast<u16>((segment.attributes & 0xF000) | 0x93);
  }
  derive_limits(state, segment);
}

bool load_stack_descriptor(Cpu& cpu, Selector selector, unsigned privilege, Vector vector, u32 external,
                           Descriptor& descriptor) {
  if (selector.null()) {
    cpu.raise(vector, external);
    return false;
  }
  if (!fetch_descriptor(cpu, selector, descriptor, vector, external)) return false;
  if (selector.rpl() != privilege || descriptor.dpl() != privilege || !descriptor.writable()) {
    cpu.raise(vector, selector_error(selector, external));
    return false;
  }
  if (!descriptor.present()) {
    cpu.raise(Vector::StackFault, selector_error(selector, external));
    return false;
  }
  return true;
}

bool load_segment(Cpu& cpu, SegmentName name, Selector selector) {
  CpuState& state = cpu.state();
  if (state.mode.real_or_v86()) {
    set_segment_real(cpu, name, selector);
    if (name == kSs) cpu.update_mode();
    return true;
  }
  if (name == kSs) {
    if (selector.null()) {
      if (state.mode.code64 && state.mode.cpl != 3 && selector.rpl() == state.mode.cpl) {
        set_stack_null(cpu, selector, state.mode.cpl);
        return true;
      }
      cpu.raise(Vector::GeneralProtection, 0);
      return false;
    }
    Descriptor descriptor;
    if (!load_stack_descriptor(cpu, selector, state.mode.cpl, Vector::GeneralProtection, 0, descriptor)) return false;
    if (!set_accessed(cpu, selector, descriptor)) return false;
    set_segment(cpu, kSs, selector, descriptor);
    cpu.update_mode();
    return true;
  }
  if (selector.null()) {
    set_segment_null(cpu, name, selector);
    return true;
  }
  Descriptor descriptor;
  if (!fetch_descriptor(cpu, selector, descriptor, Vector::GeneralProtection)) return false;
  const unsigned weaker = std::max<unsigned>(state.mode.cpl, selector.rpl());
  if (!descriptor.code_or_data() || !descriptor.readable() || (!descriptor.conforming() && weaker > descriptor.dpl())) {
    cpu.raise(Vector::GeneralProtection, selector_error(selector));
    return false;
  }
  if (!descriptor.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(selector));
    return false;
  }
  if (!set_accessed(cpu, selector, descriptor)) return false;
  set_segment(cpu, name, selector, descriptor);
  return true;
}

}  // namespace relic86
