#include "jit/x64/code_thunks.h"

#include <cstddef>

#include "jit/x64/segment_thunks.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;
using Known = KnownDescriptor;

static_assert(offsetof(CpuMode, v86) == offsetof(CpuMode, protected_mode) + 1);
static_assert(sizeof(Segment) == 48);

constexpr i32 kSizeBit = 0x4000;  // D

x86::Mem state_field(std::size_t offset, u32 bytes) { return x86::Mem(kState, static_cast<i32>(offset), bytes); }
x86::Mem mode_field(std::size_t offset, u32 bytes) { return state_field(offsetof(CpuState, mode) + offset, bytes); }
x86::Mem code_field(std::size_t offset, u32 bytes) {
  return state_field(offsetof(CpuState, segment) + kCs * sizeof(Segment) + offset, bytes);
}
x86::Mem hidden_field(const x86::Gp& known, std::size_t offset, u32 bytes) {
  return x86::Mem(known, static_cast<i32>(offsetof(Known, hidden) + offset), bytes);
}

// The mode of the code that is entered is the present one if size and kind are, and a segment is flat if this one is.
void emit_check(x86::Assembler& a, bool flat, bool returns, const Label& find) {
  const Label other = a.newLabel(), out = a.newLabel();
  for (const x86::Gp& each : {x86::rax, x86::rcx, x86::rdx}) a.push(each);
  a.cmp(mode_field(offsetof(CpuMode, protected_mode), 2), 1);  // not virtual-8086 mode
  a.jne(out);
  a.test(state_field(offsetof(CpuState, system_flags), 4), static_cast<i32>(kAC));
  a.jnz(out);
  a.test(x86::ebp, 0xFFFC);
  a.jz(other);
  if (returns) {
    a.mov(x86::eax, x86::ebp);
    a.and_(x86::eax, 3);
    a.cmp(x86::al, mode_field(offsetof(CpuMode, cpl), 1));
    a.jne(out);
  }
  a.call(find);
  a.jne(out);
  a.test(x86::Mem(x86::rcx, static_cast<i32>(offsetof(Known, kind)), 1), Known::kEnterable);
  a.jz(other);
  a.cmp(x86::r10d, hidden_field(x86::rcx, offsetof(Segment, limit), 4));
  a.ja(other);
  a.movzx(x86::eax, hidden_field(x86::rcx, offsetof(Segment, kind), 1));
  a.xor_(x86::al, code_field(offsetof(Segment, kind), 1));
  a.test(x86::al, Mode::known_kinds(kCs, flat));
  a.jnz(out);
  a.movzx(x86::eax, hidden_field(x86::rcx, offsetof(Segment, attributes), 2));
  a.xor_(x86::eax, code_field(offsetof(Segment, attributes), 4));
  a.test(x86::eax, kSizeBit);
  a.jnz(out);
  if (flat) {
    a.cmp(hidden_field(x86::rcx, offsetof(Segment, base), 8), 0);
    a.jne(out);
  }
  a.mov(x86::r11, x86::rcx);
  a.xor_(x86::eax, x86::eax);
  a.bind(out);
  for (const x86::Gp& each : {x86::rdx, x86::rcx, x86::rax}) a.pop(each);
  a.ret();
  a.bind(other);
  a.or_(x86::eax, 1);
  a.jmp(out);
}

void emit_load(x86::Assembler& a) {
  for (unsigned i = 0; i < sizeof(Segment); i += 8) {
    a.mov(x86::r12, hidden_field(x86::r11, i, 8));
    a.mov(code_field(i, 8), x86::r12);
  }
  a.movzx(x86::r12d, mode_field(offsetof(CpuMode, cpl), 1));
  a.and_(x86::ebp, ~3);
  a.or_(x86::ebp, x86::r12d);
  a.mov(code_field(offsetof(Segment, selector), 2), x86::bp);
  a.ret();
}

}  // namespace

CodeThunks emit_code_thunks(x86::Assembler& a, const KnownDescriptor* known) {
  CodeThunks at;
  const Label find = emit_find(a, known);
  for (const bool flat : {false, true}) {
    for (const bool returns : {false, true}) {
      at.check[flat ? 1 : 0][returns ? 1 : 0] = a.offset();
      emit_check(a, flat, returns, find);
    }
  }
  at.load = a.offset();
  emit_load(a);
  return at;
}

}  // namespace relic86::jit::x64
