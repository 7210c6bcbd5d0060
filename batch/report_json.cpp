#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/output_file.h"
#include "batch/report.h"
#include "control/commands/command.h"

namespace relic86::batch {

namespace {

Json json_of(const TestReport& report) {
  Json attempts = Json::array();
  for (const Attempt& attempt : report.attempts) {
    attempts.push_back({{"outcome", std::string(outcome_name(attempt.outcome))},
                        {"detail", attempt.detail},
                        {"step", attempt.step},
                        {"guest_seconds", attempt.guest_seconds},
                        {"host_seconds", attempt.host_seconds},
                        {"start_ms", attempt.start_ms},
                        {"private_bytes", attempt.private_bytes}});
  }
  return {{"name", report.name},         {"verdict", std::string(verdict_name(report.verdict))},
          {"expected", report.expected}, {"known_failure", report.known_failure},
          {"attempts", attempts},        {"folder", report.folder},
          {"repeat", report.repeat},     {"tags", report.tags},
          {"where", report.where}};
}

std::string text_of(const Json& json, int indentation) {
  return json.dump(indentation, ' ', false, Json::error_handler_t::replace);
}

class JsonReporter final : public Reporter {
 public:
  explicit JsonReporter(std::string folder) : lines_(folder + "/results.jsonl"), whole_(folder + "/results.json") {}
  ~JsonReporter() override {
    if (file_ >= 0) ::close(file_);
  }

  Result<> begin(const std::string& suite, std::size_t tests) override {
    document_ = {{"suite", suite}, {"tests", tests}, {"results", Json::array()}};
    file_ = ::open(lines_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    return file_ < 0 ? trouble() : Result<>();
  }

  Result<> add(const TestReport& report) override {
    const Json json = json_of(report);
    document_["results"].push_back(json);
    // One system call a line: whatever ends this process, each line is there or not.
    const std::string line = text_of(json, -1) + "\n";
    if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return trouble();
    return {};
  }

  Result<> end() override {
    const std::string text = text_of(document_, 1) + "\n";
    auto file = OutputFile::create(whole_);
    if (!file) return Error{fmt::format("{}: {}", whole_, file.message())};
    auto written = file.value().write(std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
    if (written) written = file.value().commit();
    if (!written) return Error{fmt::format("{}: {}", whole_, written.message())};
    return {};
  }

 private:
  Error trouble() const {
    return {fmt::format("{}: cannot be written: {}; make room, or choose another folder (--results)", lines_,
                        std::strerror(errno == 0 ? ENOSPC : errno))};
  }
  std::string lines_, whole_;
  int file_ = -1;
  Json document_;
};

}  // namespace

std::unique_ptr<Reporter> make_json_reporter(const std::string& folder) {
  return std::make_unique<JsonReporter>(folder);
}

}  // namespace relic86::batch
