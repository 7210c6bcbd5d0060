// --speed: how fast the processor is at most.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// A processor that people name, and the instructions a second that it typically carries out.
struct SpeedPreset {
  std::string_view name;  // "386-33"
  double instructions_per_second;
};
std::span<const SpeedPreset> speed_presets();
// The name of a preset, or a number of instructions a second with an optional K or M ("6.5M"), from 10K to 10000M;
// "free" is 0, no limit.
Result<double> parse_speed(std::string_view text);

Result<> set_speed(Options& options, std::string_view value);
// At the end of the command line: nothing else sets the speed.
Result<> check_speed(const Options& options);

}  // namespace relic86
