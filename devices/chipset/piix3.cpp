// Intel 82371SB PIIX3 (datasheet 290550), function 0
//
//   configuration
//   offset  width  R/W  bits
//   00h     4      R    8086h, 7000h;  class 060100h, multifunction
//   04h     2      R    command 0007h
//   4Ch     1      RW   IORT 4Dh;  4Eh 2 RW XBCS 0003h;  69h TOM 02h;  70h MBIRQ0;  76h MBDMA: kept only
//   60h-63h 1      RW   PIRQRC[A:D] (2.2.5): bit 7 disables the routing, 3:0 ISA IRQ (0-2, 8 and 13 are reserved)
//   A0h-AEh        RW   SMI control and timers (2.2.17..): kept only
//
//   port    width  R/W  bits
//   B2h     1      RW   APMC: scratch to the guest; a write raises SMI# when the PIIX4 function lets it
//   B3h     1      RW   APMS: scratch
//   CF9h    1      RW   RC (devices/chipset/reset_control.cpp)
#include "devices/chipset/piix3.h"

namespace relic86 {

namespace {
constexpr u8 kPirqRouting = 0x60;
constexpr u8 kRoutingDisabled = 0x80;
constexpr u16 kUsableIrqs = 0xDEF8;  // 3-7, 9-12, 14, 15
constexpr unsigned kNoIrq = 16;

PciIdentity isa_bridge() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x7000;
  identity.class_code = 0x060100;
  identity.multifunction = true;
  return identity;
}
}  // namespace

Piix3::Piix3(PciBus& bus, MachineControl& machine) : PciDevice(isa_bridge()), bus_(bus), reset_control_(machine) {
  declare(kPciCommand, 2, 0x0007, 0);
  declare(0x4C, 1, 0x4D, 0xFF);
  declare(0x4E, 2, 0x0003, 0x01FF);
  for (u8 i = 0; i < kPirqs; i++) declare(static_cast<u8>(kPirqRouting + i), 1, kRoutingDisabled, 0x8F);
  declare(0x69, 1, 0x02, 0xFE);
  declare(0x70, 1, 0x80, 0xEF);
  declare(0x76, 2, 0x0C0C, 0x8F8F);
  declare(0x82, 1, 0, 0x0F);
  declare(0xA0, 1, 0x08, 0x1F);
  declare(0xA2, 2, 0, 0x01FF);
  declare(0xA4, 4, 0, 0xFFFFFFFF);
  declare(0xA8, 1, 0x0F, 0xFF);
  declare(0xAA, 2, 0, 0, 0x01FF);
  declare(0xAC, 1, 0, 0xFF);
  declare(0xAE, 1, 0, 0xFF);
}

Result<> Piix3::attach_function(Attachment& board) {
  for (unsigned irq = 0; irq < isa_irqs_.size(); irq++) isa_irqs_[irq] = board.isa_irq(irq);
  bus_.set_pirq_sink(this);
  bus_.set_io_behind_address(this, kBehindConfigAddress);
  return board.ports(*this, kApm, 0xB2, 2);
}

void Piix3::reset_function(ResetKind) {
  reset_control_.reset();
  apm_control_ = apm_status_ = 0;
  drive_routes();
}

void Piix3::state_function(StateArchive& archive) {
  archive.bytes("pirq_levels", pirq_levels_);
  reset_control_.state(archive);
  archive.field("apm_control", apm_control_);
  archive.field("apm_status", apm_status_);
}

void Piix3::config_written(unsigned offset, unsigned width) {
  if (offset < kPirqRouting + kPirqs && offset + width > kPirqRouting) drive_routes();
}

unsigned Piix3::routed_to(unsigned pirq) const {
  const u32 route = config(static_cast<u8>(kPirqRouting + pirq), 1);
  const unsigned irq = route & 0xF;
  return (route & kRoutingDisabled) != 0 || (kUsableIrqs >> irq & 1) == 0 ? kNoIrq : irq;
}

void Piix3::set_irq(unsigned pirq, bool level) {
  if (pirq >= kPirqs || (pirq_levels_[pirq] != 0) == level) return;
  pirq_levels_[pirq] = level ? 1 : 0;
  drive_routes();
}

void Piix3::drive_routes() {
  u32 high = 0;
  for (unsigned pirq = 0; pirq < kPirqs; pirq++) {
    if (pirq_levels_[pirq] != 0) high |= 1u << routed_to(pirq);
  }
  for (unsigned irq = 0; irq < isa_irqs_.size(); irq++) {
    const bool level = (high >> irq & 1) != 0;
    if (isa_irqs_[irq].level() != level) isa_irqs_[irq].set(level);
  }
}

u64 Piix3::read(RegionId region, u64 offset, unsigned width) {
  switch (region) {
    case kApm: return offset == 0 ? apm_control_ : apm_status_;
    default: return reset_control_.read(offset, width);
  }
}

void Piix3::write(RegionId region, u64 offset, unsigned width, u64 value) {
  switch (region) {
    case kApm:
      (offset == 0 ? apm_control_ : apm_status_) = static_cast<u8>(value);
      if (offset == 0 && apm_command_) apm_command_(apm_control_);
      return;
    default: reset_control_.write(offset, width, value); return;
  }
}

}  // namespace relic86
