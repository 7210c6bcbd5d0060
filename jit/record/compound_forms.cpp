#include "jit/record/compound_forms.h"

#include <algorithm>
#include <iterator>

#include "cpu/integer_instructions.h"
#include "cpu/state.h"
#include "cpu/system_instructions.h"
#include "cpu/transfer.h"
#include "jit/record/ir_builder.h"

namespace relic86::jit {

namespace {

constexpr u16 kFirst = 0;  // the first node of the instruction

void record_decimal(InsnIr& ir, Decimal kind) {
  const u32 flags = kind == Decimal::Daa || kind == Decimal::Das ? kCF | kAF : u32{kAF};
  ir.nodes.push_back({.op = Op::FlagsByte, .size = 1, .immediate = flags});
  ir.nodes.push_back({.op = Op::DecimalAdjust, .size = 1, .a = kFirst, .immediate = static_cast<u32>(kind)});
}

// AAM and AAD: flags as of the low digits.
bool record_digits(InsnIr& ir, bool divides) {
  const u32 base = static_cast<u8>(ir.insn->immediate);
  if ((divides && base == 0) || ir.insn->patched_immediate()) return false;
  constexpr u8 kHigh = 4;  // AH
  if (divides) {
    ir.nodes.push_back({.op = Op::DivideDigits, .size = 1, .immediate = base});
    ir.nodes.push_back({.op = Op::GetRegister, .size = 1, .reg = kEax});
    ir.nodes.push_back({.op = Op::And, .size = 1, .a = 1, .b = 1});
    return true;
  }
  ir.nodes.push_back({.op = Op::GetRegister, .size = 1, .reg = kEax});
  ir.nodes.push_back({.op = Op::MultiplyDigits, .size = 1, .immediate = base});
  ir.nodes.push_back({.op = Op::Add, .size = 1, .a = 0, .b = 1});
  ir.nodes.push_back({.op = Op::SetRegister, .size = 1, .reg = kEax, .a = 2});
  ir.nodes.push_back({.op = Op::Constant, .size = 1, .immediate = 0});
  ir.nodes.push_back({.op = Op::SetRegister, .size = 1, .reg = kHigh, .a = 4});
  return true;
}

bool record_enter(InsnIr& ir) {
  constexpr u32 kMost = 2048;  // bytes that are looked at as one piece
  const Insn& insn = *ir.insn;
  const u32 bytes = static_cast<u16>(insn.immediate);
  if ((insn.immediate2() & 31) != 0 || bytes > kMost || insn.patched_immediate()) return false;
  ir.nodes.push_back({.op = Op::Enter, .size = static_cast<u8>(insn.operand32() ? 4 : 2), .immediate = bytes});
  return true;
}

}  // namespace

bool is_compound(const Insn& insn) {
  constexpr Handler kHandlers[] = {pusha, popa, enter, xlat, bound, into, daa, das, aaa, aas, aam, aad};
  return std::ranges::find(kHandlers, insn.handler) != std::end(kHandlers);
}

bool record_compound(InsnIr& ir, const Mode&) {
  const Insn& insn = *ir.insn;
  const u8 size = insn.operand32() ? 4 : 2;
  if (insn.handler == pusha) {
    ir.nodes.push_back({.op = Op::PushAll, .size = size});
  } else if (insn.handler == popa) {
    ir.nodes.push_back({.op = Op::PopAll, .size = size});
  } else if (insn.handler == enter) {
    return record_enter(ir);
  } else if (insn.handler == xlat) {
    ir.nodes.push_back({.op = Op::TableLoad,
                        .size = 1,
                        .segment = insn.segment,
                        .address_size = static_cast<u8>(insn.address32() ? 4 : 2)});
    ir.nodes.push_back({.op = Op::SetRegister, .size = 1, .reg = kEax, .a = kFirst});
  } else if (insn.handler == bound) {
    ir.nodes.push_back(address_of(ir));
    ir.nodes.push_back({.op = Op::CheckBounds, .size = size, .reg = insn.reg, .a = kFirst});
  } else if (insn.handler == into) {
    ir.nodes.push_back({.op = Op::CheckOverflow, .size = 1});
  } else if (insn.handler == daa) {
    record_decimal(ir, Decimal::Daa);
  } else if (insn.handler == das) {
    record_decimal(ir, Decimal::Das);
  } else if (insn.handler == aaa) {
    record_decimal(ir, Decimal::Aaa);
  } else if (insn.handler == aas) {
    record_decimal(ir, Decimal::Aas);
  } else if (insn.handler == aam || insn.handler == aad) {
    return record_digits(ir, insn.handler == aam);
  }
  return !ir.nodes.empty();
}

}  // namespace relic86::jit
