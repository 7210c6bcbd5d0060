// Instructions with a VEX prefix that the host's unit carries out as they are.
#include "cpu/avx_instructions.h"

#include <span>
#include <string_view>

#include "cpu/avx_operands.h"
#include "cpu/instruction_table.h"
#include "cpu/simd_instructions.h"
#include "cpu/simd_rounding.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

using namespace simd;

namespace {

bool has(const InstructionRow& row, UnitShapeBits bit) { return (row.shape & bit) != 0; }

unsigned memory_bytes(const Insn& insn, const InstructionRow& row) {
  unsigned bytes = row.shape & kShapeBytes;
  if (has(row, kShapeDoubles) && insn.vector256()) bytes *= 2;
  if (has(row, kShapeByW) && has(row, kShapeGeneralRm) && insn.operand64()) bytes *= 2;
  return bytes;
}

bool has_fourth(const InstructionRow& row) {
  const std::string_view operands = row.operands;
  return operands.find("Lx") != std::string_view::npos;
}

VexEncoding encoding_of(const Insn& insn, const InstructionRow& row) {
  VexEncoding encoding;
  encoding.map = row.map;
  encoding.opcode = row.opcode;
  encoding.implied = (row.match & kMatch66) != 0   ? 1
                     : (row.match & kMatchF3) != 0 ? 2
                     : (row.match & kMatchF2) != 0 ? 3
                                                   : 0;
  encoding.w = (row.match & kMatchW1) != 0 || (has(row, kShapeByW) && insn.operand64());
  encoding.l = has(row, kShapeLength) && insn.vector256();
  encoding.memory = insn.memory();
  encoding.has_vex = (row.match & kMatchVexRegister) != 0;
  encoding.general_reg = has(row, kShapeGeneralReg);
  encoding.general_rm = has(row, kShapeGeneralRm) && !insn.memory();
  encoding.has_immediate = row.immediate != ImmediateKind::None;
  encoding.has_fourth = encoding.has_immediate && has_fourth(row);
  if ((row.match & kMatchReg) != 0) encoding.extension = row.match & 7;
  encoding.immediate = static_cast<u8>(encoding.has_fourth ? insn.immediate & 15 : insn.immediate);
  return encoding;
}

// Of a memory operand that must lie at a multiple of its size.
bool check_alignment(Cpu& cpu, const Insn& insn, u64 offset, unsigned bytes) {
  if ((cpu.linear_address(segment_of(insn), offset).raw & (bytes - 1)) == 0) return true;
  cpu.raise(Vector::GeneralProtection, 0);
  return false;
}

// Some parts do not look at the alignment of half-precision numbers in memory.
bool any_alignment(const Cpu& cpu, const InstructionRow& row) {
  return row.feature == Feature::F16c && !cpu.vendor().checks_alignment_of_half_floats;
}
template <class Access>
bool access_operand(const Cpu& cpu, const InstructionRow& row, unsigned bytes, Access access) {
  return any_alignment(cpu, row) ? unchecked(cpu, bytes, access) : access(0u, bytes);
}

bool load(Cpu& cpu, const Insn& insn, const InstructionRow& row, VexOperands& operands) {
  const CpuState& state = cpu.state();
  operands.reg = read_ymm(state, insn.reg);
  operands.vex = read_ymm(state, insn.vex_register);
  if (has_fourth(row)) operands.fourth = read_ymm(state, insn.immediate >> 4 & (insn.code64() ? 15 : 7));
  if (!insn.memory()) {
    operands.rm = read_ymm(state, insn.rm);
    operands.general_rm = state.gpr[insn.rm];
    return true;
  }
  const unsigned bytes = memory_bytes(insn, row);
  const u64 offset = offset_of(state, insn);
  if (has(row, kShapeAligned) && !check_alignment(cpu, insn, offset, bytes)) return false;
  if (has(row, kShapeStore)) return true;
  u8* const into = operands.rm.half[0].bytes;
  return access_operand(cpu, row, bytes, [&](unsigned at, unsigned size) {
    return cpu.read_bytes(segment_of(insn), offset + at, into + at, size);
  });
}

Flow store(Cpu& cpu, const Insn& insn, const InstructionRow& row, const VexOperands& operands) {
  CpuState& state = cpu.state();
  if (has(row, kShapeCompares)) {
    state.flags.set_eflags(static_cast<u32>(operands.flags) & kArithmeticFlags);
  } else if (has(row, kShapeGeneralReg)) {
    state.gpr[insn.reg] = operands.general_reg;
  } else if (has(row, kShapeVexDestination)) {
    write_ymm(state, insn.vex_register, operands.vex);
  } else if (!has(row, kShapeStore)) {
    write_ymm(state, insn.reg, operands.reg);
  } else if (insn.memory()) {
    const u64 offset = offset_of(state, insn);
    const unsigned bytes = memory_bytes(insn, row);
    const u8* const from = operands.rm.half[0].bytes;
    const auto probe = [&](unsigned at, unsigned size) { return cpu.probe_write(segment_of(insn), offset + at, size); };
    const auto write = [&](unsigned at, unsigned size) {
      return cpu.write_bytes(segment_of(insn), offset + at, from + at, size);
    };
    // All bytes or none.
    const bool done =
        (!any_alignment(cpu, row) || unchecked(cpu, bytes, probe)) && access_operand(cpu, row, bytes, write);
    if (!done) return Flow::Fault;
  } else if (has(row, kShapeGeneralRm)) {
    state.gpr[insn.rm] = operands.general_rm;
  } else {
    write_ymm(state, insn.rm, operands.rm);
  }
  return Flow::Next;
}

// Of the host's masked operation: what else its unmasked exceptions ask for is for finish(done, mxcsr, operands) to say,
// which gets the operands from before.
struct Usual {
  bool operator()(bool done, u32&, const VexOperands&) const { return done; }
};

template <class Finish>
Flow carry_out(Cpu& cpu, const Insn& insn, Finish finish) {
  if (!enter_avx(cpu)) return Flow::Fault;
  const InstructionRow& row = instruction_table()[insn.row];
  VexOperands operands;
  if (!load(cpu, insn, row, operands)) return Flow::Fault;
  const auto function = cpu.vex_unit().function(encoding_of(insn, row));
  if (!has(row, kShapeTraps)) {
    function(&operands);
    return store(cpu, insn, row, operands);
  }
  const bool stores = has(row, kShapeStore) && insn.memory() && !cpu.vendor().converts_before_storing;
  if (stores && !cpu.probe_write(segment_of(insn), offset_of(cpu.state(), insn), memory_bytes(insn, row)))
    return Flow::Fault;
  u32& mxcsr = cpu.state().fx.mxcsr;
  u32 found = mxcsr;
  VexOperands result = operands;
  bool done = simd_unit::run_rounded([function](VexOperands& each) { function(&each); }, found, result);
  done = finish(done, found, operands);
  mxcsr = found;
  return done ? store(cpu, insn, row, result) : simd_exception(cpu);
}

}  // namespace

Flow avx(Cpu& cpu, const Insn& insn) { return carry_out(cpu, insn, Usual{}); }

namespace {

// An unmasked exception ends VDPPS and VDPPD after the step that raised it: the steps alone tell the flags.
template <unsigned lane_bytes>
Flow dot_product(Cpu& cpu, const Insn& insn) {
  const u32 before = cpu.state().fx.mxcsr;
  return carry_out(cpu, insn, [&](bool done, u32& mxcsr, const VexOperands& operands) {
    if (done) return true;
    const u8 selected = static_cast<u8>(insn.immediate >> 4 & 15);
    mxcsr = before;
    const std::size_t halves = insn.vector256() ? 2 : 1;
    (void)dot_flags<lane_bytes>(mxcsr, std::span(operands.vex.half, halves), std::span(operands.rm.half, halves),
                                selected);
    return false;
  });
}

}  // namespace

Flow vdpps(Cpu& cpu, const Insn& insn) { return dot_product<4>(cpu, insn); }
Flow vdppd(Cpu& cpu, const Insn& insn) { return dot_product<8>(cpu, insn); }

// VCVTPS2PH does not look at MXCSR.FTZ (SDM 1 14.4.1): that an exact result is tiny, which raises an unmasked
// underflow, shows in the result alone.
Flow vcvtps2ph(Cpu& cpu, const Insn& insn) {
  return carry_out(cpu, insn, [&](bool done, u32& mxcsr, const VexOperands& operands) {
    constexpr u32 kUnderflow = 1u << 4;
    constexpr u16 kExponent = 0x7C00, kMantissa = 0x03FF;
    const u32 unmasked = ~(mxcsr >> simd_unit::kMxcsrMaskShift) & simd_unit::kMxcsrFlags;
    if ((unmasked & kUnderflow) == 0) return done;
    const auto function = cpu.vex_unit().function(encoding_of(insn, instruction_table()[insn.row]));
    VexOperands masked = operands;
    u32 raised = (mxcsr & ~simd_unit::kMxcsrFlags) | simd_unit::kMxcsrMasks;
    (void)simd_unit::with_guest_rounding(raised, [&] { function(&masked); });
    if ((raised & unmasked & simd_unit::kMxcsrBefore) != 0) return done;
    for (unsigned i = 0; i < (insn.vector256() ? 8u : 4u); i++) {
      u16 half = 0;
      std::memcpy(&half, masked.rm.half[0].bytes + i * sizeof half, sizeof half);
      if ((half & kExponent) != 0 || (half & kMantissa) == 0) continue;
      mxcsr |= kUnderflow;
      return false;
    }
    return done;
  });
}

}  // namespace relic86
