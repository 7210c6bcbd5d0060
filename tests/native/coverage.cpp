#include "tests/native/coverage.h"

#include <fmt/format.h>

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
  if (name == "fnsave" || name == "fnstenv" || name == "fxsave") text += "FOP FIP FCS FDP FDS";
  return text;
}

}  // namespace

Coverage::Coverage() : rows_(instruction_table().size()) {}

void Coverage::count(const GuestCode& code, const CaseResult& host, Verdict verdict) {
  if (verdict == Verdict::Skipped) return;
  for (std::size_t i = 0; i < code.pieces.size(); ++i) {
    const Piece& piece = code.pieces[i];
    Row& row = rows_[piece.row];
    const bool stopped = host.vector != kCompleted && host.eip == code.starts[i];
    ++(stopped ? row.faulted : row.completed);
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

unsigned Coverage::missing(std::string_view group) const {
  unsigned missing = 0;
  for (const u16 row : rows_of_group(group)) missing += rows_[row].completed + rows_[row].faulted == 0 ? 1 : 0;
  return missing;
}

}  // namespace relic86::native
