#include "machine/vcpu.h"

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
  cpu_->set_thread(thread_.get());
  if (system_management && model_.has_system_management_mode()) board_.connect_smi(number_, this);
}

bool Vcpu::owes_interrupt() const {
  const LocalApic* const apic = board_.local_apic(number_);
  return (cpu_->state().pending & kPendingIntr) != 0 || (apic != nullptr && apic->has_requests());
}

}  // namespace relic86
