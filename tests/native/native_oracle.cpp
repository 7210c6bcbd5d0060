// relic86_native_oracle: random instructions on this host's processor and on the emulated one, compared bit by bit.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "tests/native/oracle.h"
#include "tests/native/replay.h"
#include "tests/native/told_cases.h"

namespace {

using namespace relic86;
using namespace relic86::native;

constexpr const char* kUsage =
    "usage: relic86_native_oracle --group G [--count N] [--seed S] [--engine interp|jit] [--mutate ROW]\n"
    "                             [--first BATCH] [--coverage] [--undefined] [--show N] [--rows]\n"
    "  --group G     alu shift bcd muldiv string bit stack flow x87 mmx sse sse2 sse3 ssse3 misc system, or all\n"
    "  --first BATCH begins with the batch that a difference named\n"
    "  --mutate ROW  breaks one row of the instruction table on the emulated side: its number or name by --rows, or a\n"
    "                mnemonic that only one row has; the group is the row's if none is named\n"
    "  --coverage    prints how often each row was compared\n"
    "  --undefined   compares undefined flags too\n"
    "  --show N      failures that are shrunk and printed\n"
    "  --rows        lists the rows of the group\n"
    "  --host-features LIST  host instructions that the emulated side must not use: -sse3,-ssse3 and others\n"
    "  --record FILE also writes what the host did to FILE\n"
    "  --replay FILE compares with FILE, on any host: group, seed, count and processor are the recording's\n"
    "  --cases FILE  instead of all that: runs the shrunk cases that FILE, the text of a run on another host, tells "
    "of, as\n"
    "                its processor\n";

struct CommandLine {
  OracleOptions oracle;
  bool coverage = false, rows = false;
  std::string mutate, cases, record, replay;
  bool grouped = false;
};

std::optional<u64> number(std::string_view text) {
  u64 value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

bool parse(std::span<char*> arguments, CommandLine& line) {
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (name == "--coverage") {
      line.coverage = true;
      continue;
    }
    if (name == "--undefined") {
      line.oracle.undefined = true;
      continue;
    }
    if (name == "--rows") {
      line.rows = true;
      continue;
    }
    if (++i == arguments.size()) return false;
    const std::string value = arguments[i];
    const auto count = number(value);
    if (name == "--group") {
      line.oracle.group = value;
      line.grouped = true;
    } else if (name == "--cases") {
      line.cases = value;
    } else if (name == "--host-features") {
      const auto units = masked_host_units(line.oracle.host_units, value);
      if (!units) {
        fmt::print(stderr, "relic86_native_oracle: {}\n", units.error().message);
        return false;
      }
      line.oracle.host_units = units.value();
    } else if (name == "--record") {
      line.record = value;
    } else if (name == "--replay") {
      line.replay = value;
    } else if (name == "--mutate") {
      line.mutate = value;
    } else if (name == "--engine" && (value == "interp" || value == "jit")) {
      line.oracle.engine = value == "jit" ? Engine::Translator : Engine::Interpreter;
    } else if (name == "--count" && count) {
      line.oracle.count = *count;
    } else if (name == "--first" && count) {
      line.oracle.first = *count;
    } else if (name == "--seed" && count) {
      line.oracle.seed = *count;
    } else if (name == "--show" && count) {
      line.oracle.show = static_cast<unsigned>(*count);
    } else {
      return false;
    }
  }
  return true;
}

// False after a message: the row cannot be broken.
bool find_mutated(CommandLine& line) {
  if (line.mutate.empty()) return true;
  const auto index = number(line.mutate);
  std::vector<u16> named;
  for (u16 row = 0; row < instruction_table().size(); ++row) {
    if (row_name(row) == line.mutate || (index && *index == row)) line.oracle.mutate = row;
    if (instruction_table()[row].mnemonic == line.mutate) named.push_back(row);
  }
  if (line.oracle.mutate == kNoRow && named.size() == 1) line.oracle.mutate = named.front();
  if (line.oracle.mutate == kNoRow) {
    fmt::print(stderr, "relic86_native_oracle: no row '{}'; --group all --rows lists them\n", line.mutate);
    for (const u16 row : named) fmt::print(stderr, "{:4}  {}\n", row, row_name(row));
    return false;
  }
  const InstructionRow& row = instruction_table()[line.oracle.mutate];
  const std::string_view group = group_of(row);
  if (const auto reason = not_comparable(row); !reason.empty()) {
    fmt::print(stderr, "relic86_native_oracle: row '{}' cannot be compared: {}\n", row_name(line.oracle.mutate),
               reason);
    return false;
  }
  if (line.grouped && line.oracle.group != group && line.oracle.group != "all") {
    fmt::print(stderr, "relic86_native_oracle: row '{}' is in the group {}, not {}\n", row_name(line.oracle.mutate),
               group, line.oracle.group);
    return false;
  }
  if (!line.grouped) line.oracle.group = group;
  return true;
}

const char* engine_name(Engine engine) { return engine == Engine::Translator ? "jit" : "interp"; }

// The processor that the emulated one had been fitted to when the texts of other hosts were made.
Processor fitted_processor() { return {"AuthenticAMD", 26, 2, 1, "AMD EPYC"}; }

int run_told_cases(const CommandLine& line) {
  const auto outcome = check_told_cases(line.cases, line.oracle.engine, fitted_processor(), line.oracle.host_units);
  if (!outcome) {
    fmt::print(stderr, "relic86_native_oracle: {}\n", outcome.error().message);
    return 2;
  }
  const ToldOutcome& told = outcome.value();
  if (told.alone != 0) fmt::print("not run: {} cases that did not come again alone\n", told.alone);
  if (told.truncated != 0) fmt::print("not run: {} cases whose memory is not told in full\n", told.truncated);
  fmt::print("{} run, {} differences\n", told.run, told.failed);
  return told.failed == 0 ? 0 : 1;
}

template <class Skipped>
void print_skipped(const Skipped& skipped) {
  for (std::size_t skip = 1; skip < skipped.size(); ++skip) {
    if (skipped[skip] == 0) continue;
    fmt::print("not compared: {} cases that {}\n", skipped[skip], skip_text(static_cast<Skip>(skip)));
  }
}

int run_replay(const CommandLine& line) {
  auto recording = RecordingReader::open(line.replay);
  if (!recording) {
    fmt::print(stderr, "relic86_native_oracle: {}\n", recording.error().message);
    return 2;
  }
  const RecordingHeader header = recording.value().header();
  fmt::print("recorded on {}\ngroup {} engine {} seed {}\n", header.processor.text(), header.group,
             engine_name(line.oracle.engine), header.seed);
  Replay replay(std::move(recording).value(),
                {line.oracle.engine, line.oracle.show, line.oracle.host_units, line.oracle.mutate});
  const auto done = replay.run();
  if (!done) {
    fmt::print(stderr, "relic86_native_oracle: recording {}: {}\n", line.replay, done.error().message);
    return 2;
  }
  const ReplayOutcome& outcome = done.value();
  if (line.coverage) fmt::print("{}", replay.coverage().report(header.group));
  print_skipped(outcome.skipped);
  if (outcome.changed != 0) fmt::print("not compared: {} cases that are made otherwise now\n", outcome.changed);
  for (const auto& [name, count] : outcome.units)
    fmt::print("masked: {} differences of {}, which this host's unit computes\n", count, name);
  fmt::print("{} run, {} masked, {} differences\n", outcome.run, outcome.masked, outcome.differences);
  return outcome.differences == 0 ? 0 : 1;
}

// False after a message.
bool save_recording(const CommandLine& line, const RecordingWriter& writer) {
  RecordingHeader header;
  header.processor = line.oracle.processor;
  header.features = host_features();
  header.group = line.oracle.group;
  header.seed = line.oracle.seed;
  header.count = line.oracle.count;
  for (const u16 row : rows_of_group(line.oracle.group)) header.rows.push_back(row_name(row));
  const auto saved = writer.save(line.record, header);
  if (!saved) fmt::print(stderr, "relic86_native_oracle: {}\n", saved.error().message);
  return saved.ok();
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine line;
  if (!parse({argv, static_cast<std::size_t>(argc)}, line)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (!line.cases.empty()) return run_told_cases(line);
  if (!line.replay.empty()) return find_mutated(line) ? run_replay(line) : 2;
  const auto rows = rows_of_group(line.oracle.group);
  const auto names = group_names();
  if (rows.empty() && std::find(names.begin(), names.end(), line.oracle.group) != names.end()) {
    fmt::print(stderr, "relic86_native_oracle: this host has none of the instructions of group '{}'\n",
               line.oracle.group);
    return 77;
  }
  if (rows.empty()) {
    fmt::print(stderr, "relic86_native_oracle: no group '{}'\n{}", line.oracle.group, kUsage);
    return 2;
  }
  if (line.rows) {
    for (const u16 row : rows) fmt::print("{:4}  {}\n", row, row_name(row));
    return 0;
  }
  if (!find_mutated(line)) return 2;
  if (!line.record.empty() && line.oracle.first != 0) {
    std::fputs("relic86_native_oracle: a recording begins with the first batch; leave --first out\n", stderr);
    return 2;
  }
  auto host = HostRunner::create(Oracle::kBatchCases);
  if (!host) {
    fmt::print(stderr, "relic86_native_oracle: {}\n", host.error().message);
    return 77;
  }
  line.oracle.processor = host_processor();
  fmt::print("host {}\ngroup {} engine {} seed {}\n", line.oracle.processor.text(), line.oracle.group,
             engine_name(line.oracle.engine), line.oracle.seed);
  RecordingWriter writer;
  if (!line.record.empty()) line.oracle.recording = &writer;
  Oracle oracle(line.oracle, *host.value());
  const OracleOutcome outcome = oracle.run();
  if (line.coverage) fmt::print("{}", oracle.coverage().report(line.oracle.group));
  if (line.coverage) fmt::print("{}", oracle.engine_text());
  fmt::print("{}", oracle.coverage().summary(line.oracle.group));
  print_skipped(outcome.skipped);
  if (!line.record.empty() && !save_recording(line, writer)) return 2;
  for (const u16 row : outcome.rows) fmt::print("row that differs: {}\n", row_name(row));
  fmt::print("{} run, {} masked, {} differences\n", outcome.run, outcome.masked, outcome.differences);
  return outcome.differences == 0 ? 0 : 1;
}
