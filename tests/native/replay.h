// Compares the emulated processor with a recording (recording_file.h) instead of a host.
#pragma once

#include <map>
#include <string>

#include "tests/native/coverage.h"
#include "tests/native/emulated_runner.h"
#include "tests/native/host_extras.h"
#include "tests/native/recording.h"

namespace relic86::native {

struct ReplayOptions {
  Engine engine = Engine::Interpreter;
  unsigned show = 10;  // differences printed
  HostUnits host_units = present_host_units();
  u16 mutate = kNoRow;  // this row's results are broken
};

struct ReplayOutcome {
  u64 run = 0, masked = 0, differences = 0;
  u64 changed = 0;  // cases that the generator makes otherwise than when they were recorded: not compared
  std::array<u64, static_cast<unsigned>(Skip::Count)> skipped{};
  // Differences in what the host's own unit computes and vendors compute differently, by the row's mnemonic. Only where
  // this host is not of the recorded vendor and family.
  std::map<std::string, u64> units{};
};

class Replay {
 public:
  Replay(Recording recording, const ReplayOptions& options);

  // Error: the recording is damaged, or too much of it belongs to another generator.
  Result<ReplayOutcome> run();
  const Coverage& coverage() const { return coverage_; }

 private:
  void run_batch(u64 batch, unsigned cases);
  void compare_case(unsigned number, bool same_input);

  Recording recording_;
  ReplayOptions options_;
  bool same_units_;  // as the recorded host's
  Batches batches_;
  EmulatedRunner emulated_;
  Coverage coverage_;
  std::vector<CaseInput> inputs_;
  ReplayOutcome outcome_;
};

}  // namespace relic86::native
