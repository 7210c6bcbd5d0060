#include "jit/x64/plane_thunks.h"

#include "jit/runtime/engine_area.h"
#include "jit/x64/answer.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;

constexpr unsigned kTableShift = 22;  // what EngineArea::plane_pages has pages of
static_assert(sizeof(PhysPage) == 64);

x86::Mem at(std::size_t offset, u32 bytes) { return x86::Mem(kState, static_cast<i32>(offset), bytes); }
x86::Mem area(std::size_t offset, u32 bytes) { return at(offsetof(VcpuMemory, engine) + offset, bytes); }
x86::Mem window(std::size_t offset) { return x86::Mem(x86::rdx, static_cast<i32>(offset), 4); }
x86::Mem by_parity(std::size_t offset) { return x86::Mem(x86::rdx, x86::rcx, 2, static_cast<i32>(offset), 4); }

// rdx: the window, ecx: the byte's offset in it, rsi := its planes. Jumps to slow if the linear address in kAddress
// does not lead there by an entry of registers, or if anybody watches accesses.
void emit_locate(x86::Assembler& a, bool write, bool user, const Label& slow) {
  constexpr i32 kKinds = kTlbFast | kTlbMmio | kTlbWatched | kTlbDebug;
  const std::size_t table = offsetof(VcpuMemory, tlb) +
                            (write ? offsetof(TlbTables, write) : offsetof(TlbTables, read)) +
                            (user ? sizeof(u64) * kLinearPages : 0);
  const auto target = [write](std::size_t offset, u32 bytes) {
    const std::size_t direction = write ? offsetof(PhysPage, write) : offsetof(PhysPage, read);
    return x86::Mem(x86::rcx, static_cast<i32>(direction + offset), bytes);
  };
  a.mov(x86::eax, kAddress.r32());
  a.shr(x86::eax, kPageShift);
  a.mov(x86::rax, x86::Mem(kState, x86::rax, 3, static_cast<i32>(table), 8));
  a.mov(x86::ecx, x86::eax);
  a.and_(x86::ecx, kKinds);
  a.cmp(x86::ecx, static_cast<i32>(kTlbMmio));
  a.jne(slow);
  a.cmp(at(kTlbWalk + offsetof(TlbWalk, watchpoints), 4), 0);
  a.jne(slow);
  a.cmp(at(offsetof(CpuState, dr) + 7 * sizeof(u64), 1), 0);  // no breakpoint is enabled
  a.jne(slow);
  a.mov(x86::rcx, x86::rax);
  a.shr(x86::rcx, kTableShift);
  a.jnz(slow);
  a.shr(x86::eax, kPageShift);
  a.mov(x86::ecx, x86::eax);
  a.shl(x86::ecx, 6);
  a.add(x86::rcx, area(offsetof(EngineArea, plane_pages), 8));
  a.mov(x86::rdx, area(offsetof(EngineArea, plane_handler), 8));
  a.test(x86::rdx, x86::rdx);
  a.jz(slow);
  a.cmp(target(offsetof(PageTarget, handler), 8), x86::rdx);
  a.jne(slow);
  a.mov(x86::edx, area(offsetof(EngineArea, plane_region), 4));
  a.cmp(target(offsetof(PageTarget, region), 1), x86::dl);
  a.jne(slow);
  a.mov(x86::rcx, target(offsetof(PageTarget, region_offset), 8));
  a.mov(x86::edx, kAddress.r32());
  a.and_(x86::edx, kPageSize - 1);
  a.add(x86::ecx, x86::edx);
  a.mov(x86::rdx, area(offsetof(EngineArea, planes), 8));
  a.sub(x86::ecx, window(offsetof(PlaneWindow, first)));
  a.cmp(x86::ecx, window(write ? offsetof(PlaneWindow, writable) : offsetof(PlaneWindow, readable)));
  a.jae(slow);
  a.mov(x86::rsi, x86::Mem(x86::rdx, static_cast<i32>(offsetof(PlaneWindow, planes)), 8));
  a.lea(x86::rsi, x86::ptr(x86::rsi, x86::rcx, 2));
}

void emit_load(x86::Assembler& a, bool user) {
  const x86::Gp kept[] = {x86::rax, x86::rcx, x86::rdx, x86::rsi};
  const Label slow = a.newLabel();
  keep(a, kept);
  emit_locate(a, false, user, slow);
  a.mov(x86::eax, x86::Mem(x86::rsi, 0, 4));
  a.mov(window(offsetof(PlaneWindow, latch)), x86::eax);
  a.and_(x86::ecx, 1);
  a.mov(x86::ecx, by_parity(offsetof(PlaneWindow, read_shift)));
  a.shr(x86::eax, x86::cl);
  a.movzx(x86::eax, x86::al);
  a.mov(area(offsetof(EngineArea, value), 8), x86::rax);
  answer(a, slow, kept);
}

void emit_store(x86::Assembler& a, bool user) {
  constexpr i32 kEachPlane = 0x01010101;
  const x86::Gp kept[] = {x86::rax, x86::rcx, x86::rdx, x86::rsi};
  const x86::Mem planes(x86::rsi, 0, 4);
  const Label slow = a.newLabel();
  keep(a, kept);
  emit_locate(a, true, user, slow);
  // Nobody shows or decodes what is written.
  a.mov(x86::rax, x86::rsi);
  a.sub(x86::rax, at(kTlbWalk + offsetof(TlbWalk, memory), 8));
  a.shr(x86::rax, kPageShift);
  a.add(x86::rax, at(kTlbWalk + offsetof(TlbWalk, watch), 8));
  a.cmp(x86::Mem(x86::rax, 0, 1), 0);
  a.jne(slow);
  a.movzx(x86::eax, area(offsetof(EngineArea, value), 1));
  a.imul(x86::eax, x86::eax, kEachPlane);
  a.and_(x86::eax, window(offsetof(PlaneWindow, kept)));
  a.or_(x86::eax, window(offsetof(PlaneWindow, set)));
  a.xor_(x86::eax, window(offsetof(PlaneWindow, latch)));
  a.and_(x86::eax, window(offsetof(PlaneWindow, bits)));
  a.xor_(x86::eax, window(offsetof(PlaneWindow, latch)));
  a.xor_(x86::eax, planes);
  a.and_(x86::ecx, 1);
  a.and_(x86::eax, by_parity(offsetof(PlaneWindow, write_planes)));
  a.xor_(planes, x86::eax);
  answer(a, slow, kept);
}

}  // namespace

PlaneThunks emit_plane_thunks(x86::Assembler& a) {
  PlaneThunks places;
  for (const bool user : {false, true}) {
    places.load[user] = a.offset();
    emit_load(a, user);
    places.store[user] = a.offset();
    emit_store(a, user);
  }
  return places;
}

}  // namespace relic86::jit::x64
