#include "machine/processor_threads.h"

#include <algorithm>
#include <utility>

#include "machine/host_time.h"

namespace relic86 {

ProcessorThreads::ProcessorThreads(Processors& processors, std::function<void()> wake_machine,
                                   std::function<void()> look_at_time)
    : processors_(processors),
      lock_(*processors.lock()),
      wake_machine_(std::move(wake_machine)),
      look_at_time_(std::move(look_at_time)),
      credit_(processors.count()),
      work_(processors.count()) {
  lock_.lock();
  slots_.resize(processors_.count());
  for (unsigned number = 0; number < processors_.count(); number++) {
    slots_[number].vcpu = &processors_[number];
    slots_[number].vcpu->thread()->before_turns([this] {
      if (!stopping_) look_at_time_();
    });
    slots_[number].thread = std::thread([this, &slot = slots_[number]] { body(slot); });
  }
  stop();
}

ProcessorThreads::~ProcessorThreads() {
  stop();
  ending_ = true;
  for (Slot& slot : slots_) slot.vcpu->thread()->notify();
  lock_.unlock();
  for (Slot& slot : slots_) {
    slot.thread.join();
    slot.vcpu->thread()->before_turns({});
  }
}

void ProcessorThreads::run() {
  if (!std::exchange(stopping_, false)) return;
  for (Slot& slot : slots_) {
    if (slot.stands || processors_.can_run(*slot.vcpu)) slot.vcpu->thread()->notify();
  }
}

bool ProcessorThreads::all_stand() const {
  return std::ranges::all_of(slots_, [](const Slot& slot) { return slot.stands || slot.waits; });
}

void ProcessorThreads::stop() {
  stopping_ = true;
  {
    const MachineLock::Summons summons(lock_);
    standing_changed_.wait(lock_, [this] { return all_stand(); });
  }
  // What another has asked of one that stood already.
  processors_.carry_out_inits();
}

bool ProcessorThreads::idle() const {
  return !stopping_ && std::ranges::all_of(slots_, [this](const Slot& slot) { return has_nothing_to_do(slot); });
}

void ProcessorThreads::note_looks() {
  for (Slot& slot : slots_) slot.noted_looks = slot.looks;
}

bool ProcessorThreads::owes_a_look(const Slot& slot) const {
  if ((slot.vcpu->cpu().state().pending & kPendingIntr) == 0 || has_nothing_to_do(slot)) return false;
  return (slot.vcpu->cpu().state().system_flags & kIF) != 0 && slot.looks - slot.noted_looks < kMostLooks;
}

GuestTime ProcessorThreads::limit(const Question& question) {
  for (std::size_t i = 0; i < slots_.size(); i++) {
    TimeCredit::Work& work = work_[i];
    const bool idle = has_nothing_to_do(slots_[i]);
    // A sleeper's processor time stands, and need not be asked for again.
    if (!idle || !work.idle) work.worked = host_thread_work_ns(slots_[i].thread.native_handle());
    work.idle = idle;
    work.readings = slots_[i].vcpu->thread()->readings();
  }
  return credit_.limit(question, work_);
}

void ProcessorThreads::note_reading() {
  if (ProcessorThread* const thread = ProcessorThread::current()) thread->note_reading();
}

bool ProcessorThreads::have_looked() const {
  return stopping_ || std::ranges::none_of(slots_, [this](const Slot& slot) { return owes_a_look(slot); });
}

i64 ProcessorThreads::longest_host_wait() const {
  i64 longest = 0;
  for (const Slot& slot : slots_) longest = std::max(longest, host_thread_wait_ns(slot.host_thread));
  return longest;
}

void ProcessorThreads::sleep(const std::function<void()>& wait) {
  lock_.unlock();
  wait();
  lock_.lock();
}

std::optional<ProcessorThreads::Report> ProcessorThreads::take_report() {
  for (Slot& slot : slots_) {
    if (const auto reason = std::exchange(slot.report, std::nullopt)) return Report{slot.vcpu->number(), *reason};
  }
  return std::nullopt;
}

void ProcessorThreads::forget_reports() {
  for (Slot& slot : slots_) slot.report.reset();
}

// --- On the processors' threads ---

void ProcessorThreads::body(Slot& slot) {
  slot.vcpu->thread()->begin();
  slot.host_thread = host_thread();
  while (!ending_) turn(slot);
  slot.vcpu->thread()->end();
}

void ProcessorThreads::stand(Slot& slot) {
  slot.stands = true;
  standing_changed_.notify_one();
  while (stopping_ && !ending_) slot.vcpu->thread()->wait();
  slot.stands = false;
}

// INIT stopped the processor, and nothing else has to be seen to.
bool ProcessorThreads::carry_out_init(Vcpu& vcpu) {
  if (!vcpu.init_requested) return false;
  processors_.carry_out_init(vcpu);
  if (!vcpu.init_requested) vcpu.cpu().state().pending &= ~u32{kPendingStop};
  return !vcpu.init_requested;
}

bool ProcessorThreads::somebody_starts() const {
  return std::ranges::any_of(slots_, [this](const Slot& slot) {
    return slot.vcpu->starting && (slot.vcpu->startup_after_init || processors_.can_run(*slot.vcpu));
  });
}

void ProcessorThreads::note_started(Vcpu& vcpu) {
  if (!std::exchange(vcpu.starting, false)) return;
  for (Slot& slot : slots_) slot.vcpu->thread()->notify();
}

// One that has sent a start-up message goes on when the other has begun: firmware writes over what others start with as
// soon as it has heard of them, or does not ask (SeaBIOS 1.16 after suspend to RAM), and no processor is late by a host
// thread's wait for its turn. Nobody waits for a processor that waits here.
void ProcessorThreads::wait_for_starting(Slot& slot) {
  slot.waits = true;
  while (!stopping_ && somebody_starts()) slot.vcpu->thread()->wait();
  slot.waits = false;
}

void ProcessorThreads::turn(Slot& slot) {
  Vcpu& vcpu = *slot.vcpu;
  carry_out_init(vcpu);
  if (stopping_) return stand(slot);
  if (!processors_.can_run(vcpu)) {
    note_started(vcpu);
    slot.waits = true;
    vcpu.thread()->wait();
    slot.waits = false;
    return;
  }
  look_at_time_();
  const ExitReason reason = vcpu.engine().run(kQuantum);
  ++slot.looks;
  note_started(vcpu);
  const bool spins = vcpu.cpu().take_yield();
  if (reason == ExitReason::Stopped) {
    if (carry_out_init(vcpu)) return;
    vcpu.cpu().state().pending &= ~u32{kPendingStop};
  }
  if (reason != ExitReason::BudgetSpent && reason != ExitReason::Halted) {
    slot.report = reason;
    stopping_ = true;
    wake_machine_();
    return;
  }
  if (spins && somebody_starts()) return wait_for_starting(slot);
  if (spins) vcpu.thread()->stand_aside();
  vcpu.thread()->give_way();
}

}  // namespace relic86
