// The oracle's loop: batches of cases on both sides, compared; failures shrunk and told.
#pragma once

#include <array>
#include <set>

#include "tests/native/batches.h"
#include "tests/native/coverage.h"
#include "tests/native/emulated_runner.h"
#include "tests/native/host_extras.h"
#include "tests/native/host_runner.h"
#include "tests/native/recording.h"

namespace relic86::native {

struct OracleOptions {
  std::string group = "alu";
  u64 count = 100'000;
  u64 seed = 1;
  u64 first = 0;  // batch to begin with
  Engine engine = Engine::Interpreter;
  Processor processor{};  // the host's, which the emulated one behaves as
  HostUnits host_units = present_host_units();
  u16 mutate = kNoRow;                   // this row's results are broken on the emulated side
  bool undefined = false;                // compare undefined flags too
  unsigned show = 10;                    // failures printed
  RecordingWriter* recording = nullptr;  // takes down what the host does
};

struct OracleOutcome {
  u64 run = 0, masked = 0, differences = 0;
  std::array<u64, static_cast<unsigned>(Skip::Count)> skipped{};  // cases that could not be compared, by reason
  std::set<u16> rows{};                                           // of shrunk failures
};

// Breaks what a row does, as a wrong line in its semantics would: one bit of its result, or of its fault's error code.
void mutate_result(const GuestCode& code, u16 row, CaseResult& result);

class Oracle {
 public:
  Oracle(const OracleOptions& options, HostRunner& host);

  OracleOutcome run();
  const Coverage& coverage() const { return coverage_; }
  std::string engine_text() const { return emulated_.engine_text(); }

  static constexpr unsigned kBatchCases = Batches::kCases;

 private:
  void make_batch(u64 batch, unsigned cases);
  void emulate(const GuestCode& code, const CaseInput& input, CaseResult& result);
  bool host_batch(unsigned cases);
  bool host_one_by_one(unsigned cases);
  CaseResult host_alone(const CaseInput& input, const CaseResult& emulated);
  void compare_batch(unsigned cases);
  void failure(const GuestCode& failing, const CaseInput& given);
  // Runs one case on both sides: whether it still differs.
  bool differs(GuestCode& code, const CaseInput& input);
  void place(const GuestCode& code);
  void remove_pieces(GuestCode& code, const CaseInput& input);
  void shrink(GuestCode& code, CaseInput& input);
  static u16 last_row(const GuestCode& code);

  OracleOptions options_;
  HostRunner& host_;
  EmulatedRunner emulated_;
  Batches batch_;
  Coverage coverage_;
  u64 batch_number_ = 0;
  std::vector<CaseResult> results_;
  OracleOutcome outcome_;
  CaseResult host_single_{}, emulated_single_{};
};

}  // namespace relic86::native
