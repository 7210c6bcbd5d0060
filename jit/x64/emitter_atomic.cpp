// Locked instructions as the host's own. An operand that is not aligned may lie over two lines of the host's cache, which
// costs it dear or is forbidden by its system: the handler sees to that.
#include "jit/ir/ir.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

// 8 and 16 bits are loaded and kept with the upper half of their register cleared.
constexpr bool narrow(unsigned bytes) { return bytes < 4; }

x86::Inst::Id instruction_of(AtomicKind kind) {
  switch (kind) {
    case AtomicKind::And: return x86::Inst::kIdAnd;
    case AtomicKind::Or: return x86::Inst::kIdOr;
    case AtomicKind::Xor: return x86::Inst::kIdXor;
    case AtomicKind::SetBit: return x86::Inst::kIdBts;
    case AtomicKind::ClearBit: return x86::Inst::kIdBtr;
    default: return x86::Inst::kIdBtc;
  }
}

bool changes_bit(AtomicKind kind) { return kind >= AtomicKind::SetBit; }

// The host has an instruction that gives what stood there.
bool has_instruction(AtomicKind kind) {
  return kind == AtomicKind::Exchange || kind == AtomicKind::Add || kind == AtomicKind::Sub;
}

}  // namespace

// The place of an access that reads and writes at once. temporary: to be given back after it.
x86::Mem Emitter::atomic_place(const Node& n, u8& temporary) {
  const unsigned segment = memory_.segment_of(n);
  const Label slow = a_.newLabel(), again = a_.newLabel(), unaligned = a_.newLabel();
  a_.bind(again);
  const AddressForm form = memory_.operand_address(n.a);
  ExitPoint* const missing = memory_.access_exit(form, n.size, segment);
  ExitPoint* const handled = exits_.add(ExitKind::Before, undone_before());
  const Mem place =
      memory_.translate(n.size, true, segment, slow, temporary, true, nullptr, Missing::Walk, nullptr, &unaligned);
  defer([=, this] {
    a_.bind(slow);
    exits_.call_thunk(thunks_.probe, missing);
    a_.jmp(again);
    a_.bind(unaligned);
    exits_.leave(handled);
  });
  return place;
}

void Emitter::atomic(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const auto kind = static_cast<AtomicKind>(n.immediate);
  const bool exchanges = n.op == Op::Atomic && has_instruction(kind);
  // EAX holds what was there while the rest is tried, and kAddress the address.
  const Value& operand = registers_.value(n.b);
  if (operand.kind == Value::High || operand.kind == Value::Stored || (!exchanges && registers_.is_guest(n.b, kEax)))
    (void)registers_.in_temporary(n.b, bytes);
  u8 temporary = 0;
  if (exchanges) {
    const Gp old = sized(registers_.take(), bytes);
    registers_.move_to(old, n.b, bytes);
    const Mem place = atomic_place(n, temporary);
    if (kind == AtomicKind::Sub) a_.neg(old);
    if (kind == AtomicKind::Exchange) {
      a_.xchg(place, old);
    } else {
      a_.lock().xadd(place, old);
    }
    if (narrow(bytes)) a_.movzx(old.r32(), old);
    registers_.set_temporary(id, static_cast<u8>(old.id()));
  } else {
    asmjit::Operand source =
        n.op == Op::AtomicCompare ? registers_.in_register(n.b, bytes) : registers_.source(n.b, bytes);
    if (source.isImm() && changes_bit(kind)) source = asmjit::Imm(operand.constant & (bytes * 8 - 1));
    const Gp old = sized(registers_.take(), 8);
    const Mem place = atomic_place(n, temporary);
    a_.mov(old, x86::rax);
    if (n.op == Op::AtomicCompare) {
      a_.lock().cmpxchg(place, source.as<Gp>());
    } else {
      const Gp changed = sized(registers_.take(), bytes);
      const Label again = a_.newLabel();
      if (narrow(bytes)) {
        a_.movzx(x86::eax, place);
      } else {
        a_.mov(sized(x86::rax.id(), bytes), place);
      }
      a_.bind(again);
      a_.mov(sized(changed.id(), whole(bytes)), sized(x86::rax.id(), whole(bytes)));
      a_.emit(instruction_of(kind), changed, source);
      a_.lock().cmpxchg(place, changed);
      a_.jne(again);
      registers_.give(static_cast<u8>(changed.id()));
    }
    a_.xchg(x86::rax, old);
    if (narrow(bytes)) a_.movzx(old.r32(), sized(old.id(), bytes));
    registers_.set_temporary(id, static_cast<u8>(old.id()));
  }
  registers_.give(temporary);
  flags_.host_lost();
}

}  // namespace relic86::jit::x64
