#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>

#include "base/log.h"
#include "base/output_file.h"
#include "batch/report.h"
#include "control/commands/command.h"

namespace relic86::batch {

namespace {

Json json_of(const std::string& suite, const TestReport& report) {
  Json attempts = Json::array();
  for (const Attempt& attempt : report.attempts) {
    attempts.push_back({{"outcome", std::string(outcome_name(attempt.outcome))},
                        {"detail", attempt.detail},
                        {"step", attempt.step},
                        {"state_hash", attempt.state_hash},
                        {"saved_state", attempt.saved_state},
                        {"guest_seconds", attempt.guest_seconds},
                        {"host_seconds", attempt.host_seconds},
                        {"start_ms", attempt.start_ms},
                        {"private_bytes", attempt.private_bytes}});
  }
  return {{"suite", suite},
          {"name", report.name},
          {"verdict", std::string(verdict_name(report.verdict))},
          {"expected", report.expected},
          {"known_failure", report.known_failure},
          {"attempts", attempts},
          {"folder", report.folder},
          {"repeat", report.repeat},
          {"load", report.load},
          {"tags", report.tags},
          {"where", report.where}};
}

std::string text_of(const Json& json, int indentation) {
  return json.dump(indentation, ' ', false, Json::error_handler_t::replace);
}

TestReport report_of(const Json& json) {
  TestReport report;
  report.name = json.at("name").get<std::string>();
  const std::string verdict = json.at("verdict").get<std::string>();
  for (const Verdict each : {Verdict::Passed, Verdict::Failed, Verdict::KnownFailure, Verdict::UnexpectedPass}) {
    if (verdict_name(each) == verdict) report.verdict = each;
  }
  report.expected = json.at("expected").get<std::string>();
  report.known_failure = json.at("known_failure").get<std::string>();
  report.folder = json.at("folder").get<std::string>();
  report.repeat = json.at("repeat").get<std::string>();
  report.load = json.at("load").get<std::string>();
  report.tags = json.at("tags").get<std::vector<std::string>>();
  report.where = json.at("where").get<std::string>();
  for (const Json& row : json.at("attempts")) {
    Attempt attempt;
    attempt.outcome = outcome_of(row.at("outcome").get<std::string>()).value_or(Outcome::Crashed);
    attempt.detail = row.at("detail").get<std::string>();
    attempt.step = row.at("step").get<unsigned>();
    attempt.saved_state = row.at("saved_state").get<std::string>();
    attempt.state_hash = row.at("state_hash").get<std::string>();
    attempt.guest_seconds = row.at("guest_seconds").get<double>();
    attempt.host_seconds = row.at("host_seconds").get<double>();
    attempt.start_ms = row.at("start_ms").get<double>();
    attempt.private_bytes = row.at("private_bytes").get<u64>();
    report.attempts.push_back(std::move(attempt));
  }
  if (report.attempts.empty()) report.attempts.emplace_back();
  return report;
}

class JsonReporter final : public Reporter {
 public:
  explicit JsonReporter(std::string folder) : lines_(folder + "/results.jsonl"), whole_(folder + "/results.json") {}
  ~JsonReporter() override {
    if (file_ >= 0) ::close(file_);
  }

  Result<> begin(const std::string& suite, std::size_t tests) override {
    document_ = {{"suite", suite}, {"tests", tests}, {"results", Json::array()}};
    ::unlink(whole_.c_str());  // of another run, for whose end it would be taken if this one has none
    file_ = ::open(lines_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    return file_ < 0 ? trouble(errno) : Result<>();
  }

  Result<> add(const TestReport& report) override {
    const Json json = json_of(document_["suite"].get<std::string>(), report);
    document_["results"].push_back(json);
    waiting_.push_back(text_of(json, -1) + "\n");
    return write_waiting();
  }

  Result<> end() override {
    auto lines = write_waiting();
    const std::string text = text_of(document_, 1) + "\n";
    auto file = OutputFile::create(whole_);
    if (!file) return Error{fmt::format("{}: {}", whole_, file.message())};
    auto written = file.value().write(std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
    if (written) written = file.value().commit();
    if (!written) return Error{fmt::format("{}: {}", whole_, written.message())};
    return lines;
  }

 private:
  // One system call a line: whatever ends this process, each line is there or not. What finds no room is tried again
  // with the next line, and leaves no piece behind.
  Result<> write_waiting() {
    while (!waiting_.empty()) {
      const std::string& line = waiting_.front();
      const off_t before = ::lseek(file_, 0, SEEK_END);
      const ssize_t written = ::write(file_, line.data(), line.size());
      if (written != static_cast<ssize_t>(line.size())) {
        const Error error = trouble(written < 0 ? errno : ENOSPC);
        if (written > 0 && ::ftruncate(file_, before) != 0) log::warning(lines_ + ": its last line is cut off");
        return error;
      }
      waiting_.pop_front();
    }
    return {};
  }

  Error trouble(int cause) const {
    return {fmt::format("{}: cannot be written: {}; make room, or choose another folder (--results)", lines_,
                        std::strerror(cause))};
  }
  std::string lines_, whole_;
  std::deque<std::string> waiting_;  // lines that are not written yet
  int file_ = -1;
  Json document_;
};

}  // namespace

Result<KeptResults> read_results(const std::string& folder) {
  const std::string file = folder + "/results.jsonl";
  std::ifstream lines(file);
  if (!lines) return Error{fmt::format("{}: {}; name a folder of results", file, std::strerror(errno))};
  KeptResults kept;
  unsigned number = 0;
  for (std::string line; std::getline(lines, line);) {
    number++;
    try {  // a file that somebody else may have written; the parser reports by exception, which ends here
      const Json json = Json::parse(line);
      kept.suite = json.at("suite").get<std::string>();
      kept.reports.push_back(report_of(json));
    } catch (const Json::exception& problem) {
      if (lines.eof()) break;  // the last line has no end: who wrote it was killed before this test was done
      return Error{fmt::format("{}:{}: no result of a test: {}; delete the line", file, number, problem.what())};
    }
  }
  return kept;
}

std::unique_ptr<Reporter> make_json_reporter(const std::string& folder) {
  return std::make_unique<JsonReporter>(folder);
}

}  // namespace relic86::batch
