// The guest's memory and registers as an ELF core file, for crash, gdb and libvirt's dump.
#pragma once

#include <functional>
#include <span>

#include "machine/machine.h"

namespace relic86 {

// sink: takes the file from its start to its end.
Result<> dump_guest(Machine& machine, const std::function<Result<>(std::span<const u8>)>& sink);

}  // namespace relic86
