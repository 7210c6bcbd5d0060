// The host threads of a machine's processors, one each (docs/processors.md, Threads). The machine's own thread holds
// the lock whenever it is not in sleep(), and calls everything here.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "cpu/executor.h"
#include "machine/processors.h"

namespace relic86 {

class ProcessorThreads {
 public:
  // The processors have threads() and must outlive these. wake_machine: called with the lock held; ends sleep().
  ProcessorThreads(Processors& processors, std::function<void()> wake_machine);
  ~ProcessorThreads();
  ProcessorThreads(const ProcessorThreads&) = delete;
  ProcessorThreads& operator=(const ProcessorThreads&) = delete;

  // From now on they run. They stand when they are made.
  void run();
  // All stand between two instructions when it returns.
  void stop();
  bool stopped() const { return stopping_ && standing_ == slots_.size(); }
  // No processor has anything to do.
  bool idle() const;
  // note_looks(): from now on; have_looked(): every processor that is asked for an interrupt has had a chance to accept
  // it since, its thread having had its turn on the host.
  void note_looks();
  bool have_looked() const;
  // Calls wait with the lock given up.
  void sleep(const std::function<void()>& wait);

  // What one has met that the machine has to act on; all stop for it.
  struct Report {
    unsigned number = 0;
    ExitReason reason = ExitReason::Stopped;
  };
  std::optional<Report> take_report();

 private:
  struct Slot {
    Vcpu* vcpu = nullptr;
    bool waits = false;  // for work
    u64 looks = 0;
    struct {
      u64 looks = 0, passages = 0;
    } noted;
    std::optional<ExitReason> report;
    std::thread thread;
  };
  void body(Slot& slot);
  void stand(Slot& slot);
  bool owes_a_look(const Slot& slot) const;
  bool has_nothing_to_do(const Slot& slot) const { return slot.waits && !processors_.can_run(*slot.vcpu); }
  void turn(Slot& slot);
  bool carry_out_init(Vcpu& vcpu);

  // Short enough for interrupts and stops to be looked at soon, which nothing else brings about in translated code.
  static constexpr u64 kQuantum = 20'000;  // instructions

  static constexpr u64 kMostLooks = 4, kMostPassages = 200;

  Processors& processors_;
  MachineLock& lock_;
  std::function<void()> wake_machine_;
  std::vector<Slot> slots_;
  std::condition_variable standing_changed_;
  std::size_t standing_ = 0;
  bool stopping_ = true;
  bool ending_ = false;
};

}  // namespace relic86
