// Numbers of one to eight bytes in the guest's memory, in the processor's present mode.
#pragma once

#include "cpu/access.h"

namespace relic86::jit {

template <class W>
bool read_as(Cpu& cpu, SegmentName segment, u64 offset, u64& value) {
  W number{};
  const bool good = cpu.state().mode.code64 ? cpu.read_long(segment, offset, number)
                                            : cpu.read(segment, static_cast<u32>(offset), number);
  value = number;
  return good;
}

template <class W>
bool write_as(Cpu& cpu, SegmentName segment, u64 offset, u64 value) {
  return cpu.state().mode.code64 ? cpu.write_long(segment, offset, static_cast<W>(value))
                                 : cpu.write(segment, static_cast<u32>(offset), static_cast<W>(value));
}

// False: the access faults.
inline bool read_number(Cpu& cpu, SegmentName segment, u64 offset, unsigned size, u64& value) {
  switch (size) {
    case 1: return read_as<u8>(cpu, segment, offset, value);
    case 2: return read_as<u16>(cpu, segment, offset, value);
    case 4: return read_as<u32>(cpu, segment, offset, value);
    default: return read_as<u64>(cpu, segment, offset, value);
  }
}
inline bool write_number(Cpu& cpu, SegmentName segment, u64 offset, unsigned size, u64 value) {
  switch (size) {
    case 1: return write_as<u8>(cpu, segment, offset, value);
    case 2: return write_as<u16>(cpu, segment, offset, value);
    case 4: return write_as<u32>(cpu, segment, offset, value);
    default: return write_as<u64>(cpu, segment, offset, value);
  }
}

}  // namespace relic86::jit
