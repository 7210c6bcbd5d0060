// The program behind main(): options, machine, window or headless, exit code.
#pragma once

#include <span>
#include <string>

namespace relic86 {

int run_program(std::span<const std::string> arguments, const char* program);

}  // namespace relic86
