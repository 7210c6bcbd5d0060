#include "jit/x64/page_thunks.h"

#include "jit/runtime/engine_area.h"
#include "jit/x64/answer.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;

constexpr std::size_t kTlb = offsetof(VcpuMemory, tlb);

x86::Mem at(std::size_t offset, u32 bytes) { return x86::Mem(kState, static_cast<i32>(offset), bytes); }
x86::Mem area(std::size_t offset, u32 bytes) { return at(offsetof(VcpuMemory, engine) + offset, bytes); }

// Jumps to near if a data breakpoint may cover one of the bytes from kAddress on. edx and ecx change.
void emit_breakpoints(x86::Assembler& a, const Label& near) {
  constexpr i32 kWidest = 16;  // of an access; a breakpoint covers 8 bytes at most, and is aligned
  a.mov(x86::edx, at(offsetof(CpuState, dr) + 7 * sizeof(u64), 4));
  for (unsigned n = 0; n < 4; ++n) {
    const Label next = a.newLabel();
    a.test(x86::edx, 3 << (2 * n));  // enabled
    a.jz(next);
    a.test(x86::edx, static_cast<i32>(3u << (16 + 4 * n)));  // not on execution
    a.jz(next);
    a.mov(x86::ecx, at(offsetof(CpuState, dr) + n * sizeof(u64), 4));
    a.and_(x86::ecx, ~7);
    a.sub(x86::ecx, kAddress.r32());
    a.add(x86::ecx, kWidest - 1);
    a.cmp(x86::ecx, 2 * kWidest - 1);
    a.jb(near);
    a.bind(next);
  }
}

// rax := the TLB's entry of the page at kAddress.
void load_entry(x86::Assembler& a, bool write, bool user) {
  const std::size_t table =
      (write ? offsetof(TlbTables, write) : offsetof(TlbTables, read)) + (user ? sizeof(u64) * kLinearPages : 0);
  a.mov(x86::eax, kAddress.r32());
  a.shr(x86::eax, kPageShift);
  a.mov(x86::rax, x86::Mem(kState, x86::rax, 3, static_cast<i32>(kTlb + table), 8));
}

// The page has no entry yet. An answer of the code that fills it is the answer.
void emit_absent(x86::Assembler& a, bool write, bool user, const Label& fill) {
  const Label out = a.newLabel();
  a.call(fill);
  a.jnz(out);
  a.push(x86::rax);
  load_entry(a, write, user);
  a.mov(area(offsetof(EngineArea, aside), 8), x86::rax);
  a.pop(x86::rax);
  a.cmp(x86::esp, x86::esp);  // Z
  a.bind(out);
  a.ret();
}

void emit_page(x86::Assembler& a, bool write, bool store, bool user, const Label& fill) {
  const Label absent = a.newLabel(), slow = a.newLabel(), dropped = a.newLabel(), other = a.newLabel(),
              found = a.newLabel();
  a.push(x86::rax);
  load_entry(a, write, user);
  a.test(x86::al, static_cast<i32>(kTlbPresent));
  a.jz(absent);
  a.test(x86::al, static_cast<i32>(store ? kTlbDebug | kTlbIgnored : kTlbDebug));
  a.jz(slow);  // of a device, or watched for code: not kept waiting here
  const x86::Gp kept[] = {x86::rax, x86::rcx, x86::rdx};
  keep(a, std::span(kept).subspan(1));
  a.cmp(at(kTlbWalk + offsetof(TlbWalk, watchpoints), 4), 0);
  a.jne(other);
  emit_breakpoints(a, other);
  if (store) {
    a.test(x86::al, static_cast<i32>(kTlbIgnored));
    a.jnz(dropped);
  }
  // rax: the page's place in the backing store.
  a.and_(x86::rax, -static_cast<i32>(kPageSize));
  if (write) {
    a.mov(x86::rcx, x86::rax);
    a.shr(x86::rcx, kPageShift);
    a.add(x86::rcx, at(kTlbWalk + offsetof(TlbWalk, watch), 8));
    a.cmp(x86::Mem(x86::rcx, 0, 1), 0);
    a.jne(other);
  }
  a.add(x86::rax, at(kTlbWalk + offsetof(TlbWalk, memory), 8));
  a.mov(x86::ecx, kAddress.r32());
  a.and_(x86::ecx, -static_cast<i32>(kPageSize));
  a.sub(x86::rax, x86::rcx);
  a.bind(found);
  a.add(x86::rax, static_cast<i32>(kTlbFast));
  a.mov(area(offsetof(EngineArea, aside), 8), x86::rax);
  answer(a, other, kept);
  a.bind(dropped);
  a.lea(x86::rax, area(offsetof(EngineArea, dropped), 8));
  a.mov(x86::ecx, kAddress.r32());
  a.sub(x86::rax, x86::rcx);
  a.jmp(found);
  a.bind(slow);
  a.pop(x86::rax);
  a.test(x86::esp, x86::esp);  // NZ
  a.ret();
  a.bind(absent);
  a.pop(x86::rax);
  emit_absent(a, write, user, fill);
}

}  // namespace

PageThunks emit_page_thunks(x86::Assembler& a, const FillThunks& fill) {
  PageThunks places;
  for (const bool user : {false, true}) {
    for (const bool write : {false, true}) {
      places.access[write][user] = a.offset();
      emit_page(a, write, false, user, fill.label[write][user]);
    }
    places.store[user] = a.offset();
    emit_page(a, true, true, user, fill.label[true][user]);
  }
  return places;
}

}  // namespace relic86::jit::x64
