#include "jit/record/native_forms.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "cpu/instruction_table.h"

namespace relic86::jit {

namespace {

using Unit = NativeForm::Unit;
using Special = NativeForm::Special;

struct Named {
  std::string_view meaning;
  NativeForm form;
};

constexpr NativeForm load(Unit unit, u8 bytes) {
  NativeForm form;
  form.unit = unit;
  form.bytes = bytes;
  return form;
}
constexpr NativeForm aligned(NativeForm form) {
  form.aligned = true;
  return form;
}
constexpr NativeForm store(Unit unit, u8 bytes) {
  NativeForm form = load(unit, bytes);
  form.store = true;
  return form;
}
constexpr NativeForm with_immediate(NativeForm form) {
  form.immediate = true;
  return form;
}
constexpr NativeForm compare(u8 bytes) {
  NativeForm form = load(Unit::Sse, bytes);
  form.compares = true;
  return form;
}
constexpr NativeForm to_general(NativeForm form) {
  form.general_reg = true;
  return form;
}
constexpr NativeForm general(NativeForm form) {
  form.general_rm = true;
  return form;
}
constexpr NativeForm special(Unit unit, Special what, u8 bytes = 0) {
  NativeForm form = load(unit, bytes);
  form.special = what;
  return form;
}

constexpr NativeForm kWhole = aligned(load(Unit::Sse, 16));

// By the cold function that the row names (cpu/insn_simd.def, cpu/insn_x87.def). MASKMOVQ, MASKMOVDQU, CLFLUSH,
// CVTPI2PS and CVTPI2PD (whose memory forms turn the x87 to MMX on some parts only) stay cold.
constexpr Named kForms[] = {
    {"simd_floating_16", kWhole},
    {"simd_floating_8", load(Unit::Sse, 8)},
    {"simd_floating_4", load(Unit::Sse, 4)},
    {"simd_xmm_16", kWhole},
    {"simd_xmm_8", load(Unit::Sse, 8)},
    {"simd_xmm_4", load(Unit::Sse, 4)},
    {"simd_mmx_8", load(Unit::Mmx, 8)},
    {"simd_mmx_4", load(Unit::Mmx, 4)},
    {"movups_load", load(Unit::Sse, 16)},
    {"movups_store", store(Unit::Sse, 16)},
    {"movss_load", load(Unit::Sse, 4)},
    {"movss_store", store(Unit::Sse, 4)},
    {"movsd_load", load(Unit::Sse, 8)},
    {"movsd_store", store(Unit::Sse, 8)},
    {"movlps_load", load(Unit::Sse, 8)},
    {"movlpd_load", load(Unit::Sse, 8)},
    {"movlps_store", store(Unit::Sse, 8)},
    {"movhps_load", load(Unit::Sse, 8)},
    {"movhpd_load", load(Unit::Sse, 8)},
    {"movhps_store", store(Unit::Sse, 8)},
    {"movaps_load", kWhole},
    {"movaps_store", aligned(store(Unit::Sse, 16))},
    {"movnt_store", aligned(store(Unit::Sse, 16))},
    {"movntq", store(Unit::Mmx, 8)},
    {"movd_to_mmx", general(load(Unit::Mmx, 4))},
    {"movd_from_mmx", general(store(Unit::Mmx, 4))},
    {"movd_to_xmm", general(load(Unit::Sse, 4))},
    {"movd_from_xmm", general(store(Unit::Sse, 4))},
    {"movq_mmx_load", load(Unit::Mmx, 8)},
    {"movq_mmx_store", store(Unit::Mmx, 8)},
    {"movq_xmm_load", load(Unit::Sse, 8)},
    {"movq_xmm_store", store(Unit::Sse, 8)},
    {"movq2dq", load(Unit::Mmx, 0)},
    {"movdq2q", load(Unit::Mmx, 0)},
    {"movmskps", to_general(load(Unit::Sse, 0))},
    {"movmskpd", to_general(load(Unit::Sse, 0))},
    {"pmovmskb_mmx", to_general(load(Unit::Mmx, 0))},
    {"pmovmskb_xmm", to_general(load(Unit::Sse, 0))},
    {"cvtsi2ss", general(load(Unit::Sse, 4))},
    {"cvtsi2sd", general(load(Unit::Sse, 4))},
    {"cvttps2pi", load(Unit::Mmx, 8)},
    {"cvtps2pi", load(Unit::Mmx, 8)},
    {"cvttpd2pi", aligned(load(Unit::Mmx, 16))},
    {"cvtpd2pi", aligned(load(Unit::Mmx, 16))},
    {"cvttss2si", to_general(load(Unit::Sse, 4))},
    {"cvtss2si", to_general(load(Unit::Sse, 4))},
    {"cvttsd2si", to_general(load(Unit::Sse, 8))},
    {"cvtsd2si", to_general(load(Unit::Sse, 8))},
    {"ucomiss", compare(4)},
    {"comiss", compare(4)},
    {"ucomisd", compare(8)},
    {"comisd", compare(8)},
    {"cmpps", with_immediate(kWhole)},
    {"cmppd", with_immediate(kWhole)},
    {"cmpss", with_immediate(load(Unit::Sse, 4))},
    {"cmpsd", with_immediate(load(Unit::Sse, 8))},
    {"shufps", with_immediate(kWhole)},
    {"shufpd", with_immediate(kWhole)},
    {"pshufd", with_immediate(kWhole)},
    {"pshufhw", with_immediate(kWhole)},
    {"pshuflw", with_immediate(kWhole)},
    {"pshufw", with_immediate(load(Unit::Mmx, 8))},
    {"pinsrw_mmx", with_immediate(general(load(Unit::Mmx, 2)))},
    {"pinsrw_xmm", with_immediate(general(load(Unit::Sse, 2)))},
    {"pextrw_mmx", with_immediate(to_general(load(Unit::Mmx, 0)))},
    {"pextrw_xmm", with_immediate(to_general(load(Unit::Sse, 0)))},
    {"palignr_mmx", with_immediate(load(Unit::Mmx, 8))},
    {"palignr_xmm", with_immediate(kWhole)},
    {"shift_imm_mmx_71", with_immediate(load(Unit::Mmx, 0))},
    {"shift_imm_mmx_72", with_immediate(load(Unit::Mmx, 0))},
    {"shift_imm_mmx_73", with_immediate(load(Unit::Mmx, 0))},
    {"shift_imm_xmm_71", with_immediate(load(Unit::Sse, 0))},
    {"shift_imm_xmm_72", with_immediate(load(Unit::Sse, 0))},
    {"shift_imm_xmm_73", with_immediate(load(Unit::Sse, 0))},
    {"emms", special(Unit::Mmx, Special::EmptyMmx)},
    {"ldmxcsr", special(Unit::Sse, Special::LoadMxcsr, 4)},
    {"stmxcsr", store(Unit::Sse, 4)},
    {"simd_fence", special(Unit::None, Special::Nothing)},
    {"x87_fldcw", special(Unit::X87, Special::LoadControl, 2)},
    {"x87_fnstcw", store(Unit::X87, 2)},
    {"x87_fnstsw_memory", store(Unit::X87, 2)},
    {"x87_fnclex", load(Unit::X87, 0)},
    {"x87_fninit", special(Unit::X87, Special::Initialise)},
    {"x87_fwait", special(Unit::X87, Special::Wait)},
    {"x87_no_operation", special(Unit::X87, Special::Nothing)},
};

// Memory operands of D8h to DFh by ModRM.reg (SDM 2 appendix A.5).
NativeForm x87_memory_form(u8 escape, unsigned reg) {
  NativeForm form = load(Unit::X87, 0);
  form.tracked = true;
  switch (escape) {
    case 0xD8:
    case 0xDA: form.bytes = 4; break;
    case 0xDC: form.bytes = 8; break;
    case 0xDE: form.bytes = 2; break;
    case 0xD9: form.bytes = 4; break;
    case 0xDB: form.bytes = reg >= 5 ? 10 : 4; break;
    case 0xDD: form.bytes = 8; break;
    default: form.bytes = reg <= 3 ? 2 : (reg & 1) != 0 ? 8 : 10; break;
  }
  const bool moves = (escape & 1) != 0;
  form.store = moves && (reg == 1 || reg == 2 || reg == 3 || reg == 6 || reg == 7);
  return form;
}

NativeForm x87_register_form(u8 escape, unsigned reg) {
  NativeForm form = load(Unit::X87, 0);
  form.tracked = true;
  form.compares = (escape == 0xDB || escape == 0xDF) && (reg == 5 || reg == 6);
  return form;
}

// Waiting instructions of the x87, all of MMX, and what computes with SSE.
bool may_trap(const NativeForm& form, std::string_view meaning) {
  switch (form.unit) {
    case Unit::X87: return form.tracked || form.special == Special::Wait || form.special == Special::LoadControl;
    case Unit::Mmx: return true;
    case Unit::Sse: {
      constexpr std::string_view kComputing[] = {"simd_floating", "cvt", "comis", "ucomis", "cmp"};
      return std::ranges::any_of(kComputing, [&](std::string_view prefix) { return meaning.starts_with(prefix); });
    }
    case Unit::None: return false;
  }
  return false;
}

NativeForm basic_form(const InstructionRow& row) {
  const std::string_view meaning = row.meaning;
  const unsigned reg = row.match & 7u;
  if (meaning.starts_with("x87_memory")) return x87_memory_form(row.opcode, reg);
  if (meaning.starts_with("x87_register")) return x87_register_form(row.opcode, reg);
  if (meaning == "x87_fnstsw_ax") {
    NativeForm form = load(Unit::X87, 0);
    form.status_to_ax = true;
    return form;
  }
  for (const Named& named : kForms) {
    if (named.meaning == meaning) return named.form;
  }
  return {};
}

NativeForm form_of(const InstructionRow& row) {
  NativeForm form = basic_form(row);
  form.traps = may_trap(form, row.meaning);
  return form;
}

const std::vector<NativeForm>& forms() {
  static const std::vector<NativeForm> table = [] {
    std::vector<NativeForm> all;
    for (const InstructionRow& row : instruction_table()) all.push_back(row.hot ? NativeForm{} : form_of(row));
    return all;
  }();
  return table;
}

}  // namespace

const NativeForm* native_form(const Insn& insn, const Mode& mode) {
  if (insn.row == kNoRow) return nullptr;
  const NativeForm& form = forms()[insn.row];
  // FCOMI leaves the flags alone when its unmasked exception comes: the host's flags are not the guest's then.
  if (mode.traps && form.unit == NativeForm::Unit::X87 && form.compares) return nullptr;
  switch (form.unit) {
    case Unit::None: return form.special == Special::None ? nullptr : &form;
    case Unit::X87:
    case Unit::Mmx:
      return mode.x87 && (instruction_table()[insn.row].feature < Feature::Sse || mode.sse) ? &form : nullptr;
    case Unit::Sse: return mode.sse ? &form : nullptr;
  }
  return nullptr;
}

u16 x87_opcode(const Insn& insn) {
  const unsigned escape = instruction_table()[insn.row].opcode & 7u;
  return static_cast<u16>(escape << 8 | insn.immediate2());  // the ModRM byte
}

bool changes_units(const Insn& insn) {
  if (insn.row == kNoRow) return false;
  const std::string_view meaning = instruction_table()[insn.row].meaning;
  return meaning == "x87_fldcw" || meaning == "x87_fldenv" || meaning == "x87_frstor" || meaning == "fxrstor" ||
         meaning == "ldmxcsr" || meaning == "x87_fnclex" || meaning == "x87_fninit";
}

}  // namespace relic86::jit
