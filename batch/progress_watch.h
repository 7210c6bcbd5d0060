// Whether a guest gets anywhere. Progress is what its user would see or wait for: code that has not run lately, memory
// that was not used before, disks read and written, output, another screen. Interrupts and accesses to registers are
// none: a driver that polls a device for ever makes plenty of them. Nor is code that a guest runs which sleeps nearly
// always: timers have work of their own.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "base/guest_clock.h"
#include "base/types.h"
#include "batch/outcome.h"
#include "batch/suite.h"

namespace relic86::batch {

// What a machine has done so far, as it is looked at now and then.
struct Activity {
  GuestTime time = 0;
  u64 instructions = 0;
  u64 interrupts = 0;
  u64 faults = 0;       // exceptions
  u64 decoded = 0;      // instructions, when their code runs for the second time
  u64 memory = 0;       // pages of RAM that were ever used
  u64 disk = 0;         // reads and writes
  u64 output = 0;       // bytes
  u64 screen = 0;       // a hash of what it shows
  bool halted = false;  // by HLT
  bool interrupts_on = false;
  std::array<u32, 8> registers{};
  u32 eip = 0;
};

class ProgressWatch {
 public:
  explicit ProgressWatch(const Limits& limits) : limits_(limits) {}

  struct Finding {
    Outcome outcome;  // Hang, Halted or Idle
    std::string detail;
  };
  // To be called every kInterval of guest time or so.
  static constexpr GuestTime kInterval = 50'000'000;
  // Instructions that are decoded although their code is not new: the engine's blocks make room for others, and an
  // interrupt that comes in the middle of one makes another of its rest. So many within a hang are none.
  static constexpr u64 kOldCode = 1000;
  // A kernel that unpacks itself runs one old loop for long, and fills memory with what comes out. So many pages within
  // a hang are none.
  static constexpr u64 kOldMemory = 64;
  // One instruction that faults, is tried again and faults again: so many exceptions, each after a handful of
  // instructions. It takes the host far longer than the guest, whose time only instructions make.
  static constexpr u64 kManyFaults = 500'000, kInstructionsEach = 8;
  std::optional<Finding> look(const Activity& now);
  // Since when its user has seen nothing new of it; nothing: it was not looked at yet.
  std::optional<GuestTime> quiet_since() const { return shown_ ? std::optional(shown_->time) : std::nullopt; }
  // Something was done to the guest: it gets all of its time again.
  void restart() {
    since_.reset();
    waiting_.reset();
    shown_.reset();
  }

 private:
  // What has not changed since when.
  struct Since {
    Activity first;
    unsigned looks = 0, halted_looks = 0, interrupts_on_looks = 0;
    bool same_registers = true;
  };
  // Since when it is in HLT in nearly every look, and nothing is seen of it.
  struct Waiting {
    Activity first;
    unsigned looks = 0, awake_looks = 0;
  };
  static bool shown(const Activity& before, const Activity& now);
  std::optional<Finding> look_at_waiting(const Activity& now);
  std::optional<Finding> look_at_running(const Activity& now);

  const Limits limits_;
  std::optional<Since> since_;
  std::optional<Waiting> waiting_;
  std::optional<Activity> shown_;  // when something was seen of it last
};

}  // namespace relic86::batch
