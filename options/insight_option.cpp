#include "options/insight_option.h"

#include <fmt/format.h>

#include "base/comma_list.h"
#include "options/option_text.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

// "FILE,key=word,..": the file, which is first, and the rest.
struct FileAndProperties {
  std::string file;
  Properties rest;
};
Result<FileAndProperties> parse_file(Text option, Text value) {
  std::vector<std::string> words = split_at_commas(value);
  if (words.front().empty()) return Error{fmt::format("{} {}: a file's name comes first", option, value)};
  FileAndProperties parsed{words.front(), {}};
  for (std::size_t i = 1; i < words.size(); i++) {
    const std::size_t equals = words[i].find('=');
    if (equals == std::string::npos)
      return Error{fmt::format("{} {}: '{}' is no KEY=VALUE; a comma in a file's name is written as two", option, value,
                               words[i])};
    parsed.rest.emplace_back(words[i].substr(0, equals), words[i].substr(equals + 1));
  }
  return parsed;
}

Error unknown(Text option, Text key, Text known) {
  return Error{fmt::format("{}: {}= is unknown; {}= is known", option, key, known)};
}

}  // namespace

Result<> add_symbols(Options& options, Text value) {
  auto parsed = parse_file("--symbols", value);
  if (!parsed) return parsed.error();
  InsightOptions::Symbols symbols{std::move(parsed.value().file)};
  for (const auto& [key, word] : parsed.value().rest) {
    if (key != "offset") return unknown("--symbols", key, "offset");
    const bool negative = word.starts_with('-');
    const auto offset = parse_number(Text(word).substr(negative ? 1 : 0));
    if (!offset) return Error{fmt::format("--symbols offset={}: {}", word, offset.message())};
    symbols.offset = negative ? u64{0} - offset.value() : offset.value();
  }
  options.insight.symbols.push_back(std::move(symbols));
  return {};
}

Result<> set_profile(Options& options, Text value) {
  constexpr u64 kLeast = 10, kMost = 1'000'000, kMicrosecond = 1000;
  auto parsed = parse_file("--profile", value);
  if (!parsed) return parsed.error();
  options.insight.profile = std::move(parsed.value().file);
  for (const auto& [key, word] : parsed.value().rest) {
    if (key != "every") return unknown("--profile", key, "every");
    const auto every = parse_number(word);
    if (!every || every.value() < kLeast || every.value() > kMost)
      return Error{
          fmt::format("--profile every={}: give the microseconds between two samples, {} to {}", word, kLeast, kMost)};
    options.insight.profile_interval = every.value() * kMicrosecond;
  }
  return {};
}

Result<> set_trace(Options& options, Text value) {
  using enum TraceOption::Calls;
  constexpr u64 kMost = 100'000'000;
  auto parsed = parse_file("--trace", value);
  if (!parsed || !parsed.value().file.ends_with(".json")) {
    options.warnings.push_back(
        "-trace: there are no trace events of the emulator's own; --trace FILE.json traces the guest's system calls "
        "and "
        "interrupts, -d LIST -D FILE logs");
    return {};
  }
  TraceOption& trace = options.insight.trace;
  trace.file = std::move(parsed.value().file);
  for (const auto& [key, word] : parsed.value().rest) {
    if (key == "calls") {
      if (word != "linux" && word != "raw" && word != "off")
        return Error{fmt::format("--trace calls={}: give linux (names and arguments), raw (numbers) or off", word)};
      trace.calls = word == "linux" ? Linux : word == "raw" ? Raw : Off;
    } else if (key == "interrupts") {
      if (word != "on" && word != "off") return Error{fmt::format("--trace interrupts={}: give on or off", word)};
      trace.interrupts = word == "on";
    } else if (key == "most") {
      const auto most = parse_number(word);
      if (!most || most.value() == 0 || most.value() > kMost)
        return Error{fmt::format("--trace most={}: give the number of spans, 1 to {}", word, kMost)};
      trace.most = most.value();
    } else {
      return unknown("--trace", key, "calls=, interrupts=, most");
    }
  }
  return {};
}

Result<> set_coverage(Options& options, Text value) {
  using enum InsightOptions::CoverageFormat;
  auto parsed = parse_file("--coverage", value);
  if (!parsed) return parsed.error();
  InsightOptions& insight = options.insight;
  insight.coverage = std::move(parsed.value().file);
  insight.coverage_format = insight.coverage.ends_with(".info") ? Lcov : Drcov;
  for (const auto& [key, word] : parsed.value().rest) {
    if (key != "format") return unknown("--coverage", key, "format");
    if (word != "drcov" && word != "lcov")
      return Error{fmt::format("--coverage format={}: unknown format; drcov and lcov exist", word)};
    insight.coverage_format = word == "lcov" ? Lcov : Drcov;
  }
  return {};
}

}  // namespace relic86
