// relic86_native_oracle64: random instructions of 64-bit code on this host's processor and on the emulated one,
// compared bit by bit.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>

#include "tests/native/groups.h"
#include "tests/native64/comparison.h"
#include "tests/native64/emulated_runner.h"
#include "tests/native64/host_runner.h"
#include "tests/native64/inputs.h"

namespace {

using namespace relic86;
using namespace relic86::native64;

constexpr const char* kUsage =
    "usage: relic86_native_oracle64 --group G [--count N] [--seed S] [--first BATCH] [--show N] [--mutate ROW]\n"
    "                               [--engine interp|jit]\n"
    "  --group G     {}\n"
    "  --first BATCH begins with the batch that a difference named\n"
    "  --show N      failures that are shrunk and printed\n"
    "  --mutate ROW  breaks one row of the instruction table, by its number, on the emulated side\n"
    "  --rows        lists the rows of the group\n";

std::string usage() { return fmt::format(kUsage, fmt::join(native::group_names(), " ")); }

constexpr unsigned kCodes = 96, kCases = 2304;  // of a batch; case i runs code i % kCodes

struct Options {
  std::string group;
  u64 count = 100'000, seed = 1, first = 0;
  unsigned show = 10;
  u16 mutate = kNoRow;
  bool rows = false;
  Engine engine = Engine::Interpreter;
};

std::optional<u64> number(std::string_view text) {
  u64 value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

bool parse(std::span<char*> arguments, Options& options) {
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (name == "--rows") {
      options.rows = true;
      continue;
    }
    if (++i == arguments.size()) return false;
    const std::string value = arguments[i];
    const auto count = number(value);
    if (name == "--group")
      options.group = value;
    else if (name == "--count" && count)
      options.count = *count;
    else if (name == "--seed" && count)
      options.seed = *count;
    else if (name == "--first" && count)
      options.first = *count;
    else if (name == "--show" && count)
      options.show = static_cast<unsigned>(*count);
    else if (name == "--engine" && (value == "interp" || value == "jit"))
      options.engine = value == "jit" ? Engine::Translator : Engine::Interpreter;
    else if (name == "--mutate" && count && *count < instruction_table().size())
      options.mutate = static_cast<u16>(*count);
    else
      return false;
  }
  return !options.group.empty();
}

class Oracle {
 public:
  Oracle(const Options& options, HostRunner& host)
      : options_(options),
        host_(host),
        emulated_(options.engine, native::host_processor()),
        generator_(rows_of_group(options.group), emulated_.features(), emulated_.narrow()),
        inputs_(options.seed),
        results_(kCases) {
    const std::vector<u8> stop(kCodeSize, 0xF4);
    std::memcpy(host_.code().data(), stop.data(), stop.size());
  }

  bool run();  // false: a difference
  void report() const;

 private:
  void place(const GuestCode& code);
  void emulate(const GuestCode& code, const CaseInput& input, CaseResult& result);
  CaseResult host_alone(const CaseInput& input, const CaseResult& emulated);
  bool differs(GuestCode& code, const CaseInput& given);
  void shrink(GuestCode& code, CaseInput& input);
  void failure(GuestCode code, CaseInput input);
  void count_rows(const GuestCode& code, Verdict verdict);

  Options options_;
  HostRunner& host_;
  EmulatedRunner emulated_;
  CodeGenerator generator_;
  InputGenerator inputs_;
  std::vector<CaseResult> results_;
  u64 batch_ = 0, run_ = 0, masked_ = 0, skipped_ = 0, differences_ = 0;
  CaseResult host_single_{}, emulated_single_{};
  std::map<u16, u64> compared_, failed_;
};

void Oracle::place(const GuestCode& code) {
  const u32 offset = code.slot * kSlotSize;
  std::memcpy(host_.code().data() + offset, code.bytes.data(), code.bytes.size());
  emulated_.place(code);
}

void Oracle::emulate(const GuestCode& code, const CaseInput& input, CaseResult& result) {
  emulated_.run(code, input, result);
  if (options_.mutate == kNoRow || result.vector != kCompleted) return;
  for (const Piece& piece : code.pieces) {
    if (piece.row == options_.mutate) result.gpr[kEsi] ^= 0x100;
  }
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
  for (batch_ = options_.first; run_ < options_.count; ++batch_) {
    const unsigned cases = static_cast<unsigned>(std::min<u64>(kCases, options_.count - run_));
    const u64 seed = options_.seed * 0x100000001B3 + batch_;
    std::vector<GuestCode> codes;
    for (u32 slot = 0; slot < kCodes; ++slot) codes.push_back(generator_.make(slot * 2, seed * kCodes + slot));
    for (const GuestCode& code : codes) place(code);
    for (unsigned i = 0; i < cases; ++i) {
      const GuestCode& code = codes[i % kCodes];
      inputs_.make(code, (seed ^ 0x5555AAAA) * kCases + i, host_.inputs()[i]);
      emulate(code, host_.inputs()[i], results_[i]);
    }
    const bool endless = std::any_of(results_.begin(), results_.begin() + cases,
                                     [](const CaseResult& result) { return result.vector == kHung; });
    std::vector<CaseInput> inputs(host_.inputs().begin(), host_.inputs().begin() + cases);
    std::vector<CaseResult> results(cases);
    if (host_.run(cases, endless ? HostRunner::kShortPatience : HostRunner::kPatience)) {
      std::copy(host_.results().begin(), host_.results().begin() + cases, results.begin());
    } else {  // alone, each case shows whether it was the one
      for (unsigned i = 0; i < cases; ++i) results[i] = host_alone(inputs[i], results_[i]);
    }
    std::vector<unsigned> failed;
    for (unsigned i = 0; i < cases; ++i) {
      const Verdict verdict = compare(codes[i % kCodes], inputs[i], results[i], results_[i]);
      count_rows(codes[i % kCodes], verdict);
      ++run_;
      masked_ += verdict == Verdict::Masked ? 1 : 0;
      skipped_ += verdict == Verdict::Skipped ? 1 : 0;
      if (verdict == Verdict::Different) failed.push_back(i);
    }
    differences_ += failed.size();
    for (const unsigned i : failed) failure(codes[i % kCodes], inputs[i]);
  }
  return differences_ == 0;
}

void Oracle::report() const {
  const auto rows = rows_of_group(options_.group);
  for (const auto& [row, count] : failed_)
    fmt::print("row that differs: {} ({} cases)\n", native::row_name(row), count);
  const auto met = std::count_if(rows.begin(), rows.end(), [&](u16 row) { return compared_.contains(row); });
  fmt::print("{} of {} rows compared, {} cases not comparable\n", met, rows.size(), skipped_);
  fmt::print("{} run, {} masked, {} differences\n", run_, masked_, differences_);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse({argv, static_cast<std::size_t>(argc)}, options)) {
    std::fputs(usage().c_str(), stderr);
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (options.engine == Engine::Translator && !kHasTranslator) {
    std::fputs("relic86_native_oracle64: --engine jit: this build has no translator (RELIC86_JIT is off)\n", stderr);
    return 2;
  }
  const auto rows = rows_of_group(options.group);
  const auto names = native::group_names();
  if (rows.empty() && std::find(names.begin(), names.end(), options.group) != names.end()) {
    fmt::print(stderr, "relic86_native_oracle64: this host has none of the instructions of group '{}'\n",
               options.group);
    return 77;
  }
  if (rows.empty()) {
    fmt::print(stderr, "relic86_native_oracle64: no group '{}'\n{}", options.group, usage());
    return 2;
  }
  if (options.rows) {
    for (const u16 row : rows) fmt::print("{:4}  {}\n", row, native::row_name(row));
    return 0;
  }
  auto host = HostRunner::create(kCases);
  if (!host) {
    fmt::print(stderr, "relic86_native_oracle64: {}\n", host.error().message);
    return 77;
  }
  fmt::print("host {}\ngroup {} seed {}\n", native::host_processor().text(), options.group, options.seed);
  Oracle oracle(options, *host.value());
  const bool good = oracle.run();
  oracle.report();
  return good ? 0 : 1;
}
