#include "machine/expectations.h"

#include <fmt/format.h>

#include <algorithm>

namespace relic86 {

namespace {
constexpr std::size_t kKept = 65536;

// The library's usual matcher calls itself for every character: it gets serial output in pieces that the stack has room
// for. A screen is searched whole, in modes that the guest may make large, so by the other matcher, which is slower,
// but does not call itself; it cannot refer back to groups.
std::regex compile(const std::string& text, bool screen) {
  constexpr auto kFlags = std::regex::ECMAScript | std::regex::optimize;
#ifdef __GLIBCXX__
  try {
    if (screen) return std::regex(text, kFlags | std::regex_constants::__polynomial);
  } catch (const std::regex_error& problem) {
    if (problem.code() != std::regex_constants::error_complexity) throw;
  }
#endif
  return std::regex(text, kFlags);
}
}  // namespace

Result<std::regex> compile_expectation(const std::string& text, Searched where) {
  try {  // std::regex reports bad patterns by exception only; it ends here
    return compile(text, where == Searched::Screen);
  } catch (const std::regex_error& problem) {
    return Error{fmt::format("'{}': not a regular expression: {}; escape special characters with a backslash", text,
                             problem.what())};
  }
}

Result<Expectations> Expectations::create(const Options& options) {
  Expectations expectations;
  const auto add = [&](const std::vector<std::string>& texts, Kind kind, const char* option) -> Result<> {
    for (const std::string& text : texts) {
      auto compiled = compile_expectation(text, kind == Kind::ExpectScreen ? Searched::Screen : Searched::Serial);
      if (!compiled) return Error{fmt::format("{} {}", option, compiled.message())};
      expectations.patterns_.push_back({kind, text, std::move(compiled).value()});
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
  while (searched_ < serial_.size()) {
    // The earliest match decides between failure and success (the first match wins).
    const Pattern* failure = nullptr;
    std::ptrdiff_t failure_at = 0, last_expected_at = -1;
    const auto from =
        serial_.cbegin() + static_cast<std::ptrdiff_t>(searched_ > kSearchedWindow ? searched_ - kSearchedWindow : 0);
    searched_ = std::min(searched_ + kSearchedPiece, serial_.size());
    const auto to = serial_.cbegin() + static_cast<std::ptrdiff_t>(searched_);
    for (Pattern& pattern : patterns_) {
      if (pattern.kind == Kind::ExpectScreen || pattern.seen) continue;
      std::smatch match;
      if (!std::regex_search(from, to, match, pattern.regex)) continue;
      if (pattern.kind == Kind::FailSerial) {
        if (failure == nullptr || match.position() < failure_at) failure = &pattern, failure_at = match.position();
      } else {
        pattern.seen = true;
        seen_ = pattern.text;
        last_expected_at = std::max(last_expected_at, match.position());
      }
    }
    const bool all = expects() && missing().empty();
    if (failure != nullptr && !(all && last_expected_at >= 0 && last_expected_at < failure_at)) {
      seen_ = failure->text;
      return Verdict::FailureSeen;
    }
  }
  if (serial_.size() > kKept) {
    serial_.erase(0, serial_.size() - kKept / 2);
    searched_ = serial_.size();
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
