#include "jit/x64/segment_thunks.h"

#include <cstddef>

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;
using Known = KnownDescriptor;

static_assert(offsetof(CpuMode, v86) == offsetof(CpuMode, protected_mode) + 1);
static_assert(sizeof(Segment) % sizeof(u64) == 0 && offsetof(Segment, selector) == offsetof(Segment, limit) + 6);

x86::Mem state_field(std::size_t offset, u32 bytes) { return x86::Mem(kState, static_cast<i32>(offset), bytes); }
x86::Mem mode_field(std::size_t offset, u32 bytes) { return state_field(offsetof(CpuState, mode) + offset, bytes); }
x86::Mem segment_field(unsigned segment, std::size_t offset, u32 bytes) {
  return state_field(offsetof(CpuState, segment) + segment * sizeof(Segment) + offset, bytes);
}
x86::Mem known_field(std::size_t offset, u32 bytes) { return x86::Mem(x86::rcx, static_cast<i32>(offset), bytes); }

constexpr u16 kProtected = 1, kVirtual8086 = 0x101;  // CpuMode::protected_mode and v86

void save(x86::Assembler& a) {
  for (const x86::Gp& each : {x86::rax, x86::rcx, x86::rdx}) a.push(each);
}
void restore_and_return(x86::Assembler& a) {
  for (const x86::Gp& each : {x86::rdx, x86::rcx, x86::rax}) a.pop(each);
  a.ret();
}

// What has the engine look up after a load, and what makes a hidden part another (derive_limits()): jumps to other.
void emit_guards(x86::Assembler& a, const Label& other) {
  a.cmp(state_field(offsetof(CpuState, pending), 4), 0);
  a.jne(other);
  a.cmp(state_field(offsetof(CpuState, shadow), 1), 0);
  a.jne(other);
  a.test(state_field(offsetof(CpuState, system_flags), 4), static_cast<i32>(kTF | kRF | kAC));
  a.jnz(other);
}

// Real-address or virtual-8086 mode (eax: mode), from one segment of 64 KiB to another: only the base changes.
void emit_real_load(x86::Assembler& a, unsigned segment, const Label& other) {
  constexpr u16 kData = 0x93, kData3 = 0xF3;
  constexpr u8 kKind = kSegmentReads | kSegmentWrites | kSegmentReaches64K;
  const Label plain = a.newLabel(), set = a.newLabel();
  a.cmp(segment_field(segment, offsetof(Segment, read_end), 8), 0x10000);
  a.jne(other);
  a.cmp(segment_field(segment, offsetof(Segment, write_end), 8), 0x10000);
  a.jne(other);
  a.cmp(segment_field(segment, offsetof(Segment, limit), 4), 0xFFFF);
  a.jne(other);
  a.cmp(segment_field(segment, offsetof(Segment, kind), 1), kKind);
  a.jne(other);
  a.movzx(x86::edx, segment_field(segment, offsetof(Segment, attributes), 2));
  a.test(x86::eax, x86::eax);
  a.jz(plain);
  a.cmp(x86::eax, kVirtual8086);
  a.jne(other);
  a.cmp(x86::edx, kData3);
  a.jne(other);
  a.jmp(set);
  a.bind(plain);
  a.and_(x86::edx, 0xFFF);
  a.cmp(x86::edx, kData);
  a.jne(other);
  a.bind(set);
  a.mov(x86::eax, x86::ebp);
  a.shl(x86::eax, 4);
  a.mov(segment_field(segment, offsetof(Segment, base), 8), x86::rax);
  a.mov(segment_field(segment, offsetof(Segment, selector), 2), x86::bp);
}

void emit_load(x86::Assembler& a, unsigned segment, bool code32, const Label& find) {
  const Label real = a.newLabel(), other = a.newLabel(), out = a.newLabel(), kind = a.newLabel();
  save(a);
  emit_guards(a, other);
  a.movzx(x86::eax, mode_field(offsetof(CpuMode, protected_mode), 2));
  a.cmp(x86::eax, kProtected);
  a.jne(real);
  a.call(find);
  a.jne(other);
  a.test(known_field(offsetof(Known, kind), 1), Known::kLoadable);
  a.jz(other);
  a.movzx(x86::eax, known_field(offsetof(Known, hidden) + offsetof(Segment, kind), 1));
  a.xor_(x86::al, segment_field(segment, offsetof(Segment, kind), 1));
  a.test(x86::al, Mode::known_kinds(segment, code32));
  a.jne(kind);
  for (unsigned i = 0; i < sizeof(Segment); i += 8) {
    a.mov(x86::rax, known_field(offsetof(Known, hidden) + i, 8));
    a.mov(segment_field(segment, i, 8), x86::rax);
  }
  a.mov(segment_field(segment, offsetof(Segment, selector), 2), x86::bp);  // the null ones share what is known
  a.xor_(x86::eax, x86::eax);
  a.bind(out);
  restore_and_return(a);
  a.bind(real);
  emit_real_load(a, segment, other);
  a.xor_(x86::eax, x86::eax);
  a.jmp(out);
  a.bind(kind);
  a.mov(x86::r11, x86::rcx);
  a.stc();
  a.jmp(out);
  a.bind(other);
  a.or_(x86::eax, 1);
  a.jmp(out);
}

void emit_take(x86::Assembler& a, unsigned segment) {
  for (unsigned i = 0; i < sizeof(Segment); i += 8) {
    a.mov(x86::r12, x86::Mem(x86::r11, static_cast<i32>(offsetof(Known, hidden) + i), 8));
    a.mov(segment_field(segment, i, 8), x86::r12);
  }
  a.mov(segment_field(segment, offsetof(Segment, selector), 2), x86::bp);
  a.ret();
}

// What is known of a selector that an instruction asks about. Jumps to out, with ZF clear, where the handler must look.
void emit_look(x86::Assembler& a, const Label& find, const Label& out) {
  a.movzx(x86::eax, mode_field(offsetof(CpuMode, protected_mode), 2));
  a.cmp(x86::eax, kProtected);
  a.jne(out);
  // With SMAP the flag opens user pages to explicit accesses, which tables are not read by.
  a.test(state_field(offsetof(CpuState, system_flags), 4), static_cast<i32>(kAC));
  a.jnz(out);
  a.call(find);
  a.jne(out);
}

void emit_verify(x86::Assembler& a, Known::Kind wanted, const Label& find) {
  const Label out = a.newLabel();
  save(a);
  emit_look(a, find, out);
  a.xor_(x86::ebp, x86::ebp);
  a.test(known_field(offsetof(Known, kind), 1), wanted);
  a.setnz(x86::bpl);
  a.xor_(x86::eax, x86::eax);
  a.bind(out);
  restore_and_return(a);
}

// LAR and LSL.
void emit_describe(x86::Assembler& a, bool limit, const Label& find) {
  const Label out = a.newLabel(), other = a.newLabel(), visible = a.newLabel();
  save(a);
  emit_look(a, find, out);
  a.test(known_field(offsetof(Known, kind), 1), Known::kKnown);
  a.jz(other);
  a.test(known_field(offsetof(Known, kind), 1), Known::kVisible);
  a.jnz(visible);
  a.xor_(x86::eax, x86::eax);
  a.stc();
  a.jmp(out);
  a.bind(visible);
  if (limit) {
    a.mov(x86::ebp, known_field(offsetof(Known, hidden) + offsetof(Segment, limit), 4));
  } else {
    a.mov(x86::ebp, known_field(offsetof(Known, raw) + sizeof(u32), 4));
    a.and_(x86::ebp, 0x00FFFF00);
  }
  a.xor_(x86::eax, x86::eax);
  a.bind(out);
  restore_and_return(a);
  a.bind(other);
  a.or_(x86::eax, 1);
  a.jmp(out);
}

}  // namespace

Label emit_find(x86::Assembler& a, const Known* known) {
  const Label find = a.newLabel(), global = a.newLabel(), other = a.newLabel(), out = a.newLabel();
  const Label null = a.newLabel();
  a.bind(find);
  a.test(x86::ebp, 0xFFFC);
  a.jz(null);
  a.mov(x86::ecx, state_field(offsetof(CpuState, gdtr) + offsetof(DescriptorTable, base), 4));
  a.mov(x86::edx, state_field(offsetof(CpuState, gdtr) + offsetof(DescriptorTable, limit), 4));
  a.test(x86::ebp, 4);
  a.jz(global);
  a.test(segment_field(kLdtr, offsetof(Segment, selector), 2), 0xFFFC);
  a.jz(other);
  a.test(segment_field(kLdtr, offsetof(Segment, attributes), 1), 0x80);  // present
  a.jz(other);
  a.mov(x86::ecx, segment_field(kLdtr, offsetof(Segment, base), 4));
  a.mov(x86::edx, segment_field(kLdtr, offsetof(Segment, limit), 4));
  a.bind(global);
  a.mov(x86::eax, x86::ebp);
  a.or_(x86::eax, 7);
  a.cmp(x86::eax, x86::edx);
  a.ja(other);
  a.and_(x86::eax, ~7);
  a.add(x86::eax, x86::ecx);
  a.mov(x86::ecx, x86::eax);
  a.and_(x86::ecx, kPageSize - 1);
  a.cmp(x86::ecx, kPageSize - 8);
  a.ja(other);
  a.mov(x86::ecx, x86::eax);
  a.shr(x86::ecx, kPageShift);
  constexpr i32 kReadTable = static_cast<i32>(offsetof(VcpuMemory, tlb) + offsetof(TlbTables, read));
  a.mov(x86::rcx, x86::Mem(kState, x86::rcx, 3, kReadTable, 8));
  a.test(x86::cl, static_cast<i32>(kTlbFast));
  a.jz(other);
  a.mov(x86::rax, x86::Mem(x86::rcx, x86::rax, 0, -static_cast<i32>(kTlbFast), 8));
  a.mov(x86::ecx, x86::ebp);
  a.shr(x86::ecx, 2);
  a.and_(x86::ecx, DescriptorCache::kEntries - 1);
  a.shl(x86::ecx, 6);
  a.mov(x86::rdx, reinterpret_cast<u64>(known));
  a.add(x86::rcx, x86::rdx);
  a.movzx(x86::edx, mode_field(offsetof(CpuMode, cpl), 1));
  a.shl(x86::edx, 16);
  a.lea(x86::edx, x86::ptr(x86::rdx, x86::rbp, 0, static_cast<i32>(Known::kValid)));
  a.cmp(x86::edx, known_field(offsetof(Known, key), 4));
  a.jne(out);
  a.cmp(x86::rax, known_field(offsetof(Known, raw), 8));
  a.bind(out);
  a.ret();
  a.bind(null);
  a.mov(x86::rcx, reinterpret_cast<u64>(known + DescriptorCache::kEntries));
  a.ret();  // Z
  a.bind(other);
  a.or_(x86::eax, 1);
  a.ret();
  return find;
}

SegmentThunks emit_segment_thunks(x86::Assembler& a, const KnownDescriptor* known) {
  SegmentThunks at;
  const Label find = emit_find(a, known);
  for (const SegmentName segment : {kEs, kDs, kFs, kGs}) {
    for (const bool code32 : {false, true}) {
      at.load[segment][code32 ? 1 : 0] = a.offset();
      emit_load(a, segment, code32, find);
    }
    at.take[segment] = a.offset();
    emit_take(a, segment);
  }
  at.verify_read = a.offset();
  emit_verify(a, Known::kReadable, find);
  at.verify_write = a.offset();
  emit_verify(a, Known::kWritable, find);
  at.rights = a.offset();
  emit_describe(a, false, find);
  at.limit = a.offset();
  emit_describe(a, true, find);
  return at;
}

}  // namespace relic86::jit::x64
