#include "options/run_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "options/option_text.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

// In the order of Options::WatchdogAction and PanicAction.
constexpr std::array kWatchdogActions =
    std::to_array<Text>({"reset", "shutdown", "poweroff", "inject-nmi", "pause", "debug", "none"});
constexpr std::array kPanicActions = std::to_array<Text>({"pause", "shutdown", "exit-failure", "none"});

template <class Action>
std::optional<Action> find_word(std::span<const Text> words, Text word) {
  const auto at = std::find(words.begin(), words.end(), word);
  return at == words.end() ? std::nullopt : std::optional(static_cast<Action>(at - words.begin()));
}

}  // namespace

Result<> set_name(Options& options, Text value) {
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "guest" || word.empty()) {
      if (options.name.empty() || key == "guest") options.name = key == "guest" ? word : key;
    } else if (key != "process" && key != "debug-threads") {
      return Error{fmt::format("-name {}={}: unknown property; guest is known", key, word)};
    }
  }
  return {};
}

std::string_view watchdog_action_name(Options::WatchdogAction action) {
  return kWatchdogActions[static_cast<std::size_t>(action)];
}
std::optional<Options::WatchdogAction> watchdog_action(Text word) {
  return find_word<Options::WatchdogAction>(kWatchdogActions, word);
}
std::optional<Options::PanicAction> panic_action(Text word) {
  return find_word<Options::PanicAction>(kPanicActions, word);
}

// -action EVENT=ACTION: QEMU's general form of -no-reboot and -no-shutdown.
Result<> set_action(Options& options, Text value) {
  struct Row {
    Text event;
    std::span<const Text> actions;
  };
  static constexpr std::array kReboot = std::to_array<Text>({"reset", "shutdown"});
  static constexpr std::array kShutdown = std::to_array<Text>({"poweroff", "pause"});
  constexpr Row kEvents[] = {
      {"reboot", kReboot}, {"shutdown", kShutdown}, {"panic", kPanicActions}, {"watchdog", kWatchdogActions}};
  for (const auto& [key, word] : parse_properties(value)) {
    const Row* row =
        std::find_if(std::begin(kEvents), std::end(kEvents), [&event = key](const Row& r) { return r.event == event; });
    if (row == std::end(kEvents))
      return Error{fmt::format("-action {}: unknown event; reboot, shutdown, panic and watchdog exist", key)};
    if (std::find(row->actions.begin(), row->actions.end(), word) == row->actions.end())
      return Error{fmt::format("-action {}={}: unknown action; {} exist", key, word, fmt::join(row->actions, ", "))};
    if (key == "reboot") options.no_reboot = word == "shutdown";
    if (key == "shutdown") options.no_shutdown = word == "pause";
    if (key == "panic") options.panic_action = *panic_action(word);
    if (key == "watchdog") options.watchdog_action = *watchdog_action(word);
  }
  return {};
}

Result<> set_watchdog_action(Options& options, Text value) {
  const auto action = watchdog_action(value);
  if (!action)
    return Error{
        fmt::format("-watchdog-action {}: unknown action; {} exist", value, fmt::join(kWatchdogActions, ", "))};
  options.watchdog_action = *action;
  return {};
}

Result<> set_on_close(Options& options, Text value) {
  using enum Options::OnClose;
  if (value != "quit" && value != "save" && value != "ask")
    return Error{fmt::format("--on-close {}: unknown word; quit, save and ask exist", value)};
  options.on_close = value == "save" ? Save : value == "ask" ? Ask : Quit;
  return {};
}

// -compat deprecated-input=..: nothing here is deprecated or unstable, so that every policy holds.
Result<> set_compatibility(Options&, Text value) {
  for (const auto& [key, word] : parse_properties(value)) {
    const bool input = key == "deprecated-input" || key == "unstable-input";
    const bool output = key == "deprecated-output" || key == "unstable-output";
    const bool known =
        word == "accept" || (input && (word == "reject" || word == "crash")) || (output && word == "hide");
    if ((!input && !output) || !known)
      return Error{
          fmt::format("-compat {}={}: unknown; deprecated-input and unstable-input take accept, reject and "
                      "crash, deprecated-output and unstable-output accept and hide",
                      key, word)};
  }
  return {};
}

Result<> set_seed(Options& options, Text value) {
  const auto number = parse_number(value);
  if (!number) return Error{fmt::format("-seed {}: {}; give a number", value, number.message())};
  options.seed = number.value();
  return {};
}

Result<> set_incoming(Options& options, Text value) {
  if (value.empty())
    return Error{"-incoming: names no place; give tcp:HOST:PORT, unix:PATH, exec:COMMAND, fd:N or defer"};
  options.incoming = value;
  return {};
}

Result<> set_disk_threads(Options& options, std::string_view value) {
  constexpr u64 kMost = 16;
  const auto number = parse_number(value);
  if (!number || number.value() > kMost)
    return Error{
        fmt::format("--disk-threads {}: give a number from 0 (the guest waits for its disks) to {}", value, kMost)};
  options.disk_threads = static_cast<unsigned>(number.value());
  return {};
}

}  // namespace relic86
