// String instructions without a repeat prefix (jit/string_forms.h).
#include "jit/engine_area.h"
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
  const Label slow = a_.newLabel();
  string_address(n.reg);
  u8 temporary = 0;
  const Mem from = translate(n.size, false, segment, slow, temporary);
  finish_load(id, n.size, from, temporary, slow, exit);
}

void Emitter::string_store(u16 id) {
  const Node& n = at(id);
  const asmjit::Operand value = source(n.b, n.size);
  ExitPoint* const exit = access_exit(AddressForm::Destination, n.size, kEs);
  const Label slow = a_.newLabel(), done = a_.newLabel();
  string_address(kEdi);
  u8 temporary = 0;
  const Mem to = translate(n.size, true, kEs, slow, temporary);
  a_.emit(x86::Inst::kIdMov, to, value);
  a_.bind(done);
  give(temporary);
  defer([=, this] {
    a_.bind(slow);
    a_.emit(x86::Inst::kIdMov, area(offsetof(EngineArea, value), n.size), value);
    call_thunk(thunks_.store, exit);
    a_.jmp(done);
  });
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

}  // namespace relic86::jit::x64
