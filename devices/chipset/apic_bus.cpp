#include "devices/chipset/apic_bus.h"

#include "devices/chipset/local_apic.h"

namespace relic86 {

bool ApicBus::deliver(const ApicMessage& message) {
  if (message.delivery == ApicDelivery::LowestPriority) {
    LocalApic* chosen = nullptr;
    for (LocalApic* const apic : apics_) {
      if (!apic->takes_fixed(message)) continue;
      if (chosen == nullptr || apic->processor_priority() < chosen->processor_priority()) chosen = apic;
    }
    return chosen != nullptr && chosen->deliver(message);
  }
  bool taken = false;
  for (LocalApic* const apic : apics_) taken = (apic->accepts(message) && apic->deliver(message)) || taken;
  return taken;
}

void ApicBus::broadcast(const ApicMessage& message, const LocalApic* except) {
  for (LocalApic* const apic : apics_) {
    if (apic != except && apic->enabled()) (void)apic->deliver(message);
  }
}

}  // namespace relic86
