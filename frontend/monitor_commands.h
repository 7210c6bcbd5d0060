// The monitor's command functions by topic; the table in monitor.cpp names them.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "frontend/machine.h"

namespace relic86::monitor {

using Words = std::span<const std::string>;

// monitor_memory.cpp
std::string examine_virtual(Machine& machine, Words words);   // x /FMT ADDR
std::string examine_physical(Machine& machine, Words words);  // xp /FMT ADDR
std::string print_value(Machine& machine, Words words);       // print /FMT EXPRESSION
std::string save_memory(Machine& machine, Words words);       // memsave, pmemsave ADDR SIZE FILE
std::string port_read(Machine& machine, Words words);         // i /FMT PORT
std::string port_write(Machine& machine, Words words);        // o /FMT PORT VALUE

// monitor_info.cpp
std::string info(Machine& machine, Words words);
std::string registers_text(Machine& machine);  // as QEMU prints them

// A number as the monitor takes it: decimal, 0x, 0 octal, $register, sums and differences of those.
std::optional<u64> evaluate(Machine& machine, std::string_view text);

}  // namespace relic86::monitor
