// Intel I/O Controller Hub 9 (datasheet 316972, chapter 13), device 31, function 0
//
//   configuration
//   offset  width  R/W  bits
//   00h     4      R    8086h, 2918h;  class 060100h, multifunction
//   40h     4      RW   PMBASE (13.1.13): 15:7 base of 128 ports, bit 0 reads 1
//   44h     1      RW   ACPI_CNTL (13.1.14): 7 ACPI_EN: the ports at PMBASE answer; 2:0 SCI: 0 IRQ 9, 1 IRQ 10,
//                       2 IRQ 11, 4 and 5 inputs 20 and 21 of the I/O APIC
//   60h-63h 1      RW   PIRQ[A-D]_ROUT, 68h-6Bh PIRQ[E-H]_ROUT: bit 7 disables the routing, 3:0 ISA IRQ
//   A0h     2      RW   GEN_PMCON_1: bit 4 SMI_LOCK, and others: kept only
//   F0h     4      RW   RCBA (13.1.37): 31:14 base of 16 KiB, bit 0 enable
//   48h GPIOBASE, 4Ch GC, 64h SIRQ_CNTL, 80h-91h decode ranges, A2h, A4h, A8h: kept only
//
//   ports at PMBASE (13.8.3)
//   00h     12          PM1 and its timer (devices/chipset/acpi_pm1.cpp)
//   20h     8      RWC  GPE0_STS: bit 1: cards of root ports come or are to go;  28h 8 RW GPE0_EN
//   30h     4      RW   SMI_EN: 0 GBL_SMI_EN, 1 EOS (needs nothing: SMI# is an edge here), 2 BIOS_EN, 5 APMC_EN,
//                       7 BIOS_RLS (write only: sets GBL_STS)
//   34h     4      RWC  SMI_STS: 5 APM_STS.  Others, the TCO's among them, read 0.
//
//   root complex registers (10.1): 3140h D31IR, 3144h D29IR, 3146h D28IR, 3148h D27IR, 314Ch D26IR, 3150h D25IR:
//   which PIRQ each pin of these slots is wired to.  Others read 0.
//
//   ports B2h, B3h: APM, as the PIIX3's;  CF9h: devices/chipset/reset_control.cpp
//   ports CC0h-CD7h: devices/chipset/pci_hotplug.cpp
//
// PIRQ A to H lead to inputs 16 to 23 of the I/O APIC as well, whatever their routing says.
#include "devices/chipset/ich9_lpc.h"

#include "base/newer_state.h"

namespace relic86 {

namespace {
constexpr u8 kPmBase = 0x40, kAcpiControl = 0x44, kRootComplexBase = 0xF0;
constexpr u8 kLowRoutes = 0x60, kHighRoutes = 0x68;
constexpr unsigned kRoutesInRow = 4;
constexpr u8 kAcpiEnable = 0x80, kSciSelect = 0x07;
constexpr u8 kRoutingDisabled = 0x80;
constexpr u16 kUsableIrqs = 0xDEF8;  // 3-7, 9-12, 14, 15
constexpr unsigned kNoIrq = 16;
constexpr u32 kPmBaseBits = 0xFF80, kPmPorts = 128, kRootComplexBits = 0xFFFFC000, kRootComplexBytes = 0x4000;
constexpr u64 kGpeStatus = 0x20, kGpeEnable = 0x28, kGpeEnd = 0x30, kSmiEnable = 0x30, kSmiStatus = 0x34,
              kSmiEnd = 0x38;
constexpr u32 kGlobalSmi = 1u << 0, kApmSmi = 1u << 5, kBiosRelease = 1u << 7;
constexpr u32 kSmiEnableBits = 0x0007F867 & ~kBiosRelease;
constexpr u16 kResetRoutes = 0x3210;
constexpr u16 kApmPorts = 0xB2, kHotplugPorts = 0xCC0;
constexpr u64 kHotplugEvent = 1u << 1;

PciIdentity isa_bridge() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x2918;
  identity.revision = 2;
  identity.class_code = 0x060100;
  identity.multifunction = true;
  return identity;
}

u8 route_offset(unsigned pirq) {
  return static_cast<u8>(pirq < kRoutesInRow ? kLowRoutes + pirq : kHighRoutes + pirq - kRoutesInRow);
}
}  // namespace

Ich9Lpc::Ich9Lpc(PciBus& bus, MachineControl& machine)
    : PciDevice(isa_bridge()), AcpiPower("ich9_lpc", machine), bus_(bus), reset_control_(machine) {
  declare(kPciCommand, 2, 0x0007, 0);
  declare(kPciStatus, 2, 0x0200, 0, 0xF900);
  declare(kPmBase, 4, 1, kPmBaseBits);
  declare(kAcpiControl, 1, 0, kAcpiEnable | kSciSelect);
  declare(0x48, 4, 1, 0xFFC0);
  declare(0x4C, 1, 0, 0x11);
  for (unsigned pirq = 0; pirq < PciBus::kPirqs; pirq++) declare(route_offset(pirq), 1, kRoutingDisabled, 0x8F);
  declare(0x64, 1, 0x10, 0xC0);
  declare(0x80, 4, 0, 0x3F0F137F);
  for (const u8 range : {u8{0x84}, u8{0x88}, u8{0x8C}, u8{0x90}}) declare(range, 4, 0, 0x00FCFFFD);
  declare(0xA0, 2, 0, 0x169F);
  declare(0xA2, 1, 0, 0x87);
  declare(0xA4, 1, 0, 0xFF);
  declare(kRootComplexBase, 4, 0, kRootComplexBits | 1);
}

Result<> Ich9Lpc::attach_function(Attachment& board) {
  io_ = &board.io();
  memory_ = &board.memory();
  pm_key_ = io_->new_key();
  root_complex_key_ = memory_->new_key();
  for (unsigned irq = 0; irq < isa_irqs_.size(); irq++) isa_irqs_[irq] = board.isa_irq(irq);
  for (unsigned pirq = 0; pirq < apic_irqs_.size(); pirq++) apic_irqs_[pirq] = board.isa_irq(kIsaLines + pirq);
  for (const unsigned line : {9u, 10u, 11u, 20u, 21u}) sci_lines_[line] = board.isa_irq(line);
  pm1_.attach(board.scheduler(), sci_lines_[9], board.timer(*this, "overflow", 0));
  bus_.set_pirq_sink(this);
  bus_.set_wiring([this](unsigned slot, unsigned pin) { return pirq_of(slot, pin); });
  bus_.set_io_behind_address(this, kBehindConfigAddress);
  if (auto done = board.ports(*this, kHotplug, kHotplugPorts, PciHotplug::kPorts, 4); !done) return done;
  return board.ports(*this, kApm, kApmPorts, 2);
}

// The PM block stays where it is while the machine is suspended, as the PIIX4's does.
void Ich9Lpc::reset(ResetKind kind) {
  const u32 base = config(kPmBase, 4), control = config(kAcpiControl, 1);
  PciDevice::reset(kind);
  if (kind != ResetKind::Resume) return;
  set_config(kPmBase, 4, base);
  set_config(kAcpiControl, 1, control);
  move_blocks();
  move_sci();
}

void Ich9Lpc::reset_function(ResetKind kind) {
  reset_control_.reset();
  apm_control_ = apm_status_ = 0;
  gpe_status_ = gpe_enable_ = 0;
  hotplug_.reset();
  smi_status_ = 0;
  smi_enable_ = smi_ == nullptr ? kApmSmi : 0;
  routes_.fill(kResetRoutes);
  pm1_.reset(kind);
  update_general_event();
  drive_routes();
}

void Ich9Lpc::state_function(StateArchive& archive) {
  archive.bytes("pirq_levels", pirq_levels_);
  archive.bytes("routes", routes_);
  reset_control_.state(archive);
  archive.field("apm_control", apm_control_);
  archive.field("apm_status", apm_status_);
  archive.field("gpe_enable", gpe_enable_);
  archive.field("smi_enable", smi_enable_);
  archive.field("smi_status", smi_status_);
  if (archive.loading()) move_sci();
  pm1_.state(archive);
  newer_field(archive, "gpe_status", gpe_status_);
  if (archive.lacks("hotplug.up")) {
    hotplug_.reset();
  } else {
    archive.group("hotplug", [&] { hotplug_.state(archive); });
  }
  if (!archive.loading()) return;
  gpe_status_ &= kHotplugEvent;
  update_general_event();
  smi_enable_ &= kSmiEnableBits;
  smi_status_ &= kApmSmi;
  for (u8& level : pirq_levels_) level &= 1;
}

void Ich9Lpc::config_written(unsigned offset, unsigned width) {
  const unsigned end = offset + width;
  if (offset <= kAcpiControl && end > kPmBase) move_blocks();
  if (offset <= kAcpiControl && end > kAcpiControl) move_sci();
  if (offset < kHighRoutes + kRoutesInRow && end > kLowRoutes) drive_routes();
  if (offset < kRootComplexBase + 4u && end > kRootComplexBase) move_blocks();
}

void Ich9Lpc::move_blocks() {
  if (io_ == nullptr) return;
  const u32 pm = (config(kAcpiControl, 1) & kAcpiEnable) != 0 ? config(kPmBase, 4) & kPmBaseBits : 0;
  if (pm != pm_base_) {
    pm_base_ = pm;
    io_->map_movable(pm_key_, {"ich9_lpc.pm", IoPort(static_cast<u16>(pm)), pm == 0 ? 0 : kPmPorts, this, kPm, 4});
  }
  const u32 root = config(kRootComplexBase, 4);
  const u32 base = (root & 1) != 0 ? root & kRootComplexBits : 0;
  if (base == root_complex_base_) return;
  root_complex_base_ = base;
  constexpr unsigned kWidest = 4;
  memory_->map_movable(root_complex_key_, mmio_range("ich9_lpc.rcba", PhysAddr(base), base == 0 ? 0 : kRootComplexBytes,
                                                     this, kRootComplex, kWidest, Priority::Bar));
}

u16 Ich9Lpc::ports() const { return static_cast<u16>(config(kPmBase, 2) & kPmBaseBits); }

// --- Interrupts ---

void Ich9Lpc::move_sci() {
  constexpr unsigned kLines[] = {9, 10, 11, 9, 20, 21, 9, 9};
  pm1_.lead_sci(sci_lines_[kLines[config(kAcpiControl, 1) & kSciSelect]]);
}

unsigned Ich9Lpc::routed_to(unsigned pirq) const {
  const u32 route = config(route_offset(pirq), 1);
  const unsigned irq = route & 0xF;
  return (route & kRoutingDisabled) != 0 || (kUsableIrqs >> irq & 1) == 0 ? kNoIrq : irq;
}

unsigned Ich9Lpc::pirq_of(unsigned slot, unsigned pin) const {
  constexpr unsigned kRotated = 4;
  if (slot < kFirstWiredByGuest) return kRotated + (slot + pin) % kRotated;
  return routes_[slot - kFirstWiredByGuest] >> (pin * 4) & 7;
}

void Ich9Lpc::set_irq(unsigned pirq, bool level) {
  if (pirq >= pirq_levels_.size() || (pirq_levels_[pirq] != 0) == level) return;
  pirq_levels_[pirq] = level ? 1 : 0;
  drive_routes();
}

void Ich9Lpc::drive_routes() {
  u32 high = 0;
  for (unsigned pirq = 0; pirq < pirq_levels_.size(); pirq++) {
    const bool level = pirq_levels_[pirq] != 0;
    if (level) high |= 1u << routed_to(pirq);
    if (apic_irqs_[pirq].level() != level) apic_irqs_[pirq].set(level);
  }
  for (unsigned irq = 0; irq < isa_irqs_.size(); irq++) {
    const bool level = (high >> irq & 1) != 0;
    if (isa_irqs_[irq].level() != level) isa_irqs_[irq].set(level);
  }
}

void Ich9Lpc::connect_hotplug(std::function<void(unsigned port)> eject, std::function<u32()> removable) {
  const auto happened = [this] {
    gpe_status_ |= kHotplugEvent;
    update_general_event();
  };
  hotplug_.connect({happened, std::move(eject), std::move(removable)});
}

void Ich9Lpc::update_general_event() { pm1_.set_general_event((gpe_status_ & gpe_enable_) != 0); }

// --- Registers ---

void Ich9Lpc::apm_command(u8 value) {
  constexpr u8 kEnableCommand = 2, kDisableCommand = 3;
  if (value == kEnableCommand || value == kDisableCommand) pm1_.set_sci_enabled(value == kEnableCommand);
  if ((smi_enable_ & kApmSmi) == 0) return;
  smi_status_ |= kApmSmi;
  if ((smi_enable_ & kGlobalSmi) != 0 && smi_ != nullptr) smi_->raise_smi();
}

u32 Ich9Lpc::pm_register(u64 dword) const {
  switch (dword * 4) {
    case kGpeStatus: return static_cast<u32>(gpe_status_);
    case kGpeEnable: return static_cast<u32>(gpe_enable_);
    case kGpeEnable + 4: return static_cast<u32>(gpe_enable_ >> 32);
    case kSmiEnable: return smi_enable_;
    case kSmiStatus: return smi_status_;
    default: return pm1_.dword(dword);
  }
}

void Ich9Lpc::write_pm(u64 offset, u8 byte) {
  const auto merged = [&](u64 old, u64 first) {
    const u64 shift = (offset - first) * 8;
    return (old & ~(u64{0xFF} << shift)) | u64{byte} << shift;
  };
  if (offset < AcpiPm1::kSize) {
    pm1_.write(offset, byte);
  } else if (offset >= kGpeStatus && offset < kGpeEnable) {
    gpe_status_ &= ~(u64{byte} << (offset - kGpeStatus) * 8);
    update_general_event();
  } else if (offset >= kGpeEnable && offset < kGpeEnd) {
    gpe_enable_ = merged(gpe_enable_, kGpeEnable);
    update_general_event();
  } else if (offset >= kSmiEnable && offset < kSmiStatus) {
    if (offset == kSmiEnable && (byte & kBiosRelease) != 0) pm1_.raise(AcpiPm1::kGlobal);
    smi_enable_ = static_cast<u32>(merged(smi_enable_, kSmiEnable)) & kSmiEnableBits;
  } else if (offset >= kSmiStatus && offset < kSmiEnd) {
    smi_status_ &= ~(u32{byte} << (offset - kSmiStatus) * 8);
  }
}

// Null: no such register. Slot 30 has fixed wires.
u16* Ich9Lpc::route_register(u64 offset) {
  constexpr u64 kOffsets[kWiredByGuest] = {0x3150, 0x314C, 0x3148, 0x3146, 0x3144, 0x3142, 0x3140};
  for (unsigned i = 0; i < kWiredByGuest; i++) {
    if ((offset & ~u64{1}) == kOffsets[i] && i + kFirstWiredByGuest != 30) return &routes_[i];
  }
  return nullptr;
}

u64 Ich9Lpc::read(RegionId region, u64 offset, unsigned width) {
  switch (region) {
    case kApm: return offset == 0 ? apm_control_ : apm_status_;
    case kBehindConfigAddress: return reset_control_.read(offset, width);
    case kHotplug: return hotplug_.read(offset, width);
    case kPm: {
      pm1_.catch_timer();
      // A dword at most, possibly across two registers.
      const u64 both = pm_register(offset / 4) | static_cast<u64>(pm_register(offset / 4 + 1)) << 32;
      return both >> (offset % 4 * 8) & all_ones(width);
    }
    default: {
      u64 value = 0;
      for (unsigned i = 0; i < width; i++) {
        if (const u16* const route = route_register(offset + i); route != nullptr)
          value |= u64{*route >> ((offset + i) % 2 * 8) & 0xFFu} << (i * 8);
      }
      return value;
    }
  }
}

void Ich9Lpc::write(RegionId region, u64 offset, unsigned width, u64 value) {
  switch (region) {
    case kApm:
      (offset == 0 ? apm_control_ : apm_status_) = static_cast<u8>(value);
      if (offset == 0) apm_command(apm_control_);
      return;
    case kBehindConfigAddress: return reset_control_.write(offset, width, value);
    case kHotplug: return hotplug_.write(offset, width, static_cast<u32>(value));
    case kPm:
      for (unsigned i = 0; i < width; i++) write_pm(offset + i, static_cast<u8>(value >> (i * 8)));
      return;
    default:
      for (unsigned i = 0; i < width; i++) {
        u16* const route = route_register(offset + i);
        if (route == nullptr) continue;
        const unsigned shift = static_cast<unsigned>(offset + i) % 2 * 8;
        *route = static_cast<u16>((*route & ~(0xFFu << shift)) | (value >> (i * 8) & 0xFF) << shift);
      }
      bus_.drive_pirqs();
  }
}

}  // namespace relic86
