#include "frontend/expectations.h"

#include <fmt/format.h>

#include <algorithm>

namespace relic86 {

namespace {
// Searched text: matches that span more than this are not found; bounds the work of a guest that prints for hours.
constexpr std::size_t kWindow = 4096;
constexpr std::size_t kKept = 65536;
}  // namespace

Result<Expectations> Expectations::create(const Options& options) {
  Expectations expectations;
  const auto add = [&](const std::vector<std::string>& texts, Kind kind, const char* option) -> Result<> {
    for (const std::string& text : texts) {
      try {  // std::regex reports bad patterns by exception only; it ends here
        expectations.patterns_.push_back({kind, text, std::regex(text, std::regex::ECMAScript | std::regex::optimize)});
      } catch (const std::regex_error& problem) {
        return Error{fmt::format("{} '{}': not a regular expression: {}; escape special characters with a backslash",
                                 option, text, problem.what())};
      }
    }
    return {};
  };
  // Failures first: when one chunk of output holds both, the failure is not missed.
  if (auto done = add(options.fail_serial, Kind::FailSerial, "--fail-serial"); !done) return done.error();
  if (auto done = add(options.expect_serial, Kind::ExpectSerial, "--expect-serial"); !done) return done.error();
  if (auto done = add(options.expect_screen, Kind::ExpectScreen, "--expect-screen"); !done) return done.error();
  return expectations;
}

bool Expectations::watches_serial() const {
  return std::any_of(patterns_.begin(), patterns_.end(), [](const Pattern& p) { return p.kind != Kind::ExpectScreen; });
}
bool Expectations::watches_screen() const {
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [](const Pattern& p) { return p.kind == Kind::ExpectScreen && !p.seen; });
}
bool Expectations::expects() const {
  return std::any_of(patterns_.begin(), patterns_.end(), [](const Pattern& p) { return p.kind != Kind::FailSerial; });
}

void Expectations::serial_byte(u8 byte) {
  if (byte == '\r') return;
  serial_.push_back(static_cast<char>(byte));
  fresh_ = true;
}

void Expectations::screen(std::span<const std::string> lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  for (Pattern& pattern : patterns_) {
    if (pattern.kind == Kind::ExpectScreen && !pattern.seen && std::regex_search(text, pattern.regex)) {
      pattern.seen = true;
      seen_ = pattern.text;
    }
  }
}

Expectations::Verdict Expectations::check() {
  if (fresh_) {
    fresh_ = false;
    // The earliest match decides between failure and success (the first match wins).
    const Pattern* failure = nullptr;
    std::ptrdiff_t failure_at = 0, last_expected_at = -1;
    const auto from = serial_.cbegin() + static_cast<std::ptrdiff_t>(searched_ > kWindow ? searched_ - kWindow : 0);
    for (Pattern& pattern : patterns_) {
      if (pattern.kind == Kind::ExpectScreen || pattern.seen) continue;
      std::smatch match;
      if (!std::regex_search(from, serial_.cend(), match, pattern.regex)) continue;
      if (pattern.kind == Kind::FailSerial) {
        if (failure == nullptr || match.position() < failure_at) failure = &pattern, failure_at = match.position();
      } else {
        pattern.seen = true;
        seen_ = pattern.text;
        last_expected_at = std::max(last_expected_at, match.position());
      }
    }
    if (serial_.size() > kKept) serial_.erase(0, serial_.size() - kKept / 2);
    searched_ = serial_.size();
    const bool all = expects() && missing().empty();
    if (failure != nullptr && !(all && last_expected_at >= 0 && last_expected_at < failure_at)) {
      seen_ = failure->text;
      return Verdict::FailureSeen;
    }
  }
  return expects() && missing().empty() ? Verdict::AllSeen : Verdict::Pending;
}

std::string Expectations::missing() const {
  std::string list;
  for (const Pattern& pattern : patterns_) {
    if (pattern.kind == Kind::FailSerial || pattern.seen) continue;
    list += fmt::format("{}{} '{}'", list.empty() ? "" : ", ",
                        pattern.kind == Kind::ExpectSerial ? "--expect-serial" : "--expect-screen", pattern.text);
  }
  return list;
}

std::string Expectations::serial_tail() const {
  constexpr std::size_t kMostTail = 2000;
  return serial_.size() <= kMostTail ? serial_ : serial_.substr(serial_.size() - kMostTail);
}

}  // namespace relic86
