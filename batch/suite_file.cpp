// From the tree of a suite file to machines and tests.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/nearest.h"
#include "batch/panics.h"
#include "batch/suite.h"

namespace relic86::batch {

namespace {

// What holds for a test and may be said for all, for a machine, or for the test.
struct Rules {
  Limits limits{.guest_time = 600'000'000'000,
                .host_ns = 600'000'000'000,
                .hang = 120'000'000'000,
                .idle = 120'000'000'000,
                .resets = 3,
                .output = 16u << 20};
  std::vector<Pattern> fail;
  std::vector<std::string> panics;
  bool end_at_triple_fault = true;
  unsigned retries = 0;
  TestPlan::Film film = TestPlan::Film::Failed;
};

void read_rules(TableReader& reader, Rules& rules) {
  Limits& limits = rules.limits;
  limits.guest_time = reader.duration("guest_time", limits.guest_time);
  limits.host_ns = reader.duration("host_time", limits.host_ns);
  limits.hang = reader.duration("hang", limits.hang);
  limits.idle = reader.duration("idle", limits.idle);
  limits.output = reader.size("output", limits.output);
  constexpr i64 kMost = 1000;
  limits.resets = static_cast<unsigned>(reader.integer("resets", 0, kMost).value_or(limits.resets));
  rules.retries = static_cast<unsigned>(reader.integer("retries", 0, kMost).value_or(rules.retries));
  for (const std::string& text : reader.texts("fail")) {
    if (auto pattern = read_pattern(reader, "fail", text, Searched::Screen)) rules.fail.push_back(std::move(*pattern));
  }
  if (reader.has("panics")) {
    rules.panics = reader.texts("panics");
    const std::vector<std::string_view> groups = panic_groups();
    for (const std::string& group : rules.panics) {
      if (std::find(groups.begin(), groups.end(), group) == groups.end())
        reader.fail("panics",
                    fmt::format("'{}' is no group of panics; did you mean '{}'?", group, nearest_word(group, groups)));
    }
  }
  const std::string fault = reader.text("triple_fault", rules.end_at_triple_fault ? "end" : "reset");
  if (fault != "end" && fault != "reset") reader.fail("triple_fault", "must be \"end\" or \"reset\"");
  rules.end_at_triple_fault = fault == "end";
  constexpr std::string_view kFilms[] = {"failed", "always", "off"};
  const std::string film = reader.text("film", std::string(kFilms[static_cast<std::size_t>(rules.film)]));
  const auto* const found = std::find(std::begin(kFilms), std::end(kFilms), film);
  if (found == std::end(kFilms)) return reader.fail("film", "must be \"failed\", \"always\" or \"off\"");
  rules.film = static_cast<TestPlan::Film>(found - std::begin(kFilms));
}

// One choice of a matrix.
struct Variant {
  std::string suffix;  // " [memory=64 cpu=486]"
  Variables values;
};

std::vector<Variant> read_matrix(TableReader& reader) {
  std::vector<Variant> variants{{}};
  const TomlValue* const matrix = reader.value("matrix");
  if (matrix == nullptr) return variants;
  if (matrix->kind != TomlValue::Kind::Table)
    reader.fail("matrix", "is not a table; write matrix.NAME = [\"..\", \"..\"]");
  for (const auto& [name, values] : matrix->members) {
    std::vector<Variant> longer;
    for (const Variant& variant : variants) {
      for (const TomlValue& value : values.items) {
        if (value.kind != TomlValue::Kind::Text)
          reader.fail("matrix", fmt::format("{} holds something that is not a text", name));
        Variant next = variant;
        next.suffix += fmt::format("{}{}={}", next.suffix.empty() ? "" : " ", name, value.text);
        next.values[name] = value.text;
        longer.push_back(std::move(next));
      }
    }
    if (values.items.empty())
      reader.fail("matrix", fmt::format("{} is no list of texts; write [\"..\", \"..\"]", name));
    variants = std::move(longer);
  }
  return variants;
}

std::string suffixed(const std::string& name, const Variant& variant) {
  return variant.suffix.empty() ? name : fmt::format("{} [{}]", name, variant.suffix);
}

Variables joined(const Variables& first, const Variables& second) {
  Variables all = second;
  all.insert(first.begin(), first.end());
  return all;
}

// Options whose place is the runner's own.
std::optional<std::string> runners_option(const Options& options) {
  const std::pair<bool, const char*> rows[] = {
      {!options.serials.empty(), "-serial: the runner is at the other end of COM1; drop it"},
      {!options.monitors.empty(), "-monitor, -qmp: use steps 'monitor' and 'command' instead"},
      {!options.gdb.empty(), "-gdb: run the machine by itself to debug it"},
      {!options.expect_serial.empty() || !options.expect_screen.empty() || !options.fail_serial.empty(),
       "--expect-*, --fail-serial: use steps 'serial' and 'screen' and the key 'fail' instead"},
      {options.timeout_seconds > 0, "--timeout: use the keys 'guest_time' and 'host_time' instead"},
      {options.start_paused, "-S: nobody would let the machine go; drop it"},
      {options.daemonize || !options.pid_file.empty(), "-daemonize, -pidfile: the runner owns the process; drop it"},
  };
  for (const auto& [given, message] : rows) {
    if (given) return message;
  }
  return std::nullopt;
}

// What a forked process would share with others: connections to the host.
std::optional<std::string> unforkable(const Options& options) {
  for (const NetdevOption& netdev : options.network.netdevs) {
    bool connected = netdev.type != "user" && netdev.type != "hubport" && netdev.type != "none";
    for (const auto& [key, value] : netdev.properties) connected = connected || key.ends_with("fwd");
    if (connected) return fmt::format("{} (id {})", netdev.option, netdev.id);
  }
  return std::nullopt;
}

class SuiteReader {
 public:
  SuiteReader(std::string file, const TomlValue& document, const Variables& given) : document_(document) {
    suite_.file = std::move(file);
    suite_.folder = std::filesystem::absolute(suite_.file).parent_path().string();
    variables_ = given;
    variables_.emplace("suite", suite_.folder);
  }

  Result<Suite> read() {
    TableReader top(suite_.file, "suite", document_, variables_);
    suite_.name = top.text("name", std::filesystem::path(suite_.file).stem().string());
    if (const TomlValue* variables = top.value("variables"); variables != nullptr) {
      for (const auto& [name, value] : variables->members) variables_.emplace(name, value.text);
    }
    for (const std::string_view group : panic_groups()) rules_.panics.emplace_back(group);
    if (const TomlValue* defaults = top.value("defaults"); defaults != nullptr) {
      TableReader reader(suite_.file, "[defaults]", *defaults, variables_);
      read_rules(reader, rules_);
      if (auto read = reader.finish(); !read) return read.error();
    }
    const TomlValue* const machines = top.value("machine");
    if (machines == nullptr || machines->kind != TomlValue::Kind::Table || machines->members.empty())
      return Error{fmt::format("{}: there is no machine; write [machine.NAME] with options = [..]", suite_.file)};
    for (const auto& [name, table] : machines->members) {
      if (auto read = read_machine(name, table); !read) return read.error();
    }
    for (const TomlValue* table : top.tables("test")) {
      if (auto read = read_test(*table); !read) return read.error();
    }
    if (auto read = top.finish(); !read) return read.error();
    if (suite_.tests.empty()) return Error{fmt::format("{}: there is no test; write [[test]]", suite_.file)};
    return std::move(suite_);
  }

 private:
  struct MachineGroup {
    std::vector<std::size_t> variants;  // in suite_.machines
    std::vector<Variables> values;      // of each one's matrix
    Rules rules;
  };

  Result<> read_machine(const std::string& name, const TomlValue& table) {
    const std::string what = fmt::format("[machine.{}]", name);
    TableReader matrix(suite_.file, what, table, variables_);
    const std::vector<Variant> variants = read_matrix(matrix);
    if (matrix.mistake()) return *matrix.mistake();
    MachineGroup group;
    for (const Variant& variant : variants) {
      const Variables values = joined(variant.values, variables_);
      TableReader reader(suite_.file, what, table, values);
      group.rules = rules_;
      read_rules(reader, group.rules);
      (void)reader.value("matrix");
      MachinePlan plan;
      plan.name = suffixed(name, variant);
      plan.arguments = reader.texts("options");
      const std::string time = reader.text("time", "counted");
      if (time != "counted" && time != "host") reader.fail("time", "must be \"counted\" or \"host\"");
      const auto given = [&](std::string_view option) {
        return std::any_of(plan.arguments.begin(), plan.arguments.end(), [&](const std::string& word) {
          return word.starts_with('-') && std::string_view(word).substr(word.find_first_not_of('-')) == option;
        });
      };
      if (time == "counted" && !given("icount"))
        plan.arguments.insert(plan.arguments.end(), {"-icount", "shift=4,sleep=off"});
      for (const char* word : {"-snapshot", "-display", "none"}) plan.arguments.emplace_back(word);
      complete(reader, plan);
      if (auto read = reader.finish(); !read) return read.error();
      group.variants.push_back(suite_.machines.size());
      group.values.push_back(values);
      suite_.machines.push_back(std::move(plan));
    }
    machines_.emplace(name, std::move(group));
    return {};
  }

  // The machine's options, of its arguments.
  static void complete(TableReader& reader, MachinePlan& plan) {
    auto parsed = parse_command_line(plan.arguments);
    if (!parsed) return reader.fail("options", parsed.message());
    if (parsed.value().print_and_exit)
      return reader.fail("options", "ask for a text instead of a machine; drop what does");
    plan.options = std::move(parsed.value().options);
    // Copies of the process need code caches of their own, which are to stay small.
    const std::string chosen = plan.options.jit_opt.empty() ? "" : plan.options.jit_opt + ",";
    plan.options.jit_opt = "+late-links," + chosen + "+one-mapping";
    plan.options.disk_threads = 0;  // a copied process has no threads
    if (const auto place = runners_option(plan.options)) reader.fail("options", *place);
  }

  // Where a test starts: a machine of its own, or the point of another test.
  struct Start {
    std::size_t machine;
    std::optional<std::size_t> after;
  };

  Result<std::vector<Start>> starts_of(TableReader& reader) {
    std::vector<Start> starts;
    if (const std::string after = reader.text("after"); !after.empty()) {
      for (std::size_t i = 0; i < suite_.tests.size(); i++) {
        if (suite_.tests[i].point == after) starts.push_back({suite_.tests[i].machine, i});
      }
      if (starts.empty())
        reader.fail(
            "after",
            fmt::format("no test before this one has point = \"{}\"; add it to the test that gets there", after));
      if (reader.has("machine")) reader.fail("machine", "is that of the point; drop it");
      return starts;
    }
    const std::string name = reader.text("machine", machines_.size() == 1 ? machines_.begin()->first : "");
    const auto found = machines_.find(name);
    if (found == machines_.end()) {
      std::vector<std::string_view> names;
      for (const auto& [known, group] : machines_) names.push_back(known);
      reader.fail("machine", name.empty() ? fmt::format("is missing; one of {}", fmt::join(names, ", "))
                                          : fmt::format("there is no [machine.{}]; did you mean '{}'?", name,
                                                        nearest_word(name, names)));
      return *reader.mistake();
    }
    for (const std::size_t machine : found->second.variants) starts.push_back({machine, std::nullopt});
    return starts;
  }

  const MachineGroup& group_of(std::size_t machine, std::size_t& variant) const {
    if (const auto base = extended_.find(machine); base != extended_.end()) machine = base->second;
    for (const auto& [name, group] : machines_) {
      const auto found = std::find(group.variants.begin(), group.variants.end(), machine);
      if (found == group.variants.end()) continue;
      variant = static_cast<std::size_t>(found - group.variants.begin());
      return group;
    }
    RELIC86_ASSERT(false);
  }

  Result<> read_test(const TomlValue& table) {
    const TomlValue* const named = table.find("name");
    const std::string what = named == nullptr ? "[[test]]" : fmt::format("test '{}'", named->text);
    TableReader first(suite_.file, what, table, variables_);
    const std::vector<Variant> variants = read_matrix(first);
    if (first.mistake()) return *first.mistake();
    constexpr i64 kMostRepeats = 100000;
    const i64 repeats = first.integer("repeat", 1, kMostRepeats).value_or(1);
    if (first.mistake()) return *first.mistake();
    for (const Variant& variant : variants) {
      const Variables own = joined(variant.values, variables_);
      TableReader finder(suite_.file, what, table, own);
      auto starts = starts_of(finder);
      if (finder.mistake()) return *finder.mistake();
      for (const Start& start : starts.value()) {
        for (i64 n = 1; n <= repeats; n++) {
          if (auto read = read_one_test(what, table, variant, start, repeats > 1 ? n : 0); !read) return read;
        }
      }
    }
    return {};
  }

  // A test's own options come after those of its machine.
  std::size_t extend(TableReader& reader, const Start& start) {
    MachinePlan plan = suite_.machines[start.machine];
    const std::vector<std::string> own = reader.texts("options");
    plan.arguments.insert(plan.arguments.end(), own.begin(), own.end());
    complete(reader, plan);
    if (start.after) reader.fail("options", "come too late: the machine of the point runs already; drop them");
    extended_[suite_.machines.size()] = start.machine;
    suite_.machines.push_back(std::move(plan));
    return suite_.machines.size() - 1;
  }

  Result<> read_one_test(const std::string& what, const TomlValue& table, const Variant& variant, const Start& start,
                         i64 number) {
    std::size_t machine_variant = 0;
    const MachineGroup& group = group_of(start.machine, machine_variant);
    Variables values = joined(variant.values, group.values[machine_variant]);
    TableReader reader(suite_.file, what, table, values);
    for (const char* key : {"matrix", "machine", "after", "repeat"}) (void)reader.value(key);
    TestPlan test;
    test.machine = reader.has("options") ? extend(reader, start) : start.machine;
    test.after = start.after;
    test.where = fmt::format("{}:{}", suite_.file, table.line);
    test.name = suffixed(reader.text("name"), variant);
    if (reader.text("name").empty()) reader.fail("name", "is missing; a test needs one");
    const std::string& machine = suite_.machines[start.machine].name;
    if (const auto bracket = machine.find(" ["); bracket != std::string::npos) test.name += machine.substr(bracket);
    if (number != 0) test.name += fmt::format(" #{}", number);
    if (!names_.insert(test.name).second)
      reader.fail("name", fmt::format("there is a test '{}' already; give it another", test.name));
    test.point = reader.text("point");
    Rules rules = group.rules;
    read_rules(reader, rules);
    test.limits = rules.limits;
    test.fail = std::move(rules.fail);
    test.panics = std::move(rules.panics);
    test.end_at_triple_fault = rules.end_at_triple_fault;
    test.retries = rules.retries;
    test.film = rules.film;
    test.tags = reader.texts("tags");
    if (reader.has("known_failure")) test.known_failure = reader.text("known_failure");
    const std::string outcome = reader.text("outcome", std::string(outcome_name(Outcome::Passed)));
    if (const auto known = outcome_of(outcome); known) {
      test.expected = *known;
    } else {
      reader.fail("outcome", fmt::format("'{}' is no outcome; did you mean '{}'?", outcome,
                                         nearest_word(outcome, outcome_names())));
    }
    for (const auto& [name, value] : values) test.definition += fmt::format("{}={}\n", name, value);
    for (const TomlValue* step : reader.tables("steps")) {
      test.definition += text_of(*step) + "\n";
      auto read = read_step(suite_.file, *step, values);
      if (!read) return read.error();
      test.steps.push_back(std::move(read).value());
    }
    if (test.steps.empty()) reader.fail("steps", "is missing or empty; write what is waited for and done");
    if (const auto shared = unforkable(suite_.machines[test.machine].options); shared && !test.point.empty())
      reader.fail("point",
                  fmt::format("the machine has a connection to the host, {}, which its copies would share; give "
                              "it -nic user or none",
                              *shared));
    if (auto read = reader.finish(); !read) return read.error();
    suite_.tests.push_back(std::move(test));
    return {};
  }

  const TomlValue& document_;
  Variables variables_;
  Suite suite_;
  Rules rules_;
  std::map<std::string, MachineGroup> machines_;
  std::map<std::size_t, std::size_t> extended_;  // machines with options of a test's, and what they are made from
  std::set<std::string> names_;
};

}  // namespace

Result<Suite> load_suite(const std::string& file, const Variables& variables) {
  const auto document = read_toml(file, "a suite file");
  if (!document) return document.error();
  return SuiteReader(file, document.value(), variables).read();
}

}  // namespace relic86::batch
