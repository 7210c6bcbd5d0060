// relic86_native_oracle64: random instructions of 64-bit code on this host's processor and on the emulated one,
// compared bit by bit.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "tests/native/groups.h"
#include "tests/native64/oracle.h"
#include "tests/native64/replay.h"

namespace {

using namespace relic86;
using namespace relic86::native64;

constexpr const char* kUsage =
    "usage: relic86_native_oracle64 --group G [--count N] [--seed S] [--first BATCH] [--show N] [--mutate ROW]\n"
    "                               [--engine interp|jit]\n"
    "  --group G     {}\n"
    "  --first BATCH begins with the batch that a difference named\n"
    "  --show N      failures that are shrunk and printed\n"
    "  --mutate ROW  breaks one row of the instruction table, by its number, on the emulated side\n"
    "  --rows        lists the rows of the group\n"
    "  --record FILE also writes what the host did to FILE\n"
    "  --paravirtual also runs where a paravirtual host answers for the processor: groups of plain computation can be\n"
    "                compared there\n"
    "  --replay FILE compares with FILE, on any host: group, seed, count and processor are the recording's\n";

std::string usage() { return fmt::format(kUsage, fmt::join(native::group_names(), " ")); }

constexpr int kSkipped = 77;  // exit code, as ctest takes it

struct CommandLine {
  OracleOptions oracle;
  std::string record{}, replay{};
  bool rows = false;
  HostRunner::Hosts hosts = HostRunner::Hosts::Real;
};

std::optional<u64> number(std::string_view text) {
  u64 value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

bool parse(std::span<char*> arguments, CommandLine& line) {
  OracleOptions& options = line.oracle;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (name == "--rows") {
      line.rows = true;
      continue;
    }
    if (name == "--paravirtual") {
      line.hosts = HostRunner::Hosts::Paravirtual;
      continue;
    }
    if (++i == arguments.size()) return false;
    const std::string value = arguments[i];
    const auto count = number(value);
    if (name == "--group")
      options.group = value;
    else if (name == "--record")
      line.record = value;
    else if (name == "--replay")
      line.replay = value;
    else if (name == "--count" && count)
      options.count = *count;
    else if (name == "--seed" && count)
      options.seed = *count;
    else if (name == "--first" && count)
      options.first = *count;
    else if (name == "--show" && count)
      options.show = static_cast<unsigned>(*count);
    else if (name == "--engine" && (value == "interp" || value == "jit"))
      options.engine = value == "jit" ? Engine::Translator : Engine::Interpreter;
    else if (name == "--mutate" && count && *count < instruction_table().size())
      options.mutate = static_cast<u16>(*count);
    else
      return false;
  }
  return options.group.empty() != line.replay.empty();
}

constexpr const char* kName = "relic86_native_oracle64";

int run_replay(const CommandLine& line) {
  auto recording = native::Recording::open(line.replay, kRecordingKind);
  if (!recording) {
    fmt::print(stderr, "{}: {}\n", kName, recording.error().message);
    return 2;
  }
  const native::RecordingHeader header = recording.value().header;
  fmt::print("recorded on {}\ngroup {} seed {}\n", header.processor.text(), header.group, header.seed);
  Replay replay(std::move(recording).value(), {line.oracle.engine, line.oracle.show, line.oracle.mutate});
  if (const std::string row = replay.lacking(); !row.empty()) {
    fmt::print(stderr, "{}: this host cannot carry out '{}', which the recording has\n", kName, row);
    return kSkipped;
  }
  const auto done = replay.run();
  if (!done) {
    fmt::print(stderr, "{}: recording {}: {}\n", kName, line.replay, done.error().message);
    return 2;
  }
  const ReplayOutcome& outcome = done.value();
  if (outcome.skipped != 0) fmt::print("not compared: {} cases that met what is the host's alone\n", outcome.skipped);
  if (outcome.changed != 0) fmt::print("not compared: {} cases that are made otherwise now\n", outcome.changed);
  for (const auto& [name, count] : outcome.units)
    fmt::print("masked: {} differences of {}, which this host's unit computes\n", count, name);
  fmt::print("{} run, {} masked, {} differences\n", outcome.run, outcome.masked, outcome.differences);
  return outcome.differences == 0 ? 0 : 1;
}

// False after a message.
bool save_recording(const CommandLine& line, native::Recording& recording) {
  const OracleOptions& oracle = line.oracle;
  recording.header = native::recording_header(native::host_processor(), oracle.group, rows_of_group(oracle.group),
                                              oracle.seed, oracle.count);
  const auto saved = recording.save(line.record, kRecordingKind);
  if (!saved) fmt::print(stderr, "{}: {}\n", kName, saved.error().message);
  return saved.ok();
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine line;
  if (!parse({argv, static_cast<std::size_t>(argc)}, line)) {
    std::fputs(usage().c_str(), stderr);
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  OracleOptions& options = line.oracle;
  if (options.engine == Engine::Translator && !kHasTranslator) {
    fmt::print(stderr, "{}: --engine jit: this build has no translator (RELIC86_JIT is off)\n", kName);
    return 2;
  }
  if (!line.replay.empty()) return run_replay(line);
  const auto rows = rows_of_group(options.group);
  const auto names = native::group_names();
  if (rows.empty() && std::find(names.begin(), names.end(), options.group) != names.end()) {
    fmt::print(stderr, "{}: this host has none of the instructions of group '{}'\n", kName, options.group);
    return kSkipped;
  }
  if (rows.empty()) {
    fmt::print(stderr, "{}: no group '{}'\n{}", kName, options.group, usage());
    return 2;
  }
  if (line.rows) {
    for (const u16 row : rows) fmt::print("{:4}  {}\n", row, native::row_name(row));
    return 0;
  }
  if (!line.record.empty() && options.first != 0) {
    fmt::print(stderr, "{}: a recording begins with the first batch; leave --first out\n", kName);
    return 2;
  }
  auto host = HostRunner::create(Batches::kCases, line.hosts);
  if (!host) {
    fmt::print(stderr, "{}: {}\n", kName, host.error().message);
    return kSkipped;
  }
  fmt::print("host {}\ngroup {} seed {}\n", native::host_processor().text(), options.group, options.seed);
  native::Recording recording;
  if (!line.record.empty()) options.recording = &recording;
  Oracle oracle(options, *host.value());
  const bool good = oracle.run();
  oracle.report();
  if (!line.record.empty() && !save_recording(line, recording)) return 2;
  return good ? 0 : 1;
}
