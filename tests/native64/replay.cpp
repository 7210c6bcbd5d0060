#include "tests/native64/replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/native/groups.h"
#include "tests/native/open_results.h"
#include "tests/native64/oracle.h"

namespace relic86::native64 {

Replay::Replay(native::Recording recording, const ReplayOptions& options)
    : recording_(std::move(recording)),
      options_(options),
      same_units_(native::same_units(recording_.header.processor)),
      rows_(native::recorded_rows(recording_.header)),
      emulated_(options.engine, recording_.header.processor),
      batches_(recording_.header.seed, rows_, emulated_.features(), emulated_.decoding()),
      inputs_(Batches::kCases) {}

std::string Replay::lacking() const {
  for (const u16 row : rows_) {
    if (row != kNoRow && (emulated_.features() & feature_bit(instruction_table()[row].feature)) == 0)
      return native::row_name(row);
  }
  return {};
}

Result<ReplayOutcome> Replay::run() {
  const u64 count = recording_.header.count;
  for (u64 batch = 0; batch * Batches::kCases < count && !recording_.damaged(); ++batch) {
    run_batch(batch, static_cast<unsigned>(std::min<u64>(Batches::kCases, count - batch * Batches::kCases)));
  }
  if (const auto judged = recording_.judge(outcome_.changed); !judged) return judged.error();
  return outcome_;
}

void Replay::run_batch(u64 batch, unsigned cases) {
  batches_.make(batch, cases, inputs_);
  std::vector<bool> same;
  for (unsigned slot = 0; slot < Batches::kCodes; ++slot) {
    same.push_back(recording_.checks.take(4) == check_of(batches_, slot, std::span(inputs_).first(cases)));
    emulated_.place(batches_.codes()[slot]);
  }
  for (unsigned i = 0; i < cases; ++i) compare_case(i, same[i % Batches::kCodes]);
}

void Replay::compare_case(unsigned number, bool same_input) {
  const GuestCode& code = batches_.code_of(number);
  const CaseInput& input = inputs_[number];
  CaseResult host{}, emulated{};
  take_result(recording_, code, input, host);
  if (recording_.damaged()) return;
  ++outcome_.run;
  if (!same_input) {
    ++outcome_.changed;
    return;
  }
  emulated_.run(code, input, emulated);
  mutate_result(code, options_.mutate, emulated);
  if (host.vector == kHung && emulated.vector == kHung) return;  // neither ends: where they stand means nothing
  const Verdict verdict = compare(code, input, host, emulated);
  if (verdict == Verdict::Masked) ++outcome_.masked;
  if (verdict == Verdict::Skipped) ++outcome_.skipped;
  if (verdict != Verdict::Different) return;
  if (const std::string_view name = same_units_ ? "" : native::open_result_in(code); !name.empty()) {
    ++outcome_.units[std::string(name)];
    return;
  }
  ++outcome_.differences;
  if (options_.show == 0) return;
  --options_.show;
  fmt::print("case {}:\n{}{}{}\n", outcome_.run - 1, code.listing(), input_text(input),
             differences(code, input, host, emulated));
}

}  // namespace relic86::native64
