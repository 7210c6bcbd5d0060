// The wires between the I/O APIC and the processors' local APICs (SDM 3A 10.6.2): who gets a message, and which local
// APIC answers when a processor accesses the registers at its APIC base.
#pragma once

#include <vector>

#include "devices/chipset/apic_message.h"

namespace relic86 {

class LocalApic;

class ApicBus {
 public:
  // In the order of their processors, the bootstrap processor's first.
  void add(LocalApic& apic) { apics_.push_back(&apic); }
  const std::vector<LocalApic*>& apics() const { return apics_; }

  // True: a processor took it. Of those that a message of lowest priority names, the one with the lowest processor
  // priority gets it, and of several such the first.
  bool deliver(const ApicMessage& message);
  // To all, or all but the sender, whatever their IDs.
  void broadcast(const ApicMessage& message, const LocalApic* except);

  // The processor that carries out instructions, by its place in apics().
  void set_running(unsigned processor) { running_ = processor; }
  LocalApic& running() const { return *apics_[running_]; }

 private:
  std::vector<LocalApic*> apics_;
  unsigned running_ = 0;
};

}  // namespace relic86
