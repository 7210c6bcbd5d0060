#include "tests/native64/oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "tests/native/groups.h"

namespace relic86::native64 {

void mutate_result(const GuestCode& code, u16 row, CaseResult& result) {
  if (row == kNoRow || result.vector != kCompleted) return;
  for (const Piece& piece : code.pieces) {
    if (piece.row == row) result.gpr[kEsi] ^= 0x100;
  }
}

Oracle::Oracle(const OracleOptions& options, HostRunner& host)
    : options_(options),
      host_(host),
      emulated_(options.engine, native::host_processor()),
      batches_(options.seed, rows_of_group(options.group), emulated_.features(), emulated_.decoding()),
      results_(Batches::kCases) {
  const std::vector<u8> stop(kCodeSize, 0xF4);
  std::memcpy(host_.code().data(), stop.data(), stop.size());
}

void Oracle::place(const GuestCode& code) {
  const u32 offset = code.slot * kSlotSize;
  std::memcpy(host_.code().data() + offset, code.bytes.data(), code.bytes.size());
  emulated_.place(code);
}

void Oracle::emulate(const GuestCode& code, const CaseInput& input, CaseResult& result) {
  emulated_.run(code, input, result);
  mutate_result(code, options_.mutate, result);
}

CaseResult Oracle::host_alone(const CaseInput& input, const CaseResult& emulated) {
  host_.inputs()[0] = input;
  const int patience = emulated.vector == kHung ? HostRunner::kShortPatience : HostRunner::kPatience;
  if (host_.run(1, patience)) return host_.results()[0];
  CaseResult result = emulated;
  if (emulated.vector != kHung) result.vector = kChildDied;
  return result;
}

bool Oracle::differs(GuestCode& code, const CaseInput& given) {
  code.lay_out();
  place(code);
  CaseInput input = given;
  input.rip = code.start();
  emulate(code, input, emulated_single_);
  host_single_ = host_alone(input, emulated_single_);
  return compare(code, input, host_single_, emulated_single_) == Verdict::Different;
}

void Oracle::shrink(GuestCode& code, CaseInput& input) {
  for (std::size_t i = 0; i < code.pieces.size() && code.pieces.size() > 1;) {
    GuestCode fewer = code;
    fewer.pieces.erase(fewer.pieces.begin() + static_cast<std::ptrdiff_t>(i));
    if (differs(fewer, input))
      code = fewer;
    else
      ++i;
  }
  const auto attempt = [&](auto change) {
    CaseInput simpler = input;
    change(simpler);
    if (differs(code, simpler)) input = simpler;
  };
  for (unsigned r = 0; r < kRegisters; ++r) attempt([r](CaseInput& c) { c.gpr[r] = 0; });
  attempt([](CaseInput& c) { c.rflags = 0x202; });
  for (unsigned i = 0; i < kWindowSize; i += 64) attempt([i](CaseInput& c) { std::memset(c.window + i, 0, 64); });
}

void Oracle::failure(GuestCode code, CaseInput input) {
  if (options_.show == 0) return;
  --options_.show;
  if (!differs(code, input)) {
    fmt::print("a difference that does not come again alone (batch {}):\n{}{}", batch_, code.listing(),
               input_text(input));
    return;
  }
  shrink(code, input);
  differs(code, input);
  fmt::print("difference (batch {}):\n{}{}{}\n", batch_, code.listing(), input_text(input),
             differences(code, input, host_single_, emulated_single_));
}

void Oracle::count_rows(const GuestCode& code, Verdict verdict) {
  if (verdict == Verdict::Skipped) return;
  for (const Piece& piece : code.pieces) ++(verdict == Verdict::Different ? failed_ : compared_)[piece.row];
}

bool Oracle::run() {
  for (batch_ = options_.first; run_ < options_.count; ++batch_)
    run_batch(static_cast<unsigned>(std::min<u64>(Batches::kCases, options_.count - run_)));
  return differences_ == 0;
}

void Oracle::run_batch(unsigned cases) {
  batches_.make(batch_, cases, host_.inputs());
  for (const GuestCode& code : batches_.codes()) place(code);
  for (unsigned i = 0; i < cases; ++i) emulate(batches_.code_of(i), host_.inputs()[i], results_[i]);
  const bool endless = std::any_of(results_.begin(), results_.begin() + cases,
                                   [](const CaseResult& result) { return result.vector == kHung; });
  std::vector<CaseInput> inputs(host_.inputs().begin(), host_.inputs().begin() + cases);
  std::vector<CaseResult> results(cases);
  if (host_.run(cases, endless ? HostRunner::kShortPatience : HostRunner::kPatience)) {
    std::copy(host_.results().begin(), host_.results().begin() + cases, results.begin());
  } else {  // alone, each case shows whether it was the one
    for (unsigned i = 0; i < cases; ++i) results[i] = host_alone(inputs[i], results_[i]);
  }
  if (options_.recording != nullptr) record_batch(*options_.recording, batches_, inputs);
  std::vector<unsigned> failed;
  for (unsigned i = 0; i < cases; ++i) {
    const GuestCode& code = batches_.code_of(i);
    if (options_.recording != nullptr) record_result(*options_.recording, code, inputs[i], results[i]);
    const Verdict verdict = compare(code, inputs[i], results[i], results_[i]);
    count_rows(code, verdict);
    ++run_;
    masked_ += verdict == Verdict::Masked ? 1 : 0;
    skipped_ += verdict == Verdict::Skipped ? 1 : 0;
    if (verdict == Verdict::Different) failed.push_back(i);
  }
  differences_ += failed.size();
  for (const unsigned i : failed) failure(batches_.code_of(i), inputs[i]);
}

void Oracle::report() const {
  const auto rows = rows_of_group(options_.group);
  for (const auto& [row, count] : failed_)
    fmt::print("row that differs: {} ({} cases)\n", native::row_name(row), count);
  const auto met = std::count_if(rows.begin(), rows.end(), [&](u16 row) { return compared_.contains(row); });
  fmt::print("{} of {} rows compared, {} cases not comparable\n", met, rows.size(), skipped_);
  fmt::print("{} run, {} masked, {} differences\n", run_, masked_, differences_);
}

}  // namespace relic86::native64
