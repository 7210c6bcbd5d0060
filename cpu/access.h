// Data accesses through a segment and the MMU. The fast path is inline: an offset below the segment's derived end, a
// TLB hit. Everything else (wrong type, expand-down, limits, alignment, data breakpoints, page walks) is out of line.
#pragma once

#include "cpu/alignment.h"
#include "cpu/canonical.h"
#include "cpu/cpu.h"

namespace relic86 {

// A breakpoint of DR0 to DR3 is enabled (SDM 3B 17.2.4).
inline bool watches_data(const CpuState& state) { return (state.dr[7] & 0xFF) != 0; }

inline Privilege Cpu::privilege() const { return state().mode.cpl == 3 ? Privilege::User : Privilege::Supervisor; }

template <class T>
[[gnu::always_inline]] inline bool Cpu::read(SegmentName segment, u32 offset, T& value) {
  const Segment& s = state().segment[segment];
  if (u64{offset} + sizeof(T) > s.read_end && !check_access(segment, offset, sizeof(T), MemoryAccess::Read))
      [[unlikely]] {
    return false;
  }
  if (watches_data(state())) [[unlikely]]
    note_data(s, offset, sizeof(T), MemoryAccess::Read);
  if (mmu_->read(LinAddr(static_cast<u32>(s.base + offset)), value, privilege())) [[likely]]
    return true;
  raise_page_fault(mmu_->fault());
  return false;
}

template <class T>
[[gnu::always_inline]] inline bool Cpu::write(SegmentName segment, u32 offset, T value) {
  const Segment& s = state().segment[segment];
  if (u64{offset} + sizeof(T) > s.write_end && !check_access(segment, offset, sizeof(T), MemoryAccess::Write))
      [[unlikely]] {
    return false;
  }
  if (watches_data(state())) [[unlikely]]
    note_data(s, offset, sizeof(T), MemoryAccess::Write);
  if (mmu_->write(LinAddr(static_cast<u32>(s.base + offset)), value, privilege())) [[likely]]
    return true;
  raise_page_fault(mmu_->fault());
  return false;
}

template <class T>
bool Cpu::read_for_write(SegmentName segment, u32 offset, T& value) {
  const Segment& s = state().segment[segment];
  if (u64{offset} + sizeof(T) > s.write_end && !check_access(segment, offset, sizeof(T), MemoryAccess::Write))
      [[unlikely]] {
    return false;
  }
  if (watches_data(state())) [[unlikely]]
    note_data(s, offset, sizeof(T), MemoryAccess::Write);
  if (mmu_->read_for_write(LinAddr(static_cast<u32>(s.base + offset)), value, privilege())) [[likely]]
    return true;
  raise_page_fault(mmu_->fault());
  return false;
}

inline bool Cpu::admits_long(SegmentName segment, u64 offset, LinAddr linear, u32 size) {
  const LinearWidth width = state().linear;
  const bool plain = width.canonical(linear.raw, size) && !checks_alignment(state());
  if (plain && (segment < kFs || width.canonical(offset))) [[likely]]
    return true;
  return check_access_long(segment, offset, size);
}

template <class T>
[[gnu::always_inline]] inline bool Cpu::read_long(SegmentName segment, u64 offset, T& value) {
  const LinAddr linear = long_address(segment, offset);
  if (!admits_long(segment, offset, linear, sizeof(T))) [[unlikely]]
    return false;
  if (watches_data(state())) [[unlikely]]
    note_data(linear, sizeof(T), MemoryAccess::Read);
  if (mmu_->read(linear, value, privilege())) [[likely]]
    return true;
  raise_page_fault(mmu_->fault());
  return false;
}

template <class T>
[[gnu::always_inline]] inline bool Cpu::write_long(SegmentName segment, u64 offset, T value) {
  const LinAddr linear = long_address(segment, offset);
  if (!admits_long(segment, offset, linear, sizeof(T))) [[unlikely]]
    return false;
  if (watches_data(state())) [[unlikely]]
    note_data(linear, sizeof(T), MemoryAccess::Write);
  if (mmu_->write(linear, value, privilege())) [[likely]]
    return true;
  raise_page_fault(mmu_->fault());
  return false;
}

template <class T>
bool Cpu::read_for_write_long(SegmentName segment, u64 offset, T& value) {
  const LinAddr linear = long_address(segment, offset);
  if (!admits_long(segment, offset, linear, sizeof(T))) [[unlikely]]
    return false;
  if (watches_data(state())) [[unlikely]]
    note_data(linear, sizeof(T), MemoryAccess::Write);
  if (mmu_->read_for_write(linear, value, privilege())) [[likely]]
    return true;
  raise_page_fault(mmu_->fault());
  return false;
}

template <class T>
bool Cpu::push_long(T value) {
  CpuState& s = state();
  const u64 top = s.gpr[kEsp] - sizeof(T);
  if (!write_long(kSs, top, value)) return false;
  s.gpr[kEsp] = top;
  return true;
}

template <class T>
bool Cpu::pop_long(T& value) {
  CpuState& s = state();
  if (!read_long(kSs, s.gpr[kEsp], value)) return false;
  s.gpr[kEsp] += sizeof(T);
  return true;
}

template <class T>
bool Cpu::read_system(LinAddr address, T& value) {
  if (mmu_->allows_implicit(address, sizeof(T), Access::Read) && mmu_->read(address, value, Privilege::Supervisor))
      [[likely]]
    return true;
  raise_page_fault(mmu_->fault());
  return false;
}

template <class T>
bool Cpu::write_system(LinAddr address, T value) {
  if (mmu_->allows_implicit(address, sizeof(T), Access::Write) && mmu_->write(address, value, Privilege::Supervisor))
      [[likely]]
    return true;
  raise_page_fault(mmu_->fault());
  return false;
}

}  // namespace relic86
