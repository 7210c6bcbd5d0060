// -midi synth: gives the machine's MIDI outputs a synthesizer.
#pragma once

#include "machine/machine.h"

namespace relic86 {

// Before a saved machine is loaded, which sets the synthesizer to what it was. Errors name the option, the cause and
// the mend; without -midi it is nothing but a pity that there is none.
Result<> connect_host_midi(Machine& machine);

}  // namespace relic86
