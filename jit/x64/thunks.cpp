#include "jit/x64/thunks.h"

#include "jit/engine_area.h"
#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;

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

void emit_call(x86::Assembler& a, const Helpers& helpers, Helper helper, const Label& leave_spilled) {
  const Label go_on = a.newLabel();
  spill(a);
  for (unsigned i = 0; i < std::size(kTemporaries); ++i) {
    a.mov(area_field(offsetof(EngineArea, saved_temporaries) + i * 8), sized(kTemporaries[i], 8));
  }
  a.mov(state_field(offsetof(CpuState, remaining)), kRemaining);
  a.sub(x86::rsp, 8);
  a.mov(x86::rdi, reinterpret_cast<u64>(helpers.context));
  a.mov(x86::rsi, kAddress);
  a.mov(x86::rax, reinterpret_cast<u64>(helper));
  a.call(x86::rax);
  a.add(x86::rsp, 8);
  a.test(x86::rax, x86::rax);
  a.jz(go_on);
  a.add(x86::rsp, 8);  // the return address
  a.jmp(leave_spilled);
  a.bind(go_on);
  a.mov(kRemaining, state_field(offsetof(CpuState, remaining)));
  for (unsigned i = 0; i < std::size(kTemporaries); ++i) {
    a.mov(sized(kTemporaries[i], 8), area_field(offsetof(EngineArea, saved_temporaries) + i * 8));
  }
  reload(a);
}

}  // namespace

Thunks make_thunks(CodeCache& cache, const Helpers& helpers) {
  asmjit::CodeHolder code;
  code.init(asmjit::Environment::host());
  x86::Assembler a(&code);
  const Label leave = a.newLabel();
  const Label leave_spilled = a.newLabel();
  const x86::Gp saved[] = {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15};

  const std::size_t enter_at = a.offset();
  for (const x86::Gp& reg : saved) a.push(reg);
  a.sub(x86::rsp, 8);  // calls from translated code find an aligned stack
  a.mov(kState, x86::rsi);
  a.mov(x86::rbp, x86::rdi);
  a.mov(kRemaining, state_field(offsetof(CpuState, remaining)));
  reload(a);
  a.jmp(x86::rbp);

  a.bind(leave);
  const std::size_t leave_at = a.offset();
  spill(a);
  a.mov(state_field(offsetof(CpuState, remaining)), kRemaining);
  a.bind(leave_spilled);
  a.mov(area_field(offsetof(EngineArea, exit_point)), kAddress);
  a.add(x86::rsp, 8);
  for (unsigned i = 6; i-- > 0;) a.pop(saved[i]);
  a.ret();

  std::size_t at[5];
  const Helper wanted[5] = {helpers.load, helpers.store, helpers.probe, helpers.cold, helpers.flatten};
  for (unsigned i = 0; i < 5; ++i) {
    at[i] = a.offset();
    emit_call(a, helpers, wanted[i], leave_spilled);
    if (wanted[i] == helpers.flatten) {
      a.push(area_field(offsetof(EngineArea, value)));
      a.popfq();
    }
    a.ret();
  }

  const CodeCache::Placed placed = cache.place(code);
  Thunks thunks;
  if (placed.executable == nullptr) return thunks;
  const u64 base = reinterpret_cast<u64>(placed.executable);
  thunks.enter = reinterpret_cast<void (*)(const u8*, CpuState*)>(base + enter_at);
  thunks.leave = base + leave_at;
  thunks.load = base + at[0];
  thunks.store = base + at[1];
  thunks.probe = base + at[2];
  thunks.cold = base + at[3];
  thunks.flatten = base + at[4];
  return thunks;
}

}  // namespace relic86::jit::x64
