#include "options/monitor_option.h"

#include <fmt/format.h>

#include "options/option_text.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

}  // namespace

Result<> add_text_monitor(Options& options, Text value) {
  options.monitors.push_back({"-monitor", std::string(value), false, false});
  return {};
}

Result<> add_qmp(Options& options, Text value) {
  options.monitors.push_back({"-qmp", std::string(value), true, false});
  return {};
}

Result<> add_pretty_qmp(Options& options, Text value) {
  options.monitors.push_back({"-qmp-pretty", std::string(value), true, true});
  return {};
}

Result<> add_monitor(Options& options, Text value) {
  MonitorOption monitor;
  monitor.option = "-mon";
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "chardev" || (word.empty() && monitor.device.empty())) {
      monitor.device = "chardev:" + (key == "chardev" ? word : key);
    } else if (key == "mode") {
      if (word != "readline" && word != "control")
        return Error{fmt::format("-mon mode={}: unknown mode; readline and control exist", word)};
      monitor.control = word == "control";
    } else if (key == "pretty") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("-mon pretty={}: {}", word, on.message())};
      monitor.pretty = on.value();
    } else if (key != "id") {
      return Error{fmt::format("-mon {}={}: unknown property; chardev, mode and pretty are known", key, word)};
    }
  }
  if (monitor.device.empty()) return Error{"-mon: chardev=ID is missing; name a -chardev"};
  options.monitors.push_back(monitor);
  return {};
}

Result<> set_escape(Options& options, Text value) {
  const auto number = value.size() == 1 && (value[0] < '0' || value[0] > '9')
                          ? Result<u64>(u64{static_cast<u8>(value[0]) & 0x1Fu})
                          : parse_number(value);
  if (!number || number.value() < 1 || number.value() > 26)
    return Error{fmt::format("-echr {}: give the number of a control character, 1 (Ctrl-A) to 26 (Ctrl-Z)", value)};
  options.escape_character = static_cast<u8>(number.value());
  return {};
}

}  // namespace relic86
