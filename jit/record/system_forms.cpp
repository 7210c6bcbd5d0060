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

// LES, LDS, LFS, LGS. Where alignment is checked, offset and selector are looked at one by one: the handler does that.
bool record_far_pointer(InsnIr& ir, const Mode& mode, std::string_view meaning, u8 size) {
  struct Form {
    std::string_view meaning;
    SegmentName segment;
  };
  static constexpr Form kForms[] = {{"les", kEs}, {"lds", kDs}, {"lfs", kFs}, {"lgs", kGs}};
  const auto* const form = std::ranges::find(kForms, meaning, &Form::meaning);
  if (form == std::end(kForms) || !ir.insn->memory() || mode.aligned) return false;
  ir.nodes.push_back({Op::Address, 4});
  ir.nodes.push_back({Op::LoadFar, size, form->segment, kFirst});
  ir.writes_registers |= 1u << ir.insn->reg;
  return true;
}

void record_adjust(InsnIr& ir) {
  const Insn& insn = *ir.insn;
  ir.nodes.push_back({Op::CheckProtected, 2});
  if (insn.memory()) {
    ir.nodes.push_back({Op::Address, 4});
    ir.nodes.push_back({Op::Load, 2, 0, static_cast<u16>(ir.nodes.size() - 1)});
  } else {
    ir.nodes.push_back({Op::GetRegister, 2, insn.rm});
    ir.writes_registers |= 1u << insn.rm;
  }
  ir.nodes.push_back({Op::AdjustLevel, 2, 0, static_cast<u16>(ir.nodes.size() - 1)});
}

// Of ES, DS, FS and GS; and what is asked of a selector.
bool record_segment(InsnIr& ir, const Mode& mode, const VendorBehaviour& vendor, std::string_view meaning) {
  const Insn& insn = *ir.insn;
  const u8 size = insn.operand32() ? 4 : 2;
  const bool from_memory = insn.memory();
  const bool verifies = meaning == "verr" || meaning == "verw";
  if (meaning == "sysenter" || (meaning == "sysexit" && !mode.user)) {
    if (!mode.code32 || !mode.flat_code) return false;
    ir.nodes.push_back({Op::FastTransfer, 4, 0, kNoValue, kNoValue, kNoValue, meaning == "sysexit" ? 1u : 0u});
    return true;
  }
  if (record_far_pointer(ir, mode, meaning, size)) return true;
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
  if (pops) node.immediate = vendor.selectors_take_2_bytes ? kFromSlotsSelector : kFromSlot;
  if (meaning == "verw") node.immediate = 1;
  ir.nodes.push_back(node);
  if (pops) ir.writes_registers |= 1u << kEsp;
  return true;
}

// Far transfers, interrupts, and what changes CR0.TS. Those of 16-bit code may be real-mode ones: the back end asks.
bool record_far(InsnIr& ir, const Mode& mode, std::string_view meaning) {
  const Insn& insn = *ir.insn;
  struct Form {
    std::string_view meaning;
    FarKind kind;
  };
  static constexpr Form kForms[] = {
      {"jmp_far", FarKind::Jump},           {"jmp_far_indirect", FarKind::Jump},   {"call_far", FarKind::Call},
      {"call_far_indirect", FarKind::Call}, {"ret_far", FarKind::Return},          {"iret", FarKind::InterruptReturn},
      {"int_n", FarKind::Interrupt},        {"int3", FarKind::Interrupt},          {"clts", FarKind::UnitFlags},
      {"lmsw", FarKind::UnitFlags},         {"mov_to_control", FarKind::UnitFlags}};
  const Form* const form = std::ranges::find(kForms, meaning, &Form::meaning);
  if (form == std::end(kForms)) return false;
  constexpr u8 kCr0 = 0;
  const bool unit_flags = form->kind == FarKind::UnitFlags;
  if (unit_flags && (mode.user || insn.memory() || (meaning == "mov_to_control" && insn.reg != kCr0))) return false;
  const bool real = !mode.code32 && !insn.operand32() && form->kind <= FarKind::InterruptReturn;
  if (real && insn.memory()) ir.nodes.push_back({Op::Address, 4});
  Node node{real ? Op::FarTransfer : Op::DirectTransfer, insn.operand32() ? u8{4} : u8{2}, 0};
  if (real && insn.memory()) node.a = kFirst;
  node.immediate = static_cast<u32>(form->kind);
  ir.nodes.push_back(node);
  ir.writes_registers |= 1u << kEsp;
  return true;
}

// Of ring 0: descriptor tables' registers, what tells the mode.
bool record_registers(InsnIr& ir, std::string_view meaning) {
  const Insn& insn = *ir.insn;
  const bool loads = meaning == "lgdt" || meaning == "lidt", stores = meaning == "sgdt" || meaning == "sidt";
  if (loads || stores) {
    ir.nodes.push_back({Op::Address, 4});
    Node node{Op::TableRegister, 6, meaning == "lidt" || meaning == "sidt" ? u8{1} : u8{0}, kFirst};
    node.immediate = loads ? 1 : 0;
    ir.nodes.push_back(node);
    return true;
  }
  constexpr u8 kCr0 = 0, kCr2 = 2, kCr3 = 3;
  u8 size = insn.operand32() ? 4 : 2;
  SystemSource source{};
  if (meaning == "mov_from_control" && (insn.reg == kCr0 || insn.reg == kCr2 || insn.reg == kCr3)) {
    size = 4;
    source = insn.reg == kCr0 ? SystemSource::Cr0 : insn.reg == kCr2 ? SystemSource::Cr2 : SystemSource::Cr3;
  } else if (!insn.memory() && (meaning == "smsw" || meaning == "sldt" || meaning == "str")) {
    source = meaning == "smsw" ? SystemSource::Cr0 : meaning == "sldt" ? SystemSource::Ldtr : SystemSource::Tr;
  } else {
    return false;
  }
  Node node{Op::SystemRegister, size, insn.rm};
  node.immediate = static_cast<u32>(source);
  ir.nodes.push_back(node);
  ir.writes_registers |= 1u << insn.rm;
  return true;
}

}  // namespace

bool changes_segments(const Insn& insn) {
  constexpr Handler kHandlers[] = {
      mov_to_segment, pop_segment, verr, verw, sysenter, sysexit, les, lds, lfs, lgs, lar, lsl};
  return std::ranges::find(kHandlers, insn.handler) != std::end(kHandlers);
}

bool accesses_port(const Insn& insn) {
  constexpr Handler kHandlers[] = {in_immediate_byte,  in_immediate_full,  in_dx_byte,  in_dx_full,
                                   out_immediate_byte, out_immediate_full, out_dx_byte, out_dx_full};
  return std::ranges::find(kHandlers, insn.handler) != std::end(kHandlers);
}

bool leaves_flags_alone(const Insn& insn) {
  return accesses_port(insn) || insn.handler == lldt || insn.handler == invlpg;
}

bool concerns_system(const Insn& insn) {
  constexpr Handler kHandlers[] = {arpl,
                                   cli,
                                   sti,
                                   pushf,
                                   popf,
                                   lgdt,
                                   lidt,
                                   sgdt,
                                   sidt,
                                   smsw,
                                   sldt,
                                   str,
                                   mov_from_control,
                                   iret,
                                   ret_far,
                                   jmp_far,
                                   call_far,
                                   jmp_far_indirect,
                                   call_far_indirect};
  return std::ranges::find(kHandlers, insn.handler) != std::end(kHandlers);
}

bool record_system(InsnIr& ir, const Mode& mode, const VendorBehaviour& vendor) {
  const Insn& insn = *ir.insn;
  const std::string_view meaning = instruction_table()[insn.row].meaning;
  const u8 size = insn.operand32() ? 4 : 2;
  if (meaning == "push_segment") {
    const u8 stored = vendor.selectors_take_2_bytes ? 2 : size;
    ir.nodes.push_back({Op::Selector, stored, insn.reg});
    push_first(ir, stored);
    if (stored != size) ir.nodes.back().immediate = size;
    return true;
  }
  if (record_segment(ir, mode, vendor, meaning)) return true;
  if (meaning == "cmpxchg8b") {
    ir.nodes.push_back({Op::Address, 4});
    ir.nodes.push_back({Op::CompareExchange8, 8, 0, kFirst});
    ir.writes_registers |= 1u << kEax | 1u << kEdx;
    return true;
  }
  if (record_far(ir, mode, meaning)) return true;
  if (!mode.user && record_registers(ir, meaning)) return true;
  if (meaning == "pushf") {
    ir.nodes.push_back({Op::FlagsImage, size});
    push_first(ir, size);
    return true;
  }
  if (meaning == "popf") {
    // Virtual-8086 mode is 16-bit code of ring 3.
    if (mode.user && !mode.code32) ir.nodes.push_back({Op::CheckTrusted, size});
    const u16 popped = static_cast<u16>(ir.nodes.size());
    ir.nodes.push_back({Op::Peek, size, kEsp});
    ir.nodes.push_back({Op::SetFlags, size, 0, popped});
    ir.nodes.push_back({Op::SetStackPointer, 4, kEsp, kNoValue, kNoValue, kNoValue, size});
    ir.writes_registers |= 1u << kEsp;
    return true;
  }
  if (meaning == "arpl") record_adjust(ir);
  if (meaning == "cli") ir.nodes.push_back({Op::ClearInterrupts, 4});
  if (meaning == "sti") ir.nodes.push_back({Op::SetInterrupts, 4});
  return !ir.nodes.empty();
}

}  // namespace relic86::jit
