// How a test's machine ended, and what a test came to.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace relic86::batch {

// What happened in the machine. The names are part of the suite's format (docs/batch.md).
enum class Outcome : u8 {
  Passed,       // every step was carried out
  FailureText,  // a text of `fail` was seen
  Panic,        // a text of the library of panics was seen
  Hang,         // the guest runs, and gets nowhere
  Halted,       // HLT with interrupts off: nothing wakes it any more
  Idle,         // the guest waits for something that does not come
  Stopped,      // the machine was paused: the host's disk is full, a watchdog's or a panic's action says so, or a step
  TripleFault,  //
  ResetLoop,    // it resets itself again and again
  EndlessOutput,  // the same lines again and again, or more than the limit
  WrongPicture,   // the screen is not the expected picture
  PowerOff,       // it powered off while a step waited for something else
  Reset,          // it reset itself (with -no-reboot), likewise
  Exit,           // it wrote to the exit port, likewise, or another value
  Timeout,        // guest time is up, the test's or the step's
  HostTimeout,    // host time is up
  StepFailed,     // a command or another action of a step failed
  Crashed,        // the emulator process died
  NotStarted,     // the machine could not be built
  NotRun,         // the point that it starts from was not reached
};
std::string_view outcome_name(Outcome outcome);
std::optional<Outcome> outcome_of(std::string_view name);
std::vector<std::string_view> outcome_names();

// One attempt at a test.
struct Attempt {
  Outcome outcome = Outcome::Crashed;
  std::string detail;       // a sentence for people: what, where, after how long
  unsigned step = 0;        // the step in which it happened, from 1; 0: none
  std::string state_hash;   // of the machine at the end (--state-hash); empty: not asked for
  std::string saved_state;  // the tag of -loadvm for the machine as it failed (--keep-states); empty: none
  double guest_seconds = 0;
  double host_seconds = 0;
  u64 private_bytes = 0;  // of host memory that this process had for itself at its end; 0: not known
  double start_ms = 0;    // host time from the decision to run it until its machine was there
};

}  // namespace relic86::batch
