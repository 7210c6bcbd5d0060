// Intel 82371AB PIIX4 (datasheet 290562), function 3: power management
//
//   configuration
//   offset  width  R/W  bits
//   00h     4      R    8086h, 7113h;  class 068000h
//   40h     4      RW   PMBA: 15:6 base of the power management registers, bit 0 reads 1
//   58h     4      RW   DEVACTB: bit 25 APMC_EN: writes of the APM control port raise SMI#
//   5Ch     4      RW   DEVRESB.. to 67h: decode enables, here as the board's wiring sets them at reset: 5Fh bit 7 the
//                       parallel port, 67h bit 3 serial port 1, bit 7 serial port 2 (read by the BIOS's ACPI tables)
//   80h     1      RW   PMREGMISC: bit 0 PMIOSE: the registers at PMBA answer
//   90h     4      RW   SMBBA: 15:4 base of the SMBus registers, bit 0 reads 1
//   D2h     1      RW   SMBHSTCFG: bit 0 SMBus host enable, 3:1 interrupt
//
//   registers at PMBA (chapter 7.2; ACPI 1.0 4.7.3)
//   00h     12          PM1 and its timer (devices/chipset/acpi_pm1.cpp)
//   0Ch     2      RWC  GPSTS: reads 0, no such events here;  0Eh 2 RW GPEN: reads 0
//   18h     4      RWC  GLBSTS: 5 APM_STS, the APM control port was written while APMC_EN is set
//   28h     4      RW   GLBCTL: 0 SMI_EN, 1 BIOS_RLS (write only: sets GBL_STS). EOS (16) is not needed: SMI# is an
//                       edge here
//   34h     4      RW   GPOREG: scratch.  Others read 0.
//
//   registers at SMBBA: devices/chipset/idle_smbus.h
//
//   fixed ports that the ACPI tables of the BIOS name
//   AFE0h   4      RW   GPE0: status (write ones to clear), enable. Bit 1: PCI devices come or are to go
//   AE00h   24     RW   PCI hot plug: devices/chipset/pci_hotplug.cpp
//   AF00h   32     R    processors present: bit 0
//
//   IRQ: 9 (SCI), level.
#include "devices/chipset/piix4_pm.h"

#include "base/log.h"

namespace relic86 {

namespace {
constexpr u8 kPmBase = 0x40, kDeviceActivityB = 0x58, kPmMisc = 0x80, kSmbusBase = 0x90, kSmbusConfig = 0xD2;
constexpr u32 kApmEnable = 1u << 25;
constexpr u32 kApmStatus = 1u << 5, kSmiEnable = 1u << 0, kBiosRelease = 1u << 1;
constexpr u32 kPmPorts = 64, kSmbusPorts = 16;
constexpr u16 kGpeBase = 0xAFE0, kHotplugBase = 0xAE00, kProcessorsBase = 0xAF00;
constexpr u16 kHotplugEvent = 1u << 1;
constexpr unsigned kSciIrq = 9;

constexpr u32 kPmBaseBits = 0xFFC0;

PciIdentity power_management() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x7113;
  identity.revision = 3;
  identity.class_code = 0x068000;
  identity.interrupt_pin = 1;
  return identity;
}
}  // namespace

Piix4Pm::Piix4Pm(MachineControl& machine) : PciDevice(power_management()), AcpiPower("piix4_pm", machine) {
  declare(kPciStatus, 2, 0x0280, 0, 0xF900);
  declare(kPciCommand, 2, 0, 0x0001);
  declare(kPmBase, 4, 1, 0xFFC0);
  for (u8 offset = 0x44; offset < 0x58; offset = static_cast<u8>(offset + 4)) declare(offset, 4, 0, 0xFFFFFFFF);
  set_smi_sink(nullptr);
  for (u8 offset = 0x5C; offset < 0x80; offset = static_cast<u8>(offset + 4)) declare(offset, 4, 0, 0xFFFFFFFF);
  declare(kPmMisc, 1, 0, 0x01);
  declare(kSmbusBase, 4, 1, 0xFFF0);
  declare(kSmbusConfig, 1, 0, 0x0F);
  declare(0xD3, 1, 0, 0xFF);
  declare(0xD4, 2, 0, 0xFFFF);
}

void Piix4Pm::set_smi_sink(SmiSink* sink) {
  smi_ = sink;
  declare(kDeviceActivityB, 4, sink == nullptr ? kApmEnable : 0, 0xFFFFFFFF);
}

void Piix4Pm::set_isa_devices(bool parallel, bool serial1, bool serial2) {
  declare(0x5C, 4, parallel ? 0x90000000 : 0x10000000, 0xFFFFFFFF);
  declare(0x60, 4, 0x60000000, 0xFFFFFFFF);
  declare(0x64, 4, (serial1 ? 0x08000000u : 0) | (serial2 ? 0x90000000u : 0), 0xFFFFFFFF);
}

void Piix4Pm::connect_hotplug(std::function<void(unsigned slot)> eject, std::function<u32()> removable) {
  const auto happened = [this] {
    gpe_status_ |= kHotplugEvent;
    update_general_event();
  };
  hotplug_.connect({happened, std::move(eject), std::move(removable)});
}

void Piix4Pm::update_general_event() { pm1_.set_general_event((gpe_status_ & gpe_enable_) != 0); }

u16 Piix4Pm::ports() const { return static_cast<u16>(config(kPmBase, 2) & kPmBaseBits); }

Result<> Piix4Pm::attach_function(Attachment& board) {
  io_ = &board.io();
  sci_ = board.isa_irq(kSciIrq);
  pm1_.attach(board.scheduler(), sci_, board.timer(*this, "overflow", 0));
  pm_key_ = io_->new_key();
  smbus_key_ = io_->new_key();
  if (auto done = board.ports(*this, kGpe, kGpeBase, 4); !done) return done;
  if (auto done = board.ports(*this, kHotplug, kHotplugBase, PciHotplug::kPorts, 4); !done) return done;
  return board.ports(*this, kProcessors, kProcessorsBase, 32, 4);
}

// The PM block stays where it is while the machine is suspended: SeaBIOS enables SMI# through it before it sets it up
// again.
void Piix4Pm::reset(ResetKind kind) {
  const u32 base = config(kPmBase, 4), misc = config(kPmMisc, 1);
  PciDevice::reset(kind);
  if (kind != ResetKind::Resume) return;
  set_config(kPmBase, 4, base);
  set_config(kPmMisc, 1, misc);
  move_blocks();
}

void Piix4Pm::reset_function(ResetKind kind) {
  gpe_status_ = gpe_enable_ = 0;
  general_output_ = global_status_ = global_control_ = 0;
  smbus_.reset();
  hotplug_.reset();
  pm1_.reset(kind);
  update_general_event();
}

void Piix4Pm::state_function(StateArchive& archive) {
  pm1_.state(archive);
  archive.field("gpe_status", gpe_status_);
  archive.field("gpe_enable", gpe_enable_);
  archive.field("general_output", general_output_);
  archive.field("global_status", global_status_);
  archive.field("global_control", global_control_);
  smbus_.state(archive);
  archive.group("hotplug", [&] { hotplug_.state(archive); });
  if (archive.loading()) {
    global_status_ &= kApmStatus;
    global_control_ &= kSmiEnable;
    update_general_event();
  }
}

void Piix4Pm::config_written(unsigned offset, unsigned width) {
  const unsigned end = offset + width;
  if (offset < kSmbusConfig + 1u && end > kPmBase) move_blocks();
}

void Piix4Pm::move_blocks() {
  if (io_ == nullptr) return;
  const u32 pm = (config(kPmMisc, 1) & 1) != 0 ? config(kPmBase, 4) & 0xFFC0 : 0;
  if (pm != pm_base_) {
    pm_base_ = pm;
    io_->map_movable(pm_key_, {"piix4_pm", IoPort(static_cast<u16>(pm)), pm == 0 ? 0 : kPmPorts, this, kPm, 4});
  }
  const u32 smbus = (config(kSmbusConfig, 1) & 1) != 0 ? config(kSmbusBase, 4) & 0xFFF0 : 0;
  if (smbus != smbus_base_) {
    smbus_base_ = smbus;
    io_->map_movable(
        smbus_key_, {"piix4_pm.smbus", IoPort(static_cast<u16>(smbus)), smbus == 0 ? 0 : kSmbusPorts, this, kSmbus, 1});
  }
}

void Piix4Pm::event(u32, GuestTime) { pm1_.timer_passed(); }

void Piix4Pm::apm_command(u8 value) {
  constexpr u8 kAcpiEnable = 0xF1, kAcpiDisable = 0xF0;
  if (value == kAcpiEnable || value == kAcpiDisable) pm1_.set_sci_enabled(value == kAcpiEnable);
  if ((config(kDeviceActivityB, 4) & kApmEnable) == 0) return;
  global_status_ |= kApmStatus;
  if ((global_control_ & kSmiEnable) != 0 && smi_ != nullptr) smi_->raise_smi();
}

u32 Piix4Pm::pm_register(u64 dword) const {
  switch (dword) {
    case 6: return global_status_;
    case 10: return global_control_;
    case 13: return general_output_;
    default: return pm1_.dword(dword);
  }
}

u64 Piix4Pm::read(RegionId region, u64 offset, unsigned width) {
  switch (region) {
    case kPm: {
      pm1_.catch_timer();
      // A dword at most, possibly across two registers.
      const u64 both = pm_register(offset / 4) | static_cast<u64>(pm_register(offset / 4 + 1)) << 32;
      return both >> (offset % 4 * 8) & all_ones(width);
    }
    case kGpe: return (gpe_status_ | static_cast<u32>(gpe_enable_) << 16) >> (offset * 8) & 0xFF;
    case kHotplug: return hotplug_.read(offset, width);
    case kProcessors: return offset == 0 ? 1 : 0;
    case kSmbus: return smbus_.read(offset);
    default: return 0;
  }
}

void Piix4Pm::write(RegionId region, u64 offset, unsigned width, u64 value) {
  if (region == kHotplug) return hotplug_.write(offset, width, static_cast<u32>(value));
  if (width > 1) {
    for (unsigned i = 0; i < width; i++) write(region, offset + i, 1, value >> (i * 8) & 0xFF);
    return;
  }
  const auto byte = static_cast<u8>(value);
  const auto merged = [&](u16 old, unsigned shift) {
    return static_cast<u16>((old & ~(0xFFu << shift)) | static_cast<u32>(byte) << shift);
  };
  const unsigned shift = static_cast<unsigned>(offset & 1) * 8;
  if (region == kGpe) {
    if (offset < 2) {
      gpe_status_ = static_cast<u16>(gpe_status_ & ~(static_cast<u32>(byte) << shift));
    } else {
      gpe_enable_ = merged(gpe_enable_, shift);
    }
    update_general_event();
  } else if (region == kSmbus) {
    smbus_.write(offset, byte);
  } else if (region == kPm) {
    if (offset < AcpiPm1::kSize) {
      pm1_.write(offset, byte);
    } else if (offset >= 0x18 && offset < 0x1C) {
      global_status_ &= ~(u32{byte} << (offset - 0x18) * 8);
    } else if (offset == 0x28) {
      global_control_ = byte & kSmiEnable;
      if ((byte & kBiosRelease) != 0) pm1_.raise(AcpiPm1::kGlobal);
    } else if (offset >= 0x34 && offset < 0x38) {
      const unsigned at = static_cast<unsigned>(offset - 0x34) * 8;
      general_output_ = (general_output_ & ~(0xFFu << at)) | static_cast<u32>(byte) << at;
    }
  }
}

}  // namespace relic86
