// What travels between I/O APIC and local APICs (82093AA datasheet 290566, 3.2.4; SDM 3A 10.6 and 10.11).
#pragma once

#include <optional>

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

// Whether a PCI function that writes there asks for an interrupt.
constexpr bool is_interrupt_address(u64 address) { return address >> 20 == 0xFEE; }

// What the doubleword says that is written there (SDM 3A 10.11); nothing: no interrupt.
//   address  31:20 FEEh, 19:12 destination, 3 redirection hint, 2 logical destination mode
//   data     15 level, 14 level asserted, 10:8 delivery, 7:0 vector
constexpr std::optional<ApicMessage> apic_message_of(u64 address, u32 data) {
  if (!is_interrupt_address(address)) return std::nullopt;
  ApicMessage message;
  message.vector = static_cast<u8>(data);
  message.delivery = static_cast<ApicDelivery>(data >> 8 & 7);
  message.level = (data >> 15 & 1) != 0;
  message.logical = (address >> 2 & 1) != 0;
  message.destination = static_cast<u8>(address >> 12);
  // A level that is taken back asks for nothing.
  if (message.level && (data >> 14 & 1) == 0) return std::nullopt;
  return message;
}

}  // namespace relic86
