// String instructions without a repeat prefix, MOVS and STOS with one (jit/record/string_forms.h).
#include <bit>

#include "jit/runtime/engine_area.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

// kAddress := the offset that an index register holds.
void Emitter::string_address(const Node& n) {
  addresses_.set_width(n.address_size);
  if (addresses_.narrow()) {
    a_.movzx(kAddress.r32(), registers_.guest(n.reg, 2));
  } else {
    a_.mov(sized(kAddress.id(), n.address_size), registers_.guest(n.reg, n.address_size));
  }
}

void Emitter::string_load(u16 id) {
  const Node& n = at(id);
  const AddressForm form = n.reg == kEsi ? AddressForm::Source : AddressForm::Destination;
  ExitPoint* const exit = memory_.access_exit(form, n.size, n.segment);
  const LoadLabels labels = load_labels();
  string_address(n);
  u8 temporary = 0;
  const Mem from = memory_.translate(n.size, false, n.segment, labels.slow, temporary, false, &labels.split,
                                     Missing::Walk, &labels.missed);
  finish_load(id, n.size, from, temporary, labels, exit);
}

void Emitter::string_store(u16 id) {
  const Node& n = at(id);
  const asmjit::Operand value = registers_.source(n.b, n.size);
  ExitPoint* const exit = memory_.access_exit(AddressForm::Destination, n.size, n.segment);
  const StoreLabels labels = store_labels();
  string_address(n);
  u8 temporary = 0;
  const Mem to = memory_.translate(n.size, true, n.segment, labels.slow, temporary, false, &labels.split,
                                   Missing::Store, &labels.missed);
  a_.emit(x86::Inst::kIdMov, to, value);
  a_.bind(labels.done);
  registers_.give(temporary);
  defer([=, this] { finish_store(n.size, value, labels, exit); });
}

void Emitter::advance(u16 id) {
  const Node& n = at(id);
  const i32 by = mode_.down ? -i32{n.size} : i32{n.size};
  for (const u8 index : {u8{kEsi}, u8{kEdi}}) {
    if ((n.immediate >> index & 1) == 0) continue;
    if (n.address_size >= 4) {
      a_.lea(registers_.guest(index, n.address_size), x86::ptr(registers_.guest(index, 8), by));
    } else {
      a_.add(registers_.guest(index, 2),
             by);  // faster than LEA at this size; the access before has used up the host's flags
      flags_.host_lost();
    }
  }
}

// A temporary := the distance from an index register to the host's bytes of a run (kAddress bytes), which lies within
// the segment's limit and one page.
u8 Emitter::run_distance(const Node& n, u8 index, const Label& slow) {
  const bool write = index == kEdi;
  const unsigned segment = write ? unsigned{kEs} : n.segment;
  const bool wide = n.address_size == 4, flat = mode_.flat(segment);
  const u8 host = registers_.take(), other = registers_.take();
  const Gp place = sized(host, 8), scratch = sized(other, 8);
  if (wide) {
    a_.mov(place.r32(), registers_.guest(index, 4));
  } else {
    a_.movzx(place.r32(), registers_.guest(index, 2));
  }
  if (!flat || !wide) a_.lea(scratch, x86::ptr(place, kAddress));
  if (!wide) {
    a_.cmp(scratch, 0xFFFF);  // the index must not wrap, not even after the run
    a_.ja(slow);
  }
  if (!flat) {
    a_.cmp(scratch, segment_field(segment, offsetof(Segment, end), 8));
    a_.ja(slow);
    a_.add(place.r32(), segment_field(segment, offsetof(Segment, base), 4));
  }
  a_.mov(scratch.r32(), place.r32());
  a_.and_(scratch.r32(), kPageSize - 1);
  a_.add(scratch, kAddress);
  a_.cmp(scratch, kPageSize);
  a_.ja(slow);
  memory_.tlb_entry(scratch, place, write, slow);
  a_.lea(place, x86::ptr(place, scratch, 0, -static_cast<i32>(kTlbFast)));
  a_.sub(place, registers_.guest(index, 8));
  registers_.give(other);
  return host;
}

void Emitter::repeat_long_string(const Node& n, ExitPoint* exit, const Label& slow, const Label& done) {
  flags_.host_lost();
  a_.test(registers_.guest(kEcx, 8), registers_.guest(kEcx, 8));
  a_.jz(done);
  a_.call(thunks_.repeat[n.op == Op::RepeatMove ? 1 : 0][std::countr_zero(u32{n.size})][mode_.user ? 1 : 0]);
  a_.jnz(slow);
  a_.bind(done);
  defer_to_handler(slow, exit, done);
}

// The host's own instruction, on a run that lies within one page on each side and within the budget: each iteration
// counts as an instruction. Anything else is the handler's, which gets along with whatever is left of ECX.
void Emitter::repeat_string(u16 id) {
  const Node& n = at(id);
  const bool moves = n.op == Op::RepeatMove, wide = n.address_size == 4;
  ExitPoint* const exit = exits_.add(ExitKind::Done, undone_before());
  const Label slow = a_.newLabel(), done = a_.newLabel();
  if (mode_.code64) return repeat_long_string(n, exit, slow, done);
  const Mem count = area(offsetof(EngineArea, value), 4);
  flags_.host_lost();
  if (wide) {
    a_.mov(kAddress.r32(), registers_.guest(kEcx, 4));
  } else {
    a_.movzx(kAddress.r32(), registers_.guest(kEcx, 2));
  }
  a_.sub(kAddress.r32(), 1);
  a_.jb(done);  // nothing to do
  a_.cmp(kRemaining, kAddress);
  a_.jl(slow);
  a_.lea(kAddress, x86::ptr(u64{n.size}, kAddress, n.size == 4 ? 2 : n.size == 2 ? 1 : 0));
  const u8 to = run_distance(n, kEdi, slow);
  const u8 from = moves ? run_distance(n, kEsi, slow) : u8{0};
  if (!wide) {
    a_.mov(count, registers_.guest(kEcx, 4));
    a_.movzx(registers_.guest(kEcx, 4), registers_.guest(kEcx, 2));
  }
  a_.lea(kAddress, x86::ptr(registers_.guest(kEcx, 8), -1));
  a_.sub(kRemaining, kAddress);
  a_.add(registers_.guest(kEdi, 8), sized(to, 8));
  if (moves) a_.add(registers_.guest(kEsi, 8), sized(from, 8));
  a_.rep();
  const Mem destination(x86::rdi, 0, n.size);
  if (moves) {
    a_.movs(destination, Mem(x86::rsi, 0, n.size));
  } else {
    a_.stos(destination, sized(kHostOfGuest[kEax], n.size));
  }
  const auto back = [&](u8 index, u8 distance) {
    a_.sub(registers_.guest(index, 8), sized(distance, 8));
    a_.mov(registers_.guest(index, 4), registers_.guest(index, 4));
    registers_.give(distance);
  };
  back(kEdi, to);
  if (moves) back(kEsi, from);
  if (!wide) {
    a_.mov(registers_.guest(kEcx, 4), count);
    a_.mov(registers_.guest(kEcx, 2), 0);
  }
  a_.bind(done);
  defer_to_handler(slow, exit, done);
}

}  // namespace relic86::jit::x64
