// The libraries of the program's own that hold all of a large library of the host's: loaded when what they are for is
// wanted.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace relic86 {

enum class HostLibrary {
  Sdl,   // relic86-sdl.so: a window, the host's sound
  Midi,  // relic86-midi.so: FluidSynth
  Vnc,   // relic86-vnc.so: libvncserver
};

// Where it may lie: next to the program (as built), or where an installation puts it.
std::vector<std::string> host_library_paths(HostLibrary library);
// One of the library's entry points. Errors say the cause and how to mend it; the caller names what is wanted.
Result<void*> host_entry_point(HostLibrary library, const char* name);

}  // namespace relic86
