// SSE4.1 and SSE4.2 (SDM 2; SDM 1 12.7 to 12.12) as far as their operands are not two registers of one plain form.
// Permutations are spelled out; arithmetic is the host's.
#include <array>
#include <bit>
#include <cstdlib>
#include <span>

#include "cpu/simd_instructions.h"
#include "cpu/simd_operands.h"
#include "cpu/simd_rounding.h"

namespace relic86 {

using namespace simd;

namespace {

// Of a whole register or aligned memory: change(destination, source).
template <class Change>
Flow with_source(Cpu& cpu, const Insn& insn, Change change) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, 16, true, source)) return Flow::Fault;
  change(cpu.state().fx.xmm[insn.reg], source);
  return Flow::Next;
}

// Takes from the source the lanes that choose(lane) says.
template <unsigned lane_bytes, class Choose>
void blend(FxState::Slot& destination, const FxState::Slot& source, Choose choose) {
  for (unsigned i = 0; i < 16 / lane_bytes; i++) {
    if (choose(i)) std::memcpy(destination.bytes + i * lane_bytes, source.bytes + i * lane_bytes, lane_bytes);
  }
}
// By the sign of XMM0's lanes.
template <unsigned lane_bytes>
Flow blend_by_register(Cpu& cpu, const Insn& insn) {
  const FxState::Slot mask = cpu.state().fx.xmm[0];
  return with_source(cpu, insn, [&mask](FxState::Slot& destination, const FxState::Slot& source) {
    blend<lane_bytes>(destination, source,
                      [&](unsigned i) { return (mask.bytes[(i + 1) * lane_bytes - 1] & 0x80) != 0; });
  });
}
template <unsigned lane_bytes>
Flow blend_by_immediate(Cpu& cpu, const Insn& insn) {
  return with_source(cpu, insn, [&insn](FxState::Slot& destination, const FxState::Slot& source) {
    blend<lane_bytes>(destination, source, [&](unsigned i) { return (insn.immediate >> i & 1) != 0; });
  });
}

template <unsigned size>
Flow floating(Cpu& cpu, const Insn& insn, simd_unit::XmmOperation operation) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, size, size == 16, source)) return Flow::Fault;
  FxState& fx = cpu.state().fx;
  return simd_unit::run_floating(operation, fx.mxcsr, fx.xmm[insn.reg], source) ? Flow::Next : simd_exception(cpu);
}
u8 immediate(const Insn& insn) { return static_cast<u8>(insn.immediate); }

// A lane to a general register, zero-extended, or to memory.
template <unsigned bytes>
Flow extract(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  u64 lane = 0;
  std::memcpy(&lane, state.fx.xmm[insn.reg].bytes + (insn.immediate & (16 / bytes - 1)) * bytes, bytes);
  if (insn.memory()) return write_memory(cpu, insn, &lane, bytes) ? Flow::Next : Flow::Fault;
  state.gpr[insn.rm] = lane;
  return Flow::Next;
}
template <unsigned bytes>
Flow insert(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  u64 lane = state.gpr[insn.rm];
  if (insn.memory() && !cpu.read_bytes(segment_of(insn), offset_of(state, insn), &lane, bytes)) return Flow::Fault;
  std::memcpy(state.fx.xmm[insn.reg].bytes + (insn.immediate & (16 / bytes - 1)) * bytes, &lane, bytes);
  return Flow::Next;
}

}  // namespace

Flow pblendvb(Cpu& cpu, const Insn& insn) { return blend_by_register<1>(cpu, insn); }
Flow blendvps(Cpu& cpu, const Insn& insn) { return blend_by_register<4>(cpu, insn); }
Flow blendvpd(Cpu& cpu, const Insn& insn) { return blend_by_register<8>(cpu, insn); }
Flow blendps(Cpu& cpu, const Insn& insn) { return blend_by_immediate<4>(cpu, insn); }
Flow blendpd(Cpu& cpu, const Insn& insn) { return blend_by_immediate<8>(cpu, insn); }
Flow pblendw(Cpu& cpu, const Insn& insn) { return blend_by_immediate<2>(cpu, insn); }

Flow ptest(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, 16, true, source)) return Flow::Fault;
  const FxState::Slot& first = cpu.state().fx.xmm[insn.reg];
  u8 both = 0, source_alone = 0;
  for (unsigned i = 0; i < 16; i++) {
    both |= static_cast<u8>(first.bytes[i] & source.bytes[i]);
    source_alone |= static_cast<u8>(~first.bytes[i] & source.bytes[i]);
  }
  cpu.state().flags.set_eflags((both == 0 ? u32{kZF} : 0u) | (source_alone == 0 ? u32{kCF} : 0u));
  return Flow::Next;
}

Flow roundps(Cpu& cpu, const Insn& insn) {
  return floating<16>(cpu, insn, simd_unit::round_operation(0x08, immediate(insn)));
}
Flow roundpd(Cpu& cpu, const Insn& insn) {
  return floating<16>(cpu, insn, simd_unit::round_operation(0x09, immediate(insn)));
}
Flow roundss(Cpu& cpu, const Insn& insn) {
  return floating<4>(cpu, insn, simd_unit::round_operation(0x0A, immediate(insn)));
}
Flow roundsd(Cpu& cpu, const Insn& insn) {
  return floating<8>(cpu, insn, simd_unit::round_operation(0x0B, immediate(insn)));
}

// DPPS and DPPD multiply, add neighbours, and DPPS adds their sums; an unmasked exception ends it after the step that
// raised it. The host's own instruction serves if there is none, and the steps alone tell the flags if there is.
// Of two halves of 256 bits, too: a step is of both.
template <unsigned lane_bytes>
bool dot_flags(u32& mxcsr, std::span<const FxState::Slot> first, std::span<const FxState::Slot> second, u8 selected) {
  constexpr u8 kMultiply = 0x59, kAdd = 0x58;
  constexpr unsigned kLanes = 16 / lane_bytes;
  constexpr Prefix kPrefix = lane_bytes == 8 ? Prefix::P66 : Prefix::None;
  constexpr u32 kFlags = simd_unit::kMxcsrFlags, kBefore = simd_unit::kMxcsrBefore;
  const u32 unmasked = ~(mxcsr >> simd_unit::kMxcsrMaskShift) & kFlags;
  std::array<FxState::Slot, 2> a{}, b{};  // lanes that take no part are zeros, which raise nothing
  for (std::size_t i = 0; i < first.size(); i++) {
    const auto taken = [=](unsigned lane) { return (selected >> lane & 1) != 0; };
    blend<lane_bytes>(a[i], first[i], taken);
    blend<lane_bytes>(b[i], second[i], taken);
  }
  const auto step = [&](u8 opcode) {
    u32 raised = 0;
    for (std::size_t i = 0; i < first.size(); i++) {
      u32 found = mxcsr & ~kFlags;
      (void)simd_unit::run_floating(simd_unit::xmm_operation(Map::TwoByte, kPrefix, opcode), found, a[i], b[i]);
      raised |= found & kFlags;
    }
    if ((raised & unmasked & kBefore) != 0) raised &= kBefore;
    mxcsr |= raised;
    return (raised & unmasked) == 0;
  };
  if (!step(kMultiply)) return false;
  for (unsigned lanes = kLanes / 2; lanes != 0; lanes /= 2) {
    for (std::size_t i = 0; i < first.size(); i++) {
      FxState::Slot even{}, odd{};
      for (unsigned k = 0; k < lanes; k++) {
        std::memcpy(even.bytes + k * lane_bytes, a[i].bytes + 2 * k * lane_bytes, lane_bytes);
        std::memcpy(odd.bytes + k * lane_bytes, a[i].bytes + (2 * k + 1) * lane_bytes, lane_bytes);
      }
      a[i] = even;
      b[i] = odd;
    }
    if (!step(kAdd)) return false;
  }
  return true;
}
template bool dot_flags<4>(u32&, std::span<const FxState::Slot>, std::span<const FxState::Slot>, u8);
template bool dot_flags<8>(u32&, std::span<const FxState::Slot>, std::span<const FxState::Slot>, u8);

namespace {

template <unsigned lane_bytes, u8 opcode>
Flow dot_product(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, 16, true, source)) return Flow::Fault;
  FxState& fx = cpu.state().fx;
  u32 mxcsr = fx.mxcsr;
  if (simd_unit::run_floating(simd_unit::dot_operation(opcode, immediate(insn)), mxcsr, fx.xmm[insn.reg], source)) {
    fx.mxcsr = mxcsr;
    return Flow::Next;
  }
  (void)dot_flags<lane_bytes>(fx.mxcsr, std::span(&fx.xmm[insn.reg], 1), std::span(&source, 1), immediate(insn) >> 4);
  return simd_exception(cpu);
}

}  // namespace

Flow dpps(Cpu& cpu, const Insn& insn) { return dot_product<4, 0x40>(cpu, insn); }
Flow dppd(Cpu& cpu, const Insn& insn) { return dot_product<8, 0x41>(cpu, insn); }

Flow pextrb(Cpu& cpu, const Insn& insn) { return extract<1>(cpu, insn); }
Flow pextrw_rm(Cpu& cpu, const Insn& insn) { return extract<2>(cpu, insn); }
Flow pextrd(Cpu& cpu, const Insn& insn) { return insn.operand64() ? extract<8>(cpu, insn) : extract<4>(cpu, insn); }
Flow extractps(Cpu& cpu, const Insn& insn) { return extract<4>(cpu, insn); }
Flow pinsrb(Cpu& cpu, const Insn& insn) { return insert<1>(cpu, insn); }
Flow pinsrd(Cpu& cpu, const Insn& insn) { return insn.operand64() ? insert<8>(cpu, insn) : insert<4>(cpu, insn); }

// Bits 7:6 choose the source's lane (memory has one), 5:4 where it goes, 3:0 what becomes zero.
Flow insertps(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, 4, false, source)) return Flow::Fault;
  const unsigned from = insn.memory() ? 0 : insn.immediate >> 6 & 3, to = insn.immediate >> 4 & 3;
  FxState::Slot& destination = cpu.state().fx.xmm[insn.reg];
  std::memcpy(destination.bytes + to * 4, source.bytes + from * 4, 4);
  for (unsigned i = 0; i < 4; i++) {
    if ((insn.immediate >> i & 1) != 0) std::memset(destination.bytes + i * 4, 0, 4);
  }
  return Flow::Next;
}

// Eight sums of absolute differences: of four bytes of the source (bits 1:0) and those of the destination from each of
// eight places on (bit 2).
Flow mpsadbw(Cpu& cpu, const Insn& insn) {
  return with_source(cpu, insn, [&insn](FxState::Slot& destination, const FxState::Slot& source) {
    const u8* const block = source.bytes + (insn.immediate & 3) * 4;
    const u8* const row = destination.bytes + (insn.immediate >> 2 & 1) * 4;
    std::array<u16, 8> sums{};
    for (unsigned i = 0; i < sums.size(); i++) {
      for (unsigned k = 0; k < 4; k++) sums[i] = static_cast<u16>(sums[i] + std::abs(row[i + k] - block[k]));
    }
    std::memcpy(destination.bytes, sums.data(), sizeof sums);
  });
}

// --- String comparisons (SDM 2 4.1) ---

namespace {

struct StringOperand {
  std::array<i32, 16> element{};
  unsigned length = 0;  // elements that are valid
};

struct Comparison {
  bool words, is_signed, masked, negative;
  unsigned aggregation, count;

  explicit Comparison(u8 control)
      : words((control & 1) != 0),
        is_signed((control & 2) != 0),
        masked((control & 0x20) != 0),
        negative((control & 0x10) != 0),
        aggregation(control >> 2 & 3),
        count(words ? 8 : 16) {}

  StringOperand read(const FxState::Slot& slot) const {
    StringOperand operand;
    for (unsigned i = 0; i < count; i++) {
      if (words) {
        u16 word = 0;
        std::memcpy(&word, slot.bytes + i * 2, 2);
        operand.element[i] = is_signed ? static_cast<i16>(word) : i32{word};
      } else {
        operand.element[i] = is_signed ? static_cast<i8>(slot.bytes[i]) : i32{slot.bytes[i]};
      }
    }
    return operand;
  }
  unsigned implicit_length(const StringOperand& operand) const {
    for (unsigned i = 0; i < count; i++) {
      if (operand.element[i] == 0) return i;
    }
    return count;
  }
  unsigned explicit_length(i64 length) const {
    const u64 size = length < 0 ? u64{0} - static_cast<u64>(length) : static_cast<u64>(length);
    return size < count ? static_cast<unsigned>(size) : count;
  }

  enum Aggregation : unsigned { kAny, kRanges, kEach, kOrdered };
  bool result(const StringOperand& first, const StringOperand& second, unsigned j) const {
    const auto equal = [&](unsigned i, unsigned k) { return first.element[i] == second.element[k]; };
    switch (aggregation) {
      case kAny:
        for (unsigned i = 0; i < first.length; i++) {
          if (j < second.length && equal(i, j)) return true;
        }
        return false;
      case kRanges:
        for (unsigned i = 0; i + 1 < first.length; i += 2) {
          const i32 value = second.element[j];
          if (j < second.length && first.element[i] <= value && value <= first.element[i + 1]) return true;
        }
        return false;
      case kEach:
        if (j >= first.length || j >= second.length) return j >= first.length && j >= second.length;
        return equal(j, j);
      default:
        for (unsigned i = 0; i < first.length && i + j < count; i++) {
          if (i + j >= second.length || !equal(i, i + j)) return false;
        }
        return true;
    }
  }
  // One bit for each element of the second operand.
  u32 results(const StringOperand& first, const StringOperand& second) const {
    u32 bits = 0;
    for (unsigned j = 0; j < count; j++) {
      const bool turned = negative && (!masked || j < second.length);
      if (result(first, second, j) != turned) bits |= 1u << j;
    }
    return bits;
  }
};

enum class Lengths { Explicit, Implicit };
enum class Answer { Index, Mask };

template <Lengths lengths, Answer answer>
Flow compare_strings(Cpu& cpu, const Insn& insn) {
  if (!enter_vector(cpu, insn)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, 16, false, source)) return Flow::Fault;
  CpuState& state = cpu.state();
  const Comparison comparison(immediate(insn));
  StringOperand first = comparison.read(state.fx.xmm[insn.reg]), second = comparison.read(source);
  if constexpr (lengths == Lengths::Explicit) {
    const auto length = [&](unsigned reg) {
      return insn.operand64() ? static_cast<i64>(state.gpr[reg]) : i64{static_cast<i32>(state.gpr32(reg))};
    };
    first.length = comparison.explicit_length(length(kEax));
    second.length = comparison.explicit_length(length(kEdx));
  } else {
    first.length = comparison.implicit_length(first);
    second.length = comparison.implicit_length(second);
  }
  const u32 bits = comparison.results(first, second);
  const bool other = (insn.immediate & 0x40) != 0;
  if constexpr (answer == Answer::Index) {
    const unsigned found =
        other ? static_cast<unsigned>(std::bit_width(bits)) - 1 : static_cast<unsigned>(std::countr_zero(bits));
    state.set_gpr32(kEcx, bits == 0 ? comparison.count : found);
  } else {
    FxState::Slot& mask = state.fx.xmm[0];
    mask = {};
    if (insn.vex()) state.ymm_high[0] = {};
    const unsigned lane = comparison.words ? 2 : 1;
    if (!other) std::memcpy(mask.bytes, &bits, sizeof bits);
    for (unsigned i = 0; other && i < comparison.count; i++) {
      std::memset(mask.bytes + i * lane, (bits >> i & 1) != 0 ? 0xFF : 0, lane);
    }
  }
  u32 flags = 0;
  if (bits != 0) flags |= kCF;
  if (second.length < comparison.count) flags |= kZF;
  if (first.length < comparison.count) flags |= kSF;
  if ((bits & 1) != 0) flags |= kOF;
  state.flags.set_eflags(flags);
  return Flow::Next;
}

}  // namespace

Flow pcmpestrm(Cpu& cpu, const Insn& insn) { return compare_strings<Lengths::Explicit, Answer::Mask>(cpu, insn); }
Flow pcmpestri(Cpu& cpu, const Insn& insn) { return compare_strings<Lengths::Explicit, Answer::Index>(cpu, insn); }
Flow pcmpistrm(Cpu& cpu, const Insn& insn) { return compare_strings<Lengths::Implicit, Answer::Mask>(cpu, insn); }
Flow pcmpistri(Cpu& cpu, const Insn& insn) { return compare_strings<Lengths::Implicit, Answer::Index>(cpu, insn); }

}  // namespace relic86
