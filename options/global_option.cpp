#include "options/global_option.h"

#include <fmt/format.h>

#include "options/option_text.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

Result<> set_debugcon_port(Options& options, Text word) {
  const auto port = parse_number(word);
  if (!port || port.value() > 0xFFFF) return Error{"the port must be 0 to 0xffff"};
  options.debugcon_port = static_cast<u16>(port.value());
  return {};
}
template <bool Options::*can>
Result<> set_sleep_state(Options& options, Text word) {
  const auto number = parse_number(word);
  const auto off = number && number.value() <= 1 ? Result<bool>(number.value() == 1) : parse_switch(word);
  if (!off) return Error{"0, 1, on and off exist"};
  options.*can = !off.value();
  return {};
}

Result<> set_floppy_speed(Options& options, Text word) {
  if (word != "fast" && word != "real") return Error{"fast and real (a turning disk's) exist"};
  options.real_floppy_speed = word == "real";
  return {};
}

}  // namespace

Result<> set_global(Options& options, Text value) {
  struct Row {
    Text driver, property;
    Result<> (*apply)(Options&, Text);
  };
  static constexpr Row kServed[] = {
      {"isa-debugcon", "iobase", set_debugcon_port},
      {"PIIX4_PM", "disable_s3", set_sleep_state<&Options::suspend_to_ram>},
      {"PIIX4_PM", "disable_s4", set_sleep_state<&Options::suspend_to_disk>},
      {"ICH9-LPC", "disable_s3", set_sleep_state<&Options::suspend_to_ram>},
      {"ICH9-LPC", "disable_s4", set_sleep_state<&Options::suspend_to_disk>},
      {"isa-fdc", "fdtypeA",
       [](Options& given, Text word) -> Result<> {
         given.floppy_drive_a_absent = word == "none";
         return {};
       }},
      {"isa-fdc", "speed", set_floppy_speed},
  };
  std::string driver, property, word;
  if (value.starts_with("driver=")) {
    for (const auto& [key, text] : parse_properties(value)) {
      if (key == "driver") driver = text;
      if (key == "property") property = text;
      if (key == "value") word = text;
    }
  } else {
    const auto point = value.find('.'), equals = value.find('=');
    if (point < equals && equals != Text::npos) {
      driver = value.substr(0, point);
      property = value.substr(point + 1, equals - point - 1);
      word = value.substr(equals + 1);
    }
  }
  if (driver.empty() || property.empty()) return Error{fmt::format("-global {}: write DRIVER.PROPERTY=VALUE", value)};
  for (const Row& row : kServed) {
    if (row.driver != driver || row.property != property) continue;
    if (auto applied = row.apply(options, word); !applied)
      return Error{fmt::format("-global {}: {}", value, applied.message())};
  }
  return {};
}

}  // namespace relic86
