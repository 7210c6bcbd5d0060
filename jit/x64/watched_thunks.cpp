#include "jit/x64/watched_thunks.h"

#include "jit/runtime/engine_area.h"
#include "jit/x64/answer.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;

constexpr unsigned kGranuleShift = 6;  // BackingStore::code_bits

x86::Mem at(std::size_t offset, u32 bytes) { return x86::Mem(kState, static_cast<i32>(offset), bytes); }

// Jumps to slow if the byte so far from ecx on, an offset in the backing store, lies in a granule with code: rsi has
// the page's.
void require_no_code(x86::Assembler& a, i32 distance, const Label& slow) {
  a.lea(x86::edx, x86::ptr(x86::rcx, distance));
  a.shr(x86::edx, kGranuleShift);
  a.bt(x86::rsi, x86::rdx);  // modulo 64: the granule within its page
  a.jc(slow);
}

// What Mmu::write_page does with an entry of kind kTlbWatched, within a page.
void emit_store(x86::Assembler& a, unsigned bytes, bool user) {
  const x86::Gp kept[] = {x86::rax, x86::rcx, x86::rdx, x86::rsi};
  const x86::Mem value = at(offsetof(VcpuMemory, engine) + offsetof(EngineArea, value), bytes);
  const x86::Gp bits = sized(x86::rsi.id(), bytes);
  const x86::Mem place(x86::rax, 0, bytes);
  const std::size_t table =
      offsetof(VcpuMemory, tlb) + offsetof(TlbTables, write) + (user ? sizeof(u64) * kLinearPages : 0);
  const Label slow = a.newLabel(), done = a.newLabel();
  keep(a, kept);
  a.mov(x86::eax, kAddress.r32());
  a.shr(x86::eax, kPageShift);
  a.mov(x86::rax, x86::Mem(kState, x86::rax, 3, static_cast<i32>(table), 8));
  a.test(x86::al, static_cast<i32>(kTlbWatched));
  a.jz(slow);
  a.and_(x86::rax, -static_cast<i32>(kPageSize));
  a.mov(x86::ecx, kAddress.r32());
  a.add(x86::rax, x86::rcx);
  a.mov(x86::rcx, x86::rax);
  a.sub(x86::rcx, at(kTlbWalk + offsetof(TlbWalk, memory), 8));
  a.mov(x86::rdx, x86::rcx);
  a.shr(x86::rdx, kPageShift);
  a.mov(x86::rsi, at(kTlbWalk + offsetof(TlbWalk, watch), 8));
  a.cmp(x86::Mem(x86::rsi, x86::rdx, 0, 0, 1), static_cast<i32>(BackingStore::kWatchCode));
  a.jne(slow);  // a display's page, or one that a saved machine waits for
  a.mov(bits, value);
  a.cmp(place, bits);
  a.je(done);
  a.mov(x86::rsi, at(kTlbWalk + offsetof(TlbWalk, code), 8));
  a.mov(x86::rsi, x86::Mem(x86::rsi, x86::rdx, 3, 0, 8));
  require_no_code(a, 0, slow);
  if (bytes > 1) require_no_code(a, static_cast<i32>(bytes) - 1, slow);
  a.mov(bits, value);
  a.mov(place, bits);
  a.bind(done);
  answer(a, slow, kept);
}

}  // namespace

WatchedThunks emit_watched_thunks(x86::Assembler& a) {
  WatchedThunks places;
  for (unsigned size = 0; size < 3; ++size) {
    for (const bool user : {false, true}) {
      places.store[size][user] = a.offset();
      emit_store(a, 1u << size, user);
    }
  }
  return places;
}

}  // namespace relic86::jit::x64
