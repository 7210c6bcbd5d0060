#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/print.h"
#include "batch/report.h"
#include "control/commands/command.h"

namespace relic86::batch {

namespace {

// "#" begins a directive in TAP.
std::string description(std::string text) {
  for (std::size_t i = 0; (i = text.find('#', i)) != std::string::npos; i += 2) text.insert(i, "\\");
  return text;
}

// A quoted scalar of YAML: JSON's strings are.
std::string yaml_scalar(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What the guest said last on COM1, for those who see the terminal's log alone: a block of YAML's.
std::string last_words(const std::string& folder) {
  constexpr std::streamoff kMost = 800;
  constexpr unsigned kLines = 6;
  std::ifstream log(folder + "/serial.log", std::ios::binary | std::ios::ate);
  if (!log) return {};
  const std::streamoff size = log.tellg();
  log.seekg(std::max<std::streamoff>(0, size - kMost));
  std::string text{std::istreambuf_iterator<char>(log), {}};
  text.erase(text.find_last_not_of(" \r\n") + 1);
  std::size_t begin = text.size();
  for (unsigned lines = 0; lines < kLines && begin != std::string::npos && begin != 0; lines++)
    begin = text.rfind('\n', begin - 1);
  if (begin != std::string::npos && begin != 0) text.erase(0, begin + 1);
  if (text.empty()) return {};
  std::string block = "  serial: |2\n    ";
  for (const char c : text) {
    const auto byte = static_cast<u8>(c);
    if (c == '\n')
      block += "\n    ";
    else if (byte >= ' ' && byte < 0x7F)
      block += c;
    else if (c != '\r')
      block += '.';
  }
  return block + "\n";
}

class TapReporter final : public Reporter {
 public:
  Result<> begin(const std::string&, std::size_t tests) override {
    tests_ = tests;
    print_text(stdout, fmt::format("TAP version 13\n1..{}\n", tests));
    return flush();
  }

  Result<> add(const TestReport& report) override {
    clear_progress();
    done_++;
    const bool ok = report.verdict == Verdict::Passed || report.verdict == Verdict::UnexpectedPass;
    if (report.failed()) failed_++;
    std::string line = fmt::format("{} {} - {}", ok ? "ok" : "not ok", done_, description(report.name));
    if (!report.known_failure.empty()) line += " # TODO " + description(report.known_failure);
    line += "\n";
    if (!ok) {
      line += "  ---\n";
      for (const auto& [key, text] : describe(report)) line += fmt::format("  {}: {}\n", key, yaml_scalar(text));
      line += last_words(report.folder);
      line += "  ...\n";
    } else if (report.attempts.size() > 1) {
      line += fmt::format("# passed in attempt {}; before: {}\n", report.attempts.size(), report.attempts[0].detail);
    }
    print_text(stdout, line);
    if (::isatty(STDERR_FILENO) != 0) {
      print_text(stderr, fmt::format("[{}/{}] {} failed; {}", done_, tests_, failed_, report.name));
      progress_shown_ = true;
    }
    return flush();
  }

  Result<> end() override {
    clear_progress();
    print_text(stdout, fmt::format("# {} of {} tests done, {} failed\n", done_, tests_, failed_));
    return flush();
  }

 private:
  void clear_progress() {
    if (progress_shown_) print_text(stderr, "\r\033[K");
    progress_shown_ = false;
  }
  static Result<> flush() {
    if (std::fflush(stdout) != 0) return Error{"stdout: cannot be written; look into the folder of results"};
    return {};
  }

  std::size_t tests_ = 0, done_ = 0, failed_ = 0;
  bool progress_shown_ = false;
};

}  // namespace

std::unique_ptr<Reporter> make_tap_reporter() { return std::make_unique<TapReporter>(); }

}  // namespace relic86::batch
