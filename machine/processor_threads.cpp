#include "machine/processor_threads.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace relic86 {

ProcessorThreads::ProcessorThreads(Processors& processors, std::function<void()> wake_machine)
    : processors_(processors), lock_(*processors.lock()), wake_machine_(std::move(wake_machine)) {
  lock_.lock();
  slots_.resize(processors_.count());
  for (unsigned number = 0; number < processors_.count(); number++) {
    slots_[number].vcpu = &processors_[number];
    slots_[number].thread = std::thread([this, &slot = slots_[number]] { body(slot); });
  }
  stop();
}

ProcessorThreads::~ProcessorThreads() {
  stop();
  ending_ = true;
  for (Slot& slot : slots_) slot.vcpu->thread()->notify();
  lock_.unlock();
  for (Slot& slot : slots_) slot.thread.join();
}

void ProcessorThreads::run() {
  if (!std::exchange(stopping_, false)) return;
  for (Slot& slot : slots_) slot.vcpu->thread()->notify();
}

void ProcessorThreads::stop() {
  stopping_ = true;
  for (Slot& slot : slots_) {
    if (slot.waits) slot.vcpu->thread()->notify();
  }
  std::unique_lock held(lock_.mutex(), std::adopt_lock);
  standing_changed_.wait(held, [this] { return standing_ == slots_.size(); });
  held.release();
  // What another has asked of one that stood already.
  processors_.carry_out_inits();
}

bool ProcessorThreads::idle() const {
  return !stopping_ && std::ranges::all_of(slots_, [this](const Slot& slot) { return has_nothing_to_do(slot); });
}

void ProcessorThreads::note_looks() {
  for (Slot& slot : slots_) slot.noted = {slot.looks, slot.vcpu->thread()->passages()};
}

bool ProcessorThreads::owes_a_look(const Slot& slot) const {
  const CpuState& state = slot.vcpu->cpu().state();
  if (!slot.vcpu->owes_interrupt() || has_nothing_to_do(slot)) return false;
  if (slot.looks - slot.noted.looks >= kMostLooks) return false;
  // With interrupts off it is enough that it runs for a while: a guest that keeps them off for long loses ticks.
  return (state.system_flags & kIF) != 0 || slot.vcpu->thread()->passages() - slot.noted.passages < kMostPassages;
}

bool ProcessorThreads::have_looked() const {
  return stopping_ || std::ranges::none_of(slots_, [this](const Slot& slot) { return owes_a_look(slot); });
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

// --- On the processors' threads ---

void ProcessorThreads::body(Slot& slot) {
  slot.vcpu->thread()->begin();
  while (!ending_) turn(slot);
  slot.vcpu->thread()->end();
}

void ProcessorThreads::stand(Slot& slot) {
  ++standing_;
  standing_changed_.notify_one();
  while (stopping_ && !ending_) slot.vcpu->thread()->wait();
  --standing_;
}

// INIT stopped the processor, and nothing else has to be seen to.
bool ProcessorThreads::carry_out_init(Vcpu& vcpu) {
  if (!vcpu.init_requested) return false;
  processors_.carry_out_init(vcpu);
  if (!vcpu.init_requested) vcpu.cpu().state().pending &= ~u32{kPendingStop};
  return !vcpu.init_requested;
}

void ProcessorThreads::turn(Slot& slot) {
  Vcpu& vcpu = *slot.vcpu;
  carry_out_init(vcpu);
  if (stopping_) return stand(slot);
  if (!processors_.can_run(vcpu)) {
    slot.waits = true;
    vcpu.thread()->wait();
    slot.waits = false;
    return;
  }
  const ExitReason reason = vcpu.engine().run(kQuantum);
  ++slot.looks;
  const bool spins = vcpu.cpu().take_yield();
  if (reason == ExitReason::Stopped) {
    if (carry_out_init(vcpu)) return;
    vcpu.cpu().state().pending &= ~u32{kPendingStop};
  }
  if (reason != ExitReason::BudgetSpent && reason != ExitReason::Halted) {
    slot.report = reason;
    stopping_ = true;
    for (Slot& each : slots_) {
      if (each.waits) each.vcpu->thread()->notify();
    }
    wake_machine_();
    return;
  }
  if (spins) vcpu.thread()->spin();
  vcpu.thread()->give_way();
}

}  // namespace relic86
