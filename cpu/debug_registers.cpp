#include "cpu/debug_registers.h"

#include "cpu/control_bits.h"

namespace relic86 {

namespace {

enum class Condition : unsigned { Execute, Write, Io, ReadWrite };

struct Breakpoint {
  bool enabled;
  Condition condition;
  u32 size;
  u64 first;
};

Breakpoint breakpoint(const CpuState& state, unsigned n) {
  const u64 dr7 = state.dr[7];
  constexpr u32 kSizes[] = {1, 2, 8, 4};  // LEN 10b: 8 bytes, or undefined on older parts
  const u32 size = kSizes[dr7 >> (18 + n * 4) & 3];
  return {(dr7 >> (n * 2) & 3) != 0, static_cast<Condition>(dr7 >> (16 + n * 4) & 3), size,
          state.dr[n] & ~u64{size - 1}};
}

// Accesses that start below 4 GiB wrap there, but in 64-bit mode, where nothing lies at both ends of that space.
bool overlap(const Breakpoint& point, u64 first, u32 size) {
  const bool low = (first | point.first) >> 32 == 0;
  const auto distance = [low](u64 from, u64 to) { return low ? u64{static_cast<u32>(to - from)} : to - from; };
  return distance(point.first, first) < point.size || distance(first, point.first) < size;
}

}  // namespace

bool meets_instruction_breakpoint(const CpuState& state, LinAddr address) {
  for (unsigned n = 0; n < 4; n++) {
    const Breakpoint point = breakpoint(state, n);
    if (point.enabled && point.condition == Condition::Execute && point.first == address.raw) return true;
  }
  return false;
}

std::vector<LinAddr> instruction_breakpoints(const CpuState& state) {
  std::vector<LinAddr> addresses;
  for (unsigned n = 0; n < 4; n++) {
    const Breakpoint point = breakpoint(state, n);
    if (point.enabled && point.condition == Condition::Execute) addresses.emplace_back(point.first);
  }
  return addresses;
}

std::vector<u64> pages_with_data_breakpoints(const CpuState& state) {
  std::vector<u64> pages;
  for (unsigned n = 0; n < 4; n++) {
    const Breakpoint point = breakpoint(state, n);
    const bool data = point.condition == Condition::Write || point.condition == Condition::ReadWrite;
    if (point.enabled && data) pages.push_back(point.first >> kPageShift);  // sizes are powers of 2: never two pages
  }
  return pages;
}

bool may_match_data(const CpuState& state, LinAddr address, u32 size) {
  for (unsigned n = 0; n < 4; n++) {
    const Breakpoint point = breakpoint(state, n);
    if (point.enabled && point.condition != Condition::Execute && overlap(point, address.raw, size)) return true;
  }
  return false;
}

bool instruction_breakpoint(Cpu& cpu, LinAddr address) {
  CpuState& state = cpu.state();
  u64 hits = 0;
  for (unsigned n = 0; n < 4; n++) {
    const Breakpoint point = breakpoint(state, n);
    if (point.enabled && point.condition == Condition::Execute && point.first == address.raw) hits |= 1u << n;
  }
  if (hits == 0) return false;
  state.dr[6] = (state.dr[6] & ~kDr6Matches) | hits;
  cpu.raise(Vector::Debug, kInstructionBreakpoint);
  return true;
}

void check_data_breakpoints(Cpu& cpu, LinAddr address, u32 size, bool write) {
  CpuState& state = cpu.state();
  for (unsigned n = 0; n < 4; n++) {
    const Breakpoint point = breakpoint(state, n);
    if (!point.enabled || !overlap(point, address.raw, size)) continue;
    if (point.condition == Condition::ReadWrite || (point.condition == Condition::Write && write))
      state.debug_status |= 1u << n;
  }
  if (state.debug_status != 0) cpu.request(kPendingDataBreak);
}

void check_io_breakpoints(Cpu& cpu, IoPort port, u32 size) {
  CpuState& state = cpu.state();
  if ((state.dr[7] & 0xFF) == 0 || (state.cr4 & kCr4De) == 0) return;
  for (unsigned n = 0; n < 4; n++) {
    const Breakpoint point = breakpoint(state, n);
    if (point.enabled && point.condition == Condition::Io && overlap(point, port.raw, size))
      state.debug_status |= 1u << n;
  }
  if (state.debug_status != 0) cpu.request(kPendingDataBreak);
}

}  // namespace relic86
