// The format: "Trace Event Format", Google, the JSON object format with complete events ("X") and metadata ("M").
#include "insight/chrome_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/log.h"

namespace relic86 {

namespace {

// The format counts microseconds.
std::string microseconds(GuestTime time) {
  constexpr GuestTime kNanoseconds = 1000;
  return fmt::format("{}.{:03}", time / kNanoseconds, time % kNanoseconds);
}

}  // namespace

std::string json_string(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<u8>(c);
    if (c == '"' || c == '\\')
      text += {'\\', c};
    else if (byte < ' ' || byte > '~')
      text += fmt::format("\\u{:04x}", byte);
    else
      text += c;
  }
  return text + '"';
}

Result<std::unique_ptr<ChromeTrace>> ChromeTrace::create(const std::string& path, u64 most) {
  auto file = OutputFile::create(path);
  if (!file) return Error{file.message()};
  std::unique_ptr<ChromeTrace> trace(new ChromeTrace(std::move(file).value(), most));
  trace->waiting_ = "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n";
  return trace;
}

void ChromeTrace::put(std::string_view event) {
  constexpr std::size_t kPiece = std::size_t{256} << 10;
  if (!first_) waiting_ += ",\n";
  first_ = false;
  waiting_ += event;
  if (waiting_.size() >= kPiece) flush();
}

void ChromeTrace::flush() {
  if (trouble_) trouble_ = file_.write({reinterpret_cast<const u8*>(waiting_.data()), waiting_.size()});
  waiting_.clear();
}

void ChromeTrace::name(std::string_view what, const Track& track, std::string_view name) {
  put(fmt::format(R"({{"ph": "M", "name": "{}", "pid": {}, "tid": {}, "args": {{"name": {}}}}})", what, track.group,
                  track.number, json_string(name)));
}

void ChromeTrace::name_group(unsigned group, std::string_view name) { this->name("process_name", {group, 0}, name); }

void ChromeTrace::name_track(const Track& track, std::string_view name) { this->name("thread_name", track, name); }

void ChromeTrace::add(const Track& track, const Span& span) {
  if (full()) return;
  spans_++;
  if (full()) log::warning(fmt::format("--trace: {} spans are written; what is new is left out (most=N)", spans_));
  put(fmt::format(
      R"({{"ph": "X", "name": {}, "cat": "{}", "pid": {}, "tid": {}, "ts": {}, "dur": {}, "args": {{{}}}}})",
      json_string(span.name), span.category, track.group, track.number, microseconds(span.start),
      microseconds(std::max(span.end, span.start) - span.start), span.arguments));
}

Result<> ChromeTrace::finish() {
  waiting_ += "\n]}\n";
  flush();
  return trouble_ ? file_.commit() : trouble_;
}

}  // namespace relic86
