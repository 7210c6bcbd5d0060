#include "options/speed_option.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "options/options.h"

namespace relic86 {

// How many instructions a real processor carries out in a second depends on the program. These are the counts at which
// the part "3-D games" of TOPBENCH 0.97 (Jim Leonard; the mix of instructions of nine games of 1990, 447 of them as they
// are counted here) takes as long as on real machines, by the benchmark's own collection of results (DATABASE.INI of
// 2022, median of the machines of that kind, of the Pentium the one desktop): 1848, 93, 33.5 and 6 microseconds.
std::span<const SpeedPreset> speed_presets() {
  static constexpr SpeedPreset kPresets[] = {
      {"8088 4.77 MHz", 242e3}, {"386-33", 4.8e6}, {"486DX2-66", 13.4e6}, {"Pentium 133", 74e6}};
  return kPresets;
}

Result<double> parse_speed(std::string_view text) {
  constexpr double kLeast = 10e3, kMost = 10e9;
  if (text == "free") return 0.0;
  std::string names;
  for (const SpeedPreset& preset : speed_presets()) {
    if (preset.name == text) return preset.instructions_per_second;
    names += fmt::format("'{}', ", preset.name);
  }
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const double factor = unit.empty() ? 1 : unit == "K" || unit == "k" ? 1e3 : unit == "M" || unit == "m" ? 1e6 : 0;
  const double speed = number * factor;
  if (failure == std::errc{} && speed >= kLeast && speed <= kMost) return speed;
  return Error{fmt::format("'{}' is no speed; write free, {}or instructions a second from 10K to 10000M", text, names)};
}

Result<> set_speed(Options& options, std::string_view value) {
  const auto speed = parse_speed(value);
  if (!speed) return Error{"--speed: " + speed.message()};
  options.speed = speed.value();
  return {};
}

Result<> check_speed(const Options& options) {
  if (options.speed == 0 || !options.icount) return {};
  return Error{fmt::format(
      "--speed {:g}: -icount sets the processor's speed; leave one of them out, or say --speed free", options.speed)};
}

}  // namespace relic86
