#include "tests/native/oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cpu/lazy_flags.h"

namespace relic86::native {

void mutate_result(const GuestCode& code, u16 row, CaseResult& result) {
  for (std::size_t i = 0; i < code.pieces.size(); ++i) {
    const Piece& piece = code.pieces[i];
    if (piece.row != row) continue;
    if (result.vector != kCompleted) {
      if (result.eip == code.starts[i]) result.error_code ^= 8;
      continue;
    }
    const InstructionRow& r = instruction_table()[row];
    const std::string_view operands = r.operands;
    if (operands.substr(0, 2) == "(V" || operands.substr(0, 2) == "(W") {
      result.fx.xmm[piece.bytes.back() & 7].bytes[3] ^= 0x10;
    } else if (uses_units(r)) {
      result.fx.st[0].bytes[7] ^= 0x20;
    } else if (r.flags_written != 0) {
      result.eflags ^= r.flags_written & (~r.flags_written + 1);
    } else {
      // RDTSCP's EAX is another one each time.
      result.gpr[(masked_registers(r) >> kEax & 1) != 0 ? kEsi : kEax] ^= 0x80;
    }
  }
}

Oracle::Oracle(const OracleOptions& options, HostRunner& host)
    : options_(options),
      host_(host),
      emulated_(options.engine, options.processor, options.host_units),
      batch_(options.seed, rows_of_group(options.group), options.seed),
      results_(kBatchCases) {
  const std::vector<u8> stop(kCodeSize, 0xF4);
  std::memcpy(host_.code().data(), stop.data(), stop.size());
  emulated_.write_code(0, stop);
}

OracleOutcome Oracle::run() {
  for (u64 batch = options_.first; outcome_.run < options_.count; ++batch) {
    const unsigned cases = static_cast<unsigned>(std::min<u64>(kBatchCases, options_.count - outcome_.run));
    batch_number_ = batch;
    make_batch(batch, cases);
    host_.start(cases);
    for (unsigned i = 0; i < cases; ++i) emulate(batch_.code_of(i), host_.inputs()[i], results_[i]);
    // Where the emulated side does not end, the host will not either.
    const bool endless = std::any_of(results_.begin(), results_.begin() + cases,
                                     [](const CaseResult& result) { return result.vector == kHung; });
    if (!host_.finish(endless ? HostRunner::kShortPatience : HostRunner::kPatience) && !host_batch(cases)) {
      fmt::print("batch {} of seed {}: the child died\n", batch, options_.seed);
      ++outcome_.differences;
      break;
    }
    compare_batch(cases);
  }
  return outcome_;
}

void Oracle::place(const GuestCode& code) {
  const u32 offset = code.slot * kSlotSize;
  std::memcpy(host_.code().data() + offset, code.bytes.data(), code.bytes.size());
  emulated_.write_code(offset, code.bytes);
}

void Oracle::make_batch(u64 batch, unsigned cases) {
  batch_.make(batch, cases, host_.inputs());
  for (const GuestCode& code : batch_.codes()) place(code);
}

void Oracle::emulate(const GuestCode& code, const CaseInput& input, CaseResult& result) {
  emulated_.run(input, result);
  settle_end(code, input, result);
  if (options_.mutate != kNoRow) mutate_result(code, options_.mutate, result);
}

// The child died or did not end: once more without the cases that met the stub's pages, which only the host has, and
// those that loop for ever, which then run alone.
bool Oracle::host_batch(unsigned cases) {
  std::vector<std::pair<unsigned, CaseInput>> endless;
  for (unsigned i = 0; i < cases; ++i) {
    if (results_[i].vector == kHung) endless.emplace_back(i, host_.inputs()[i]);
    if (met_foreign_pages(results_[i]) || results_[i].vector == kHung) {
      host_.inputs()[i] = idle_input(batch_.code_of(i));
    }
  }
  if (!host_.restart()) return false;
  host_.start(cases);
  if (!host_.finish() && !host_one_by_one(cases)) return false;
  for (const auto& [i, input] : endless) {
    const CaseInput first = host_.inputs()[0];
    const CaseResult result = host_.results()[0];
    const CaseResult alone = host_alone(input, results_[i]);
    host_.inputs()[0] = first;
    host_.results()[0] = result;
    host_.inputs()[i] = input;
    host_.results()[i] = alone;
  }
  return true;
}

// The child died again: alone, each case shows whether it was the one.
bool Oracle::host_one_by_one(unsigned cases) {
  const std::vector<CaseInput> inputs(host_.inputs().begin(), host_.inputs().begin() + cases);
  std::vector<CaseResult> results(cases);
  if (!host_.restart()) return false;
  for (unsigned i = 0; i < cases; ++i) results[i] = host_alone(inputs[i], results_[i]);
  std::copy(inputs.begin(), inputs.end(), host_.inputs().begin());
  std::copy(results.begin(), results.end(), host_.results().begin());
  return true;
}

// The host's result of one case; where it never ends, the emulated one as it stands if that does not end either.
CaseResult Oracle::host_alone(const CaseInput& input, const CaseResult& emulated) {
  host_.inputs()[0] = input;
  host_.start(1);
  const int patience = emulated.vector == kHung ? HostRunner::kShortPatience : HostRunner::kPatience;
  if (host_.finish(patience)) return host_.results()[0];
  CaseResult result = emulated;
  if (emulated.vector != kHung) result.vector = kChildDied;
  (void)host_.restart();
  return result;
}

void Oracle::compare_batch(unsigned cases) {
  std::vector<unsigned> failed;
  if (options_.recording != nullptr) record_batch(*options_.recording, batch_, host_.inputs().first(cases));
  for (unsigned i = 0; i < cases; ++i) {
    const GuestCode& code = batch_.code_of(i);
    const CaseResult& host = host_.results()[i];
    if (options_.recording != nullptr) record_result(*options_.recording, code, host_.inputs()[i], host);
    const Verdict verdict = compare(code, host_.inputs()[i], host, results_[i], options_.undefined);
    coverage_.count(code, host, verdict);
    ++outcome_.run;
    if (verdict == Verdict::Masked) ++outcome_.masked;
    if (verdict == Verdict::Skipped) {
      ++outcome_.skipped[static_cast<unsigned>(skip_reason(code, host, results_[i]))];
    }
    if (verdict == Verdict::Different) failed.push_back(i);
  }
  outcome_.differences += failed.size();
  std::vector<CaseInput> inputs;
  for (const unsigned i : failed) inputs.push_back(host_.inputs()[i]);
  for (std::size_t k = 0; k < failed.size(); ++k) failure(batch_.code_of(failed[k]), inputs[k]);
}

bool Oracle::differs(GuestCode& code, const CaseInput& given) {
  code.lay_out();
  place(code);
  CaseInput& input = host_.inputs()[0];
  input = given;
  input.eip = code.start();
  emulate(code, input, emulated_single_);
  host_single_ = host_alone(CaseInput(input), emulated_single_);
  return compare(code, input, host_single_, emulated_single_, options_.undefined) == Verdict::Different;
}

// Takes away the instructions that the difference does not need. Where one cannot go since others must keep their
// places, NOPs may take its own.
void Oracle::remove_pieces(GuestCode& code, const CaseInput& input) {
  for (std::size_t i = 0; i < code.pieces.size() && code.pieces.size() > 1;) {
    GuestCode fewer = code;
    fewer.pieces.erase(fewer.pieces.begin() + static_cast<std::ptrdiff_t>(i));
    if (differs(fewer, input)) {
      code = fewer;
      continue;
    }
    GuestCode padded = code;
    padded.pieces[i] = Piece{};
    padded.pieces[i].bytes.assign(code.pieces[i].bytes.size(), 0x90);
    if (differs(padded, input)) code = padded;
    ++i;
  }
}

// Takes away what the difference does not need: instructions, then registers, flags, memory and units, then what the
// simpler state made superfluous.
void Oracle::shrink(GuestCode& code, CaseInput& input) {
  remove_pieces(code, input);
  const auto attempt = [&](auto change) {
    CaseInput simpler = input;
    change(simpler);
    if (differs(code, simpler)) input = simpler;
  };
  for (unsigned r = 0; r < 8; ++r) attempt([r](CaseInput& c) { c.gpr[r] = 0; });
  attempt([](CaseInput& c) { c.eflags = 0x202; });
  attempt([](CaseInput& c) { std::memset(c.window, 0, sizeof c.window); });
  for (unsigned i = 0; i < kWindowSize; i += 32) {
    attempt([i](CaseInput& c) { std::memset(c.window + i, 0, 32); });
  }
  if (input.units) {
    attempt([](CaseInput& c) { c.fx = FxState{}; });
    attempt([](CaseInput& c) { c.fx.mxcsr = 0x1F80; });
    for (unsigned i = 0; i < 8; ++i) {
      attempt([i](CaseInput& c) { c.fx.st[i] = {}; });
      attempt([i](CaseInput& c) { c.fx.xmm[i] = {}; });
    }
  }
  if (code.pieces.size() > 1) remove_pieces(code, input);
}

u16 Oracle::last_row(const GuestCode& code) {
  u16 row = kNoRow;
  for (const Piece& piece : code.pieces) {
    if (piece.row != kNoRow) row = piece.row;
  }
  return row;
}

void Oracle::failure(const GuestCode& failing, const CaseInput& given) {
  // A row that was told thrice is only counted.
  if (outcome_.rows.size() >= 100 || options_.show == 0) return;
  GuestCode code = failing;
  CaseInput input = given;
  if (!differs(code, input)) {
    fmt::print("a difference that does not come again alone:\n{}{}", code.listing(), input_text(code, input));
    outcome_.rows.insert(last_row(code));
    --options_.show;
    return;
  }
  shrink(code, input);
  differs(code, input);
  outcome_.rows.insert(last_row(code));
  --options_.show;
  fmt::print("difference in {} (batch {}):\n{}{}{}\n", row_name(last_row(code)), batch_number_, code.listing(),
             input_text(code, input), differences(code, input, host_single_, emulated_single_));
}

}  // namespace relic86::native
