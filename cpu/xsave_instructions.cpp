// XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XGETBV and XSETBV (SDM 1 chapter 13) of three states: x87, SSE, AVX.
#include <cstddef>
#include <utility>

#include "cpu/avx_operands.h"
#include "cpu/cpuid.h"
#include "cpu/fx_image.h"
#include "cpu/system_instructions.h"
#include "cpu/x87_instructions.h"

namespace relic86 {

using namespace simd;

namespace {

// SDM 1 13.4: the legacy region of 512 bytes, the header, the extended region. AVX is its first part in both formats.
struct Header {
  u64 present = 0;    // XSTATE_BV
  u64 compacted = 0;  // XCOMP_BV
  u64 reserved[6] = {};
};
constexpr unsigned kHeaderAt = 512, kAvxAt = 576;
constexpr u64 kCompactedForm = u64{1} << 63;
constexpr u32 kInitialMxcsr = 0x1F80, kMxcsrReserved = 0xFFFF0000;

unsigned vectors(const Insn& insn) { return insn.code64() ? 16 : 8; }

template <class Array>
bool any(const Array& slots) {
  u8 bits = 0;
  for (const FxState::Slot& slot : slots) {
    for (const u8 byte : slot.bytes) bits |= byte;
  }
  return bits != 0;
}

// XINUSE: the states that differ from those after reset (SDM 1 13.6).
u64 in_use(const CpuState& state) {
  const FxState& fx = state.fx;
  const FxState initial;
  const bool x87 = fx.control != initial.control || fx.status != 0 || fx.tags != 0 || fx.opcode != 0 ||
                   fx.instruction != 0 || fx.instruction_selector != 0 || fx.instruction_high != 0 || fx.data != 0 ||
                   fx.data_selector != 0 || fx.data_high != 0 || any(fx.st);
  return (x87 ? u64{kXcr0X87} : 0) | (any(fx.xmm) ? u64{kXcr0Sse} : 0) | (any(state.ymm_high) ? u64{kXcr0Avx} : 0);
}

u64 requested(const CpuState& state) { return state.xcr0 & (u64{state.gpr32(kEdx)} << 32 | state.gpr32(kEax)); }

bool enabled(Cpu& cpu) {
  if ((cpu.state().cr4 & kCr4OsXsave) != 0) return true;
  cpu.raise(Vector::InvalidOpcode);
  return false;
}

// #UD without CR4.OSXSAVE, #NM with CR0.TS, #GP for an area that is not at a multiple of 64.
bool enter(Cpu& cpu, const Insn& insn) {
  if (!enabled(cpu)) return false;
  if ((cpu.state().cr0 & kCr0Ts) != 0) {
    cpu.raise(Vector::DeviceNotAvailable);
    return false;
  }
  if ((cpu.linear_address(segment_of(insn), offset_of(cpu.state(), insn)).raw & 63) == 0) return true;
  cpu.raise(Vector::GeneralProtection, 0);
  return false;
}

// The area that the instruction's memory operand begins.
class Area {
 public:
  Area(Cpu& cpu, const Insn& insn)
      : cpu_(cpu), insn_(insn), segment_(segment_of(insn)), offset_(offset_of(cpu.state(), insn)) {}

  bool write(unsigned at, const void* from, std::size_t bytes) {
    return cpu_.write_bytes(segment_, masked_offset(insn_, offset_ + at), from, static_cast<unsigned>(bytes));
  }
  bool read(unsigned at, void* into, std::size_t bytes) {
    return cpu_.read_bytes(segment_, masked_offset(insn_, offset_ + at), into, static_cast<unsigned>(bytes));
  }

 private:
  Cpu& cpu_;
  const Insn& insn_;
  SegmentName segment_;
  u64 offset_;
};

// The legacy region without MXCSR, MXCSR with its mask, XMM, the upper halves: each as asked for.
bool write_states(Cpu& cpu, const Insn& insn, Area& area, u64 states, bool mxcsr) {
  const CpuState& state = cpu.state();
  const FxState image = fx_image(state.fx, insn);
  const auto part = [&](std::size_t from, std::size_t to) {
    return area.write(static_cast<unsigned>(from), reinterpret_cast<const u8*>(&image) + from, to - from);
  };
  constexpr std::size_t kMxcsr = offsetof(FxState, mxcsr), kStack = offsetof(FxState, st),
                        kXmm = offsetof(FxState, xmm);
  if ((states & kXcr0X87) != 0 && !(part(0, kMxcsr) && part(kStack, kXmm))) return false;
  if (mxcsr && !part(kMxcsr, kStack)) return false;
  const std::size_t bytes = vectors(insn) * sizeof(FxState::Slot);
  if ((states & kXcr0Sse) != 0 && !part(kXmm, kXmm + bytes)) return false;
  return (states & kXcr0Avx) == 0 || area.write(kAvxAt, state.ymm_high.data(), bytes);
}

enum class Unused { Written, Skipped };

Flow save(Cpu& cpu, const Insn& insn, Unused unused) {
  if (!enter(cpu, insn)) return Flow::Fault;
  const CpuState& state = cpu.state();
  const u64 wanted = requested(state), used = in_use(state) & wanted;
  Area area(cpu, insn);
  u64 present = 0;
  if (!area.read(kHeaderAt, &present, sizeof present)) return Flow::Fault;
  present = (present & ~wanted) | used;
  const bool mxcsr = (wanted & (kXcr0Sse | kXcr0Avx)) != 0;
  const bool done = write_states(cpu, insn, area, unused == Unused::Written ? wanted : used, mxcsr) &&
                    area.write(kHeaderAt, &present, sizeof present);
  return done ? Flow::Next : Flow::Fault;
}

// SDM 1 13.8.1 and 13.8.2: which headers are #GP.
bool acceptable(const Cpu& cpu, const Header& header) {
  const u64 xcr0 = cpu.state().xcr0;
  u64 reserved = 0;
  if ((header.compacted & kCompactedForm) == 0) {
    reserved = header.compacted | header.reserved[0];
    return (header.present & ~xcr0) == 0 && reserved == 0;
  }
  for (const u64 word : header.reserved) reserved |= word;
  const u64 there = header.compacted & ~kCompactedForm;
  return (cpu.model().xsave_eax & kCpuidXsavec) != 0 && (there & ~xcr0) == 0 && (header.present & ~there) == 0 &&
         reserved == 0;
}

}  // namespace

Flow xsave(Cpu& cpu, const Insn& insn) { return save(cpu, insn, Unused::Written); }
Flow xsaveopt(Cpu& cpu, const Insn& insn) { return save(cpu, insn, Unused::Skipped); }

Flow xsavec(Cpu& cpu, const Insn& insn) {
  if (!enter(cpu, insn)) return Flow::Fault;
  const CpuState& state = cpu.state();
  const u64 wanted = requested(state);
  Header header;
  header.present = in_use(state) & wanted;
  if (state.fx.mxcsr != kInitialMxcsr) header.present |= wanted & kXcr0Sse;
  header.compacted = wanted | kCompactedForm;
  Area area(cpu, insn);
  constexpr std::size_t kWritten = offsetof(Header, reserved);
  const bool done = write_states(cpu, insn, area, header.present, (header.present & kXcr0Sse) != 0) &&
                    area.write(kHeaderAt, &header, kWritten);
  return done ? Flow::Next : Flow::Fault;
}

Flow xrstor(Cpu& cpu, const Insn& insn) {
  if (!enter(cpu, insn)) return Flow::Fault;
  CpuState& state = cpu.state();
  const u64 wanted = requested(state);
  Area area(cpu, insn);
  Header header;
  FxState image;
  std::array<FxState::Slot, 16> upper{};
  if (!area.read(kHeaderAt, &header, sizeof header)) return Flow::Fault;
  if (!acceptable(cpu, header)) return cpu.raise(Vector::GeneralProtection, 0);
  if (!area.read(0, &image, sizeof image)) return Flow::Fault;
  const std::size_t bytes = vectors(insn) * sizeof(FxState::Slot);
  const u64 loaded = wanted & header.present;
  if ((loaded & kXcr0Avx) != 0 && !area.read(kAvxAt, upper.data(), bytes)) return Flow::Fault;
  // The standard form has MXCSR whenever SSE or AVX is asked for.
  const bool compacted = (header.compacted & kCompactedForm) != 0;
  const bool mxcsr = compacted ? (wanted & kXcr0Sse) != 0 : (wanted & (kXcr0Sse | kXcr0Avx)) != 0;
  if (compacted && (loaded & kXcr0Sse) == 0) image.mxcsr = kInitialMxcsr;
  if (mxcsr && (image.mxcsr & kMxcsrReserved) != 0) return cpu.raise(Vector::GeneralProtection, 0);

  FxState& fx = state.fx;
  const FxState initial;
  if (mxcsr) fx.mxcsr = image.mxcsr;
  if ((wanted & kXcr0X87) != 0) load_x87_image(fx, (loaded & kXcr0X87) != 0 ? image : initial, insn);
  if ((wanted & kXcr0Sse) != 0) std::memcpy(fx.xmm, ((loaded & kXcr0Sse) != 0 ? image : initial).xmm, bytes);
  if ((wanted & kXcr0Avx) != 0) std::memcpy(state.ymm_high.data(), upper.data(), bytes);
  return Flow::Next;
}

Flow xgetbv(Cpu& cpu, const Insn&) {
  if (!enabled(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  const u32 which = state.gpr32(kEcx);
  const bool second = which == 1 && (cpu.model().xsave_eax & kCpuidXgetbv1) != 0;
  if (which != 0 && !second) return cpu.raise(Vector::GeneralProtection, 0);
  const u64 value = second ? state.xcr0 & in_use(state) : state.xcr0;
  state.set_gpr32(kEax, static_cast<u32>(value));
  state.set_gpr32(kEdx, static_cast<u32>(value >> 32));
  return Flow::Next;
}

// x87 is always enabled; AVX stands on SSE (SDM 1 13.3).
Flow xsetbv(Cpu& cpu, const Insn&) {
  if (!enabled(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  const u64 value = u64{state.gpr32(kEdx)} << 32 | state.gpr32(kEax);
  const bool valid = (value & kXcr0X87) != 0 && ((value & kXcr0Avx) == 0 || (value & kXcr0Sse) != 0);
  if (state.mode.cpl != 0 || state.gpr32(kEcx) != 0 || (value & ~cpu.model().xcr0_bits()) != 0 || !valid)
    return cpu.raise(Vector::GeneralProtection, 0);
  state.xcr0 = value;
  return Flow::Stop;
}

}  // namespace relic86
