#include "jit/x64/thunks.h"

#include <bit>

#include "jit/runtime/engine_area.h"
#include "jit/runtime/flags.h"
#include "jit/runtime/translation.h"
#include "jit/x64/code_thunks.h"
#include "jit/x64/fill_thunks.h"
#include "jit/x64/page_thunks.h"
#include "jit/x64/plane_thunks.h"
#include "jit/x64/quick_thunks.h"
#include "jit/x64/registers.h"
#include "jit/x64/segment_thunks.h"
#include "jit/x64/split_thunks.h"
#include "jit/x64/string_thunks.h"
#include "jit/x64/walk_thunks.h"
#include "jit/x64/watched_thunks.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;

// What calls of the guest may take of the host's stack (branches_calls.cpp).
constexpr i32 kFrameBytes = 512 * 1024;

constexpr i32 kEngine = static_cast<i32>(offsetof(VcpuMemory, engine));

x86::Mem state_field(std::size_t offset, u32 bytes = 8) { return x86::Mem(kState, static_cast<i32>(offset), bytes); }
x86::Mem area_field(std::size_t offset, u32 bytes = 8) {
  return x86::Mem(kState, kEngine + static_cast<i32>(offset), bytes);
}
std::size_t gpr_offset(unsigned index) { return offsetof(CpuState, gpr) + index * sizeof(u64); }

void spill(x86::Assembler& a) {
  for (unsigned i = 0; i < 8; ++i) a.mov(state_field(gpr_offset(i)), guest(i, 8));
}
void reload(x86::Assembler& a) {
  for (unsigned i = 0; i < 8; ++i) a.mov(guest(i, 8), state_field(gpr_offset(i)));
}

x86::Mem fx_field(std::size_t offset, u32 bytes) { return state_field(offsetof(CpuState, fx) + offset, bytes); }

// FIP and FDP of 64-bit code: where translated code keeps them, and where FXSAVE's layout has their halves.
struct LongPointer {
  std::size_t kept, low, high;
};
constexpr LongPointer kLongPointers[] = {
    {offsetof(EngineArea, long_fip), offsetof(FxState, instruction), offsetof(FxState, instruction_high)},
    {offsetof(EngineArea, long_fdp), offsetof(FxState, data), offsetof(FxState, data_high)}};

x86::Mem upper_half(u32 number, u32 bytes) {
  return state_field(offsetof(CpuState, ymm_high) + number * sizeof(FxState::Slot), bytes);
}
constexpr u32 kVectors = std::tuple_size_v<decltype(CpuState::ymm_high)>;

void set_upper(x86::Assembler& a, Upper upper) {
  a.mov(area_field(offsetof(EngineArea, upper), 4), static_cast<u32>(upper));
}

// Bits 255:128 of the YMM registers go to CpuState. Those of the host are zero afterwards, as C++ wants them: else its
// SSE instructions are slow on some hosts. Of these registers nothing is kept. The flags change.
void save_upper(x86::Assembler& a) {
  const Label cleared = a.newLabel(), done = a.newLabel();
  a.cmp(area_field(offsetof(EngineArea, upper), 4), static_cast<u32>(Upper::Used));
  a.jb(done);
  a.ja(cleared);
  for (u32 i = 0; i < kVectors; ++i) a.vextractf128(upper_half(i, 16), x86::ymm(i), 1);
  a.vzeroupper();
  a.jmp(done);
  a.bind(cleared);
  a.vxorps(x86::xmm0, x86::xmm0, x86::xmm0);
  for (u32 i = 0; i < kVectors; i += 2) a.vmovups(upper_half(i, 32), x86::ymm0);
  a.vzeroupper();
  set_upper(a, Upper::AsInState);
  a.bind(done);
}

// Who goes on with the guest's registers: a block that has just begun to use them, or one that goes on after a call,
// and does not say once more that it uses upper halves.
enum class User : u8 { Anew, Again };

// The x87 and SSE registers, and the upper halves if XCR0 lets the guest use them: as a rule they are zero. The flags
// change.
void restore_vectors(x86::Assembler& a, User user) {
  constexpr u32 kAvxState = 4;
  const Label zero = a.newLabel(), used = a.newLabel(), done = a.newLabel();
  a.test(state_field(offsetof(CpuState, xcr0), 4), kAvxState);
  a.jz(zero);
  if (user == User::Again) {
    a.cmp(area_field(offsetof(EngineArea, upper), 4), static_cast<u32>(Upper::Used));
    a.je(used);
  }
  a.vmovups(x86::ymm0, upper_half(0, 32));
  for (u32 i = 2; i < kVectors; i += 2) a.vorps(x86::ymm0, x86::ymm0, upper_half(i, 32));
  a.vptest(x86::ymm0, x86::ymm0);
  a.vzeroupper();
  a.jz(zero);
  a.bind(used);
  a.fxrstor(fx_field(0, 512));
  for (u32 i = 0; i < kVectors; ++i) a.vinsertf128(x86::ymm(i), x86::ymm(i), upper_half(i, 16), 1);
  set_upper(a, Upper::Used);
  a.jmp(done);
  a.bind(zero);
  a.fxrstor(fx_field(0, 512));
  set_upper(a, Upper::AsInState);
  a.bind(done);
}

// Skips what 64-bit code alone needs. The flags change.
Label unless_code64(x86::Assembler& a) {
  const Label skip = a.newLabel();
  a.cmp(state_field(offsetof(CpuState, mode) + offsetof(CpuMode, code64), 1), 0);
  a.je(skip);
  return skip;
}

// The guest's x87 and SSE registers go to CpuState, the host's conventions are restored. The general registers are in
// CpuState already. FIP to FDS, FOP and the mask of MXCSR are ours, whatever the host's FXSAVE makes of them.
void save_units(x86::Assembler& a, bool avx) {
  const Label none = a.newLabel(), clean = a.newLabel(), reset = a.newLabel();
  a.cmp(area_field(offsetof(EngineArea, units), 4), 0);
  a.je(none);
  const Label narrow = unless_code64(a);
  for (const LongPointer& pointer : kLongPointers) {
    a.mov(x86::rax, area_field(pointer.kept));
    a.mov(fx_field(pointer.low, 4), x86::eax);
    a.shr(x86::rax, 32);
    a.mov(fx_field(pointer.high, 2), x86::ax);
  }
  a.bind(narrow);
  a.mov(x86::rax, fx_field(offsetof(FxState, instruction), 8));
  a.mov(x86::rcx, fx_field(offsetof(FxState, data), 8));
  a.movzx(x86::edx, fx_field(offsetof(FxState, opcode), 2));
  a.mov(x86::ebx, fx_field(offsetof(FxState, mxcsr_mask), 4));
  a.fxsave(fx_field(0, 512));
  a.mov(fx_field(offsetof(FxState, instruction), 8), x86::rax);
  a.mov(fx_field(offsetof(FxState, data), 8), x86::rcx);
  a.mov(fx_field(offsetof(FxState, opcode), 2), x86::dx);
  a.mov(fx_field(offsetof(FxState, mxcsr_mask), 4), x86::ebx);
  if (avx) save_upper(a);
  a.mov(area_field(offsetof(EngineArea, units), 4), 0);
  a.ldmxcsr(area_field(offsetof(EngineArea, host_mxcsr), 4));
  a.cmp(fx_field(offsetof(FxState, tags), 1), 0);
  a.jne(reset);
  a.cmp(fx_field(offsetof(FxState, control), 2), 0x37F);
  a.je(clean);
  a.bind(reset);
  a.fninit();
  a.bind(clean);
  a.bind(none);
}
// kAddress changes.
void load_units(x86::Assembler& a, bool avx, User user) {
  if (avx) {
    restore_vectors(a, user);
  } else {
    a.fxrstor(fx_field(0, 512));
  }
  a.mov(area_field(offsetof(EngineArea, units), 4), 1);
  const Label narrow = unless_code64(a);
  for (const LongPointer& pointer : kLongPointers) {
    a.mov(kAddress.r32(), fx_field(pointer.low, 4));
    a.mov(area_field(pointer.kept, 4), kAddress.r32());
    a.movzx(kAddress.r32(), fx_field(pointer.high, 2));
    a.mov(area_field(pointer.kept + 4, 4), kAddress.r32());
  }
  a.bind(narrow);
}

// The guest goes on in the code that rax leads to, and not where its calls would return to.
void go_on_elsewhere(x86::Assembler& a) {
  a.mov(x86::rsp, area_field(offsetof(EngineArea, first_frame)));
  a.mov(kRemaining, state_field(offsetof(CpuState, remaining)));
  a.mov(x86::r10, x86::rax);
  reload(a);
  a.jmp(x86::r10);
}

void emit_call(x86::Assembler& a, const Helpers& helpers, Helper helper, const Label& leave_spilled) {
  const Label go_on = a.newLabel();
  spill(a);
  for (unsigned i = 0; i < std::size(kTemporaries); ++i) {
    a.mov(area_field(offsetof(EngineArea, saved_temporaries) + i * 8), sized(kTemporaries[i], 8));
  }
  a.mov(state_field(offsetof(CpuState, remaining)), kRemaining);
  save_units(a, helpers.avx);
  a.sub(x86::rsp, 8);
  a.mov(x86::rdi, reinterpret_cast<u64>(helpers.context));
  a.mov(x86::rsi, kAddress);
  a.mov(x86::rax, reinterpret_cast<u64>(helper));
  a.call(x86::rax);
  a.add(x86::rsp, 8);
  a.test(x86::rax, x86::rax);
  a.jz(go_on);
  a.cmp(x86::rax, 1);
  a.je(leave_spilled);
  go_on_elsewhere(a);
  a.bind(go_on);
  const Label keep = a.newLabel();
  a.cmp(x86::Mem(kAddress, static_cast<i32>(offsetof(ExitPoint, units)), 1), 0);
  a.je(keep);
  load_units(a, helpers.avx, User::Again);
  a.bind(keep);
  a.mov(kRemaining, state_field(offsetof(CpuState, remaining)));
  for (unsigned i = 0; i < std::size(kTemporaries); ++i) {
    a.mov(sized(kTemporaries[i], 8), area_field(offsetof(EngineArea, saved_temporaries) + i * 8));
  }
  reload(a);
}

// Jumped to: the block is over, kAddress leads to its exit. The helper says where the guest goes on.
void emit_departure(x86::Assembler& a, const Helpers& helpers, Helper helper, const Label& leave_spilled) {
  spill(a);
  a.mov(state_field(offsetof(CpuState, remaining)), kRemaining);
  save_units(a, helpers.avx);
  a.mov(x86::rdi, reinterpret_cast<u64>(helpers.context));
  a.mov(x86::rsi, kAddress);
  a.mov(x86::rax, reinterpret_cast<u64>(helper));
  a.call(x86::rax);
  a.cmp(x86::rax, 1);
  a.je(leave_spilled);
  go_on_elsewhere(a);
}

// Calls a helper that looks at no guest registers but those handed to it. With the host's units in use, which C++ would
// disturb, the handler does it all.
void emit_light_call(x86::Assembler& a, const Helpers& helpers, Helper helper, const Label& cold) {
  const x86::Gp kept[] = {x86::rcx, x86::rsi, x86::rdi, x86::r8, x86::r9, x86::r10, x86::r11};
  static_assert(std::size(kept) % 2 == 1);  // with the return address the stack is aligned
  a.cmp(area_field(offsetof(EngineArea, units), 4), 0);
  a.jne(cold);
  a.mov(state_field(offsetof(CpuState, remaining)), kRemaining);
  for (const x86::Gp& each : kept) a.push(each);
  a.mov(x86::rdi, reinterpret_cast<u64>(helpers.context));
  a.mov(x86::rsi, kAddress);
  a.mov(x86::rax, reinterpret_cast<u64>(helper));
  a.call(x86::rax);
  for (std::size_t i = std::size(kept); i-- > 0;) a.pop(kept[i]);
}

// CPUID.
void emit_identify(x86::Assembler& a, const Helpers& helpers, const Label& cold) {
  for (const unsigned each : {kEax, kEcx}) a.mov(state_field(gpr_offset(each)), guest(each, 8));
  emit_light_call(a, helpers, helpers.identify, cold);
  for (const unsigned each : {kEax, kEcx, kEdx, kEbx}) a.mov(guest(each, 8), state_field(gpr_offset(each)));
  a.ret();
}

// IN and OUT. Their handlers look at no guest registers but EAX and EDX.
void emit_port(x86::Assembler& a, const Helpers& helpers, const Label& cold, const Label& leave_spilled) {
  const Label disturbed = a.newLabel();
  for (const unsigned each : {kEax, kEdx}) a.mov(state_field(gpr_offset(each)), guest(each, 8));
  emit_light_call(a, helpers, helpers.port, cold);
  a.cmp(x86::eax, 1);
  for (const unsigned each : {kEax, kEdx}) a.mov(guest(each, 8), state_field(gpr_offset(each)));
  a.je(disturbed);
  a.ja(cold);
  a.ret();
  a.bind(disturbed);
  a.add(x86::rsp, 8);
  a.mov(kRemaining, state_field(offsetof(CpuState, remaining)));
  emit_departure(a, helpers, helpers.ported, leave_spilled);
}

// EDX:EAX := what the line says as long as it holds, else what the helper gives.
void emit_time(x86::Assembler& a, const Helpers& helpers, const Label& cold) {
  if (helpers.line != nullptr) {
    const auto field = [](std::size_t offset) { return x86::qword_ptr(x86::rdx, static_cast<i32>(offset)); };
    const Label call = a.newLabel();
    a.rdtsc();
    a.shl(x86::rdx, 32);
    a.or_(x86::rax, x86::rdx);
    a.mov(x86::rdx, reinterpret_cast<u64>(helpers.line));
    a.sub(x86::rax, field(offsetof(ClockLine, first)));
    a.cmp(x86::rax, field(offsetof(ClockLine, span)));
    a.jae(call);
    a.imul(x86::rax, field(offsetof(ClockLine, rate)));
    a.shr(x86::rax, 32);
    a.add(x86::rax, field(offsetof(ClockLine, start)));
    a.cmp(x86::rax, field(offsetof(ClockLine, latest)));
    a.cmovl(x86::rax, field(offsetof(ClockLine, latest)));
    a.mov(field(offsetof(ClockLine, latest)), x86::rax);
    a.add(x86::rax, state_field(offsetof(CpuState, tsc_offset)));
    a.mov(x86::rdx, x86::rax);
    a.shr(x86::rdx, 32);
    a.mov(x86::eax, x86::eax);
    a.ret();
    a.bind(call);
  }
  emit_light_call(a, helpers, helpers.time, cold);
  a.mov(x86::rdx, x86::rax);
  a.shr(x86::rdx, 32);
  a.mov(x86::eax, x86::eax);
  a.ret();
}

// kAddress := the arithmetic flags that CpuState::flags holds, as LazyFlags::eflags() says.
void emit_lazy_flags(x86::Assembler& a) {
  const x86::Gp image = kAddress.r32(), carries = x86::ecx, part = x86::edx;
  const auto add = [&](u32 from, u32 to) {  // bit numbers; part's others are cut off
    a.shr(part, from);
    a.and_(part, 1);
    a.shl(part, to);
    a.or_(image, part);
  };
  for (const x86::Gp& each : {x86::rax, x86::rcx, x86::rdx}) a.push(each);
  constexpr std::size_t kFlags = offsetof(CpuState, flags);
  a.mov(x86::rax, state_field(kFlags + offsetof(LazyFlags, result)));
  a.mov(carries, state_field(kFlags + offsetof(LazyFlags, carries), 4));
  a.mov(image, carries);
  a.shr(image, 8);
  a.xor_(image, x86::eax);  // the parity of its low byte is the guest's
  a.setp(kAddress.r8());
  a.movzx(image, kAddress.r8());
  a.shl(image, std::countr_zero(u32{kPF}));
  a.test(x86::rax, x86::rax);
  a.setz(x86::dl);
  add(0, std::countr_zero(u32{kZF}));
  a.mov(x86::rdx, x86::rax);
  a.shr(x86::rdx, 63);
  a.xor_(part, carries);  // LazyFlags::kSignDelta is bit 0
  add(0, std::countr_zero(u32{kSF}));
  a.mov(part, carries);
  add(std::countr_zero(LazyFlags::kAuxBit), std::countr_zero(u32{kAF}));
  a.mov(part, carries);
  add(31, std::countr_zero(u32{kCF}));
  a.lea(part, x86::ptr(x86::rcx, x86::rcx));
  a.xor_(part, carries);
  add(31, std::countr_zero(u32{kOF}));
  for (const x86::Gp& each : {x86::rdx, x86::rcx, x86::rax}) a.pop(each);
}

// kAddress's flags are the guest's.
void give_flags(x86::Assembler& a, bool image) {
  if (image) {
    a.mov(area_field(offsetof(EngineArea, value)), kAddress);
  } else {
    a.push(kAddress);
    a.popfq();
  }
  a.ret();
}

// The host's flags are the guest's, but for flags that the host leaves undefined.
void keep_flags(x86::Assembler& a, bool image, u32 undefined = 0) {
  if (image) {
    a.pushfq();
    a.pop(kAddress);
    a.and_(kAddress.r32(), static_cast<i32>(kArithmeticFlags & ~undefined));
    a.mov(area_field(offsetof(EngineArea, value)), kAddress);
  }
  a.ret();
}

// An INC or DEC on top of the full step: CF is that step's, which `full` gives. Should C++ have computed all flags
// there, the same is done once more, to no effect.
void emit_home_partial(x86::Assembler& a, const Label& full, const Label& flatten, bool image) {
  for (const u8 size : {u8{4}, u8{2}, u8{1}, u8{8}}) {
    for (const Op op : {Op::Dec, Op::Inc}) {
      const Label next = a.newLabel();
      FlagStep step;
      step.op = op;
      step.size = size;
      step.from_result = true;
      a.cmp(area_field(offsetof(EngineArea, home_partial), 4), step.descriptor());
      a.jne(next);
      a.sub(x86::rsp, 8);  // C++, should it be called, finds the stack aligned
      a.call(full);
      a.lea(x86::rsp, x86::ptr(x86::rsp, 8));
      if (size == 8) {
        a.mov(kAddress, area_field(offsetof(EngineArea, home_partial_wide), 8));
      } else {
        a.mov(kAddress.r32(), area_field(offsetof(EngineArea, home_partial_result), 4));
      }
      const x86::Gp result = sized(kAddress.id(), size);
      a.emit(op == Op::Dec ? x86::Inst::kIdInc : x86::Inst::kIdDec, result);
      if (image) a.bt(area_field(offsetof(EngineArea, value), 4), 0);
      a.emit(op == Op::Dec ? x86::Inst::kIdDec : x86::Inst::kIdInc, result);
      keep_flags(a, image);
      a.bind(next);
    }
  }
  a.jmp(flatten);
}

// The host's flags := the guest's, all but AF, from the home: the common steps here, others by flatten. image:
// EngineArea::value := all of them.
void emit_home_flags(x86::Assembler& a, const Label& flatten, bool image) {
  struct Form {
    Op op;
    u8 size;
    bool from_result;
  };
  static constexpr Form kForms[] = {{Op::Sub, 4, false}, {Op::And, 4, true}, {Op::And, 4, false}, {Op::Sub, 1, false},
                                    {Op::And, 1, true},  {Op::Sub, 4, true}, {Op::And, 1, false}, {Op::Add, 4, true},
                                    {Op::Or, 4, true},   {Op::Xor, 4, true}, {Op::Sub, 2, false}, {Op::And, 2, true},
                                    {Op::Sub, 8, false}, {Op::And, 8, true}, {Op::And, 8, false}, {Op::Add, 8, true},
                                    {Op::Sub, 8, true},  {Op::Or, 8, true},  {Op::Xor, 8, true}};
  const Label partial = a.newLabel(), full = a.newLabel();
  a.cmp(area_field(offsetof(EngineArea, home_partial), 4), 0);
  a.jne(partial);
  a.bind(full);
  // Comparisons of the x87 and SSE, SAHF, POPF: the home holds an image.
  for (const Op op : {Op::Image, Op::Literal}) {
    const Label next = a.newLabel();
    FlagStep step;
    step.op = op;
    a.cmp(area_field(offsetof(EngineArea, home_step), 4), step.descriptor());
    a.jne(next);
    a.mov(kAddress.r32(), area_field(offsetof(EngineArea, home_operand), 4));
    a.and_(kAddress.r32(), static_cast<i32>(op == Op::Literal ? u32{kZF} | kPF | kCF : u32{kArithmeticFlags}));
    give_flags(a, image);
    a.bind(next);
  }
  for (const Form& form : kForms) {
    const Label next = a.newLabel();
    FlagStep step;
    step.op = form.op;
    step.size = form.size;
    step.from_result = form.from_result;
    const x86::Gp left = sized(kAddress.id(), form.size);
    const bool wide = form.size == 8;
    const std::size_t operands = wide ? offsetof(EngineArea, home_wide) : offsetof(EngineArea, home_operand);
    const u32 slot = whole(form.size);
    const x86::Mem right = area_field(operands + slot, form.size);
    a.cmp(area_field(offsetof(EngineArea, home_step), 4), step.descriptor());
    a.jne(next);
    a.mov(sized(kAddress.id(), slot), area_field(operands, slot));
    if (form.op == Op::Add) {
      a.sub(left, right);
      a.add(left, right);
    } else if (form.op != Op::Sub) {
      if (form.from_result) {
        a.test(left, left);
      } else {
        a.test(right, left);
      }
    } else {
      if (form.from_result) a.add(left, right);
      a.cmp(left, right);
    }
    const bool arithmetic = form.op == Op::Sub || form.op == Op::Add;  // logic clears AF
    keep_flags(a, image, arithmetic ? 0u : u32{kAF});
    a.bind(next);
  }
  a.cmp(area_field(offsetof(EngineArea, home_step), 4), 0);
  a.jne(flatten);
  emit_lazy_flags(a);
  give_flags(a, image);
  a.bind(partial);
  emit_home_partial(a, full, flatten, image);
}

}  // namespace

Thunks make_thunks(CodeCache& cache, const Helpers& helpers) {
  asmjit::CodeHolder code;
  code.init(asmjit::Environment::host());
  x86::Assembler a(&code);
  const Label leave = a.newLabel(), flatten = a.newLabel(), cold = a.newLabel();
  const Label leave_spilled = a.newLabel(), no_frame = a.newLabel();
  const x86::Gp saved[] = {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15};

  const std::size_t enter_at = a.offset();
  for (const x86::Gp& reg : saved) a.push(reg);
  a.sub(x86::rsp, 8);  // calls from translated code find an aligned stack
  a.mov(kState, x86::rsi);
  a.mov(x86::rbp, x86::rdi);
  a.mov(kRemaining, state_field(offsetof(CpuState, remaining)));
  a.mov(area_field(offsetof(EngineArea, host_stack)), x86::rsp);
  // The frames end here. This is no EIP, but in 64-bit code it may be what a RET finds.
  a.push(-1);
  a.lea(x86::rax, x86::ptr(no_frame));
  a.push(x86::rax);
  a.mov(area_field(offsetof(EngineArea, first_frame)), x86::rsp);
  a.lea(x86::rax, x86::ptr(x86::rsp, -kFrameBytes));
  a.mov(area_field(offsetof(EngineArea, frame_limit)), x86::rax);
  reload(a);
  a.jmp(x86::rbp);

  a.bind(no_frame);
  a.mov(area_field(offsetof(EngineArea, target)), x86::r10);
  a.mov(kAddress, reinterpret_cast<u64>(helpers.no_frame));
  a.bind(leave);
  const std::size_t leave_at = a.offset();
  spill(a);
  a.mov(state_field(offsetof(CpuState, remaining)), kRemaining);
  save_units(a, helpers.avx);
  a.bind(leave_spilled);
  a.mov(area_field(offsetof(EngineArea, exit_point)), kAddress);
  a.mov(x86::rsp, area_field(offsetof(EngineArea, host_stack)));
  a.add(x86::rsp, 8);
  for (unsigned i = 6; i-- > 0;) a.pop(saved[i]);
  a.ret();

  const std::size_t load_units_at = a.offset();
  load_units(a, helpers.avx, User::Anew);
  a.ret();

  const std::size_t depart_at = a.offset();
  emit_departure(a, helpers, helpers.depart, leave_spilled);
  const std::size_t transfer_at = a.offset();
  emit_departure(a, helpers, helpers.transfer, leave_spilled);

  std::size_t at[6];
  const Helper wanted[6] = {helpers.load, helpers.store, helpers.probe, helpers.touch, helpers.cold, helpers.flatten};
  for (unsigned i = 0; i < 6; ++i) {
    at[i] = a.offset();
    if (wanted[i] == helpers.flatten) a.bind(flatten);
    if (wanted[i] == helpers.cold) a.bind(cold);
    emit_call(a, helpers, wanted[i], leave_spilled);
    if (wanted[i] == helpers.flatten) {
      a.push(area_field(offsetof(EngineArea, value)));
      a.popfq();
    }
    a.ret();
  }

  const std::size_t time_at = a.offset();
  emit_time(a, helpers, cold);
  const std::size_t identify_at = a.offset();
  emit_identify(a, helpers, cold);
  const std::size_t port_at = a.offset();
  emit_port(a, helpers, cold, leave_spilled);
  const std::size_t home_flags_at = a.offset();
  emit_home_flags(a, flatten, false);
  const std::size_t home_image_at = a.offset();
  emit_home_flags(a, flatten, true);
  CodeThunks far = emit_code_thunks(a, helpers.known);
  SegmentThunks segments = emit_segment_thunks(a, helpers.known);
  const SplitThunks split = emit_split_thunks(a);
  const FillThunks fill = emit_fill_thunks(a);
  const PageThunks page = emit_page_thunks(a, fill);
  const WatchedThunks watched = emit_watched_thunks(a);
  const PlaneThunks plane = emit_plane_thunks(a);
  const QuickThunks quick = emit_quick_thunks(a);
  const WalkThunks walk = emit_walk_thunks(a, quick, helpers.walks);
  const StringThunks strings = emit_string_thunks(a, walk);

  const CodeCache::Placed placed = cache.place(code);
  Thunks thunks;
  if (placed.executable == nullptr) return thunks;
  const u64 base = reinterpret_cast<u64>(placed.executable);
  thunks.enter = reinterpret_cast<void (*)(const u8*, CpuState*)>(base + enter_at);
  thunks.leave = base + leave_at;
  thunks.depart = base + depart_at;
  thunks.transfer = base + transfer_at;
  thunks.load_units = base + load_units_at;
  thunks.load = base + at[0];
  thunks.store = base + at[1];
  thunks.probe = base + at[2];
  thunks.touch = base + at[3];
  thunks.cold = base + at[4];
  thunks.time = base + time_at;
  thunks.identify = base + identify_at;
  thunks.port = base + port_at;
  thunks.home_flags = base + home_flags_at;
  thunks.home_image = base + home_image_at;
  thunks.flatten = base + at[5];
  for (auto& variants : segments.load) {
    for (u64& each : variants) each += base;
  }
  for (u64& each : segments.take) each += base;
  segments.verify_read += base;
  segments.verify_write += base;
  segments.rights += base;
  segments.limit += base;
  thunks.segments = segments;
  for (auto& variants : far.check) {
    for (u64& each : variants) each += base;
  }
  far.load += base;
  thunks.code = far;
  for (unsigned user = 0; user < 2; ++user) {
    for (unsigned write = 0; write < 2; ++write) {
      thunks.fill[write][user] = base + fill.fill[write][user];
      thunks.page[write][user] = base + page.access[write][user];
      for (unsigned kind = 0; kind < 2; ++kind) thunks.walk[write][kind][user] = base + walk.bring[write][kind][user];
    }
    thunks.page_store[user] = base + page.store[user];
    thunks.plane_load[user] = base + plane.load[user];
    thunks.plane_store[user] = base + plane.store[user];
    for (unsigned size = 0; size < 3; ++size) thunks.watched_store[size][user] = base + watched.store[size][user];
    for (unsigned kind = 0; kind < 3; ++kind) thunks.quick[kind][user] = base + quick.bring[kind][user];
    thunks.fetch[user] = base + walk.fetch[user];
    for (unsigned shift = 0; shift < 4; ++shift) {
      for (unsigned moves = 0; moves < 2; ++moves)
        thunks.repeat[moves][shift][user] = base + strings.repeat[moves][shift][user];
    }
    thunks.split_load[user] = base + split.load[user];
    thunks.split_join[user] = base + split.join[user];
    for (unsigned wide = 0; wide < 2; ++wide) thunks.split_store[wide][user] = base + split.store[wide][user];
  }
  return thunks;
}

}  // namespace relic86::jit::x64
