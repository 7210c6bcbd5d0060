#include "tests/native/replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/native/comparison.h"
#include "tests/native/open_results.h"
#include "tests/native/oracle.h"

namespace relic86::native {

Replay::Replay(Recording recording, const ReplayOptions& options)
    : recording_(std::move(recording)),
      options_(options),
      same_units_(same_units(recording_.header.processor)),
      batches_(recording_.header.seed, recorded_rows(recording_.header), recording_.header.seed),
      emulated_(options.engine, recording_.header.processor, options.host_units),
      inputs_(Batches::kCases) {
  const std::vector<u8> stop(kCodeSize, 0xF4);
  emulated_.write_code(0, stop);
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
    const GuestCode& code = batches_.codes()[slot];
    same.push_back(recording_.checks.take(4) == check_of(batches_, slot, std::span(inputs_).first(cases)));
    emulated_.write_code(code.slot * kSlotSize, code.bytes);
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
  emulated_.run(input, emulated);
  settle_end(code, input, emulated);
  if (options_.mutate != kNoRow) mutate_result(code, options_.mutate, emulated);
  if (host.vector == kHung && emulated.vector == kHung) return;  // neither ends: where they stand means nothing
  const Verdict verdict = compare(code, input, host, emulated, false);
  coverage_.count(code, host, verdict);
  if (verdict == Verdict::Masked) ++outcome_.masked;
  if (verdict == Verdict::Skipped) ++outcome_.skipped[static_cast<unsigned>(skip_reason(code, host, emulated))];
  if (verdict != Verdict::Different) return;
  if (const std::string_view name = same_units_ ? "" : open_result_in(code); !name.empty()) {
    ++outcome_.units[std::string(name)];
    return;
  }
  ++outcome_.differences;
  if (options_.show == 0) return;
  --options_.show;
  fmt::print("case {}:\n{}{}{}\n", outcome_.run - 1, code.listing(), input_text(code, input),
             differences(code, input, host, emulated));
}

}  // namespace relic86::native
