// What became of the tests, and who is told: a terminal (TAP), files that continuous integration reads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "batch/outcome.h"
#include "batch/suite.h"

namespace relic86::batch {

enum class Verdict : u8 {
  Passed,
  Failed,
  KnownFailure,    // it failed, as the suite says that it does
  UnexpectedPass,  // it did not, although the suite says so
  NotRun,
};
std::string_view verdict_name(Verdict verdict);

struct TestReport {
  std::string name;
  Verdict verdict = Verdict::NotRun;
  std::string expected;           // the outcome that would have been right
  std::string known_failure;      // why it is expected to fail
  std::vector<Attempt> attempts;  // the last one decides; empty: it was not run
  std::string folder;             // of the last attempt: serial.log, screen.png ..
  std::string repeat;             // the command line that runs it again
  std::string load;               // the one that loads the machine as it failed; empty: it was not saved
  std::vector<std::string> tags;
  std::string where;  // "FILE:LINE"

  const Attempt& last() const { return attempts.back(); }
  bool failed() const { return verdict == Verdict::Failed || verdict == Verdict::NotRun; }
};
TestReport make_report(const TestPlan& test);
// Decides by the last attempt.
Verdict judge(const TestPlan& test, const Attempt& attempt);

// What failed tests say for themselves, a line each: "outcome: panic", "detail: ..".
std::vector<std::pair<std::string, std::string>> describe(const TestReport& report);

// A word as a shell takes it.
std::string shell_word(const std::string& word);

class Reporter {
 public:
  virtual ~Reporter() = default;
  // Errors are those of the host's files.
  virtual Result<> begin(const std::string& suite, std::size_t tests) = 0;
  virtual Result<> add(const TestReport& report) = 0;
  virtual Result<> end() = 0;
};

// TAP 13 on stdout, and where stderr is a terminal a line of progress.
std::unique_ptr<Reporter> make_tap_reporter();
// The reports of FOLDER/results.jsonl, and the suite's name.
struct KeptResults {
  std::string suite;
  std::vector<TestReport> reports;
};
Result<KeptResults> read_results(const std::string& folder);
// FOLDER/results.jsonl, a line for each test as soon as it is done, and FOLDER/results.json and junit.xml at the end.
std::unique_ptr<Reporter> make_json_reporter(const std::string& folder);
std::unique_ptr<Reporter> make_junit_reporter(const std::string& folder);

}  // namespace relic86::batch
