// What a run tells of the guest's program: --symbols, --profile, --coverage, --trace (docs/insight.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct Options;

struct TraceOption {
  std::string file;  // empty: none
  enum class Calls : u8 { Linux, Raw, Off } calls = Calls::Linux;
  bool interrupts = true;  // and exceptions
  u64 most = 1'000'000;    // spans
};

struct InsightOptions {
  struct Symbols {
    std::string file;
    u64 offset = 0;  // added to its addresses, modulo 2^64
  };
  std::vector<Symbols> symbols;
  std::string profile;               // a file for folded stacks; empty: none
  u64 profile_interval = 1'000'000;  // ns of guest time between two samples
  std::string coverage;              // a file; empty: none
  enum class CoverageFormat : u8 { Drcov, Lcov } coverage_format = CoverageFormat::Drcov;

  TraceOption trace;

  bool any() const { return !profile.empty() || !coverage.empty() || !trace.file.empty(); }
};

// --symbols FILE[,offset=N]: an ELF file or a list of symbols as nm and System.map have it.
Result<> add_symbols(Options& options, std::string_view value);
// --profile FILE[,every=N]: microseconds of guest time, 10 to 1,000,000.
Result<> set_profile(Options& options, std::string_view value);
// --coverage FILE[,format=drcov|lcov]; FILE.info is lcov's unless format= says otherwise.
Result<> set_coverage(Options& options, std::string_view value);
// --trace FILE.json[,calls=linux|raw|off][,interrupts=on|off][,most=N]. What follows QEMU's -trace, which is of QEMU's
// own events, gets a warning.
Result<> set_trace(Options& options, std::string_view value);

}  // namespace relic86
