#include "cpu/x87_instructions.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cpu/access.h"
#include "cpu/effective_address.h"
#include "cpu/exact_functions.h"
#include "cpu/fx_image.h"
#include "cpu/long_mode.h"
#include "cpu/vendor_behaviour.h"
#include "cpu/x87_unit.h"

namespace relic86 {
namespace {

enum StatusBits : u16 {
  kInvalid = 1u << 0,
  kDenormal = 1u << 1,
  kZeroDivide = 1u << 2,
  kOverflow = 1u << 3,
  kUnderflow = 1u << 4,
  kPrecision = 1u << 5,
  kStackFault = 1u << 6,
  kSummary = 1u << 7,
  kBusy = 1u << 15,
  kExceptions = 0x3F,
};
constexpr u32 kCr0Mp = 1u << 1, kCr0Em = 1u << 2, kCr0Ts = 1u << 3, kCr0Ne = 1u << 5;
constexpr SegmentName segment_of(const Insn& insn) { return static_cast<SegmentName>(insn.segment); }

u64 offset_of(const CpuState& state, const Insn& insn) { return effective_address(state, insn); }

u64 linear_of(const Cpu& cpu, const Insn& insn) {
  return cpu.linear_address(segment_of(insn), offset_of(cpu.state(), insn)).raw;
}

// #NM before anything else (SDM 3A 2.5: EM and TS).
bool unavailable(const CpuState& state) { return (state.cr0 & (kCr0Em | kCr0Ts)) != 0; }

// A waiting instruction finds an unmasked exception of an earlier one: #MF, or FERR# and IRQ 13 with CR0.NE clear (SDM
// 1 D.1).
bool error_pending(Cpu& cpu, Flow& flow) {
  if ((cpu.state().fx.status & kSummary) == 0) return false;
  if ((cpu.state().cr0 & kCr0Ne) != 0) {
    flow = cpu.raise(Vector::X87Error);
    return true;
  }
  return cpu.signal_x87_error(flow);
}

// Around an instruction that may clear or mask a pending exception: then FERR# falls.
class ErrorWatch {
 public:
  explicit ErrorWatch(Cpu& cpu) : cpu_(cpu), pending_((cpu.state().fx.status & kSummary) != 0) {}
  ErrorWatch(const ErrorWatch&) = delete;
  ErrorWatch& operator=(const ErrorWatch&) = delete;
  ~ErrorWatch() {
    Flow flow = Flow::Next;
    if (pending_ && (cpu_.state().fx.status & kSummary) == 0) cpu_.signal_x87_error(flow);
  }

 private:
  Cpu& cpu_;
  bool pending_;
};

bool enter_waiting(Cpu& cpu, Flow& flow) {
  if (unavailable(cpu.state())) {
    flow = cpu.raise(Vector::DeviceNotAvailable);
    return false;
  }
  return !error_pending(cpu, flow);
}

u8 modrm_of(const Insn& insn) { return static_cast<u8>(insn.immediate2()); }

// FOP, FIP, FCS of the last non-control instruction; FDP and FDS when it had a memory operand (SDM 1 8.1.8).
void track(CpuState& state, const Insn& insn, u8 escape) {
  FxState& fx = state.fx;
  fx.opcode = static_cast<u16>((escape & 7u) << 8 | modrm_of(insn));
  fx.instruction = state.eip();
  fx.instruction_high = static_cast<u16>(state.rip >> 32);
  fx.instruction_selector = state.segment[kCs].selector.raw;
  if (insn.memory()) {
    const u64 offset = offset_of(state, insn);
    fx.data = static_cast<u32>(offset);
    fx.data_high = static_cast<u16>(offset >> 32);
    fx.data_selector = state.segment[insn.segment].selector.raw;
  }
}

struct MemoryForm {
  u8 size = 0;  // bytes, 0: not a form of this kind
  bool store = false;
};

// Memory operands of D8h-DFh by ModRM.reg (SDM 2 appendix A.5).
constexpr MemoryForm memory_form(u8 escape, u8 reg) {
  switch (escape) {
    case 0xD8:
    case 0xDA: return {4, false};
    case 0xDC: return {8, false};
    case 0xDE: return {2, false};
    case 0xD9: return reg == 0 ? MemoryForm{4, false} : reg == 2 || reg == 3 ? MemoryForm{4, true} : MemoryForm{};
    case 0xDB:
      if (reg == 0) return {4, false};
      if (reg <= 3) return {4, true};
      return reg == 5 ? MemoryForm{10, false} : reg == 7 ? MemoryForm{10, true} : MemoryForm{};
    case 0xDD: return reg == 0 ? MemoryForm{8, false} : reg <= 3 ? MemoryForm{8, true} : MemoryForm{};
    case 0xDF:
      if (reg == 0) return {2, false};
      if (reg <= 3) return {2, true};
      return reg == 4   ? MemoryForm{10, false}
             : reg == 5 ? MemoryForm{8, false}
             : reg == 6 ? MemoryForm{10, true}
                        : MemoryForm{8, true};
    default: return {};
  }
}

// An operand of 10 bytes is two accesses, of 8 and of 2 bytes (seen on an AMD part where it wraps around).
u64 offset_of_rest(const CpuState& state, const Insn& insn) { return masked_offset(insn, offset_of(state, insn) + 8); }
bool read_operand(Cpu& cpu, const Insn& insn, u8* bytes, unsigned size) {
  const unsigned head = std::min(size, 8u);
  const SegmentName segment = segment_of(insn);
  if (!cpu.read_bytes(segment, offset_of(cpu.state(), insn), bytes, head)) return false;
  return size == head || cpu.read_bytes(segment, offset_of_rest(cpu.state(), insn), bytes + head, size - head);
}
bool probe_operand(Cpu& cpu, const Insn& insn, unsigned size) {
  const unsigned head = std::min(size, 8u);
  const SegmentName segment = segment_of(insn);
  if (!cpu.probe_write(segment, offset_of(cpu.state(), insn), head)) return false;
  return size == head || cpu.probe_write(segment, offset_of_rest(cpu.state(), insn), size - head);
}
// Whether the last two bytes lie in different pages.
bool splits_rest(const Cpu& cpu, const Insn& insn) {
  const u64 linear = cpu.linear_address(segment_of(insn), offset_of_rest(cpu.state(), insn)).raw;
  return (linear & (kPageSize - 1)) == kPageSize - 1;
}
bool write_operand(Cpu& cpu, const Insn& insn, const u8* bytes, unsigned size, bool in_parts) {
  if (size <= 8) return cpu.write_bytes(segment_of(insn), offset_of(cpu.state(), insn), bytes, size);
  return (in_parts || probe_operand(cpu, insn, size)) &&
         cpu.write_bytes(segment_of(insn), offset_of(cpu.state(), insn), bytes, 8) &&
         cpu.write_bytes(segment_of(insn), offset_of_rest(cpu.state(), insn), bytes + 8, size - 8);
}

// FISTTP of hosts without SSE3: FISTP, which rounds as told.
void store_truncated(FxState& fx, u8 escape, x87_unit::Operand& operand) {
  constexpr u16 kTruncate = 3u << 10;
  const u16 control = fx.control;
  fx.control |= kTruncate;
  x87_unit::execute_memory(fx, escape == 0xDD ? u8{0xDF} : escape, escape == 0xDD ? u8{7} : u8{3}, operand);
  fx.control = control;
}

Flow store_form(Cpu& cpu, const Insn& insn, u8 escape, unsigned size) {
  CpuState& state = cpu.state();
  // On a copy: a faulting store leaves the stack as it was, and only this instruction's exceptions decide whether it
  // stores.
  FxState work = state.fx;
  work.status &= static_cast<u16>(~(kExceptions | kStackFault));
  x87_unit::Operand operand;
  if (insn.reg == 1 && !cpu.host_units().sse3)
    store_truncated(work, escape, operand);
  else
    x87_unit::execute_memory(work, escape, insn.reg, operand);
  const u16 unmasked = work.status & ~work.control & kExceptions;
  const VendorBehaviour& vendor = cpu.vendor();
  if ((unmasked & ~kPrecision) == 0) {
    const bool decimal = escape == 0xDF && insn.reg == 6, empty = (work.status & kStackFault) != 0;
    const bool in_parts = vendor.long_stores_in_parts && size > 8 && (decimal || empty || splits_rest(cpu, insn));
    if (!write_operand(cpu, insn, operand.bytes, size, in_parts)) return Flow::Fault;
  } else if (!vendor.unmasked_store_skips_memory && !probe_operand(cpu, insn, size)) {
    return Flow::Fault;
  }
  work.status |= state.fx.status & (kExceptions | kStackFault);
  state.fx.status = work.status;
  state.fx.tags = work.tags;
  std::memcpy(state.fx.st, work.st, sizeof work.st);
  track(state, insn, escape);
  return Flow::Next;
}

}  // namespace

void x87_update_summary(FxState& fx) {
  const bool pending = (fx.status & ~fx.control & kExceptions) != 0;
  fx.status = static_cast<u16>(pending ? fx.status | kSummary | kBusy : fx.status & ~(kSummary | kBusy));
}

u16 x87_tag_word(const FxState& fx) {
  enum : unsigned { kValid, kZero, kSpecial, kEmpty };
  u16 word = 0;
  for (unsigned physical = 0; physical < 8; physical++) {
    unsigned tag = kEmpty;
    if ((fx.tags & 1u << physical) != 0) {
      const u8* bytes = fx.st[(physical - fx.top()) & 7].bytes;
      u64 mantissa = 0;
      u16 exponent = 0;
      std::memcpy(&mantissa, bytes, 8);
      std::memcpy(&exponent, bytes + 8, 2);
      exponent &= 0x7FFF;
      if (exponent == 0)
        tag = mantissa == 0 ? kZero : kSpecial;
      else if (exponent == 0x7FFF || (mantissa >> 63) == 0)
        tag = kSpecial;
      else
        tag = kValid;
    }
    word |= static_cast<u16>(tag << (physical * 2));
  }
  return word;
}

void x87_set_tag_word(FxState& fx, u16 tags) {
  fx.tags = 0;
  for (unsigned physical = 0; physical < 8; physical++) {
    if ((tags >> (physical * 2) & 3) != 3) fx.tags |= static_cast<u8>(1u << physical);
  }
}

template <u8 escape>
Flow x87_memory(Cpu& cpu, const Insn& insn) {
  Flow flow = Flow::Next;
  if (!enter_waiting(cpu, flow)) return flow;
  const MemoryForm form = memory_form(escape, insn.reg);
  if (form.size == 0) return cpu.raise(Vector::InvalidOpcode);
  if (form.store) return store_form(cpu, insn, escape, form.size);
  CpuState& state = cpu.state();
  x87_unit::Operand operand;
  if (!read_operand(cpu, insn, operand.bytes, form.size)) return Flow::Fault;
  x87_unit::execute_memory(state.fx, escape, insn.reg, operand);
  track(state, insn, escape);
  return Flow::Next;
}

template <u8 escape>
Flow x87_register(Cpu& cpu, const Insn& insn) {
  Flow flow = Flow::Next;
  if (!enter_waiting(cpu, flow)) return flow;
  CpuState& state = cpu.state();
  const u8 modrm = modrm_of(insn);
  if (escape == 0xD9 && cpu.host_units().exact_functions && exact_functions::execute(state.fx, modrm)) {
    track(state, insn, escape);
    return Flow::Next;
  }
  const u32 flags = x87_unit::execute_register(state.fx, escape, modrm, state.flags.eflags());
  // FCOMI, FUCOMI (DB /5, /6) and their popping forms (DF /5, /6) put the result into ZF, PF, CF and clear OF, SF, AF.
  if ((escape == 0xDB || escape == 0xDF) && (insn.reg == 5 || insn.reg == 6)) state.flags.set_eflags(flags);
  track(state, insn, escape);
  return Flow::Next;
}

template Flow x87_memory<0xD8>(Cpu&, const Insn&);
template Flow x87_memory<0xD9>(Cpu&, const Insn&);
template Flow x87_memory<0xDA>(Cpu&, const Insn&);
template Flow x87_memory<0xDB>(Cpu&, const Insn&);
template Flow x87_memory<0xDC>(Cpu&, const Insn&);
template Flow x87_memory<0xDD>(Cpu&, const Insn&);
template Flow x87_memory<0xDE>(Cpu&, const Insn&);
template Flow x87_memory<0xDF>(Cpu&, const Insn&);
template Flow x87_register<0xD8>(Cpu&, const Insn&);
template Flow x87_register<0xD9>(Cpu&, const Insn&);
template Flow x87_register<0xDA>(Cpu&, const Insn&);
template Flow x87_register<0xDB>(Cpu&, const Insn&);
template Flow x87_register<0xDC>(Cpu&, const Insn&);
template Flow x87_register<0xDD>(Cpu&, const Insn&);
template Flow x87_register<0xDE>(Cpu&, const Insn&);
template Flow x87_register<0xDF>(Cpu&, const Insn&);

// --- Control words ---

Flow x87_fldcw(Cpu& cpu, const Insn& insn) {
  const ErrorWatch watch(cpu);
  Flow flow = Flow::Next;
  if (!enter_waiting(cpu, flow)) return flow;
  u16 word = 0;
  if (!cpu.read(segment_of(insn), offset_of(cpu.state(), insn), word)) return Flow::Fault;
  FxState& fx = cpu.state().fx;
  fx.control = static_cast<u16>((word & 0x1F3F) | 0x40);  // bit 6 reads 1; bit 12 is kept, 13-15 and 7 read 0
  x87_update_summary(fx);
  return Flow::Next;
}

Flow x87_fnstcw(Cpu& cpu, const Insn& insn) {
  if (unavailable(cpu.state())) return cpu.raise(Vector::DeviceNotAvailable);
  return cpu.write(segment_of(insn), offset_of(cpu.state(), insn), cpu.state().fx.control) ? Flow::Next : Flow::Fault;
}

Flow x87_fnstsw_memory(Cpu& cpu, const Insn& insn) {
  if (unavailable(cpu.state())) return cpu.raise(Vector::DeviceNotAvailable);
  return cpu.write(segment_of(insn), offset_of(cpu.state(), insn), cpu.state().fx.status) ? Flow::Next : Flow::Fault;
}

Flow x87_fnstsw_ax(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  if (unavailable(state)) return cpu.raise(Vector::DeviceNotAvailable);
  state.gpr[kEax] = (state.gpr[kEax] & ~u64{0xFFFF}) | state.fx.status;
  return Flow::Next;
}

Flow x87_fnclex(Cpu& cpu, const Insn&) {
  const ErrorWatch watch(cpu);
  if (unavailable(cpu.state())) return cpu.raise(Vector::DeviceNotAvailable);
  cpu.state().fx.status &= static_cast<u16>(~(kExceptions | kStackFault | kSummary | kBusy));
  return Flow::Next;
}

Flow x87_fninit(Cpu& cpu, const Insn&) {
  const ErrorWatch watch(cpu);
  if (unavailable(cpu.state())) return cpu.raise(Vector::DeviceNotAvailable);
  FxState& fx = cpu.state().fx;
  // Registers keep their contents; st[] is in stack order, so a TOP that becomes 0 rotates them.
  FxState::Slot physical[8];
  for (unsigned i = 0; i < 8; i++) physical[(i + fx.top()) & 7] = fx.st[i];
  std::memcpy(fx.st, physical, sizeof physical);
  fx.control = 0x37F;
  fx.status = 0;
  fx.tags = 0;
  fx.opcode = 0;
  fx.instruction = fx.data = 0;
  fx.instruction_selector = fx.data_selector = 0;
  fx.instruction_high = fx.data_high = 0;
  return Flow::Next;
}

Flow x87_fwait(Cpu& cpu, const Insn&) {
  const CpuState& state = cpu.state();
  if ((state.cr0 & (kCr0Mp | kCr0Ts)) == (kCr0Mp | kCr0Ts)) return cpu.raise(Vector::DeviceNotAvailable);
  Flow flow = Flow::Next;
  error_pending(cpu, flow);
  return flow;
}

Flow x87_no_operation(Cpu& cpu, const Insn&) {
  return unavailable(cpu.state()) ? cpu.raise(Vector::DeviceNotAvailable) : Flow::Next;
}

// --- Environment and state: four layouts by mode and operand size (SDM 1 figures 8-9 to 8-12) ---

namespace {

constexpr unsigned kRegistersSize = 80;
unsigned environment_size(const Insn& insn) { return insn.operand32() ? 28 : 14; }

void put16(u8* at, u32 value) { std::memcpy(at, &value, 2); }
void put32(u8* at, u32 value) { std::memcpy(at, &value, 4); }
u32 get16(const u8* at) {
  u16 value = 0;
  std::memcpy(&value, at, 2);
  return value;
}
u32 get32(const u8* at) {
  u32 value = 0;
  std::memcpy(&value, at, 4);
  return value;
}

void pack_environment(const CpuState& state, const Insn& insn, u8* out) {
  const FxState& fx = state.fx;
  const bool real = state.mode.real_or_v86();
  const u32 linear_instruction = fx.instruction + (u32{fx.instruction_selector} << 4);
  const u32 linear_data = fx.data + (u32{fx.data_selector} << 4);
  if (insn.operand32()) {
    put32(out, 0xFFFF0000u | fx.control);
    put32(out + 4, 0xFFFF0000u | fx.status);
    put32(out + 8, 0xFFFF0000u | x87_tag_word(fx));
    if (real) {
      put32(out + 12, 0xFFFF0000u | (linear_instruction & 0xFFFF));
      put32(out + 16, (linear_instruction >> 16 & 0xFFFF) << 12 | (fx.opcode & 0x7FFu));
      put32(out + 20, 0xFFFF0000u | (linear_data & 0xFFFF));
      put32(out + 24, (linear_data >> 16 & 0xFFFF) << 12);
    } else {
      put32(out + 12, fx.instruction);
      put32(out + 16, (fx.opcode & 0x7FFu) << 16 | fx.instruction_selector);
      put32(out + 20, fx.data);
      put32(out + 24, 0xFFFF0000u | fx.data_selector);
    }
    return;
  }
  put16(out, fx.control);
  put16(out + 2, fx.status);
  put16(out + 4, x87_tag_word(fx));
  if (real) {
    put16(out + 6, linear_instruction);
    put16(out + 8, (linear_instruction >> 16 & 0xF) << 12 | (fx.opcode & 0x7FFu));
    put16(out + 10, linear_data);
    put16(out + 12, (linear_data >> 16 & 0xF) << 12);
  } else {
    put16(out + 6, fx.instruction);
    put16(out + 8, fx.instruction_selector);
    put16(out + 10, fx.data);
    put16(out + 12, fx.data_selector);
  }
}

void unpack_environment(CpuState& state, const Insn& insn, const u8* in) {
  FxState& fx = state.fx;
  const bool real = state.mode.real_or_v86();
  const unsigned step = insn.operand32() ? 4 : 2;
  // A new TOP renames the registers: keep their physical places.
  FxState::Slot physical[8];
  for (unsigned i = 0; i < 8; i++) physical[(i + fx.top()) & 7] = fx.st[i];
  fx.control = static_cast<u16>((get16(in) & 0x1F3F) | 0x40);
  fx.status = static_cast<u16>(get16(in + step));
  x87_set_tag_word(fx, static_cast<u16>(get16(in + 2 * step)));
  for (unsigned i = 0; i < 8; i++) fx.st[i] = physical[(i + fx.top()) & 7];
  const u8* pointers = in + 3 * step;
  fx.instruction_high = fx.data_high = 0;
  if (insn.operand32()) {
    if (real) {
      fx.instruction = get16(pointers) | (get32(pointers + 4) >> 12 & 0xFFFF) << 16;
      fx.opcode = static_cast<u16>(get32(pointers + 4) & 0x7FF);
      fx.data = get16(pointers + 8) | (get32(pointers + 12) >> 12 & 0xFFFF) << 16;
      fx.instruction_selector = fx.data_selector = 0;
    } else {
      fx.instruction = get32(pointers);
      fx.instruction_selector = static_cast<u16>(get16(pointers + 4));
      fx.opcode = static_cast<u16>(get16(pointers + 6) & 0x7FF);
      fx.data = get32(pointers + 8);
      fx.data_selector = static_cast<u16>(get16(pointers + 12));
    }
  } else if (real) {
    fx.instruction = get16(pointers) | (get16(pointers + 2) >> 12) << 16;
    fx.opcode = static_cast<u16>(get16(pointers + 2) & 0x7FF);
    fx.data = get16(pointers + 4) | (get16(pointers + 6) >> 12) << 16;
    fx.instruction_selector = fx.data_selector = 0;
  } else {
    fx.instruction = get16(pointers);
    fx.instruction_selector = static_cast<u16>(get16(pointers + 2));
    fx.data = get16(pointers + 4);
    fx.data_selector = static_cast<u16>(get16(pointers + 6));
  }
  x87_update_summary(fx);
}

}  // namespace

namespace {

// What precedes an access to an environment or state image: the alignment that EFLAGS.AC asks for (SDM 3A table 6-7),
// then the image's first word and last byte (seen on an AMD part, in CR2).
bool begin_image(Cpu& cpu, const Insn& insn, unsigned size, bool write) {
  const u64 offset = offset_of(cpu.state(), insn);
  const u64 end = masked_offset(insn, offset + size - 1);
  const unsigned word = insn.operand32() ? 4 : 2;
  if (checks_alignment(cpu.state()) && (linear_of(cpu, insn) & (word - 1)) != 0) {
    const MemoryAccess access = write ? MemoryAccess::Write : MemoryAccess::Read;
    if (cpu.check_access(segment_of(insn), offset, word, access) &&
        cpu.check_access(segment_of(insn), end, 1, access)) {
      cpu.raise(Vector::AlignmentCheck, 0);
    }
    return false;
  }
  u32 first = 0;
  u8 last = 0;
  if (!(write ? cpu.probe_write(segment_of(insn), offset, word)
              : cpu.read_bytes(segment_of(insn), offset, &first, word))) {
    return false;
  }
  return write ? cpu.probe_write(segment_of(insn), end, 1) : cpu.read(segment_of(insn), end, last);
}

}  // namespace

Flow x87_fnstenv(Cpu& cpu, const Insn& insn) {
  const ErrorWatch watch(cpu);
  CpuState& state = cpu.state();
  if (unavailable(state)) return cpu.raise(Vector::DeviceNotAvailable);
  if (!begin_image(cpu, insn, environment_size(insn), true)) return Flow::Fault;
  u8 image[28];
  pack_environment(state, insn, image);
  if (!cpu.write_bytes(segment_of(insn), offset_of(state, insn), image, environment_size(insn))) return Flow::Fault;
  state.fx.control |= kExceptions;  // all exceptions are masked afterwards
  x87_update_summary(state.fx);
  return Flow::Next;
}

Flow x87_fldenv(Cpu& cpu, const Insn& insn) {
  const ErrorWatch watch(cpu);
  Flow flow = Flow::Next;
  if (!enter_waiting(cpu, flow)) return flow;
  if (!begin_image(cpu, insn, environment_size(insn), false)) return Flow::Fault;
  u8 image[28];
  if (!cpu.read_bytes(segment_of(insn), offset_of(cpu.state(), insn), image, environment_size(insn)))
    return Flow::Fault;
  unpack_environment(cpu.state(), insn, image);
  return Flow::Next;
}

Flow x87_fnsave(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if (unavailable(state)) return cpu.raise(Vector::DeviceNotAvailable);
  if (!begin_image(cpu, insn, environment_size(insn) + kRegistersSize, true)) return Flow::Fault;
  u8 image[28 + kRegistersSize];
  pack_environment(state, insn, image);
  const unsigned size = environment_size(insn);
  for (unsigned i = 0; i < 8; i++) std::memcpy(image + size + i * 10, state.fx.st[i].bytes, 10);
  if (!cpu.write_bytes(segment_of(insn), offset_of(state, insn), image, size + kRegistersSize)) return Flow::Fault;
  return x87_fninit(cpu, insn);
}

namespace {

// An image that wraps at the end of its segment, so that its first and last bytes can be read while one between them
// faults: what comes before the fault has been loaded, save the control word, which is the last of all (seen on an AMD
// part).
Flow restore_in_steps(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const unsigned size = environment_size(insn);
  u64 offset = offset_of(state, insn);
  u8 image[28];
  if (!cpu.read_bytes(segment_of(insn), offset, image, size)) return Flow::Fault;
  const u16 control = state.fx.control;
  unpack_environment(state, insn, image);
  state.fx.control = control;
  x87_update_summary(state.fx);
  offset += size;
  for (FxState::Slot& slot : state.fx.st) {
    u8 number[10];
    if (!cpu.read_bytes(segment_of(insn), offset, number, sizeof number)) break;
    std::memcpy(slot.bytes, number, sizeof number);
    offset = masked_offset(insn, offset + sizeof number);
  }
  return Flow::Fault;
}

}  // namespace

Flow x87_frstor(Cpu& cpu, const Insn& insn) {
  const ErrorWatch watch(cpu);
  Flow flow = Flow::Next;
  if (!enter_waiting(cpu, flow)) return flow;
  if (!begin_image(cpu, insn, environment_size(insn) + kRegistersSize, false)) return Flow::Fault;
  u8 image[28 + kRegistersSize];
  const unsigned size = environment_size(insn);
  if (!cpu.read_bytes(segment_of(insn), offset_of(cpu.state(), insn), image, size + kRegistersSize)) {
    return restore_in_steps(cpu, insn);
  }
  unpack_environment(cpu.state(), insn, image);
  for (unsigned i = 0; i < 8; i++) std::memcpy(cpu.state().fx.st[i].bytes, image + size + i * 10, 10);
  return Flow::Next;
}

// --- FXSAVE, FXRSTOR ---

namespace {

// Segment, alignment, and the page of the last byte, in this order (seen on an AMD part).
bool begin_fx_image(Cpu& cpu, const Insn& insn, bool write) {
  const u64 offset = offset_of(cpu.state(), insn);
  const u64 last = masked_offset(insn, offset + sizeof(FxState) - 1);
  if (!cpu.check_access(segment_of(insn), offset, 4, write ? MemoryAccess::Write : MemoryAccess::Read)) return false;
  const u64 linear = linear_of(cpu, insn);
  if ((linear & 15) != 0) {
    cpu.raise(checks_alignment(cpu.state()) && (linear & 3) != 0 ? Vector::AlignmentCheck : Vector::GeneralProtection,
              0);
    return false;
  }
  u8 byte = 0;
  return write ? cpu.probe_write(segment_of(insn), last, 1) : cpu.read(segment_of(insn), last, byte);
}

// XMM0-7, in 64-bit mode XMM0-15; without CR4.OSFXSR only the x87 part is written by some parts: relic86 writes both.
// With EFER.FFXSR ring 0 of 64-bit mode leaves them alone (APM 2 11.4.4).
unsigned vectors(const CpuState& state, const Insn& insn) {
  if (insn.code64() && state.mode.cpl == 0 && (state.efer & kEferFfxsr) != 0) return 0;
  return insn.code64() ? 16 : 8;
}
unsigned fx_written(const CpuState& state, const Insn& insn) {
  return static_cast<unsigned>(offsetof(FxState, xmm)) + vectors(state, insn) * 16;
}

}  // namespace

Flow fxsave(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if (unavailable(state)) return cpu.raise(Vector::DeviceNotAvailable);
  const u64 offset = offset_of(state, insn);
  if (!begin_fx_image(cpu, insn, true)) return Flow::Fault;
  const FxState image = fx_image(state.fx, insn);
  return cpu.write_bytes(segment_of(insn), offset, &image, fx_written(state, insn)) ? Flow::Next : Flow::Fault;
}

Flow fxrstor(Cpu& cpu, const Insn& insn) {
  const ErrorWatch watch(cpu);
  CpuState& state = cpu.state();
  if (unavailable(state)) return cpu.raise(Vector::DeviceNotAvailable);
  const u64 offset = offset_of(state, insn);
  if (!begin_fx_image(cpu, insn, false)) return Flow::Fault;
  FxState image;
  if (!cpu.read_bytes(segment_of(insn), offset, &image, sizeof image)) return Flow::Fault;
  constexpr u32 kMxcsrReserved = 0xFFFF0000u;
  if ((image.mxcsr & kMxcsrReserved) != 0) return cpu.raise(Vector::GeneralProtection, 0);
  FxState& fx = state.fx;
  load_x87_image(fx, image, insn);
  fx.mxcsr = image.mxcsr;
  std::memcpy(fx.xmm, image.xmm, vectors(state, insn) * sizeof fx.xmm[0]);
  return Flow::Next;
}

}  // namespace relic86
