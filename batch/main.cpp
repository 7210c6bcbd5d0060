// relic86-batch: the command line in, the exit code out.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <new>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "base/nearest.h"
#include "base/print.h"
#include "base/standard_streams.h"
#include "batch/runner.h"
#include "options/option_text.h"
#include "options/version.h"

namespace relic86::batch {

namespace {

// Exit codes; docs/batch.md lists them.
constexpr int kFailed = 1, kUsage = 2, kInterrupted = 130;

constexpr const char* kHelp =
    "usage: relic86-batch [OPTION...] SUITE.toml\n"
    "Runs a suite of tests on emulated machines; docs/batch.md describes suites.\n"
    "  -j N             tests at the same time (default: as many as processors and memory allow)\n"
    "  --results DIR    what tests leave, results.json, results.jsonl and junit.xml (default: relic86-results)\n"
    "  --test NAME      this test alone; may be given again\n"
    "  --tag TAG        tests with this tag; may be given again\n"
    "  --shard I/N      the I-th of N parts of the suite, for as many hosts\n"
    "  --set NAME=VALUE what {NAME} in the suite stands for\n"
    "  --keep-states    machines whose tests fail are saved, for relic86 -loadvm\n"
    "  --points DIR     points are kept there, for this run and later ones with the same inputs\n"
    "  --state-hash     a hash of each machine at its test's end, into the results\n"
    "  --merge DIR      no suite is run: the results of DIR, and of others given so, become one in --results\n"
    "  --list           the names of the tests that would run\n"
    "  --help, --version\n";

struct CommandLine {
  std::string suite;
  std::string results = "relic86-results";
  std::string points;  // empty: they end with the run
  unsigned jobs = 0;   // 0: by processors and memory
  std::vector<std::string> tests, tags, merged;
  Variables variables;
  unsigned shard = 1, shards = 1;
  bool list = false, state_hashes = false, keep_states = false;
  std::string print;   // a text that was asked for instead
  std::string repeat;  // what goes before a test's name to run it again
};

Result<unsigned> number(const std::string& option, const std::string& text, u64 highest) {
  const auto parsed = parse_number(text);
  if (!parsed || parsed.value() == 0 || parsed.value() > highest)
    return Error{fmt::format("{} {}: not a number from 1 to {}", option, text, highest)};
  return static_cast<unsigned>(parsed.value());
}

Result<CommandLine> parse(const std::vector<std::string>& words) {
  constexpr u64 kMostJobs = 4096, kMostShards = 100000;
  constexpr std::string_view kOptions[] = {"--merge", "--state-hash", "--keep-states", "--points", "-j",
                                           "--test",  "--results",    "--tag",         "--shard",  "--set",
                                           "--list",  "--help",       "--version"};
  CommandLine line;
  for (std::size_t i = 0; i < words.size(); i++) {
    const std::string& word = words[i];
    if (!word.starts_with('-')) {
      if (!line.suite.empty())
        return Error{fmt::format("{}: one suite at a time; {} was named already", word, line.suite)};
      line.suite = word;
      continue;
    }
    if (word == "--help" || word == "-h") line.print = kHelp;
    if (word == "--version") line.print = fmt::format("relic86-batch {}\n", kVersion);
    line.list = line.list || word == "--list";
    line.state_hashes = line.state_hashes || word == "--state-hash";
    line.keep_states = line.keep_states || word == "--keep-states";
    constexpr std::string_view kAlone[] = {"--help", "-h", "--version", "--list", "--state-hash", "--keep-states"};
    if (std::find(std::begin(kAlone), std::end(kAlone), word) != std::end(kAlone)) continue;
    if (std::find(std::begin(kOptions), std::end(kOptions), word) == std::end(kOptions))
      return Error{fmt::format("{}: unknown option; did you mean {}?", word, nearest_word(word, kOptions))};
    if (++i >= words.size()) return Error{fmt::format("{}: something has to follow; see --help", word)};
    const std::string& value = words[i];
    if (word == "--results") line.results = value;
    if (word == "--points") line.points = value;
    if (word == "--test") line.tests.push_back(value);
    if (word == "--tag") line.tags.push_back(value);
    if (word == "--merge") line.merged.push_back(value);
    if (word == "-j") {
      auto jobs = number(word, value, kMostJobs);
      if (!jobs) return jobs.error();
      line.jobs = jobs.value();
    }
    const auto separated = [&](char separator) { return value.find(separator); };
    if (word == "--set") {
      const auto at = separated('=');
      if (at == std::string::npos) return Error{fmt::format("--set {}: the value is missing; write NAME=VALUE", value)};
      line.variables[value.substr(0, at)] = value.substr(at + 1);
      line.repeat += " --set " + shell_word(value);
    }
    if (word == "--shard") {
      const auto at = separated('/');
      const auto part = number(word, value.substr(0, at), kMostShards);
      const auto parts = number(word, at == std::string::npos ? "" : value.substr(at + 1), kMostShards);
      if (!part || !parts || part.value() > parts.value())
        return Error{fmt::format("--shard {}: write I/N, with I from 1 to N", value)};
      line.shard = part.value();
      line.shards = parts.value();
    }
  }
  if (!line.suite.empty() && !line.merged.empty())
    return Error{fmt::format("{}: with --merge no suite is run; leave one of them out", line.suite)};
  if (line.print.empty() && line.suite.empty() && line.merged.empty()) return Error{"no suite was named; see --help"};
  line.repeat = fmt::format("relic86-batch{} {} --test ", line.repeat, shell_word(line.suite));
  return line;
}

// The tests that were asked for. A part of the suite is a part of these.
Result<std::vector<bool>> choose(const Suite& suite, const CommandLine& line) {
  std::vector<bool> wanted;
  for (const TestPlan& test : suite.tests) {
    const bool tagged = std::any_of(line.tags.begin(), line.tags.end(), [&](const std::string& tag) {
      return std::find(test.tags.begin(), test.tags.end(), tag) != test.tags.end();
    });
    const bool named = std::find(line.tests.begin(), line.tests.end(), test.name) != line.tests.end();
    wanted.push_back((line.tests.empty() && line.tags.empty()) || tagged || named);
  }
  for (const std::string& name : line.tests) {
    const auto is_it = [&](const TestPlan& test) { return test.name == name; };
    if (std::any_of(suite.tests.begin(), suite.tests.end(), is_it)) continue;
    std::vector<std::string_view> names;
    for (const TestPlan& test : suite.tests) names.push_back(test.name);
    return Error{fmt::format("--test {}: no test has this name; did you mean '{}'?", name, nearest_word(name, names))};
  }
  std::set<std::string_view> tags;
  for (const TestPlan& test : suite.tests) tags.insert(test.tags.begin(), test.tags.end());
  for (const std::string& tag : line.tags) {
    if (tags.contains(tag)) continue;
    const std::string known = tags.empty() ? "the suite has none" : fmt::format("there are: {}", fmt::join(tags, ", "));
    return Error{fmt::format("--tag {}: no test has this tag; {}", tag, known)};
  }
  unsigned number = 0;
  for (std::size_t test = 0; test < wanted.size(); test++) {
    if (wanted[test]) wanted[test] = number++ % line.shards == line.shard - 1;
  }
  return wanted;
}

// As many as there are processors, and as the largest machines have room beside each other.
unsigned default_jobs(const Suite& suite) {
  constexpr u64 kOwn = u64{64} << 20;  // of a process, beside the guest's memory
  u64 largest = 0;
  for (const MachinePlan& machine : suite.machines) largest = std::max(largest, machine.options.ram_bytes + kOwn);
  std::ifstream memory("/proc/meminfo");
  u64 available = 0;
  for (std::string word; memory >> word;) {
    if (word == "MemAvailable:" && memory >> available) break;
  }
  const u64 by_memory = available == 0 ? ~u64{0} : (available << 10) / largest;
  const u64 processors = static_cast<u64>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  return static_cast<unsigned>(std::clamp<u64>(by_memory, 1, processors));
}

int fail(const std::string& message) {
  print_text(stderr, fmt::format("relic86-batch: {}\n", message));
  return kUsage;
}

std::vector<std::unique_ptr<Reporter>> make_reporters(const std::string& folder) {
  std::vector<std::unique_ptr<Reporter>> reporters;
  reporters.push_back(make_tap_reporter());
  reporters.push_back(make_json_reporter(folder));
  reporters.push_back(make_junit_reporter(folder));
  return reporters;
}

// Results of several runs as those of one. A test that is in several of them was run again: the last one counts.
int merge(const CommandLine& line, const std::string& results) {
  std::string suite;
  std::vector<TestReport> reports;
  for (const std::string& folder : line.merged) {
    auto kept = read_results(folder);
    if (!kept) return fail("--merge " + kept.message());
    if (!kept.value().suite.empty()) suite = kept.value().suite;
    for (TestReport& report : kept.value().reports) {
      const auto same = std::find_if(reports.begin(), reports.end(),
                                     [&](const TestReport& other) { return other.name == report.name; });
      if (same == reports.end())
        reports.push_back(std::move(report));
      else
        *same = std::move(report);
    }
  }
  const auto reporters = make_reporters(results);
  for (const auto& reporter : reporters) {
    auto told = reporter->begin(suite, reports.size());
    for (const TestReport& report : reports) {
      if (told) told = reporter->add(report);
    }
    if (told) told = reporter->end();
    if (!told) return fail(told.message());
  }
  return std::any_of(reports.begin(), reports.end(), [](const TestReport& report) { return report.failed(); }) ? kFailed
                                                                                                               : 0;
}

int run(const std::vector<std::string>& words) {
  auto parsed = parse(words);
  if (!parsed) return fail(parsed.message());
  const CommandLine& line = parsed.value();
  if (!line.print.empty()) {
    print_text(stdout, line.print);
    return 0;
  }
  std::error_code failure;
  const std::filesystem::path results = std::filesystem::absolute(line.results, failure);
  if (!line.merged.empty()) {
    std::filesystem::create_directories(results, failure);
    if (failure)
      return fail(fmt::format("--results {}: {}; choose another folder", results.string(), failure.message()));
    return merge(line, results.string());
  }
  const std::string points =
      line.points.empty() ? std::string() : std::filesystem::absolute(line.points, failure).string();
  // Paths in a suite begin at its folder.
  const std::filesystem::path file(line.suite);
  if (std::filesystem::is_directory(file, failure)) return fail(line.suite + ": a folder; name a suite file in it");
  if (!file.parent_path().empty()) std::filesystem::current_path(file.parent_path(), failure);
  if (failure) return fail(fmt::format("{}: {}; name a suite file", line.suite, failure.message()));
  auto suite = load_suite(file.filename().string(), line.variables);
  if (!suite) return fail(suite.message());
  auto wanted = choose(suite.value(), line);
  if (!wanted) return fail(wanted.message());
  if (line.list) {
    for (std::size_t test = 0; test < suite.value().tests.size(); test++) {
      if (wanted.value()[test]) print_text(stdout, suite.value().tests[test].name + "\n");
    }
    return 0;
  }
  std::filesystem::create_directories(results, failure);
  if (failure) return fail(fmt::format("--results {}: {}; choose another folder", results.string(), failure.message()));
  if (!points.empty()) std::filesystem::create_directories(points, failure);
  if (failure) return fail(fmt::format("--points {}: {}; choose another folder", points, failure.message()));
  suite.value().points = points;
  suite.value().state_hashes = line.state_hashes;
  suite.value().keep_states = line.keep_states;
  for (MachinePlan& machine : suite.value().machines) {
    if (line.keep_states && machine.options.load_vm.empty()) machine.options.state_dir = results.string();
  }
  const unsigned jobs = line.jobs != 0 ? line.jobs : default_jobs(suite.value());
  Runner runner(
      suite.value(),
      {jobs, results.string(), wanted.value(), [&](const std::string& test) { return line.repeat + shell_word(test); }},
      make_reporters(results.string()));
  const auto ended = runner.run();
  if (!ended) return fail(ended.message());
  switch (ended.value()) {
    case Runner::Ended::AllWell: return 0;
    case Runner::Ended::TestsFailed: return kFailed;
    case Runner::Ended::Interrupted: return kInterrupted;
  }
  return kFailed;
}

}  // namespace

}  // namespace relic86::batch

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our output that goes away is no reason to die
  std::signal(SIGXFSZ, SIG_IGN);
  relic86::fill_standard_streams();
  try {
    return relic86::batch::run({argv + 1, argv + argc});
  } catch (const std::bad_alloc&) {
    std::fputs("relic86-batch: the host has no memory left for this process\n", stderr);
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "relic86-batch: %s\n", error.what());
  }
  return 2;
}
