#include "tests/jit/random/ir_generator.h"

#include <algorithm>

#include "jit/x64/host_instructions.h"

namespace relic86::jit {

u32 IrGenerator::number() {
  switch (below(5)) {
    case 0: return below(4);
    case 1: return 0u - below(4);
    case 2: return u32{1} << below(32);
    case 3: return (u32{1} << below(32)) - 1;
    default: return static_cast<u32>(random_());
  }
}

u64 IrGenerator::wide_number() {
  switch (below(4)) {
    case 0: return static_cast<u64>(i64{static_cast<i32>(number())});
    case 1: return u64{1} << below(64);
    case 2: return number();
    default: return random_();
  }
}

u16 IrGenerator::add(const Node& node) {
  nodes_.push_back(node);
  return static_cast<u16>(nodes_.size() - 1);
}

u16 IrGenerator::constant(u8 size, u64 value) {
  const u64 mask = size == 8 ? ~u64{0} : (u64{1} << (8 * size)) - 1;
  return add({.op = Op::Constant, .size = size, .immediate = value & mask});
}

// ESP seldom: a stack somewhere else makes most accesses slow.
u8 IrGenerator::any_register(u8 size) {
  if (size == 1 && mode_.code64) {
    const u8 reg = static_cast<u8>(below(20));  // the last four: SPL, BPL, SIL, DIL
    return reg < 16 ? reg : reg + 4;
  }
  if (size == 1) return static_cast<u8>(below(8));
  const u8 reg = static_cast<u8>(below(mode_.code64 ? 16 : 8));
  return reg == kEsp && !one_in(8) ? u8{kEax} : reg;
}

u16 IrGenerator::long_address() {
  constexpr u8 kBases[] = {kEbx, kEbp, kEsi, kEdi, kEsp, 8, 9, 10, 11};
  constexpr u8 kIndexes[] = {kEsi, kEdi, kEcx, kEax, 12, 13, 14, 15, 8};
  Node node{.op = Op::Address, .size = 8, .segment = kDs};
  node.address_size = one_in(16) ? 4 : 8;
  if (one_in(8)) {
    node.base = kRipRegister;
    node.immediate = 0x1000 + below(0x4000);
    return add(node);
  }
  if (!one_in(8)) node.base = kBases[below(std::size(kBases))];
  if (one_in(4)) {
    node.index = kIndexes[below(std::size(kIndexes))];
    node.scale = static_cast<u8>(below(4));
  }
  node.immediate = one_in(4) ? below(0x4000) : static_cast<u64>(static_cast<i64>(below(64)) - 16);
  if (node.base == kNoRegister && node.index == kNoRegister) {
    node.immediate = 0x2000 + below(0x4000) + (one_in(2) ? u64{0xFFFF'8000'0000'0000} : 0);
  }
  if (one_in(4)) node.segment = one_in(2) ? kFs : kGs;
  return add(node);
}

u16 IrGenerator::address() {
  if (mode_.code64) return long_address();
  constexpr u8 kBases[] = {kEbx, kEbp, kEsi, kEdi, kEsp};
  Node node{.op = Op::Address, .size = 4, .segment = kDs};
  node.address_size = mode_.code32 == !one_in(16) ? 4 : 2;
  if (!one_in(8)) node.base = kBases[below(node.address_size == 4 ? 5 : 4)];
  if (one_in(4)) {
    constexpr u8 kIndexes[] = {kEsi, kEdi, kEcx, kEax};
    node.index = kIndexes[below(4)];
    node.scale = static_cast<u8>(node.address_size == 4 ? below(4) : 0);
  }
  node.immediate = one_in(4) ? below(0x4000) : static_cast<u32>(static_cast<i32>(below(64)) - 16);
  if (node.base == kNoRegister && node.index == kNoRegister) node.immediate = 0x2000 + below(0x4000);
  if (node.address_size == 2) node.immediate &= 0xFFFF;
  node.segment = node.base == kEbp || node.base == kEsp ? u8{kSs} : u8{kDs};
  return add(node);
}

u16 IrGenerator::value(u8 size, bool memory) {
  switch (below(memory ? 3 : 2)) {
    case 0: return constant(size, size == 8 ? wide_number() : number());
    case 1: return get(size, any_register(size));
    default: return add({.op = Op::Load, .size = size, .a = address()});
  }
}

u16 IrGenerator::count() {
  return one_in(2) ? get(1, kEcx) : constant(1, below(one_in(3) ? (mode_.code64 ? 66 : 34) : 8));
}

Op IrGenerator::operation(Slot a, Slot b, Slot c, u8 size, bool with_flags) {
  std::vector<Op> fitting;
  for (unsigned i = 0; i < kOperations; ++i) {
    const Op op = static_cast<Op>(i);
    const OpInfo& row = info(op);
    if (row.result != Kind::Value || row.operands[0] != a || row.operands[1] != b || row.operands[2] != c) continue;
    if (row.has(kOpFaults) || row.reg != RegisterUse::None || (row.sizes >> size & 1) == 0) continue;
    if (op >= Op::Tzcnt && !x64::host_has_bit_instructions()) continue;
    if ((row.flags_defined != 0) == with_flags) fitting.push_back(op);
  }
  return fitting[below(static_cast<u32>(fitting.size()))];
}

// op place, value: the place is a register or memory.
void IrGenerator::arithmetic() {
  Op op{};
  u8 size = any_size();
  do {
    op = operation(Slot::Value, Slot::Value, Slot::None, size, true);
  } while (op == Op::Bsf || op == Op::Bsr);
  const bool bit = (info(op).sizes & 1u << 1) == 0;
  if (one_in(2)) {
    const u8 reg = any_register(size);
    const u16 right = value(size, !bit), left = get(size, reg);
    set(size, reg, add({.op = op, .size = size, .a = left, .b = right}));
  } else {
    const u16 right = value(size, false), place = address();
    const u16 left = add({.op = Op::LoadForWrite, .size = size, .a = place});
    add({.op = Op::Store, .size = size, .a = place, .b = add({.op = op, .size = size, .a = left, .b = right})});
  }
  flags_killed_ = info(op).flags_defined;
}

// What is computed for its flags alone. Back ends know comparisons, tests and BT.
void IrGenerator::compare() {
  const u8 size = any_size();
  const u16 left = value(size, true);
  const bool same = one_in(4);
  const u16 right =
      same ? left : value(size, info(nodes_[left].op).result == Kind::Value && nodes_[left].op != Op::Load);
  // An immediate is never the left operand.
  const u16 first = nodes_[left].op == Op::Constant ? get(size, any_register(size)) : left;
  const u16 second = same ? first : right;
  if (size != 1 && one_in(4) && nodes_[second].op != Op::Load) {
    add({.op = Op::Bt, .size = size, .a = first, .b = second});
    flags_killed_ = kCF;
    return;
  }
  add({.op = one_in(2) ? Op::Sub : Op::And, .size = size, .a = first, .b = second});
  flags_killed_ = kArithmeticFlags;
}

void IrGenerator::unary() {
  const u8 size = any_size();
  Op op{};
  do {
    op = operation(Slot::Value, Slot::None, Slot::None, size, !one_in(4));
  } while (op == Op::SignCopies && !mode_.code64);
  if (op == Op::SignCopies) {
    set(8, kEdx, add({.op = op, .size = 8, .a = get(8, kEax)}));
    return;
  }
  if (op == Op::ByteSwap || one_in(2)) {
    const u8 reg = any_register(size);
    set(size, reg, add({.op = op, .size = size, .a = get(size, reg)}));
  } else {
    const u16 place = address(), left = add({.op = Op::LoadForWrite, .size = size, .a = place});
    add({.op = Op::Store, .size = size, .a = place, .b = add({.op = op, .size = size, .a = left})});
  }
  flags_killed_ = info(op).flags_defined;
}

void IrGenerator::shift() {
  const u8 size = any_size();
  const Op op = operation(Slot::Value, Slot::Byte, Slot::None, size, true);
  u16 by = kNoValue;
  if (one_in(2)) {
    const u8 reg = any_register(size);
    const u16 left = get(size, reg);
    by = count();
    set(size, reg, add({.op = op, .size = size, .a = left, .b = by}));
  } else {
    const u16 place = address(), left = add({.op = Op::LoadForWrite, .size = size, .a = place});
    by = count();
    add({.op = Op::Store, .size = size, .a = place, .b = add({.op = op, .size = size, .a = left, .b = by})});
  }
  const bool certain = nodes_[by].op == Op::Constant && (nodes_[by].immediate & (size == 8 ? 63 : 31)) != 0;
  flags_killed_ = certain ? info(op).flags_defined : 0;
}

void IrGenerator::double_shift() {
  const u8 size = mode_.code64 && one_in(2) ? 8 : 4;
  const Op op = operation(Slot::Value, Slot::Value, Slot::Byte, size, true);
  const u8 reg = any_register(size);
  const u16 left = get(size, reg), filler = get(size, any_register(size));
  const u16 by = one_in(2) ? get(1, kEcx) : constant(1, 1 + below(8u * size - 1));
  set(size, reg, add({.op = op, .size = size, .a = left, .b = filler, .c = by}));
  flags_killed_ = nodes_[by].op == Op::Constant ? info(op).flags_defined : 0;
}

void IrGenerator::move() {
  const u8 size = any_size();
  switch (below(4)) {
    case 0: set(size, any_register(size), value(size, true)); break;
    case 1: {  // LEA
      const u8 bytes = mode_.code64 && one_in(2) ? 8 : 4;
      set(bytes, any_register(bytes), address());
      break;
    }
    default: {
      const u16 stored = value(size, false);
      add({.op = Op::Store, .size = size, .a = address(), .b = stored});
      break;
    }
  }
}

void IrGenerator::extend() {
  const u8 to = word_size(), from = to == 2 || one_in(2) ? 1 : to == 8 && one_in(2) ? 4 : 2;
  const u16 narrow = one_in(2) ? get(from, any_register(from)) : add({.op = Op::Load, .size = from, .a = address()});
  const Op op = one_in(2) ? Op::ZeroExtend : Op::SignExtend;
  set(to, any_register(to), add({.op = op, .size = to, .reg = from, .a = narrow}));
}

// One operand into both halves, or two into one register.
void IrGenerator::multiply() {
  const bool whole = one_in(2);
  const u8 size = whole ? any_size() : word_size(), high = size == 1 ? u8{4} : u8{kEdx};
  const u8 reg = whole ? u8{kEax} : any_register(size);
  const u16 right = whole ? get(size, any_register(size)) : value(size, true);
  const u16 left = get(size, nodes_[right].op == Op::Constant && !whole ? any_register(size) : reg);
  const u16 pair = add({.op = whole && one_in(2) ? Op::Mul : Op::Imul, .size = size, .a = left, .b = right});
  const u16 low = add({.op = Op::Low, .size = size, .a = pair}), upper = add({.op = Op::High, .size = size, .a = pair});
  set(size, reg, low);
  if (whole) set(size, high, upper);
  flags_killed_ = kArithmeticFlags;
}

void IrGenerator::divide() {
  const u8 size = any_size(), high = size == 1 ? u8{4} : u8{kEdx};
  const u16 divisor = get(size, any_register(size)), upper = get(size, high), low = get(size, kEax);
  const Op op = size == 1 || one_in(2) ? Op::Div : Op::Idiv;
  const u16 pair = add({.op = op, .size = size, .a = upper, .b = low, .c = divisor});
  const u16 quotient = add({.op = Op::Low, .size = size, .a = pair});
  const u16 rest = add({.op = Op::High, .size = size, .a = pair});
  set(size, kEax, quotient);
  set(size, high, rest);
}

void IrGenerator::bits() {
  const u8 size = word_size();
  if (one_in(2)) {
    const u8 reg = any_register(size);
    const u16 source = one_in(2) ? get(size, any_register(size)) : add({.op = Op::Load, .size = size, .a = address()});
    const Op op = one_in(2) ? Op::Bsf : Op::Bsr;
    const u16 found = add({.op = op, .size = size, .a = source, .b = get(size, reg)});
    if (mode_.code64 && size == 4) {
      const u16 any = add({.op = Op::Condition, .size = 1, .immediate = static_cast<u32>(Condition::NotEqual)});
      add({.op = Op::SetRegisterIf, .size = size, .reg = reg, .a = any, .b = found});
    } else {
      set(size, reg, found);
    }
    flags_killed_ = kArithmeticFlags;
    return;
  }
  const u16 index = get(size, any_register(size)), place = add({.op = Op::BitAddress, .size = size, .a = address()});
  nodes_[place].b = index;
  if (one_in(2)) {
    add({.op = Op::Bt, .size = size, .a = add({.op = Op::Load, .size = size, .a = place}), .b = index});
  } else {
    constexpr Op kChanges[] = {Op::Bts, Op::Btr, Op::Btc};
    const u16 left = add({.op = Op::LoadForWrite, .size = size, .a = place});
    const u16 changed = add({.op = kChanges[below(3)], .size = size, .a = left, .b = index});
    add({.op = Op::Store, .size = size, .a = place, .b = changed});
  }
  flags_killed_ = kCF;
}

// BMI2's operations without flags.
void IrGenerator::bit_fields() {
  if (!x64::host_has_bit_instructions()) return move();
  const u8 size = mode_.code64 && one_in(2) ? 8 : 4, reg = any_register(size);
  const u16 right = value(size, true);
  switch (below(3)) {
    case 0: {
      const u16 pair = add({.op = Op::Mulx, .size = size, .a = right});
      const u16 low = add({.op = Op::Low, .size = size, .a = pair}),
                high = add({.op = Op::High, .size = size, .a = pair});
      set(size, any_register(size), low);
      set(size, reg, high);
      break;
    }
    case 1: set(size, reg, add({.op = Op::Rorx, .size = size, .a = right, .immediate = below(8u * size)})); break;
    default: {
      const Op op = operation(Slot::Value, Slot::Value, Slot::None, size, false);
      const u16 left = value(size, nodes_[right].op != Op::Load);
      set(size, reg, add({.op = op, .size = size, .a = left, .b = right}));
      break;
    }
  }
}

void IrGenerator::stack() {
  const u8 size = stack_size();
  switch (mode_.code64 ? 2 + below(6) : below(8)) {
    case 0: add({.op = Op::PushAll, .size = size}); break;
    case 1: add({.op = Op::Enter, .size = size, .immediate = below(256)}); break;
    case 2: {  // LEAVE
      const u16 saved = add({.op = Op::Peek, .size = size, .reg = kEbp});
      const u8 pointer = mode_.code64 ? 8 : 4;
      add({.op = Op::SetStackPointer, .size = pointer, .reg = kEbp, .immediate = size});
      set(size, kEbp, saved);
      break;
    }
    case 3:
    case 4: set(size, any_register(size), add({.op = Op::Pop, .size = size})); break;
    default: {
      const u16 pushed = value(size, true);
      add({.op = Op::Push, .size = size, .a = pushed});
      break;
    }
  }
}

void IrGenerator::condition() {
  const u32 code = below(16);
  const u8 size = word_size();
  flags_read_ = flags_read_by(static_cast<Condition>(code));
  const auto truth = [&] { return add({.op = Op::Condition, .size = 1, .immediate = code}); };
  switch (below(3)) {
    case 0: set(1, any_register(1), add({.op = Op::Truth, .size = 1, .a = truth()})); break;
    case 1: {
      const u16 stored = add({.op = Op::Truth, .size = 1, .a = truth()});
      add({.op = Op::Store, .size = 1, .a = address(), .b = stored});
      break;
    }
    default: {
      const u8 reg = any_register(size);
      const u16 yes = one_in(2) ? get(size, any_register(size)) : add({.op = Op::Load, .size = size, .a = address()});
      const u16 no = get(size, reg), which = truth();
      set(size, reg, add({.op = Op::Select, .size = size, .a = which, .b = yes, .c = no}));
      break;
    }
  }
}

void IrGenerator::flags() {
  constexpr u8 kAh = 4;
  constexpr u32 kByte = kArithmeticFlags & ~u32{kOF};
  switch (below(3)) {
    case 0: {
      const u32 carry = below(3);
      add({.op = Op::SetCarry, .size = 1, .immediate = carry});
      flags_read_ = carry == 2 ? u32{kCF} : 0;
      flags_killed_ = kCF;
      break;
    }
    case 1:
      add({.op = Op::SetFlagsByte, .size = 1, .a = get(1, kAh)});
      flags_read_ = kOF;
      flags_killed_ = kByte;
      break;
    default:
      set(1, kAh, add({.op = Op::FlagsByte, .size = 1, .immediate = kByte}));
      flags_read_ = kByte;
      break;
  }
}

// XCHG, XADD, CMPXCHG.
void IrGenerator::exchange() {
  const u8 size = any_size(), reg = any_register(size);
  const bool memory = one_in(2);
  const u8 other = any_register(size);
  const u16 place = memory ? address() : kNoValue;
  const u16 old = memory ? add({.op = Op::LoadForWrite, .size = size, .a = place}) : get(size, other);
  const auto put = [&](u16 stored) {
    if (memory) {
      add({.op = Op::Store, .size = size, .a = place, .b = stored});
    } else {
      set(size, other, stored);
    }
  };
  switch (below(3)) {
    case 0: {
      const u16 mine = get(size, reg);
      set(size, reg, old);
      put(mine);
      break;
    }
    case 1: {
      const u16 sum = add({.op = Op::Add, .size = size, .a = old, .b = get(size, reg)});
      set(size, reg, old);
      put(sum);
      flags_killed_ = kArithmeticFlags;
      break;
    }
    default: {
      const u16 accumulator = get(size, kEax), replacement = get(size, reg);
      add({.op = Op::Sub, .size = size, .a = accumulator, .b = old});
      const u16 equal = add({.op = Op::Condition, .size = 1, .immediate = static_cast<u32>(Condition::Equal)});
      flags_killed_ = kArithmeticFlags;
      if (mode_.code64 && size == 4) {
        const u16 differ = add({.op = Op::Invert, .size = 1, .a = equal});
        add({.op = Op::SetRegisterIf, .size = size, .reg = kEax, .a = differ, .b = old});
        if (!memory) {
          add({.op = Op::SetRegisterIf, .size = size, .reg = other, .a = equal, .b = replacement});
          break;
        }
      } else {
        set(size, kEax, add({.op = Op::Select, .size = size, .a = equal, .b = accumulator, .c = old}));
      }
      put(add({.op = Op::Select, .size = size, .a = equal, .b = replacement, .c = old}));
      flags_killed_ = kArithmeticFlags;
      break;
    }
  }
}

void IrGenerator::string() {
  if (mode_.code64) return move();  // those of 64-bit code are not recorded yet
  const u8 size = any_size(), address_size = mode_.code32 == !one_in(8) ? 4 : 2;
  const auto load = [&](u8 reg) {
    const u8 segment = reg == kEsi ? u8{kDs} : u8{kEs};
    return add({.op = Op::StringLoad, .size = size, .reg = reg, .segment = segment, .address_size = address_size});
  };
  const auto store = [&](u16 stored) {
    add({.op = Op::StringStore, .size = size, .reg = kEdi, .segment = kEs, .b = stored, .address_size = address_size});
  };
  const auto advance = [&](u32 registers) {
    add({.op = Op::Advance, .size = size, .immediate = registers, .address_size = address_size});
  };
  constexpr u32 kSource = 1u << kEsi, kDestination = 1u << kEdi;
  switch (below(4)) {
    case 0:
      store(load(kEsi));
      advance(kSource | kDestination);
      break;
    case 1:
      store(get(size, kEax));
      advance(kDestination);
      break;
    case 2:
      set(size, kEax, load(kEsi));
      advance(kSource);
      break;
    default: {
      const u16 left = load(kEsi), right = load(kEdi);
      advance(kSource | kDestination);
      add({.op = Op::Sub, .size = size, .a = left, .b = right});
      flags_killed_ = kArithmeticFlags;
      break;
    }
  }
}

// To the block's own start, elsewhere in its page, or where a register says.
void IrGenerator::branch(u32 begin, u32 length, bool last) {
  branches_ = true;
  const u8 size = native_size();
  const u32 target = one_in(3) ? 0 : begin + length + below(64);
  const u32 code = below(16);
  const auto truth = [&] {
    flags_read_ = flags_read_by(static_cast<Condition>(code));
    return add({.op = Op::Condition, .size = 1, .immediate = code});
  };
  const auto counted = [&](u8 bytes) {
    return add({.op = Op::Invert, .size = 1, .a = add({.op = Op::ZeroCount, .size = bytes})});
  };
  switch (last ? below(6) : below(3)) {
    case 0: {
      u16 decides = counted(size);
      if (one_in(2)) {
        const u16 other = truth();
        decides = add({.op = Op::Both, .size = 1, .a = decides, .b = other});
      }
      add({.op = Op::JumpIfCounting, .size = size, .a = decides, .immediate = target, .address_size = size});
      break;
    }
    case 1:
    case 2: {
      const u16 decides = one_in(8) ? add({.op = Op::ZeroCount, .size = size}) : truth();
      add({.op = Op::JumpIf, .size = size, .a = decides, .immediate = target});
      break;
    }
    case 3: add({.op = Op::JumpTo, .size = size, .a = get(size, any_register(size))}); break;
    case 4: {
      const u16 to = add({.op = Op::TargetOf, .size = size, .immediate = target});
      const u16 next = add({.op = Op::NextInstruction, .size = size, .immediate = begin + length});
      add({.op = Op::Push, .size = size, .a = next});
      add({.op = Op::Call, .size = size, .a = to});
      break;
    }
    default: {
      const u16 to = add({.op = Op::TargetOf, .size = size, .immediate = target});
      add({.op = Op::JumpTo, .size = size, .a = to});
      break;
    }
  }
}

GeneratedBlock IrGenerator::block(unsigned instructions) {
  constexpr void (IrGenerator::*kKinds[])() = {
      &IrGenerator::arithmetic, &IrGenerator::arithmetic, &IrGenerator::compare,      &IrGenerator::unary,
      &IrGenerator::shift,      &IrGenerator::move,       &IrGenerator::move,         &IrGenerator::extend,
      &IrGenerator::multiply,   &IrGenerator::divide,     &IrGenerator::bits,         &IrGenerator::stack,
      &IrGenerator::stack,      &IrGenerator::condition,  &IrGenerator::condition,    &IrGenerator::flags,
      &IrGenerator::exchange,   &IrGenerator::string,     &IrGenerator::double_shift, &IrGenerator::bit_fields};
  constexpr u32 kLongest = 7;  // bytes
  GeneratedBlock made;
  made.ir.code32 = mode_.code32;
  made.ir.code64 = mode_.code64;
  u32 offset = 0;
  for (unsigned i = 0; i < instructions; ++i) {
    nodes_.clear();
    flags_read_ = flags_killed_ = 0;
    branches_ = false;
    const u32 length = 1 + below(kLongest);
    const bool last = i + 1 == instructions;
    if (last ? !one_in(4) : one_in(12)) {
      branch(offset, length, last);
    } else {
      (this->*kKinds[below(std::size(kKinds))])();
    }
    InsnIr insn;
    insn.offset = offset;
    insn.end = offset += length;
    insn.nodes = nodes_;
    summarise(insn);
    insn.branches = branches_;
    // What the nodes read and have not defined themselves.
    u32 defined = 0;
    for (const Node& n : nodes_) {
      flags_read_ |= flags_read(n) & ~defined;
      if (!info(n.op).has(kOpMaybeFlags)) defined |= flags_defined(n);
    }
    if (std::ranges::any_of(nodes_, [](const Node& n) { return n.op == Op::SetFlagsByte; })) flags_read_ |= kOF;
    insn.flags_read = flags_read_;
    insn.flags_killed = flags_killed_;
    made.ir.insns.push_back(insn);
    Insn decoded;
    decoded.length = static_cast<u8>(length);
    if (mode_.code64) decoded.flags = kInsnCode64 | kInsnAddress32 | kInsnAddress64;
    for (const Node& n : nodes_) {
      if (n.op == Op::BitAddress) decoded.reg = nodes_[n.b].reg;
      if (n.op == Op::Address) {
        decoded.base = n.base;
        decoded.index = n.index;
        decoded.scale = n.scale;
        decoded.displacement = n.immediate - (n.base == kRipRegister ? offset - length : 0);
        decoded.segment = n.segment;
        if (n.address_size == 4) decoded.flags &= static_cast<u16>(~u32{kInsnAddress64});
      }
      if (n.address_size == 2) decoded.address_mask = 0xFFFF;
    }
    made.insns.push_back(decoded);
  }
  for (std::size_t i = 0; i < made.insns.size(); ++i) made.ir.insns[i].insn = &made.insns[i];
  return made;
}

}  // namespace relic86::jit
