#include "jit/record/compound_forms.h"

#include <algorithm>
#include <iterator>

#include "cpu/integer_instructions.h"
#include "cpu/state.h"
#include "cpu/system_instructions.h"
#include "cpu/transfer.h"

namespace relic86::jit {

namespace {

constexpr u16 kFirst = 0;  // the first node of the instruction

Node with_immediate(Op op, u8 size, u32 immediate, u16 a = kNoValue) {
  return {op, size, 0, a, kNoValue, kNoValue, immediate};
}

void record_decimal(InsnIr& ir, Decimal kind) {
  ir.nodes.push_back(with_immediate(Op::FlagsImage, 1, 1));
  ir.nodes.push_back(with_immediate(Op::DecimalAdjust, 1, static_cast<u32>(kind), kFirst));
  ir.writes_registers |= 1u << kEax;
}

// AAM and AAD: flags as of the low digits.
bool record_digits(InsnIr& ir, bool divides) {
  const u32 base = ir.insn->immediate & 0xFF;
  if ((divides && base == 0) || ir.insn->patched_immediate()) return false;
  constexpr u8 kHigh = 4;  // AH
  ir.writes_registers |= 1u << kEax;
  if (divides) {
    ir.nodes.push_back(with_immediate(Op::DivideDigits, 1, base));
    ir.nodes.push_back({Op::GetRegister, 1, kEax});
    ir.nodes.push_back({Op::And, 1, 0, 1, 1});
    return true;
  }
  ir.nodes.push_back({Op::GetRegister, 1, kEax});
  ir.nodes.push_back(with_immediate(Op::MultiplyDigits, 1, base));
  ir.nodes.push_back({Op::Add, 1, 0, 0, 1});
  ir.nodes.push_back({Op::SetRegister, 1, kEax, 2});
  ir.nodes.push_back(with_immediate(Op::Constant, 1, 0));
  ir.nodes.push_back({Op::SetRegister, 1, kHigh, 4});
  return true;
}

bool record_enter(InsnIr& ir) {
  constexpr u32 kMost = 2048;  // bytes that are looked at as one piece
  const Insn& insn = *ir.insn;
  const u32 bytes = static_cast<u16>(insn.immediate);
  if ((insn.immediate2() & 31) != 0 || bytes > kMost || insn.patched_immediate()) return false;
  ir.nodes.push_back(with_immediate(Op::Enter, insn.operand32() ? 4 : 2, bytes));
  ir.writes_registers |= 1u << kEsp | 1u << kEbp;
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
    ir.nodes.push_back({Op::PushAll, size});
    ir.writes_registers |= 1u << kEsp;
  } else if (insn.handler == popa) {
    ir.nodes.push_back({Op::PopAll, size});
    ir.writes_registers |= 0xFF;
  } else if (insn.handler == enter) {
    return record_enter(ir);
  } else if (insn.handler == xlat) {
    ir.nodes.push_back({Op::TableLoad, 1});
    ir.nodes.push_back({Op::SetRegister, 1, kEax, kFirst});
    ir.writes_registers |= 1u << kEax;
  } else if (insn.handler == bound) {
    ir.nodes.push_back({Op::Address, 4});
    ir.nodes.push_back({Op::CheckBounds, size, 0, kFirst});
  } else if (insn.handler == into) {
    ir.nodes.push_back({Op::CheckOverflow, 1});
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
