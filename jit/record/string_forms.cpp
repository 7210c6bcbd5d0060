#include "jit/record/string_forms.h"

#include <string_view>

#include "cpu/instruction_table.h"
#include "cpu/state.h"
#include "jit/record/ir_builder.h"

namespace relic86::jit {

namespace {

constexpr u32 kSource = 1u << kEsi, kDestination = 1u << kEdi;

class StringRecorder {
 public:
  StringRecorder(InsnIr& ir, u8 size) : ir_(ir), size_(size), address_size_(address_size_of(*ir.insn)) {}

  u16 load(Gpr index) {
    const u8 segment = index == kEsi ? ir_.insn->segment : u8{kEs};
    return add({.op = Op::StringLoad, .size = size_, .reg = index, .segment = segment, .address_size = address_size_});
  }
  u16 accumulator() { return add({.op = Op::GetRegister, .size = size_, .reg = kEax}); }
  void set_accumulator(u16 value) { add({.op = Op::SetRegister, .size = size_, .reg = kEax, .a = value}); }
  void store(u16 value) {
    add({.op = Op::StringStore, .size = size_, .reg = kEdi, .segment = kEs, .b = value, .address_size = address_size_});
  }
  void compare(u16 left, u16 right) { add({.op = Op::Sub, .size = size_, .a = left, .b = right}); }
  void advance(u32 registers) {
    add({.op = Op::Advance, .size = size_, .immediate = registers, .address_size = address_size_});
  }
  void repeat(bool moves) {
    if (moves) {
      add({.op = Op::RepeatMove, .size = size_, .segment = ir_.insn->segment, .address_size = address_size_});
    } else {
      add({.op = Op::RepeatStore, .size = size_, .address_size = address_size_});
    }
  }

 private:
  u16 add(const Node& node) {
    ir_.nodes.push_back(node);
    return static_cast<u16>(ir_.nodes.size() - 1);
  }
  InsnIr& ir_;
  u8 size_, address_size_;
};

}  // namespace

bool record_string(InsnIr& ir, const Mode& mode, const VendorBehaviour& vendor) {
  const Insn& insn = *ir.insn;
  const std::string_view meaning = instruction_table()[insn.row].meaning;
  constexpr std::string_view kPrefix = "string_";
  if (!meaning.starts_with(kPrefix)) return false;
  const std::string_view name = meaning.substr(kPrefix.size(), 4);
  const bool byte = meaning.ends_with("_byte");
  StringRecorder r(ir, byte ? 1 : operand_size_of(insn));
  if (insn.repeats()) {
    const bool moves = name == "movs";
    if ((!moves && name != "stos") || mode.down || mode.aligned) return false;
    if (!mode.writes(kEs) || mode.expands_down(kEs)) return false;
    if (moves && (!mode.reads(insn.segment) || mode.expands_down(insn.segment))) return false;
    // Of 64-bit code with the usual addresses (jit/x64/string_thunks.h).
    if (mode.code64 && (!insn.address64() || (moves && !mode.flat(insn.segment)))) return false;
    r.repeat(moves);
    return true;
  }
  if (name == "movs") {
    r.store(r.load(kEsi));
    r.advance(kSource | kDestination);
  } else if (name == "stos") {
    r.store(r.accumulator());
    r.advance(kDestination);
  } else if (name == "lods") {
    r.set_accumulator(r.load(kEsi));
    r.advance(kSource);
  } else if (name == "cmps") {
    const bool source_first = vendor.compare_order == CompareOrder::SourceFirst;
    const u16 first = r.load(source_first ? kEsi : kEdi), second = r.load(source_first ? kEdi : kEsi);
    const u16 left = source_first ? first : second, right = source_first ? second : first;
    r.advance(kSource | kDestination);
    r.compare(left, right);
  } else if (name == "scas") {
    const u16 left = r.accumulator(), right = r.load(kEdi);
    r.advance(kDestination);
    r.compare(left, right);
  } else {
    return false;
  }
  return true;
}

}  // namespace relic86::jit
