#include "jit/system_forms.h"

#include <string_view>

#include "cpu/instruction_table.h"
#include "cpu/state.h"

namespace relic86::jit {

namespace {

constexpr u16 kFirst = 0;  // the first node of the instruction

void push_first(InsnIr& ir, u8 size) {
  ir.nodes.push_back({Op::Push, size, 0, kFirst});
  ir.writes_registers |= 1u << kEsp;
}

}  // namespace

bool record_system(InsnIr& ir, const Mode& mode) {
  const Insn& insn = *ir.insn;
  const std::string_view meaning = instruction_table()[insn.row].meaning;
  const u8 size = insn.operand32() ? 4 : 2;
  if (meaning == "push_segment") {
    ir.nodes.push_back({Op::Selector, size, insn.reg});
    push_first(ir, size);
    return true;
  }
  if (mode.user) return false;  // IOPL, or virtual-8086 mode
  if (meaning == "pushf") {
    ir.nodes.push_back({Op::FlagsImage, size});
    push_first(ir, size);
    return true;
  }
  if (meaning == "popf") {
    ir.nodes.push_back({Op::Peek, size, kEsp});
    ir.nodes.push_back({Op::SetFlags, size, 0, kFirst});
    ir.nodes.push_back({Op::SetStackPointer, 4, kEsp, kNoValue, kNoValue, kNoValue, size});
    ir.writes_registers |= 1u << kEsp;
    return true;
  }
  if (meaning == "cli") ir.nodes.push_back({Op::ClearInterrupts, 4});
  if (meaning == "sti") ir.nodes.push_back({Op::SetInterrupts, 4});
  return !ir.nodes.empty();
}

}  // namespace relic86::jit
