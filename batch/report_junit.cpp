// JUnit's XML, in the form that both of the schemas in use accept: Jenkins' and the one of Ant's report task.
#include <fmt/format.h>
#include <unistd.h>

#include <ctime>

#include "base/output_file.h"
#include "batch/report.h"
#include "machine/host_time.h"

namespace relic86::batch {

namespace {

// XML 1.0 has no place for most control characters, nor for bytes that are no UTF-8 (which guests may well print).
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: {
        const bool plain = (c >= ' ' && c < 127) || c == '\n' || c == '\t';
        result += plain ? c : '?';
      }
    }
  }
  return result;
}

std::string time_stamp() {
  const std::time_t now = host_unix_seconds();
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return text;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != 0 ? name : "localhost";
}

double host_seconds(const TestReport& report) {
  double sum = 0;
  for (const Attempt& attempt : report.attempts) sum += attempt.host_seconds;
  return sum;
}

class JunitReporter final : public Reporter {
 public:
  explicit JunitReporter(std::string folder) : file_(std::move(folder) + "/junit.xml"), started_(time_stamp()) {}

  Result<> begin(const std::string& suite, std::size_t) override {
    suite_ = suite;
    ::unlink(file_.c_str());  // of another run, for whose end it would be taken if this one has none
    return {};
  }

  Result<> add(const TestReport& report) override {
    tests_++;
    seconds_ += host_seconds(report);
    cases_ += fmt::format("    <testcase name=\"{}\" classname=\"{}\" time=\"{:.3f}\"", escaped(report.name),
                          escaped(suite_), host_seconds(report));
    std::string text;
    for (const auto& [key, value] : describe(report)) text += fmt::format("{}: {}\n", key, value);
    const auto child = [&](std::string_view element) {
      cases_ += fmt::format("><{0} type=\"{1}\" message=\"{2}\">{3}</{0}></testcase>\n", element,
                            outcome_name(report.last().outcome), escaped(report.last().detail), escaped(text));
    };
    switch (report.verdict) {
      case Verdict::Failed: {
        // An error is what says nothing about the guest.
        const bool error = report.last().outcome == Outcome::Crashed || report.last().outcome == Outcome::NotStarted;
        (error ? errors_ : failures_)++;
        child(error ? "error" : "failure");
        break;
      }
      case Verdict::KnownFailure:
      case Verdict::NotRun:
        skipped_++;
        cases_ += "><skipped/></testcase>\n";
        break;
      case Verdict::Passed:
      case Verdict::UnexpectedPass: cases_ += "/>\n"; break;
    }
    return {};
  }

  Result<> end() override {
    const std::string text = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
        "  <testsuite name=\"{}\" package=\"relic86\" id=\"0\" timestamp=\"{}\" hostname=\"{}\" tests=\"{}\" "
        "failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3f}\">\n"
        "    <properties/>\n{}    <system-out/>\n    <system-err/>\n  </testsuite>\n</testsuites>\n",
        escaped(suite_), started_, escaped(host_name()), tests_, failures_, errors_, skipped_, seconds_, cases_);
    auto file = OutputFile::create(file_);
    if (!file) return Error{fmt::format("{}: {}", file_, file.message())};
    auto written = file.value().write(std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
    if (written) written = file.value().commit();
    if (!written) return Error{fmt::format("{}: {}", file_, written.message())};
    return {};
  }

 private:
  std::string file_, suite_, started_, cases_;
  unsigned tests_ = 0, failures_ = 0, errors_ = 0, skipped_ = 0;
  double seconds_ = 0;
};

}  // namespace

std::unique_ptr<Reporter> make_junit_reporter(const std::string& folder) {
  return std::make_unique<JunitReporter>(folder);
}

}  // namespace relic86::batch
