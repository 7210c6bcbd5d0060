#include "machine/vcpu.h"

#include <atomic>

namespace relic86 {

void Vcpu::connect(Cpu::Wiring wiring, bool system_management) {
  if (LocalApic* apic = board_.local_apic(number_); apic != nullptr) apic_ = std::make_unique<ApicPort>(*apic);
  wiring.interrupts = this;
  wiring.model = &model_;
  wiring.apic = apic_.get();
  wiring.smiact = [this](bool active) {
    board_.set_system_management_mode(active);
    if (!active && init_requested) cpu_->request(kPendingStop);
  };
  wiring.ferr = [this](bool level) { board_.signal_ferr(level); };
  cpu_ = std::make_unique<Cpu>(wiring);
  if (thread_ != nullptr) cpu_->mmu().put_off_while([this] { return thread_->elsewhere(); });
  if (system_management && model_.has_system_management_mode()) board_.connect_smi(number_, this);
}

void Vcpu::request(u32 pending_bits) {
  if (thread_ != nullptr && thread_->elsewhere()) {
    std::atomic_ref(cpu_->state().pending).fetch_or(pending_bits, std::memory_order_relaxed);
  } else {
    cpu_->request(pending_bits);
  }
  if (thread_ != nullptr) thread_->notify();
}

void Vcpu::set_intr(bool level) {
  if (thread_ == nullptr || !thread_->elsewhere()) {
    cpu_->set_intr(level);
  } else if (level) {
    std::atomic_ref(cpu_->state().pending).fetch_or(kPendingIntr, std::memory_order_relaxed);
  } else {
    std::atomic_ref(cpu_->state().pending).fetch_and(~u32{kPendingIntr}, std::memory_order_relaxed);
  }
  if (level && thread_ != nullptr) thread_->notify();
}

}  // namespace relic86
