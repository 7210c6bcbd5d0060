// The port whose device takes and gives the general registers of whoever reads it: VMware's
// (devices/input/vmware_port.h). Translated code, which keeps them to itself, leaves it to the instruction's handler.
#pragma once

#include "base/types.h"

namespace relic86 {

inline constexpr u16 kRegisterPort = 0x5658;

}  // namespace relic86
