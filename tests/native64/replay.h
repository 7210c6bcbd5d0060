// Compares the emulated processor with a recording (recording.h) instead of a host.
#pragma once

#include <map>
#include <string>

#include "tests/native64/comparison.h"
#include "tests/native64/emulated_runner.h"
#include "tests/native64/recording.h"

namespace relic86::native64 {

struct ReplayOptions {
  Engine engine = Engine::Interpreter;
  unsigned show = 10;   // differences printed
  u16 mutate = kNoRow;  // this row's results are broken
};

struct ReplayOutcome {
  u64 run = 0, masked = 0, skipped = 0, differences = 0;
  u64 changed = 0;  // cases that the generator makes otherwise than when they were recorded: not compared
  // Differences in what the host's own unit computes and vendors compute differently, by the row's mnemonic. Only where
  // this host is not of the recorded vendor and family.
  std::map<std::string, u64> units{};
};

class Replay {
 public:
  Replay(native::Recording recording, const ReplayOptions& options);

  // A recorded instruction that the emulated processor lacks, because this host does; empty: there is none.
  std::string lacking() const;
  // Error: the recording is damaged, or too much of it belongs to another generator.
  Result<ReplayOutcome> run();

 private:
  void run_batch(u64 batch, unsigned cases);
  void compare_case(unsigned number, bool same_input);

  native::Recording recording_;
  ReplayOptions options_;
  bool same_units_;  // as the recorded host's
  std::vector<u16> rows_;
  EmulatedRunner emulated_;
  Batches batches_;
  std::vector<CaseInput> inputs_;
  ReplayOutcome outcome_;
};

}  // namespace relic86::native64
