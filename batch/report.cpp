#include "batch/report.h"

#include <fmt/format.h>

namespace relic86::batch {

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::Passed: return "passed";
    case Verdict::Failed: return "failed";
    case Verdict::KnownFailure: return "known-failure";
    case Verdict::UnexpectedPass: return "unexpected-pass";
    case Verdict::NotRun: return "not-run";
  }
  return "unknown";
}

TestReport make_report(const TestPlan& test) {
  TestReport report;
  report.name = test.name;
  report.expected = outcome_name(test.expected);
  report.known_failure = test.known_failure.value_or("");
  report.tags = test.tags;
  report.where = test.where;
  return report;
}

Verdict judge(const TestPlan& test, const Attempt& attempt) {
  const bool right = attempt.outcome == test.expected;
  if (attempt.outcome == Outcome::NotRun && !right) return Verdict::NotRun;
  if (test.known_failure) return right ? Verdict::UnexpectedPass : Verdict::KnownFailure;
  return right ? Verdict::Passed : Verdict::Failed;
}

std::vector<std::pair<std::string, std::string>> describe(const TestReport& report) {
  std::vector<std::pair<std::string, std::string>> lines;
  lines.emplace_back("outcome", outcome_name(report.last().outcome));
  if (report.expected != outcome_name(Outcome::Passed)) lines.emplace_back("expected", report.expected);
  if (!report.last().detail.empty()) lines.emplace_back("detail", report.last().detail);
  if (!report.folder.empty()) lines.emplace_back("folder", report.folder);
  lines.emplace_back("repeat", report.repeat);
  if (!report.load.empty()) lines.emplace_back("load", report.load);
  return lines;
}

std::string shell_word(const std::string& word) {
  if (!word.empty() &&
      word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=+:,") ==
          std::string::npos)
    return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace relic86::batch
