// The host threads of a machine's processors, one each (docs/processors.md). The machine's own thread holds
// the lock whenever it is not in sleep(), and calls everything here.
#pragma once

#include <condition_variable>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "cpu/executor.h"
#include "machine/processors.h"
#include "machine/time_credit.h"
#include "machine/time_governor.h"

namespace relic86 {

class ProcessorThreads final : public TimeGovernor {
 public:
  // The processors have threads() and must outlive these. wake_machine: called with the lock held; ends sleep().
  // look_at_time: called, with the lock held, whenever a processor is about to see what time it is.
  ProcessorThreads(Processors& processors, std::function<void()> wake_machine, std::function<void()> look_at_time);
  ~ProcessorThreads();
  ProcessorThreads(const ProcessorThreads&) = delete;
  ProcessorThreads& operator=(const ProcessorThreads&) = delete;

  // From now on they run. They stand when they are made.
  void run();
  // All stand between two instructions when it returns.
  void stop();
  bool stopped() const { return stopping_ && all_stand(); }
  // No processor has anything to do.
  bool idle() const;
  // note_looks(): from now on; have_looked(): every processor that is asked for an interrupt has had a chance to accept
  // it since, its thread having had its turn on the host.
  void note_looks();
  bool have_looked() const;
  // How far guest time may go (TimeCredit), while the lock is held.
  GuestTime limit(const Question& question) override;
  void note_reading() override;  // of the calling thread's processor
  // Of a processor's thread: the host's number for it.
  pid_t host_thread_of(unsigned processor) const { return slots_[processor].host_thread; }
  // How long the host has kept the one waiting that waited longest, in nanoseconds, since they began.
  i64 longest_host_wait() const;
  // Calls wait with the lock given up.
  void sleep(const std::function<void()>& wait);

  // What one has met that the machine has to act on; all stop for it.
  struct Report {
    unsigned number = 0;
    ExitReason reason = ExitReason::Stopped;
  };
  std::optional<Report> take_report();
  void forget_reports();

 private:
  struct Slot {
    Vcpu* vcpu = nullptr;
    bool waits = false;   // for work; when it wakes it looks first whether it is to stand
    bool stands = false;  // for stop()
    pid_t host_thread = 0;
    u64 looks = 0;
    u64 noted_looks = 0;
    std::optional<ExitReason> report;
    std::thread thread;
  };
  void body(Slot& slot);
  void stand(Slot& slot);
  bool all_stand() const;
  bool owes_a_look(const Slot& slot) const;
  bool has_nothing_to_do(const Slot& slot) const { return slot.waits && !processors_.can_run(*slot.vcpu); }
  void turn(Slot& slot);
  bool somebody_starts() const;
  void note_started(Vcpu& vcpu);
  void wait_for_starting(Slot& slot);
  bool carry_out_init(Vcpu& vcpu);

  // Short enough for interrupts and stops to be looked at soon, which nothing else brings about in translated code.
  static constexpr u64 kQuantum = 20'000;  // instructions
  // What is a chance to accept an interrupt: so many quanta, because others may come first. A guest that keeps
  // interrupts off for long loses ticks, as it does on a processor of its own; its work pays for the time (TimeCredit).
  static constexpr u64 kMostLooks = 4;

  Processors& processors_;
  MachineLock& lock_;
  std::function<void()> wake_machine_, look_at_time_;
  std::vector<Slot> slots_;
  std::condition_variable_any standing_changed_;
  TimeCredit credit_;
  std::vector<TimeCredit::Work> work_;  // as it was asked for last
  bool stopping_ = true;
  bool ending_ = false;
};

}  // namespace relic86
