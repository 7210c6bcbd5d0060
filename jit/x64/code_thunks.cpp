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

// The kind that code segments of 32-bit code have as a rule: readable, and reaching over 4 GiB if flat.
u8 likely_kind(bool flat) {
  return static_cast<u8>((kSegmentReads | kSegmentReaches64K | (flat ? u32{kSegmentReaches4G} : 0u)) &
                         Mode::known_kinds(kCs, true));
}

// The code that is entered has the present mode if size and kind are the same, and if, of 32-bit code, it is flat if
// the present one is. NZ and C: it is not, but is 32-bit code of the other sort's likely kind.
void emit_check(x86::Assembler& a, CodeSort sort, bool returns, const Label& find) {
  const bool code32 = sort != CodeSort::Narrow;
  const Label other = a.newLabel(), out = a.newLabel(), unlike = a.newLabel();
  for (const x86::Gp& each : {x86::rax, x86::rcx, x86::rdx}) a.push(each);
  a.cmp(mode_field(offsetof(CpuMode, protected_mode), 2), 1);  // not virtual-8086 mode
  a.jne(other);
  a.test(state_field(offsetof(CpuState, system_flags), 4), static_cast<i32>(kAC));
  a.jnz(other);
  a.test(x86::ebp, 0xFFFC);
  a.jz(other);
  if (returns) {
    a.mov(x86::eax, x86::ebp);
    a.and_(x86::eax, 3);
    a.cmp(x86::al, mode_field(offsetof(CpuMode, cpl), 1));
    a.jne(other);
  }
  a.call(find);
  a.jne(other);
  a.test(x86::Mem(x86::rcx, static_cast<i32>(offsetof(Known, kind)), 1), Known::kEnterable);
  a.jz(other);
  a.cmp(x86::r10d, hidden_field(x86::rcx, offsetof(Segment, limit), 4));
  a.ja(other);
  a.movzx(x86::eax, hidden_field(x86::rcx, offsetof(Segment, attributes), 2));
  a.xor_(x86::eax, code_field(offsetof(Segment, attributes), 4));
  a.test(x86::eax, kSizeBit);
  a.jnz(other);
  if (code32) {
    a.mov(x86::eax, hidden_field(x86::rcx, offsetof(Segment, limit), 4));
    a.not_(x86::eax);
    a.or_(x86::rax, hidden_field(x86::rcx, offsetof(Segment, base), 8));
    if (sort == CodeSort::Flat) {
      a.jnz(unlike);
    } else {
      a.jz(unlike);
    }
  }
  a.movzx(x86::eax, hidden_field(x86::rcx, offsetof(Segment, kind), 1));
  a.xor_(x86::al, code_field(offsetof(Segment, kind), 1));
  a.test(x86::al, Mode::known_kinds(kCs, code32));
  a.jnz(other);
  a.mov(x86::r11, x86::rcx);
  a.xor_(x86::eax, x86::eax);
  a.bind(out);
  for (const x86::Gp& each : {x86::rdx, x86::rcx, x86::rax}) a.pop(each);
  a.ret();
  a.bind(other);
  a.or_(x86::eax, 1);
  a.jmp(out);
  if (!code32) return;
  a.bind(unlike);
  a.movzx(x86::eax, hidden_field(x86::rcx, offsetof(Segment, kind), 1));
  a.and_(x86::eax, Mode::known_kinds(kCs, true));
  a.cmp(x86::eax, likely_kind(sort != CodeSort::Flat));
  a.jne(other);
  a.mov(x86::r11, x86::rcx);
  a.or_(x86::eax, 1);
  a.stc();
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

Mode mode_of_other_sort(const Mode& mode) {
  Mode other = mode;
  other.flat_code = !mode.flat_code;
  other.limited = mode.flat_code;
  other.segments[kCs] = likely_kind(other.flat_code);
  return other;
}

CodeThunks emit_code_thunks(x86::Assembler& a, const KnownDescriptor* known) {
  CodeThunks at;
  const Label find = emit_find(a, known);
  for (const CodeSort sort : {CodeSort::Narrow, CodeSort::Limited, CodeSort::Flat}) {
    for (const bool returns : {false, true}) {
      at.check[static_cast<unsigned>(sort)][returns ? 1 : 0] = a.offset();
      emit_check(a, sort, returns, find);
    }
  }
  at.load = a.offset();
  emit_load(a);
  return at;
}

}  // namespace relic86::jit::x64
