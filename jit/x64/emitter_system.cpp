// CLI, STI, PUSHF, POPF, PUSH of a segment register, registers of descriptor tables, reads of system registers
// (jit/record/system_forms.h).
#include <bit>

#include "cpu/semantics/condition.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

constexpr std::size_t kCpl = offsetof(CpuState, mode) + offsetof(CpuMode, cpl);

}  // namespace

void Emitter::selector(u16 id) {
  const u8 host = registers_.take();
  registers_.set_temporary(id, host);
  const std::size_t at_segment = offsetof(CpuState, segment) + at(id).segment * sizeof(Segment);
  a_.movzx(sized(host, 4), state(at_segment + offsetof(Segment, selector), 2));
}

// Jumps to other unless IF is the program's to change: CPL 0, or, outside rings 0 to 2, IOPL 3.
void Emitter::check_trusted(const Label& other) {
  flags_.host_lost();
  if (mode_.user) {
    a_.mov(kAddress.r32(), state(offsetof(CpuState, system_flags), 4));
    a_.and_(kAddress.r32(), static_cast<i32>(kIOPL));
    a_.cmp(kAddress.r32(), static_cast<i32>(kIOPL));
  } else {
    a_.cmp(state(kCpl, 1), 0);
  }
  a_.jne(other);
}

// Jumps to other in virtual-8086 mode.
void Emitter::check_not_v86(const Label& other) {
  a_.test(state(offsetof(CpuState, system_flags), 4), static_cast<i32>(kVM));
  a_.jnz(other);
}

// In virtual-8086 mode with less IOPL than 3 the instruction is the handler's, before it has touched anything.
void Emitter::check_v86_trusted() {
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label less = a_.newLabel(), other = a_.newLabel(), fine = a_.newLabel();
  check_trusted(less);
  a_.bind(fine);
  defer([=, this] {
    a_.bind(less);
    check_not_v86(other);
    a_.jmp(fine);
    a_.bind(other);
    exits_.leave(exit);
  });
}

void Emitter::flags_image(u16 id) {
  if (mode_.user && at(id).op == Op::FlagsImage) check_v86_trusted();
  const u8 host = registers_.take();
  registers_.set_temporary(id, host);
  const Gp image = sized(host, 4);
  if (at(id).op == Op::FlagsByte && flags_.at_hand()) {  // PUSHFQ and POP would go through memory
    a_.mov(image.r64(), x86::rax);
    a_.lahf();
    a_.movzx(kAddress.r32(), x86::ah);  // AH goes with no register that needs REX
    a_.mov(x86::rax, image.r64());
    a_.mov(image, kAddress.r32());
    return;
  }
  flags_.load_image(image);
  a_.or_(image, state(offsetof(CpuState, system_flags), 4));
  a_.and_(image, ~static_cast<i32>(kVM | kRF));
  a_.or_(image, static_cast<i32>(kFixed1));
}

// SAHF: OF joins the byte to an image of all six; the host's flags then hold the other five. (The host has SAHF: only
// the first 64-bit parts of 2003 to 2005 lack it.)
void Emitter::set_flags_byte() {
  constexpr u32 kByte = kSF | kZF | kAF | kPF | kCF;
  if (!flags_.need(kArithmeticFlags).needed()) return;
  const x86::CondCode overflow = flags_.condition_code(static_cast<u32>(Condition::Overflow));
  const u8 host = registers_.take();
  const Gp image = sized(host, 4);
  a_.set(overflow, sized(host, 1));
  a_.movzx(image, sized(host, 1));
  a_.shl(image, std::countr_zero(u32{kOF}));
  a_.movzx(kAddress.r32(), x86::ah);
  a_.and_(kAddress.r32(), static_cast<i32>(kByte));
  a_.or_(image, kAddress.r32());
  FlagStep step;
  step.op = Op::Image;
  step.a = flags_.new_slot();
  a_.mov(flags_.slot(step.a.value), image);
  registers_.give(host);
  flags_.add_step(step, true);
  a_.sahf();
  flags_.host_holds(kByte);
}

// IF becomes that of a register with flags. Jumps to other, with nothing changed, if one of the fixed flags would
// change or an interrupt may have waited for IF. Uses kAddress.
void Emitter::take_interrupt_flag(const Gp& flags, u32 fixed, const Label& other) {
  const Mem system_flags = state(offsetof(CpuState, system_flags), 4);
  const Gp scratch = kAddress.r32();
  const Label masked = a_.newLabel();
  a_.mov(scratch, flags);
  a_.xor_(scratch, system_flags);
  a_.test(scratch, static_cast<i32>(fixed));
  a_.jnz(other);
  a_.test(flags, static_cast<i32>(kIF));
  a_.jz(masked);
  a_.cmp(state(offsetof(CpuState, pending), 4), 0);
  a_.jne(other);
  a_.bind(masked);
  a_.mov(scratch, flags);
  a_.and_(scratch, static_cast<i32>(kIF));
  a_.and_(system_flags, ~static_cast<i32>(kIF));
  a_.or_(system_flags, scratch);
}

// IF may change, by privilege; with any other system flag, or an interrupt waiting for IF, the instruction is the
// handler's.
void Emitter::set_flags(u16 id) {
  const Node& n = at(id);
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label other = a_.newLabel();
  const u8 host = registers_.in_temporary(n.a, 4);
  const Gp value = sized(host, 4), scratch = kAddress.r32();
  if (n.size == 2) a_.movzx(value, value.r16());
  const u32 fixed = u32{kTF} | kNT | kDF | (mode_.user ? 0u : u32{kIOPL}) | (n.size >= 4 ? u32{kAC} | kID : 0u);
  const Mem system_flags = state(offsetof(CpuState, system_flags), 4);
  if (mode_.user) {
    const Label less = a_.newLabel(), trusted = a_.newLabel();
    check_trusted(less);
    a_.bind(trusted);
    defer([=, this] {
      a_.bind(less);
      check_not_v86(other);
      a_.and_(value, ~static_cast<i32>(kIF));  // IF stays as it is
      a_.mov(scratch, system_flags);
      a_.and_(scratch, static_cast<i32>(kIF));
      a_.or_(value, scratch);
      a_.jmp(trusted);
    });
  } else {
    check_trusted(other);
  }
  take_interrupt_flag(value, fixed, other);
  flags_.host_lost();
  if (flags_.need(kArithmeticFlags).needed()) {
    FlagStep step;
    step.op = Op::Image;
    step.a = flags_.new_slot();
    a_.mov(flags_.slot(step.a.value), value);
    flags_.add_step(step, true);
  }
  defer([=, this] {
    a_.bind(other);
    exits_.leave(exit);
  });
}

// The handler, out of the way; goes on at done.
void Emitter::cold_aside(const Label& slow, const Label& done) {
  ExitPoint* const exit = exits_.add(ExitKind::Done, undone_before());
  exit->settles_flags = true;
  defer_to_handler(slow, exit, done);
}

void Emitter::clear_interrupts() {
  const Label slow = a_.newLabel(), done = a_.newLabel();
  cold_aside(slow, done);
  check_trusted(slow);
  a_.and_(state(offsetof(CpuState, system_flags), 4), ~static_cast<i32>(kIF));
  a_.bind(done);
}

// The instruction behind STI still runs without interruption: it stands in this block, and events come between blocks.
void Emitter::set_interrupts() {
  if (index_ + 1 == ir_.insns.size()) {
    cold();
    return;
  }
  const Label slow = a_.newLabel(), done = a_.newLabel();
  cold_aside(slow, done);
  check_trusted(slow);
  a_.cmp(state(offsetof(CpuState, pending), 4), 0);
  a_.jne(slow);
  a_.or_(state(offsetof(CpuState, system_flags), 4), static_cast<i32>(kIF));
  a_.bind(done);
}

// LGDT, LIDT, SGDT, SIDT of ring 0, their operand within one plain page.
void Emitter::table_register(u16 id) {
  const Node& n = at(id);
  const TableMove move = static_cast<TableMove>(n.immediate);
  const bool loads = move != TableMove::Store;
  const Label slow = a_.newLabel(), done = a_.newLabel();
  cold_aside(slow, done);
  flags_.host_lost();
  a_.cmp(state(kCpl, 1), 0);
  a_.jne(slow);
  addresses_.load(kAddress, n.a);
  u8 temporary = 0;
  Mem limit = memory_.translate(n.size, !loads, memory_.segment_of(n), slow, temporary);
  Mem base = limit.cloneAdjusted(2);
  limit.setSize(2);
  base.setSize(4);
  const u8 host = registers_.take();
  const Gp value = sized(host, 4);
  const std::size_t at_table = n.reg != 0 ? offsetof(CpuState, idtr) : offsetof(CpuState, gdtr);
  const Mem limit_field = state(at_table + offsetof(DescriptorTable, limit), 4);
  const std::size_t at_base = at_table + offsetof(DescriptorTable, base);
  if (loads) {
    constexpr i32 kNarrowBase = 0x00FFFFFF;  // a 16-bit operand size takes 24 bits
    a_.movzx(value, limit);
    a_.mov(limit_field, value);
    a_.mov(value, base);
    if (move == TableMove::Load24) a_.and_(value, kNarrowBase);
    a_.mov(state(at_base, 8), value.r64());
  } else {
    a_.mov(value, limit_field);
    a_.mov(limit, value.r16());
    a_.mov(value, state(at_base, 4));
    a_.mov(base, value);
  }
  registers_.give(host);
  registers_.give(temporary);
  a_.bind(done);
}

// MOV from CR0, CR2 and CR3, SMSW, SLDT and STR to a register in ring 0.
void Emitter::system_register(u16 id) {
  const Node& n = at(id);
  const SystemSource source = static_cast<SystemSource>(n.immediate);
  const Label slow = a_.newLabel(), done = a_.newLabel();
  cold_aside(slow, done);
  flags_.host_lost();
  a_.cmp(state(kCpl, 1), 0);
  a_.jne(slow);
  const auto selector_of = [&](SegmentName name) {
    constexpr std::size_t kProtectedMode = offsetof(CpuState, mode) + offsetof(CpuMode, protected_mode);
    a_.cmp(state(kProtectedMode, 1), 0);  // CPL 0 is not virtual-8086 mode
    a_.je(slow);
    const std::size_t at_segment = offsetof(CpuState, segment) + name * sizeof(Segment);
    a_.movzx(kAddress.r32(), state(at_segment + offsetof(Segment, selector), 2));
  };
  switch (source) {
    case SystemSource::Cr0: a_.mov(kAddress.r32(), state(offsetof(CpuState, cr0), 4)); break;
    case SystemSource::Cr2: a_.mov(kAddress.r32(), state(offsetof(CpuState, cr2), 4)); break;
    case SystemSource::Cr3: a_.mov(kAddress.r32(), state(offsetof(CpuState, cr3), 4)); break;
    case SystemSource::Ldtr: selector_of(kLdtr); break;
    case SystemSource::Tr: selector_of(kTr); break;
  }
  registers_.before_write(n.reg, id);
  a_.mov(registers_.guest(n.reg, n.size), sized(kAddress.id(), n.size));
  a_.bind(done);
}

}  // namespace relic86::jit::x64
