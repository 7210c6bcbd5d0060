#include "tests/native/replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/native/comparison.h"
#include "tests/native/oracle.h"

namespace relic86::native {

namespace {

// Computed by the host's unit, and left open by the manuals to the last bits: transcendental functions and
// approximations (SDM 1 8.3.10, SDM 2 RCPPS), how far FPREM comes at once (SDM 2, FPREM), FBLD of what are no digits.
constexpr std::string_view kOpenResults[] = {"fsin",  "fcos",  "fsincos", "fptan",   "fpatan",
                                             "f2xm1", "fyl2x", "fyl2xp1", "fprem",   "fprem1",
                                             "fbld",  "rcpps", "rcpss",   "rsqrtps", "rsqrtss"};

// By name: the table has other rows on another day.
std::vector<u16> rows_of(const std::vector<std::string>& names) {
  std::map<std::string, u16> all;
  for (u16 row = 0; row < instruction_table().size(); ++row) all.emplace(row_name(row), row);
  all.emplace("B8 mov (Zv, Iz)", all.at("B8 mov (Zv, Iv)"));  // as it was called before 64-bit operands
  std::vector<u16> rows;
  for (const std::string& name : names) {
    const auto found = all.find(name);
    rows.push_back(found == all.end() ? kNoRow : found->second);
  }
  return rows;
}

bool same_unit(const Processor& recorded) {
  const Processor host = host_processor();
  return host.vendor == recorded.vendor && host.family == recorded.family;
}

}  // namespace

Replay::Replay(RecordingReader recording, const ReplayOptions& options)
    : recording_(std::move(recording)),
      options_(options),
      same_units_(same_unit(recording_.header().processor)),
      batches_(rows_of(recording_.header().rows), recording_.header().seed),
      emulated_(options.engine, recording_.header().processor, options.host_units),
      inputs_(Batches::kCases) {
  const std::vector<u8> stop(kCodeSize, 0xF4);
  emulated_.write_code(0, stop);
}

Result<ReplayOutcome> Replay::run() {
  const u64 count = recording_.header().count;
  for (u64 batch = 0; batch * Batches::kCases < count && !recording_.damaged(); ++batch) {
    run_batch(batch, static_cast<unsigned>(std::min<u64>(Batches::kCases, count - batch * Batches::kCases)));
  }
  if (recording_.damaged()) return Error{"the recording ends too early: it is damaged; record it again"};
  constexpr u64 kMostChanged = 20;  // percent
  if (outcome_.changed * 100 > count * kMostChanged) {
    return Error{fmt::format("{} of {} cases are made otherwise than when they were recorded; record them again",
                             outcome_.changed, count)};
  }
  return outcome_;
}

void Replay::run_batch(u64 batch, unsigned cases) {
  batches_.make(batch, cases, inputs_);
  std::vector<bool> same;
  for (unsigned slot = 0; slot < Batches::kCodes; ++slot) {
    const GuestCode& code = batches_.codes()[slot];
    same.push_back(recording_.next_check() == check_of(batches_, slot, std::span(inputs_).first(cases)));
    emulated_.write_code(code.slot * kSlotSize, code.bytes);
  }
  for (unsigned i = 0; i < cases; ++i) compare_case(i, same[i % Batches::kCodes]);
}

// The first of the code's instructions whose result is the host's own; empty: none.
std::string Replay::other_unit(const GuestCode& code) const {
  for (const Piece& piece : code.pieces) {
    if (same_units_ || piece.row == kNoRow) continue;
    const std::string_view name = instruction_table()[piece.row].mnemonic;
    if (std::find(std::begin(kOpenResults), std::end(kOpenResults), name) != std::end(kOpenResults))
      return std::string(name);
  }
  return {};
}

void Replay::compare_case(unsigned number, bool same_input) {
  const GuestCode& code = batches_.code_of(number);
  const CaseInput& input = inputs_[number];
  CaseResult host{}, emulated{};
  recording_.next(code, input, host);
  if (recording_.damaged()) return;
  ++outcome_.run;
  if (!same_input) {
    ++outcome_.changed;
    return;
  }
  emulated_.run(input, emulated);
  settle_end(code, input, emulated);
  if (options_.mutate != kNoRow) mutate_result(code, options_.mutate, emulated);
  if (host.vector == kHung && emulated.vector == kHung) return;  // neither ends: where they stand means nothing
  const Verdict verdict = compare(code, input, host, emulated, false);
  coverage_.count(code, host, verdict);
  if (verdict == Verdict::Masked) ++outcome_.masked;
  if (verdict == Verdict::Skipped) ++outcome_.skipped[static_cast<unsigned>(skip_reason(code, host, emulated))];
  if (verdict != Verdict::Different) return;
  if (const std::string name = other_unit(code); !name.empty()) {
    ++outcome_.units[name];
    return;
  }
  ++outcome_.differences;
  if (options_.show == 0) return;
  --options_.show;
  fmt::print("case {}:\n{}{}{}\n", outcome_.run - 1, code.listing(), input_text(code, input),
             differences(code, input, host, emulated));
}

}  // namespace relic86::native
