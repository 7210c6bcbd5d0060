// PUSHA, POPA, ENTER, XLAT, BOUND, INTO and decimal arithmetic (jit/record/compound_forms.h).
#include <array>

#include "cpu/integer_instructions.h"
#include "cpu/semantics/condition.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

// By AL, CF and AF: AL, what is added to AH, the flags' image from bit 16 on.
using DecimalTable = std::array<u32, 1024>;
constexpr unsigned kCarryIndex = 8, kAdjustIndex = 9, kImageShift = 16;

DecimalTable make_decimal_table(Decimal kind) {
  DecimalTable table{};
  for (u32 i = 0; i < table.size(); ++i) {
    const DecimalResult result =
        adjust_decimal(kind, static_cast<u8>(i), (i >> kCarryIndex & 1) != 0, (i >> kAdjustIndex & 1) != 0);
    table[i] = result.low | u32{static_cast<u8>(result.high_change)} << 8 | result.eflags << kImageShift;
  }
  return table;
}

const DecimalTable& decimal_table(Decimal kind) {
  static const std::array<DecimalTable, 4> tables = {make_decimal_table(Decimal::Daa), make_decimal_table(Decimal::Das),
                                                     make_decimal_table(Decimal::Aaa),
                                                     make_decimal_table(Decimal::Aas)};
  return tables[static_cast<std::size_t>(kind)];
}

// What AAM makes of AL: tens in AH, ones in AL.
const std::array<u16, 256>& decimal_digits() {
  static const auto digits = [] {
    std::array<u16, 256> table{};
    for (unsigned i = 0; i < table.size(); ++i) table[i] = static_cast<u16>((i / 10) << 8 | i % 10);
    return table;
  }();
  return digits;
}

}  // namespace

// So many bytes from the offset in kAddress on, in units of that size, if they lie within the segment's limit and one
// page that may be accessed directly. Else the interpreter carries the instruction out. Gives their host address, in a
// temporary.
Emitter::Mem Emitter::piece(unsigned bytes, unsigned unit, bool write, unsigned segment) {
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label slow = a_.newLabel();
  const Gp pointer = sized(registers_.take(), 8);
  flags_.host_lost();
  if (addresses_.narrow()) {  // what wraps around at 64 KiB is not one piece
    a_.cmp(kAddress.r32(), 0x10000 - bytes);
    a_.ja(slow);
  }
  (void)memory_.check_limit(segment, bytes, write, false, pointer, slow);
  if (mode_.aligned) {
    a_.test(kAddress.r8(), static_cast<i32>(unit - 1));
    a_.jnz(slow);
  }
  memory_.compare_with_page_end(pointer, bytes);
  a_.ja(slow);
  memory_.find_page(pointer, write, write, slow);
  a_.lea(pointer, x86::ptr(kAddress, pointer, 0, -static_cast<i32>(kTlbFast)));
  defer([=, this] {
    a_.bind(slow);
    exits_.leave(exit);
  });
  return Mem(pointer, 0);
}

namespace {

x86::Mem part(const x86::Mem& place, i32 offset, u32 bytes) {
  x86::Mem result = place.cloneAdjusted(offset);
  result.setSize(bytes);
  return result;
}

}  // namespace

void Emitter::push_all(u16 id) {
  const i32 size = at(id).size;
  memory_.stack_address(-8 * size);
  const Mem place = piece(static_cast<unsigned>(8 * size), at(id).size, true, kSs);
  for (i32 i = 0; i < 8; ++i) {
    a_.mov(part(place, (7 - i) * size, at(id).size), registers_.guest(static_cast<unsigned>(i), at(id).size));
  }
  move_stack_pointer(-8 * size);
  registers_.give(static_cast<u8>(place.baseId()));
}

void Emitter::pop_all(u16 id) {
  const i32 size = at(id).size;
  memory_.stack_address(0);
  const Mem place = piece(static_cast<unsigned>(8 * size), at(id).size, false, kSs);
  for (i32 i = 0; i < 8; ++i) {
    if (i != kEsp)
      a_.mov(registers_.guest(static_cast<unsigned>(i), at(id).size), part(place, (7 - i) * size, at(id).size));
  }
  move_stack_pointer(8 * size);
  registers_.give(static_cast<u8>(place.baseId()));
}

// The saved EBP and the new top of the stack, which must be writable as well.
void Emitter::enter(u16 id) {
  const Node& n = at(id);
  const i32 size = n.size, locals = static_cast<i32>(n.immediate);
  // Both accesses must be aligned where that is checked.
  if (mode_.aligned && locals % size != 0) failed_ = true;
  memory_.stack_address(-size - locals);
  const Mem place = piece(static_cast<unsigned>(size + locals), n.size, true, kSs);
  a_.mov(part(place, locals, n.size), registers_.guest(kEbp, n.size));
  registers_.give(static_cast<u8>(place.baseId()));
  if (mode_.stack32) {
    a_.lea(kAddress.r32(), x86::ptr(registers_.guest(kEsp, 8), -size));
  } else {
    a_.mov(kAddress.r32(), registers_.guest(kEsp, 4));
    a_.sub(kAddress.r16(), size);
  }
  a_.mov(registers_.guest(kEbp, n.size), sized(kAddress.id(), n.size));
  move_stack_pointer(-size - locals);
}

void Emitter::table_load(u16 id) {
  const unsigned segment = at(id).segment;
  ExitPoint* const exit = memory_.access_exit(AddressForm::Table, 1, segment);
  const LoadLabels labels = load_labels();
  addresses_.set_width(at(id).address_size);
  a_.movzx(kAddress.r32(), x86::al);
  a_.lea(kAddress.r32(), x86::ptr(kAddress, registers_.guest(kEbx, 8)));
  if (addresses_.narrow()) a_.movzx(kAddress.r32(), kAddress.r16());
  u8 temporary = 0;
  const Mem from = memory_.translate(1, false, segment, labels.slow, temporary);
  finish_load(id, 1, from, temporary, labels, exit);
}

void Emitter::check_bounds(u16 id) {
  const Node& n = at(id);
  const unsigned bytes = n.size;
  addresses_.load(kAddress, n.a);
  const Mem place = piece(2 * bytes, bytes, false, memory_.segment_of(n));
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label outside = a_.newLabel();
  const Gp index = registers_.guest(n.reg, bytes);
  a_.cmp(index, part(place, 0, bytes));
  a_.jl(outside);
  a_.cmp(index, part(place, static_cast<i32>(bytes), bytes));
  a_.jg(outside);
  registers_.give(static_cast<u8>(place.baseId()));
  defer([=, this] {
    a_.bind(outside);
    exits_.leave(exit);
  });
}

void Emitter::check_overflow() {
  const Label overflow = a_.newLabel();
  const x86::CondCode code = flags_.condition_code(static_cast<u32>(Condition::Overflow));
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  a_.j(code, overflow);
  defer([=, this] {
    a_.bind(overflow);
    exits_.leave(exit);
  });
}

// A look into the table; the image of the flags becomes the index.
void Emitter::decimal_adjust(u16 id) {
  const Node& n = at(id);
  const auto kind = static_cast<Decimal>(n.immediate);
  const bool unpacked = kind == Decimal::Aaa || kind == Decimal::Aas;
  const u8 host = registers_.in_temporary(n.a, 4);
  const Gp entry = sized(host, 4), scratch = kAddress.r32();
  flags_.host_lost();
  a_.mov(scratch, entry);
  a_.and_(scratch, static_cast<i32>(kCF));
  a_.shl(scratch, kCarryIndex);
  a_.and_(entry, static_cast<i32>(kAF));
  a_.shl(entry, kAdjustIndex - 4);
  a_.or_(entry, scratch);
  a_.movzx(scratch, x86::al);
  a_.or_(entry, scratch);
  a_.mov(kAddress, reinterpret_cast<u64>(decimal_table(kind).data()));
  a_.mov(entry, x86::dword_ptr(kAddress, sized(host, 8), 2));
  a_.mov(x86::al, entry.r8());
  if (unpacked) {
    a_.mov(scratch, entry);
    a_.and_(scratch, 0xFF00);
    a_.add(x86::ax, kAddress.r16());
  }
  FlagStep step;
  step.op = Op::Image;
  if (flags_.need(kArithmeticFlags).needed()) {
    a_.shr(entry, kImageShift);
    step.a = flags_.new_slot();
    a_.mov(flags_.slot(step.a.value), entry);
  }
  flags_.add_step(step, true);
}

void Emitter::divide_digits(u16 id) {
  // Ten, as a rule: then a look into a table saves the division.
  const u8 host = registers_.take();
  flags_.host_lost();
  if (at(id).immediate == 10) {
    a_.mov(kAddress, reinterpret_cast<u64>(decimal_digits().data()));
    a_.movzx(sized(host, 4), x86::al);
    a_.movzx(sized(host, 4), x86::word_ptr(kAddress, sized(host, 8), 1));
    a_.mov(x86::ax, sized(host, 2));
  } else {
    a_.mov(sized(host, 4), at(id).immediate);
    a_.mov(x86::ah, 0);
    a_.div(sized(host, 1));
    a_.xchg(x86::al, x86::ah);
  }
  registers_.give(host);
}

void Emitter::multiply_digits(u16 id) {
  const u8 host = registers_.take();
  flags_.host_lost();
  a_.movzx(kAddress.r32(), x86::ah);
  a_.imul(sized(host, 4), kAddress.r32(), static_cast<i32>(at(id).immediate));
  registers_.set_temporary(id, host);
}

}  // namespace relic86::jit::x64
