// What becomes of the guest's requests that the host's disk fails: werror= and rerror=.
#pragma once

#include "base/types.h"

namespace relic86 {

enum class OnError : u8 {
  Report,      // "report": the guest gets an error
  Ignore,      // "ignore": the guest is told that all is well
  StopIfFull,  // "enospc": as Stop where the host's disk is full, otherwise as Report
  Stop         // "stop": the machine stops, and the request is carried out again when it goes on
};

// The defaults are QEMU's.
struct ErrorPolicy {
  OnError write = OnError::StopIfFull;  // flushes, discards and zeroes, too
  OnError read = OnError::Report;
};

// What that means for one request.
enum class ErrorAction : u8 { Report, Ignore, Stop };

}  // namespace relic86
