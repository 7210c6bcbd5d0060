#include "batch/progress_watch.h"

#include <fmt/format.h>

namespace relic86::batch {

namespace {

// Nothing but NMI, SMI and RESET ends a HLT with interrupts off; SeaBIOS and others enter SMM now and then.
constexpr GuestTime kHaltedForGood = 1'000'000'000;
// A loop that changes no register: it can only wait for what a device or DMA writes, or, if there are interrupts, for
// what their handlers write.
constexpr GuestTime kSameLoop = 2'000'000'000, kSameInterruptedLoop = 5'000'000'000;
constexpr u32 kLoopBytes = 64;

double seconds(GuestTime time) { return static_cast<double>(time) / 1e9; }

}  // namespace

bool ProgressWatch::shown(const Activity& before, const Activity& now) {
  return now.disk != before.disk || now.output != before.output || now.screen != before.screen;
}

std::optional<ProgressWatch::Finding> ProgressWatch::look(const Activity& now) {
  if (!shown_ || shown(*shown_, now)) shown_ = now;
  if (auto found = look_at_running(now)) return found;
  return look_at_waiting(now);
}

std::optional<ProgressWatch::Finding> ProgressWatch::look_at_waiting(const Activity& now) {
  // Awake in one look of so many, and in so many more at the beginning: a shell that ends its work is, for a moment.
  constexpr unsigned kAwakeShare = 10, kAwakeFirst = 10;
  if (waiting_) {
    waiting_->looks++;
    waiting_->awake_looks += now.halted ? 0 : 1;
    const bool awake = waiting_->awake_looks > waiting_->looks / kAwakeShare + kAwakeFirst;
    if (awake || shown(waiting_->first, now)) waiting_.reset();
  }
  if (!waiting_) {
    waiting_ = Waiting{now};
    return std::nullopt;
  }
  const GuestTime time = now.time - waiting_->first.time;
  if (limits_.idle == 0 || time < limits_.idle) return std::nullopt;
  if (waiting_->awake_looks > waiting_->looks / kAwakeShare) return std::nullopt;
  return Finding{Outcome::Idle, fmt::format("the guest has done nothing for {:g} s but wait", seconds(time))};
}

std::optional<ProgressWatch::Finding> ProgressWatch::look_at_running(const Activity& now) {
  if (!since_ || shown(since_->first, now) || now.decoded - since_->first.decoded > kOldCode ||
      now.memory > since_->first.memory + kOldMemory) {
    since_ = Since{now};
    return std::nullopt;
  }
  since_->looks++;
  since_->halted_looks += now.halted ? 1 : 0;
  since_->interrupts_on_looks += now.interrupts_on ? 1 : 0;
  const Activity& first = since_->first;
  since_->same_registers =
      since_->same_registers && now.registers == first.registers && now.eip - first.eip + kLoopBytes < 2 * kLoopBytes;
  const GuestTime time = now.time - first.time;
  const bool interrupted = now.interrupts != first.interrupts;
  if (since_->halted_looks == since_->looks && since_->interrupts_on_looks == 0 && time >= kHaltedForGood &&
      now.instructions == first.instructions) {
    return Finding{Outcome::Halted, fmt::format("HLT with interrupts off, at EIP {:08X}", now.eip)};
  }
  // An idle guest is in HLT nearly always; one that looks at something after every tick is, too.
  constexpr unsigned kIdleShare = 2;  // halted in more than one look of so many
  const bool idle = since_->halted_looks * kIdleShare > since_->looks;
  if (idle) {
    if (limits_.idle == 0 || time < limits_.idle) return std::nullopt;
    return Finding{Outcome::Idle, fmt::format("the guest has done nothing for {:g} s but wait", seconds(time))};
  }
  if (limits_.hang == 0) return std::nullopt;
  const u64 faults = now.faults - first.faults;
  if (faults >= kManyFaults && now.instructions - first.instructions < faults * kInstructionsEach)
    return Finding{Outcome::Hang,
                   fmt::format("{} exceptions, and hardly an instruction between them; EIP {:08X}", faults, now.eip)};
  const bool undisturbed = since_->interrupts_on_looks == 0 && !interrupted;
  const bool stuck = since_->same_registers && time >= (undisturbed ? kSameLoop : kSameInterruptedLoop);
  if (!stuck && time < limits_.hang) return std::nullopt;
  const char* how = since_->interrupts_on_looks == 0 ? "with interrupts off"
                    : interrupted                    ? "with interrupts on"
                                                     : "with interrupts on, of which none came";
  return Finding{
      Outcome::Hang,
      fmt::format("the guest runs {} and got nowhere for {:g} s: no new code, no disk, no output; EIP {:08X}", how,
                  seconds(time), now.eip)};
}

}  // namespace relic86::batch
