// The local APIC's timer (SDM 3A 10.5.4): a count at 1 GHz over the divider, or a deadline. A part of LocalApic, which
// owns its event.
#pragma once

#include "base/state_archive.h"
#include "devices/scheduler.h"

namespace relic86 {

class ApicTimer {
 public:
  enum class Mode : u8 { OneShot, Periodic, TscDeadline, Reserved };

  void attach(Scheduler& scheduler, TimerId event) { scheduler_ = &scheduler, event_ = event; }
  void reset();
  void state(StateArchive& archive);

  void set_mode(Mode mode);
  void set_divide(u32 value);  // the divide configuration register
  u32 divide() const { return divide_; }
  void set_initial_count(u32 count);  // starts the count; without effect in TSC-deadline mode
  u32 initial_count() const { return initial_; }
  u32 current_count() const;
  // IA32_TSC_DEADLINE: its value, and the guest time when the TSC reaches it. 0 disarms.
  void set_deadline(u64 tsc, GuestTime moment);
  u64 deadline() const { return deadline_; }

  // The event came; true: the timer fires now.
  bool expire();
  // It has fired in vain, and does so once more later if it is periodic.
  void owe();

 private:
  static constexpr GuestTime kShortestPeriod = 1000;  // ns between two interrupts of a periodic count

  GuestTime tick() const;  // nanoseconds a count
  GuestTime period() const { return GuestTime{initial_} * tick(); }
  void schedule();
  // A second's worth.
  u32 most_owed() const;

  Scheduler* scheduler_ = nullptr;
  TimerId event_ = 0;
  Mode mode_ = Mode::OneShot;
  u32 divide_ = 0;
  u32 initial_ = 0;
  u32 count_ = 0;       // the count as it was at base_; 0: stopped
  GuestTime base_ = 0;  // guest time
  u32 owed_ = 0;        // interrupts of a periodic count that the guest has missed and is still to get
  u64 deadline_ = 0;    // TSC value; 0: disarmed
};

}  // namespace relic86
