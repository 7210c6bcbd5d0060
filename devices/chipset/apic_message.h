// What travels between I/O APIC and local APICs (82093AA datasheet 290566, 3.2.4; SDM 3A 10.6 and 10.11).
#pragma once

#include "base/types.h"

namespace relic86 {

// As encoded in redirection entries, local vector table entries and the ICR.
enum class ApicDelivery : u8 { Fixed, LowestPriority, Smi, RemoteRead, Nmi, Init, StartUp, ExtInt };

struct ApicMessage {
  u8 vector = 0;
  ApicDelivery delivery = ApicDelivery::Fixed;
  bool level = false;    // trigger mode: the local APIC's EOI goes back to the I/O APIC
  bool logical = false;  // destination mode
  // APIC ID, or a message destination address: 8 bits, or 32 of a sender in x2APIC mode. All ones: every processor.
  u32 destination = 0;
  bool wide = false;  // 32 bits
};

}  // namespace relic86
