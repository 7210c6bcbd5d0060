#include "jit/record/native_forms.h"

#include <string_view>
#include <vector>

#include "cpu/instruction_table.h"

namespace relic86::jit {

namespace {

using Unit = NativeForm::Unit;
using Special = NativeForm::Special;

Special special_of(UnitShape shape) {
  switch (shape & kShapeSpecial) {
    case kShapeNothing: return Special::Nothing;
    case kShapeWait: return Special::Wait;
    case kShapeLoadControl: return Special::LoadControl;
    case kShapeLoadMxcsr: return Special::LoadMxcsr;
    case kShapeInitialise: return Special::Initialise;
    case kShapeEmptyMmx: return Special::EmptyMmx;
    case kShapeZeroUpper: return Special::ZeroUpper;
    default: return Special::None;
  }
}

NativeForm form_of(const InstructionRow& row) {
  const UnitShape shape = row.shape;
  const auto has = [shape](UnitShapeBits bit) { return (shape & bit) != 0; };
  const auto prefixed = [&row](u32 match) { return (row.match & match) != 0; };
  NativeForm form;
  form.unit = has(kShapeX87)   ? Unit::X87
              : has(kShapeMmx) ? Unit::Mmx
              : has(kShapeSse) ? Unit::Sse
              : has(kShapeAvx) ? Unit::Avx
                               : Unit::None;
  form.special = special_of(shape);
  form.bytes = shape & kShapeBytes;
  form.aligned = has(kShapeAligned);
  form.store = has(kShapeStore);
  form.general_rm = has(kShapeGeneralRm);
  form.general_reg = has(kShapeGeneralReg);
  form.immediate = has(kShapeImmediate) || (has(kShapeAvx) && row.immediate != ImmediateKind::None);
  form.compares = has(kShapeCompares);
  form.tracked = has(kShapeTracked);
  form.status_to_ax = has(kShapeStatusToAx);
  form.traps = has(kShapeTraps);
  form.prefix = prefixed(kMatch66) ? 0x66 : prefixed(kMatchF3) ? 0xF3 : prefixed(kMatchF2) ? 0xF2 : 0;
  form.vex = has(kShapeAvx);
  form.vex_w = prefixed(kMatchW1);
  form.length = has(kShapeLength);
  form.writes_vector = form.vex && !form.store && !form.general_reg && !form.compares && form.special == Special::None;
  form.doubles = has(kShapeDoubles);
  form.by_w = has(kShapeByW);
  form.fourth = form.vex && std::string_view(row.operands).find("Lx") != std::string_view::npos;
  form.map = row.map;
  form.opcode = row.opcode;
  form.modrm = row.modrm;
  return form;
}

const std::vector<NativeForm>& forms() {
  static const std::vector<NativeForm> table = [] {
    std::vector<NativeForm> all;
    for (const InstructionRow& row : instruction_table()) all.push_back(form_of(row));
    return all;
  }();
  return table;
}

}  // namespace

const NativeForm* native_form(const Insn& insn, const Mode& mode, const VendorBehaviour& vendor) {
  if (insn.row == kNoRow) return nullptr;
  const NativeForm& form = forms()[insn.row];
  // What a call of the handler leaves in the flags is not the host's comparison, of which operands that are not
  // fetched by themselves may become one.
  if (form.compares && native_bytes(form, insn) > kFetchedBytes) return nullptr;
  // FCOMI leaves the flags alone when its unmasked exception comes: the host's flags are not the guest's then.
  if (mode.traps && form.unit == NativeForm::Unit::X87 && form.compares) return nullptr;
  switch (form.unit) {
    case Unit::None: return form.special == Special::None ? nullptr : &form;
    case Unit::X87:
    case Unit::Mmx:
      return mode.x87 && (instruction_table()[insn.row].feature < Feature::Sse || mode.sse) ? &form : nullptr;
    case Unit::Sse: return mode.sse ? &form : nullptr;
    case Unit::Avx:
      // Which alignment a vector of 32 bytes wants with EFLAGS.AC is the handler's to know.
      if (!mode.avx || (mode.aligned && insn.memory())) return nullptr;
      // Code that stores looks at the memory first. Of stores with a VEX prefix VCVTPS2PH alone raises exceptions.
      return form.traps && form.store && insn.memory() && vendor.converts_before_storing ? nullptr : &form;
  }
  return nullptr;
}

u8 native_bytes(const NativeForm& form, const Insn& insn) {
  if (!insn.memory()) return 0;
  unsigned bytes = form.bytes;
  if (form.doubles && insn.vector256()) bytes *= 2;
  if (form.general_rm && insn.operand64()) {
    constexpr unsigned kDoubleword = 4;  // MOVD and the conversions from integers
    if (form.vex ? form.by_w : bytes == kDoubleword) bytes *= 2;
  }
  return static_cast<u8>(bytes);
}

u16 x87_opcode(const Insn& insn) {
  const unsigned escape = instruction_table()[insn.row].opcode & 7u;
  return static_cast<u16>(escape << 8 | insn.immediate2());  // the ModRM byte
}

bool changes_units(const Insn& insn) {
  return insn.row != kNoRow && (instruction_table()[insn.row].shape & kShapeMasks) != 0;
}

}  // namespace relic86::jit
