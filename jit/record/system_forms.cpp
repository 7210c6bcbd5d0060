#include "jit/record/system_forms.h"

#include <algorithm>
#include <string_view>

#include "cpu/instruction_table.h"
#include "cpu/state.h"
#include "cpu/system_instructions.h"
#include "jit/record/ir_builder.h"

namespace relic86::jit {

namespace {

constexpr u16 kFirst = 0;  // the first node of the instruction

u16 last(const InsnIr& ir) { return static_cast<u16>(ir.nodes.size() - 1); }

// A selector from an operand: a general register or memory.
u16 push_selector(InsnIr& ir) {
  const Insn& insn = *ir.insn;
  ir.nodes.push_back(insn.memory() ? address_of(ir) : Node{.op = Op::GetRegister, .size = 2, .reg = insn.rm});
  return last(ir);
}

void push_first(InsnIr& ir, u8 size) { ir.nodes.push_back({.op = Op::Push, .size = size, .a = kFirst}); }

// LES, LDS, LFS, LGS. Where alignment is checked, offset and selector are looked at one by one: the handler does that.
bool record_far_pointer(InsnIr& ir, const Mode& mode, std::string_view meaning, u8 size) {
  struct Form {
    std::string_view meaning;
    SegmentName segment;
  };
  static constexpr Form kForms[] = {{"les", kEs}, {"lds", kDs}, {"lfs", kFs}, {"lgs", kGs}};
  const auto* const form = std::ranges::find(kForms, meaning, &Form::meaning);
  if (form == std::end(kForms) || !ir.insn->memory() || mode.aligned) return false;
  ir.nodes.push_back(address_of(ir));
  ir.nodes.push_back({.op = Op::LoadFar, .size = size, .reg = ir.insn->reg, .segment = form->segment, .a = kFirst});
  return true;
}

void record_adjust(InsnIr& ir) {
  const Insn& insn = *ir.insn;
  ir.nodes.push_back({.op = Op::CheckProtected, .size = 2});
  if (insn.memory()) {
    ir.nodes.push_back(address_of(ir));
    ir.nodes.push_back({.op = Op::Load, .size = 2, .a = last(ir)});
  } else {
    ir.nodes.push_back({.op = Op::GetRegister, .size = 2, .reg = insn.rm});
  }
  const u16 adjusted = last(ir);
  ir.nodes.push_back({.op = Op::GetRegister, .size = 2, .reg = insn.reg});
  const u8 reg = insn.memory() ? u8{kNoRegister} : insn.rm;
  ir.nodes.push_back({.op = Op::AdjustLevel, .size = 2, .reg = reg, .a = adjusted, .b = last(ir)});
}

// Of ES, DS, FS and GS; and what is asked of a selector.
bool record_segment(InsnIr& ir, const Mode& mode, const VendorBehaviour& vendor, std::string_view meaning) {
  const Insn& insn = *ir.insn;
  const u8 size = insn.operand32() ? 4 : 2;
  const bool verifies = meaning == "verr" || meaning == "verw";
  if (meaning == "sysenter" || (meaning == "sysexit" && !mode.user)) {
    if (!mode.code32 || !mode.flat_code) return false;
    ir.nodes.push_back({.op = Op::FastTransfer, .size = 4, .immediate = meaning == "sysexit" ? 1u : 0u});
    return true;
  }
  if (record_far_pointer(ir, mode, meaning, size)) return true;
  if (meaning == "lar" || meaning == "lsl") {
    const u16 selector = push_selector(ir);
    ir.nodes.push_back({.op = Op::DescribeSegment,
                        .size = size,
                        .reg = insn.reg,
                        .a = selector,
                        .immediate = meaning == "lsl" ? 1u : 0u});
    return true;
  }
  const bool data = insn.reg < kSegmentRegisters && insn.reg != kCs && insn.reg != kSs;
  const bool loads = meaning == "mov_to_segment" && data, pops = meaning == "pop_segment" && data;
  if (!verifies && !loads && !pops) return false;
  if (pops) {
    ir.nodes.push_back({.op = Op::PopSegment,
                        .size = size,
                        .segment = insn.reg,
                        .immediate = vendor.selectors_take_2_bytes ? kPopSelector : kPopSlot});
    return true;
  }
  const u16 selector = push_selector(ir);
  if (verifies) {
    ir.nodes.push_back({.op = Op::VerifySegment, .size = 2, .a = selector, .immediate = meaning == "verw" ? 1u : 0u});
  } else {
    ir.nodes.push_back({.op = Op::LoadSegment, .size = 2, .segment = insn.reg, .a = selector});
  }
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
      {"jmp_far", FarKind::Jump},           {"jmp_far_indirect", FarKind::Jump}, {"call_far", FarKind::Call},
      {"call_far_indirect", FarKind::Call}, {"ret_far", FarKind::Return},        {"iret", FarKind::InterruptReturn},
      {"int_n", FarKind::Interrupt},        {"int3", FarKind::Interrupt},        {"clts", FarKind::ClearTaskSwitched},
      {"lmsw", FarKind::MachineStatus},     {"mov_to_control", FarKind::Cr0}};
  const Form* const form = std::ranges::find(kForms, meaning, &Form::meaning);
  if (form == std::end(kForms)) return false;
  constexpr u8 kCr0 = 0;
  const bool unit_flags = sets_unit_flags(form->kind);
  if (unit_flags && (mode.user || insn.memory() || (meaning == "mov_to_control" && insn.reg != kCr0))) return false;
  const bool real = !mode.code32 && !insn.operand32() && form->kind <= FarKind::InterruptReturn;
  Node node{.op = real ? Op::FarTransfer : Op::DirectTransfer,
            .size = static_cast<u8>(insn.operand32() ? 4 : 2),
            .immediate = static_cast<u32>(form->kind)};
  const auto operand = [&ir](const Node& each) {
    ir.nodes.push_back(each);
    return last(ir);
  };
  const auto constant = [&operand](u8 bytes, u32 value) {
    return operand({.op = Op::Constant, .size = bytes, .immediate = value});
  };
  switch (form->kind) {
    case FarKind::Jump:
    case FarKind::Call:
      if (insn.memory()) {
        node.a = operand(address_of(ir));
      } else {
        node.b = constant(node.size, static_cast<u32>(insn.operand32() ? insn.immediate : insn.immediate & 0xFFFF));
        node.c = constant(2, insn.immediate2());
      }
      break;
    case FarKind::Return: node.b = constant(2, static_cast<u16>(insn.immediate)); break;
    case FarKind::MachineStatus:
    case FarKind::Cr0: node.b = operand({.op = Op::GetRegister, .size = 4, .reg = insn.rm}); break;
    default: break;
  }
  ir.nodes.push_back(node);
  return true;
}

// Of ring 0: descriptor tables' registers, what tells the mode.
bool record_registers(InsnIr& ir, std::string_view meaning) {
  const Insn& insn = *ir.insn;
  const bool loads = meaning == "lgdt" || meaning == "lidt", stores = meaning == "sgdt" || meaning == "sidt";
  if (loads || stores) {
    constexpr u8 kGlobal = 0, kInterrupts = 1;
    const TableMove move = !loads ? TableMove::Store : insn.operand32() ? TableMove::Load32 : TableMove::Load24;
    ir.nodes.push_back(address_of(ir));
    ir.nodes.push_back({.op = Op::TableRegister,
                        .size = 6,
                        .reg = meaning == "lidt" || meaning == "sidt" ? kInterrupts : kGlobal,
                        .a = kFirst,
                        .immediate = static_cast<u32>(move)});
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
  ir.nodes.push_back({.op = Op::SystemRegister, .size = size, .reg = insn.rm, .immediate = static_cast<u32>(source)});
  return true;
}

// CLI, STI, PUSHF, POPF.
bool record_flags(InsnIr& ir, const Mode& mode, std::string_view meaning) {
  const u8 size = operand_size_of(*ir.insn);
  if (meaning == "pushf") {
    ir.nodes.push_back({.op = Op::FlagsImage, .size = size});
    push_first(ir, size);
  } else if (meaning == "popf") {
    // Virtual-8086 mode is 16-bit code of ring 3.
    if (mode.user && !mode.code32) ir.nodes.push_back({.op = Op::CheckTrusted, .size = size});
    ir.nodes.push_back({.op = Op::Peek, .size = size, .reg = kEsp});
    ir.nodes.push_back({.op = Op::SetFlags, .size = size, .a = last(ir)});
    ir.nodes.push_back({.op = Op::SetStackPointer, .size = mode.pointer_bytes(), .reg = kEsp, .immediate = size});
  } else if (meaning == "cli") {
    ir.nodes.push_back({.op = Op::ClearInterrupts, .size = 4});
  } else if (meaning == "sti") {
    ir.nodes.push_back({.op = Op::SetInterrupts, .size = 4});
  }
  return !ir.nodes.empty();
}

// MOV from a segment register; SYSCALL, SYSRET, SWAPGS, STAC and CLAC of 64-bit code in the rings that they are for.
bool record_long(InsnIr& ir, const Mode& mode, std::string_view meaning) {
  constexpr u8 kR11 = 11;
  const Insn& insn = *ir.insn;
  if (meaning == "mov_from_segment" && insn.reg < kSegmentRegisters) {
    const u8 size = insn.memory() || !insn.operand32() ? 2 : 4;
    if (insn.memory()) ir.nodes.push_back(address_of(ir));
    ir.nodes.push_back({.op = Op::Selector, .size = size, .segment = insn.reg});
    const u16 selector = last(ir);
    if (insn.memory()) {
      ir.nodes.push_back({.op = Op::Store, .size = size, .a = kFirst, .b = selector});
    } else {
      ir.nodes.push_back({.op = Op::SetRegister, .size = size, .reg = insn.rm, .a = selector});
    }
  } else if (meaning == "swapgs" && !mode.user) {
    ir.nodes.push_back({.op = Op::SwapGs, .size = 8});
  } else if ((meaning == "stac" || meaning == "clac") && !mode.user) {
    ir.nodes.push_back({.op = Op::SetUserAccess, .size = 4, .immediate = meaning == "stac" ? 1u : 0u});
  } else if (mode.down || mode.aligned) {
    return false;
  } else if (meaning == "syscall" && mode.user) {
    ir.nodes.push_back({.op = Op::SystemCall, .size = 8, .reg = kR11});
  } else if (meaning == "sysret" && !mode.user && insn.operand64()) {
    ir.nodes.push_back({.op = Op::SystemReturn, .size = 8, .reg = kR11});
  }
  return !ir.nodes.empty();
}

}  // namespace

bool changes_segments(const Insn& insn) {
  constexpr Handler kHandlers[] = {
      mov_to_segment, pop_segment,     verr, verw, sysenter, sysexit, les, lds, lfs, lgs, lar, lsl, syscall, sysret,
      swapgs,         mov_from_segment};
  return std::ranges::find(kHandlers, insn.handler) != std::end(kHandlers);
}

bool is_watched_entry(const Insn& insn) {
  constexpr Handler kHandlers[] = {int_n, int3, int1, into, iret, syscall, sysret, sysenter, sysexit};
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
                                   stac,
                                   clac,
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
  if (record_flags(ir, mode, meaning)) return true;
  if (meaning == "cmpxchg8b" && mode.code64 == insn.operand64()) {
    ir.nodes.push_back(address_of(ir));
    ir.nodes.push_back({.op = Op::CompareExchange8, .size = static_cast<u8>(mode.code64 ? 16 : 8), .a = kFirst});
    return true;
  }
  if (mode.code64) return record_long(ir, mode, meaning);
  if (mode.long_mode) return false;  // descriptors are others there
  const u8 size = insn.operand32() ? 4 : 2;
  if (meaning == "push_segment") {
    const u8 stored = vendor.selectors_take_2_bytes ? 2 : size;
    ir.nodes.push_back({.op = Op::Selector, .size = stored, .segment = insn.reg});
    push_first(ir, stored);
    if (stored != size) ir.nodes.back().immediate = size;
    return true;
  }
  if (record_segment(ir, mode, vendor, meaning)) return true;
  if (record_far(ir, mode, meaning)) return true;
  if (!mode.user && record_registers(ir, meaning)) return true;
  if (meaning == "arpl") record_adjust(ir);
  return !ir.nodes.empty();
}

}  // namespace relic86::jit
