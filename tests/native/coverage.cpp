#include "tests/native/coverage.h"

#include <fmt/format.h>

#include "cpu/cpuid.h"
#include "cpu/decoder.h"
#include "cpu/lazy_flags.h"
#include "tests/native/groups.h"

namespace relic86::native {

namespace {

std::string undefined_text(const InstructionRow& row) {
  std::string text;
  static constexpr std::pair<u32, const char*> kNames[] = {{kCF, "CF"}, {kPF, "PF"}, {kAF, "AF"},
                                                           {kZF, "ZF"}, {kSF, "SF"}, {kOF, "OF"}};
  for (const auto& [bit, name] : kNames) {
    if ((row.undefined.flags & bit) != 0) text += std::string(text.empty() ? "" : " ") + name;
  }
  const std::string_view name = row.mnemonic;
  for (unsigned i = 0; i < 4; ++i) {
    static constexpr const char* kRegisters[] = {"EAX", "ECX", "EDX", "EBX"};
    if ((masked_registers(row) >> i & 1) != 0) text += std::string(text.empty() ? "" : " ") + kRegisters[i];
  }
  if (name == "fnsave" || name == "fnstenv" || name == "fxsave") text += "FOP FIP FCS FDP FDS";
  return text;
}

enum FormBits : unsigned { kFormMemory = 1, kFormOperand32 = 2, kFormAddress32 = 4 };

// What of the decoded instruction makes a form of the row.
unsigned form_of(const InstructionRow& row, u16 insn_flags) {
  const std::string_view name = row.mnemonic;
  const bool sized = (row.match & kMatchPrefixes) == 0 && (row.traits & kTraitNoOperandPrefix) == 0;
  const bool counts = name == "loop" || name == "loope" || name == "loopne" || name == "jcxz";
  // MOV to and from control and debug registers takes ModRM.mod for 3.
  const bool memory = (insn_flags & kInsnMemory) != 0 && std::string_view(row.operands).find("Rd") == std::string::npos;
  const bool addressed =
      memory || (row.traits & kTraitString) != 0 || counts || name == "xlat" || row.immediate == ImmediateKind::Offset;
  return (memory ? kFormMemory : 0u) | (sized && (insn_flags & kInsnOperand32) != 0 ? kFormOperand32 : 0u) |
         (addressed && (insn_flags & kInsnAddress32) != 0 ? kFormAddress32 : 0u);
}

std::string form_text(const InstructionRow& row, unsigned form) {
  return fmt::format("{}, {}-bit operands, {}-bit addresses",
                     !row.modrm                  ? "no ModRM"
                     : (form & kFormMemory) != 0 ? "memory"
                                                 : "registers",
                     (form & kFormOperand32) != 0 ? 32 : 16, (form & kFormAddress32) != 0 ? 32 : 16);
}

// An encoding of the row, by mode and prefixes.
std::vector<u8> encoding(const InstructionRow& row, bool operand66, bool address67, bool memory) {
  std::vector<u8> bytes;
  if (address67) bytes.push_back(0x67);
  if (operand66 || (row.match & kMatch66) != 0) bytes.push_back(0x66);
  if ((row.match & kMatchF3) != 0) bytes.push_back(0xF3);
  if ((row.match & kMatchF2) != 0) bytes.push_back(0xF2);
  if (row.map != OpcodeMap::OneByte) bytes.push_back(0x0F);
  if (row.map == OpcodeMap::Escape38) bytes.push_back(0x38);
  if (row.map == OpcodeMap::Escape3A) bytes.push_back(0x3A);
  bytes.push_back(row.opcode);
  if (row.modrm) {
    const unsigned reg = (row.match & kMatchReg) != 0 ? row.match & 7u : 1;
    const unsigned rm = (row.match & kMatchRm) != 0 ? row.match >> 4 & 7u : 3;
    bytes.push_back(static_cast<u8>((memory ? 0 : 0xC0) | reg << 3 | rm));
  }
  bytes.resize(kMaxInstructionLength, 0);
  return bytes;
}

}  // namespace

Coverage::Coverage() : rows_(instruction_table().size()) { find_forms(); }

void Coverage::find_forms() {
  const Decoder decoder(find_cpu_model("max")->instructions);
  const auto table = instruction_table();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    for (unsigned variant = 0; variant < 16; ++variant) {
      Insn insn;
      if (decoder.decode(encoding(table[i], (variant & 1) != 0, (variant & 2) != 0, (variant & 4) != 0),
                         (variant & 8) != 0 ? CodeSize::Bits32 : CodeSize::Bits16, insn) &&
          insn.row == i) {
        rows_[i].possible[form_of(table[i], insn.flags)] = true;
      }
    }
  }
}

void Coverage::count(const GuestCode& code, const CaseResult& host, Verdict verdict) {
  if (verdict == Verdict::Skipped) return;
  for (std::size_t i = 0; i < code.pieces.size(); ++i) {
    const Piece& piece = code.pieces[i];
    Row& row = rows_[piece.row];
    const bool stopped = host.vector != kCompleted && host.eip == code.starts[i];
    ++(stopped ? row.faulted : row.completed);
    if (piece.decoded) ++row.forms[form_of(instruction_table()[piece.row], piece.insn_flags)];
    if (verdict == Verdict::Masked) ++row.masked;
    if (stopped) return;
  }
}

std::string Coverage::report(std::string_view group) const {
  std::string text = fmt::format("{:<44}{:>12}{:>12}{:>12}  {}\n", "row", "completed", "faulted", "masked", "masks");
  const auto table = instruction_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (group != "all" && group_of(table[i]) != group) continue;
    const std::string name = row_name(static_cast<u16>(i));
    if (const auto reason = not_comparable(table[i]); !reason.empty()) {
      text += fmt::format("{:<44}not compared: {}\n", name, reason);
      continue;
    }
    text += fmt::format("{:<44}{:>12}{:>12}{:>12}  {}\n", name, rows_[i].completed, rows_[i].faulted, rows_[i].masked,
                        undefined_text(table[i]));
  }
  return text;
}

std::string Coverage::summary(std::string_view group) const {
  std::string never;
  unsigned compared = 0, possible = 0;
  for (const u16 row : rows_of_group(group)) {
    const InstructionRow& r = instruction_table()[row];
    for (unsigned form = 0; form < kForms; ++form) {
      if (!rows_[row].possible[form]) continue;
      ++possible;
      if (rows_[row].forms[form] != 0) {
        ++compared;
      } else {
        never += fmt::format("never compared: {}: {}\n", row_name(row), form_text(r, form));
      }
    }
  }
  std::string text =
      fmt::format("{} of {} rows compared, {} of {} forms\n", rows_of_group(group).size() - missing(group),
                  rows_of_group(group).size(), compared, possible);
  text += never;
  const auto table = instruction_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const auto reason = not_comparable(table[i]);
    if (!reason.empty() && (group == "all" || group_of(table[i]) == group)) {
      text += fmt::format("cannot be compared: {}: {}\n", row_name(static_cast<u16>(i)), reason);
    }
  }
  return text;
}

unsigned Coverage::missing(std::string_view group) const {
  unsigned missing = 0;
  for (const u16 row : rows_of_group(group)) missing += rows_[row].completed + rows_[row].faulted == 0 ? 1 : 0;
  return missing;
}

}  // namespace relic86::native
