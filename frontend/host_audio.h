// -audiodev sdl: connects the machine's mixers to the host's sound system.
#pragma once

#include "machine/machine.h"

namespace relic86 {

// Errors name the option, the cause and the mend.
Result<> connect_host_audio(Machine& machine);

}  // namespace relic86
