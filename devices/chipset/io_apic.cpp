// 82093AA (datasheet 290566) at FEC00000h
//
//   offset  R/W  bits
//   00h     RW   IOREGSEL: 7:0 register (3.1.1)
//   10h     RW   IOWIN: the register selected, 32 bits (3.1.2)
//
//   register  R/W  bits
//   00h       RW   ID: 27:24;  01h R version 11h, 23:16 highest entry 17h;  02h R arbitration ID: 27:24
//   10h-3Fh   RW   redirection entries, low and high half (3.2.4): 7:0 vector, 10:8 delivery, 11 logical, 12 R status,
//                  13 polarity, 14 R remote IRR, 15 level, 16 mask, 63:56 destination; reset: masked
//
// Inputs are asserted or not; the polarity bit is kept and has no effect, as on boards whose lines it matches.
#include "devices/chipset/io_apic.h"

#include <fmt/format.h>

namespace relic86 {

namespace {
constexpr PhysAddr kAddress{0xFEC00000};
constexpr u64 kSelect = 0x00, kWindow = 0x10;
constexpr u8 kIdRegister = 0, kVersionRegister = 1, kArbitrationRegister = 2, kFirstEntry = 0x10;
constexpr u64 kRemoteIrr = 1u << 14, kLevel = 1u << 15, kMask = 1u << 16;
constexpr u64 kDelivery = 7u << 8, kLowestPriority = 1u << 8;
constexpr u64 kWritable = 0xFF00'0000'0001'AFFF;
}  // namespace

Result<> IoApic::attach(Attachment& board) {
  PhysicalBus& memory = board.memory();
  return memory.map_fixed(memory.new_key(), mmio_range(std::string(name()), kAddress, kPageSize, this, 0, 4));
}

void IoApic::reset(ResetKind) {
  entries_.fill(kMask);
  select_ = id_ = 0;
}

void IoApic::state(StateArchive& archive) {
  archive.bytes("entries", entries_);
  archive.field("levels", levels_);
  archive.field("select", select_);
  archive.field("id", id_);
  if (!archive.loading()) return;
  levels_ &= (1u << kInputs) - 1;
  id_ &= 15;
  for (u64& entry : entries_) entry &= kWritable | kRemoteIrr;
}

u32 IoApic::read_register() const {
  switch (select_) {
    case kIdRegister:
    case kArbitrationRegister: return static_cast<u32>(id_) << 24;
    case kVersionRegister: return (kInputs - 1) << 16 | 0x11;
    default: break;
  }
  const unsigned input = (select_ - kFirstEntry) / 2u;
  if (select_ < kFirstEntry || input >= kInputs) return 0;
  return static_cast<u32>(entries_[input] >> ((select_ & 1) * 32));
}

void IoApic::write_register(u32 value) {
  if (select_ == kIdRegister) id_ = static_cast<u8>(value >> 24 & 15);
  const unsigned input = (select_ - kFirstEntry) / 2u;
  if (select_ < kFirstEntry || input >= kInputs) return;
  u64& entry = entries_[input];
  const unsigned shift = (select_ & 1) * 32u;
  const u64 half = u64{0xFFFFFFFF} << shift;
  entry = (entry & (~half | ~kWritable)) | (u64{value} << shift & half & kWritable);
  if ((entry & kLevel) == 0) entry &= ~kRemoteIrr;  // drivers clear a stuck one by way of edge mode
  service_level(input);
}

u64 IoApic::read(RegionId, u64 offset, unsigned width) {
  const u64 place = offset & 0xFC;
  const u32 value = place == kSelect ? select_ : place == kWindow ? read_register() : 0;
  return value >> ((offset & 3) * 8) & all_ones(width);
}

void IoApic::write(RegionId, u64 offset, unsigned width, u64 value) {
  if ((offset & 0xFF) == kSelect) select_ = static_cast<u8>(value);
  if ((offset & 0xFF) == kWindow && width == 4) write_register(static_cast<u32>(value));
}

bool IoApic::send(unsigned input) {
  const u64 entry = entries_[input];
  ApicMessage message;
  message.vector = static_cast<u8>(entry);
  message.delivery = static_cast<ApicDelivery>(entry >> 8 & 7);
  message.logical = (entry >> 11 & 1) != 0;
  message.level = (entry & kLevel) != 0;
  message.destination = static_cast<u8>(entry >> 56);
  return bus_ && bus_(message);
}

// A level is sent once; the EOI that clears remote IRR has it looked at again.
void IoApic::service_level(unsigned input) {
  u64& entry = entries_[input];
  if ((entry & (kLevel | kMask | kRemoteIrr)) != kLevel || (levels_ >> input & 1) == 0) return;
  if ((entry & kDelivery) > kLowestPriority) return;  // NMI and kin are edges by nature
  entry |= kRemoteIrr;                                // first: the message may come back as an EOI
  if (!send(input)) entry &= ~kRemoteIrr;
}

// An edge at a masked input is lost (3.2.4).
void IoApic::set_irq(unsigned input, bool level) {
  if (input >= kInputs) return;
  const u32 bit = 1u << input;
  const bool rises = level && (levels_ & bit) == 0;
  levels_ = level ? levels_ | bit : levels_ & ~bit;
  const u64 entry = entries_[input];
  if ((entry & kLevel) != 0 && (entry & kDelivery) <= kLowestPriority) return service_level(input);
  if (rises && (entry & kMask) == 0) send(input);
}

void IoApic::end_of_interrupt(u8 vector) {
  for (unsigned input = 0; input < kInputs; input++) {
    u64& entry = entries_[input];
    if (static_cast<u8>(entry) != vector || (entry & kRemoteIrr) == 0) continue;
    entry &= ~kRemoteIrr;
    service_level(input);
  }
}

std::string IoApic::describe() const {
  std::string text = fmt::format("ioapic: id={} sel={:02x} levels={:06x}\n", id_, select_, levels_);
  for (unsigned input = 0; input < kInputs; input++) {
    const u64 entry = entries_[input];
    text += fmt::format("  pin {:<2} {:016x} vec={:<3} {}{}{}\n", input, entry, static_cast<u8>(entry),
                        (entry & kLevel) != 0 ? "level" : "edge", (entry & kMask) != 0 ? " masked" : "",
                        (entry & kRemoteIrr) != 0 ? " remote-irr" : "");
  }
  return text;
}

}  // namespace relic86
