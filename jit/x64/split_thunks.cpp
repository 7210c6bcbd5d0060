#include "jit/x64/split_thunks.h"

#include "jit/runtime/engine_area.h"
#include "jit/x64/answer.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;

constexpr i32 kWord = 4;  // naturally aligned units lie within a page

x86::Mem value_field() {
  return x86::Mem(kState, static_cast<i32>(offsetof(VcpuMemory, engine) + offsetof(EngineArea, value)), 8);
}

// entry := the TLB's entry of the page at `linear`, which it may be.
void find(x86::Assembler& a, const x86::Gp& entry, const x86::Gp& linear, i32 table, const Label& slow) {
  a.mov(entry.r32(), linear.r32());
  a.shr(entry.r32(), kPageShift);
  a.mov(entry, x86::Mem(kState, entry, 3, table, 8));
  a.test(entry.r8(), static_cast<i32>(kTlbFast));
  a.jz(slow);
}

x86::Mem at(const x86::Gp& entry, const x86::Gp& linear, u32 bytes) {
  return x86::Mem(entry, linear, 0, -static_cast<i32>(kTlbFast), bytes);
}

// rax, rcx := the entries of both pages; edx := the second page's first address.
void find_both(x86::Assembler& a, bool write, bool user, const Label& slow) {
  const std::size_t tables = write ? offsetof(TlbTables, write) : offsetof(TlbTables, read);
  const i32 table = static_cast<i32>(offsetof(VcpuMemory, tlb) + tables + (user ? sizeof(u64) * kLinearPages : 0));
  find(a, x86::rax, kAddress, table, slow);
  a.lea(x86::edx, x86::ptr(kAddress, kWord));
  a.and_(x86::edx, -kWord);
  find(a, x86::rcx, x86::rdx, table, slow);
}

// The bytes stand in the last unit of one page and the first of the next.
void emit_load(x86::Assembler& a, bool user) {
  const Label slow = a.newLabel();
  const x86::Gp kept[] = {x86::rax, x86::rcx, x86::rdx};
  keep(a, kept);
  find_both(a, false, user, slow);
  a.mov(x86::edx, at(x86::rcx, x86::rdx, 4));
  a.mov(x86::ecx, kAddress.r32());
  a.and_(kAddress.r32(), -kWord);
  a.mov(x86::eax, at(x86::rax, kAddress, 4));
  a.and_(x86::ecx, kWord - 1);
  a.shl(x86::ecx, 3);
  a.shrd(x86::eax, x86::edx, x86::cl);
  a.mov(value_field(), x86::rax);
  answer(a, slow, kept);
}

void emit_store(x86::Assembler& a, unsigned bytes, bool user) {
  const Label slow = a.newLabel();
  const x86::Gp kept[] = {x86::rax, x86::rcx, x86::rdx, x86::rsi};
  keep(a, kept);
  find_both(a, true, user, slow);
  a.mov(x86::rsi, value_field());
  a.mov(at(x86::rax, kAddress, 1), x86::sil);
  for (unsigned i = 1; i < bytes; ++i) {
    a.shr(x86::esi, 8);
    a.lea(kAddress.r32(), x86::ptr(kAddress, 1));
    a.cmp(kAddress.r32(), x86::edx);
    a.cmove(x86::rax, x86::rcx);  // from here on in the second page
    a.mov(at(x86::rax, kAddress, 1), x86::sil);
  }
  answer(a, slow, kept);
}

// Pages that may be written and lie side by side in the host's memory, too, have equal entries, and a plain access
// reaches over their border. EngineArea::aside: the entry of both.
void emit_join(x86::Assembler& a, bool user) {
  const Label slow = a.newLabel();
  const x86::Gp kept[] = {x86::rax, x86::rcx, x86::rdx};
  keep(a, kept);
  find_both(a, true, user, slow);
  a.cmp(x86::rax, x86::rcx);
  a.jne(slow);
  a.mov(x86::Mem(kState, static_cast<i32>(offsetof(VcpuMemory, engine) + offsetof(EngineArea, aside)), 8), x86::rax);
  answer(a, slow, kept);
}

}  // namespace

SplitThunks emit_split_thunks(x86::Assembler& a) {
  SplitThunks places;
  for (const unsigned user : {0u, 1u}) {
    places.join[user] = a.offset();
    emit_join(a, user != 0);
    places.load[user] = a.offset();
    emit_load(a, user != 0);
    for (const unsigned wide : {0u, 1u}) {
      places.store[wide][user] = a.offset();
      emit_store(a, wide != 0 ? 4 : 2, user != 0);
    }
  }
  return places;
}

}  // namespace relic86::jit::x64
