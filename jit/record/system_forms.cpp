#include "jit/record/system_forms.h"

#include <algorithm>
#include <string_view>

#include "cpu/instruction_table.h"
#include "cpu/state.h"
#include "cpu/system_instructions.h"

namespace relic86::jit {

namespace {

constexpr u16 kFirst = 0;  // the first node of the instruction

void push_first(InsnIr& ir, u8 size) {
  ir.nodes.push_back({Op::Push, size, 0, kFirst});
  ir.writes_registers |= 1u << kEsp;
}

// LES, LDS, LFS, LGS.
bool record_far_pointer(InsnIr& ir, std::string_view meaning, u8 size) {
  struct Form {
    std::string_view meaning;
    SegmentName segment;
  };
  static constexpr Form kForms[] = {{"les", kEs}, {"lds", kDs}, {"lfs", kFs}, {"lgs", kGs}};
  const auto* const form = std::ranges::find(kForms, meaning, &Form::meaning);
  if (form == std::end(kForms) || !ir.insn->memory()) return false;
  ir.nodes.push_back({Op::Address, 4});
  ir.nodes.push_back({Op::LoadFar, size, form->segment, kFirst});
  ir.writes_registers |= 1u << ir.insn->reg;
  return true;
}

// Of ES, DS, FS and GS; and what is asked of a selector.
bool record_segment(InsnIr& ir, const Mode& mode, std::string_view meaning) {
  const Insn& insn = *ir.insn;
  const u8 size = insn.operand32() ? 4 : 2;
  const bool from_memory = insn.memory();
  const bool verifies = meaning == "verr" || meaning == "verw";
  if (meaning == "sysenter" || (meaning == "sysexit" && !mode.user)) {
    if (!mode.code32 || !mode.flat_code) return false;
    ir.nodes.push_back({Op::FastTransfer, 4, 0, kNoValue, kNoValue, kNoValue, meaning == "sysexit" ? 1u : 0u});
    return true;
  }
  if (record_far_pointer(ir, meaning, size)) return true;
  if (meaning == "lar" || meaning == "lsl") {
    if (from_memory) ir.nodes.push_back({Op::Address, 4});
    Node node{Op::DescribeSegment, 2};
    if (from_memory) node.a = kFirst;
    node.immediate = meaning == "lsl" ? 1 : 0;
    ir.nodes.push_back(node);
    ir.writes_registers |= 1u << insn.reg;
    return true;
  }
  const bool data = insn.reg < kSegmentRegisters && insn.reg != kCs && insn.reg != kSs;
  const bool loads = meaning == "mov_to_segment" && data, pops = meaning == "pop_segment" && data;
  if (!verifies && !loads && !pops) return false;
  const bool address = from_memory && !pops;
  if (address) ir.nodes.push_back({Op::Address, 4});
  Node node{verifies ? Op::VerifySegment : Op::LoadSegment, pops ? size : u8{2}, insn.reg};
  if (address) node.a = kFirst;
  node.immediate = pops || meaning == "verw" ? 1 : 0;
  ir.nodes.push_back(node);
  if (pops) ir.writes_registers |= 1u << kEsp;
  return true;
}

}  // namespace

bool changes_segments(const Insn& insn) {
  constexpr Handler kHandlers[] = {
      mov_to_segment, pop_segment, verr, verw, sysenter, sysexit, les, lds, lfs, lgs, lar, lsl};
  return std::ranges::find(kHandlers, insn.handler) != std::end(kHandlers);
}

bool record_system(InsnIr& ir, const Mode& mode) {
  const Insn& insn = *ir.insn;
  const std::string_view meaning = instruction_table()[insn.row].meaning;
  const u8 size = insn.operand32() ? 4 : 2;
  if (meaning == "push_segment") {
    ir.nodes.push_back({Op::Selector, size, insn.reg});
    push_first(ir, size);
    return true;
  }
  if (record_segment(ir, mode, meaning)) return true;
  if (meaning == "cmpxchg8b") {
    ir.nodes.push_back({Op::Address, 4});
    ir.nodes.push_back({Op::CompareExchange8, 8, 0, kFirst});
    ir.writes_registers |= 1u << kEax | 1u << kEdx;
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
