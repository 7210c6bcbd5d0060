// String instructions without a repeat prefix, MOVS and STOS with one (jit/record/string_forms.h).
#include "jit/runtime/engine_area.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

// kAddress := the offset that an index register holds.
void Emitter::string_address(u8 index) {
  narrow_ = !insn().insn->address32();
  if (insn().insn->address32()) {
    a_.mov(kAddress.r32(), guest(index, 4));
  } else {
    a_.movzx(kAddress.r32(), guest(index, 2));
  }
}

void Emitter::string_load(u16 id) {
  const Node& n = at(id);
  const bool source = n.reg == kEsi;
  const unsigned segment = source ? insn().insn->segment : unsigned{kEs};
  ExitPoint* const exit = access_exit(source ? AddressForm::Source : AddressForm::Destination, n.size, segment);
  const Label slow = a_.newLabel(), split = a_.newLabel();
  string_address(n.reg);
  u8 temporary = 0;
  const Mem from = translate(n.size, false, segment, slow, temporary, false, &split);
  finish_load(id, n.size, from, temporary, slow, split, exit);
}

void Emitter::string_store(u16 id) {
  const Node& n = at(id);
  const asmjit::Operand value = source(n.b, n.size);
  ExitPoint* const exit = access_exit(AddressForm::Destination, n.size, kEs);
  const Label slow = a_.newLabel(), split = a_.newLabel(), done = a_.newLabel();
  string_address(kEdi);
  u8 temporary = 0;
  const Mem to = translate(n.size, true, kEs, slow, temporary, false, &split);
  a_.emit(x86::Inst::kIdMov, to, value);
  a_.bind(done);
  give(temporary);
  defer([=, this] { finish_store(n.size, value, slow, split, done, exit); });
}

void Emitter::advance(u16 id) {
  const Node& n = at(id);
  const i32 by = mode_.down ? -i32{n.size} : i32{n.size};
  for (const u8 index : {u8{kEsi}, u8{kEdi}}) {
    if ((n.immediate >> index & 1) == 0) continue;
    if (insn().insn->address32()) {
      a_.lea(guest(index, 4), x86::ptr(guest(index, 8), by));
    } else {
      a_.add(guest(index, 2), by);  // faster than LEA at this size; the access before has used up the host's flags
      host_flags(0);
    }
  }
}

// A temporary := the TLB's entry of the page at an index register, which holds all of the run's bytes (kAddress).
u8 Emitter::run_entry(u8 index, bool write, const Label& slow) {
  const u8 host = take();
  const Gp entry = sized(host, 8), entry32 = sized(host, 4);
  a_.mov(entry32, guest(index, 4));
  a_.and_(entry32, kPageSize - 1);
  a_.add(entry, kAddress);
  a_.cmp(entry, kPageSize);
  a_.ja(slow);
  tlb_entry(entry, guest(index, 4), write, slow);
  return host;
}

// The host's own instruction, on a run that lies within one page on each side and within the budget: each iteration
// counts as an instruction. Anything else is the handler's, which gets along with whatever is left of ECX.
void Emitter::repeat_string(u16 id) {
  const Node& n = at(id);
  const bool moves = n.op == Op::RepeatMove;
  ExitPoint* const exit = new_exit(ExitKind::Done, undone_before());
  const Label slow = a_.newLabel(), done = a_.newLabel();
  host_flags(0);
  a_.mov(kAddress.r32(), guest(kEcx, 4));
  a_.sub(kAddress.r32(), 1);
  a_.jb(done);  // nothing to do
  a_.cmp(kRemaining, kAddress);
  a_.jl(slow);
  a_.lea(kAddress, x86::ptr(u64{0}, guest(kEcx, 8), n.size == 4 ? 2 : n.size == 2 ? 1 : 0));
  const u8 to = run_entry(kEdi, true, slow);
  const u8 from = moves ? run_entry(kEsi, false, slow) : u8{0};
  a_.lea(kAddress, x86::ptr(guest(kEcx, 8), -1));
  a_.sub(kRemaining, kAddress);
  const auto shift = [&](u8 index, u8 host) {
    const Gp pointer = guest(index, 8);
    a_.lea(pointer, x86::ptr(pointer, sized(host, 8), 0, -static_cast<i32>(kTlbFast)));
  };
  const auto shift_back = [&](u8 index, u8 host) {
    const Gp pointer = guest(index, 8);
    a_.sub(pointer, sized(host, 8));
    a_.lea(pointer.r32(), x86::ptr(pointer, static_cast<i32>(kTlbFast)));
  };
  shift(kEdi, to);
  if (moves) shift(kEsi, from);
  a_.rep();
  const Mem destination(x86::rdi, 0, n.size);
  if (moves) {
    a_.movs(destination, Mem(x86::rsi, 0, n.size));
  } else {
    a_.stos(destination, sized(kHostOfGuest[kEax], n.size));
  }
  shift_back(kEdi, to);
  if (moves) shift_back(kEsi, from);
  give(to);
  if (moves) give(from);
  a_.bind(done);
  defer([=, this] {
    a_.bind(slow);
    call_thunk(thunks_.cold, exit);
    a_.jmp(done);
  });
}

}  // namespace relic86::jit::x64
