// The oracle's loop: batches of cases on both sides, compared; failures shrunk and told.
#pragma once

#include <map>
#include <string>

#include "tests/native64/batches.h"
#include "tests/native64/comparison.h"
#include "tests/native64/emulated_runner.h"
#include "tests/native64/host_runner.h"
#include "tests/native64/recording.h"

namespace relic86::native64 {

struct OracleOptions {
  std::string group{};
  u64 count = 100'000, seed = 1;
  u64 first = 0;        // batch to begin with
  unsigned show = 10;   // failures printed
  u16 mutate = kNoRow;  // this row's results are broken on the emulated side
  Engine engine = Engine::Interpreter;
  native::Recording* recording = nullptr;  // takes down what the host does
};

// Breaks what a row does, as a wrong line in its semantics would.
void mutate_result(const GuestCode& code, u16 row, CaseResult& result);

class Oracle {
 public:
  Oracle(const OracleOptions& options, HostRunner& host);

  bool run();  // false: a difference
  void report() const;

 private:
  void run_batch(unsigned cases);
  void place(const GuestCode& code);
  void emulate(const GuestCode& code, const CaseInput& input, CaseResult& result);
  CaseResult host_alone(const CaseInput& input, const CaseResult& emulated);
  bool differs(GuestCode& code, const CaseInput& given);
  void shrink(GuestCode& code, CaseInput& input);
  void failure(GuestCode code, CaseInput input);
  void count_rows(const GuestCode& code, Verdict verdict);

  OracleOptions options_;
  HostRunner& host_;
  EmulatedRunner emulated_;
  Batches batches_;
  std::vector<CaseResult> results_;
  u64 batch_ = 0, run_ = 0, masked_ = 0, skipped_ = 0, differences_ = 0;
  CaseResult host_single_{}, emulated_single_{};
  std::map<u16, u64> compared_{}, failed_{};
};

}  // namespace relic86::native64
