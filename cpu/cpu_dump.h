// The processor's registers as text, laid out as QEMU's users know it: info registers, -d int, -d cpu.
#pragma once

#include <string>

#include "cpu/cpu.h"

namespace relic86 {

// General, segment, control and debug registers; with units also x87 and SSE. Ends in a newline.
std::string describe_registers(Cpu& cpu, bool units);

}  // namespace relic86
