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
//   00h     2      RWC  PMSTS: 0 TMROF_STS, 4 BM_STS, 5 GBL_STS, 8 PWRBTN_STS, 10 RTC_STS, 15 RSM_STS
//   02h     2      RW   PMEN: 0 TMROF_EN, 5 GBL_EN, 8 PWRBTN_EN, 10 RTC_EN
//   04h     2      RW   PMCNTRL: 0 SCI_EN, 1 BRLD_EN, 2 GBL_RLS (write only), 12:10 SUS_TYP, 13 SUS_EN (write only)
//   08h     4      R    PMTMR: 24 bits at 3.579545 MHz; TMROF_STS is set whenever bit 23 changes
//   0Ch     2      RWC  GPSTS: reads 0, no such events here;  0Eh 2 RW GPEN: reads 0
//   18h     4      RWC  GLBSTS: 5 APM_STS, the APM control port was written while APMC_EN is set
//   28h     4      RW   GLBCTL: 0 SMI_EN, 1 BIOS_RLS (write only: sets GBL_STS). EOS (16) is not needed: SMI# is an
//                       edge here
//   34h     4      RW   GPOREG: scratch.  Others read 0.
//
//   registers at SMBBA: an idle host controller without any slave. 00h SMBHSTSTS reads the device-error bit (2) after
//   a start (02h bit 6) until it is cleared; 02h-07h are scratch.
//
//   fixed ports that the ACPI tables of the BIOS name
//   AFE0h   4      RW   GPE0: status (write ones to clear), enable
//   AE00h   16     R    PCI hot plug: nothing comes, nothing goes, nothing can be ejected: all 0
//   AF00h   32     R    processors present: bit 0
//
//   IRQ: 9 (SCI), level. SUS_TYP with SUS_EN: 0 soft off, 1 suspend to RAM until the
//   power button, the clock or the host wakes it, 2 what the BIOS's tables call S4: off.
#include "devices/chipset/piix4_pm.h"

#include "base/log.h"

namespace relic86 {

namespace {
constexpr u8 kPmBase = 0x40, kDeviceActivityB = 0x58, kPmMisc = 0x80, kSmbusBase = 0x90, kSmbusConfig = 0xD2;
constexpr u32 kApmEnable = 1u << 25;
constexpr u32 kApmStatus = 1u << 5, kSmiEnable = 1u << 0, kBiosRelease = 1u << 1;
constexpr u16 kTimerOverflow = 1u << 0, kGlobal = 1u << 5, kPowerButton = 1u << 8, kRtc = 1u << 10;
constexpr u16 kResume = 1u << 15;
constexpr u16 kStatusBits = kTimerOverflow | 1u << 4 | kGlobal | kPowerButton | kRtc | kResume;
constexpr u16 kEnableBits = kTimerOverflow | kGlobal | kPowerButton | kRtc;
constexpr u16 kSciEnable = 1, kSuspendEnable = 1u << 13, kControlBits = 0x1C03;
constexpr u64 kTimerFrequency = 3579545;
constexpr unsigned kTimerHalfBits = 23;
constexpr u32 kTimerMask = 0xFFFFFF;
constexpr u32 kPmPorts = 64, kSmbusPorts = 16;
constexpr u16 kGpeBase = 0xAFE0, kHotplugBase = 0xAE00, kProcessorsBase = 0xAF00;
constexpr unsigned kSciIrq = 9;
constexpr u8 kSmbusStart = 0x40, kSmbusDeviceError = 0x04;

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

// ticks * 1e9 / f and back, without overflow for 2^63 ns.
u64 scale(u64 value, u64 multiplier, u64 divisor) {
  return value / divisor * multiplier + value % divisor * multiplier / divisor;
}
}  // namespace

Piix4Pm::Piix4Pm(MachineControl& machine) : PciDevice(power_management()), machine_(machine) {
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

u16 Piix4Pm::ports() const { return static_cast<u16>(config(kPmBase, 2) & kPmBaseBits); }

Result<> Piix4Pm::attach_function(Attachment& board) {
  scheduler_ = &board.scheduler();
  io_ = &board.io();
  sci_ = board.isa_irq(kSciIrq);
  overflow_timer_ = board.timer(*this, "overflow", 0);
  pm_key_ = io_->new_key();
  smbus_key_ = io_->new_key();
  if (auto done = board.ports(*this, kGpe, kGpeBase, 4); !done) return done;
  if (auto done = board.ports(*this, kHotplug, kHotplugBase, 16, 4); !done) return done;
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
  // Firmware and system see what ended the suspension (ACPI 4.8.3.1.1: WAK_STS).
  status_ = kind == ResetKind::Resume ? static_cast<u16>((status_ & (kPowerButton | kRtc)) | kResume) : u16{0};
  suspended_ = false;
  enable_ = control_ = 0;
  gpe_status_ = gpe_enable_ = 0;
  general_output_ = global_status_ = global_control_ = 0;
  for (u8& byte : smbus_) byte = 0;
  timer_half_ = ticks() >> kTimerHalfBits;
  update_sci();
}

void Piix4Pm::state_function(StateArchive& archive) {
  archive.field("status", status_);
  archive.field("enable", enable_);
  archive.field("control", control_);
  archive.field("timer_half", timer_half_);
  archive.field("gpe_status", gpe_status_);
  archive.field("gpe_enable", gpe_enable_);
  archive.field("general_output", general_output_);
  archive.field("suspended", suspended_);
  archive.field("global_status", global_status_);
  archive.field("global_control", global_control_);
  archive.bytes("smbus", smbus_);
  if (archive.loading()) {
    status_ &= kStatusBits;
    enable_ &= kEnableBits;
    control_ &= kControlBits;
    global_status_ &= kApmStatus;
    global_control_ &= kSmiEnable;
    sci_.set((status_ & enable_) != 0 && (control_ & kSciEnable) != 0);
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

u64 Piix4Pm::ticks() const { return scale(static_cast<u64>(scheduler_->now()), kTimerFrequency, 1'000'000'000); }

// The overflow status is derived from time when somebody looks, so that an idle guest needs no timer events.
void Piix4Pm::catch_timer() {
  const u64 half = ticks() >> kTimerHalfBits;
  if (half != timer_half_) status_ |= kTimerOverflow;
  timer_half_ = half;
}

void Piix4Pm::update_sci() {
  const bool level = (status_ & enable_ & kEnableBits) != 0 && (control_ & kSciEnable) != 0;
  if (level != sci_.level()) sci_.set(level);
  schedule_overflow();
  if (suspended_ && (status_ & enable_ & (kPowerButton | kRtc)) != 0) machine_.request_wake();
}

void Piix4Pm::clock_interrupt() {
  status_ |= kRtc;
  update_sci();
}

void Piix4Pm::wake() {
  if (suspended_) machine_.request_wake();
}

// Only an enabled overflow that is not pending yet needs an event.
void Piix4Pm::schedule_overflow() {
  const bool needed = (enable_ & kTimerOverflow) != 0 && (status_ & kTimerOverflow) == 0;
  const u64 target = (timer_half_ + 1) << kTimerHalfBits;
  scheduler_->schedule_at(
      overflow_timer_,
      needed ? static_cast<GuestTime>(scale(target, 1'000'000'000, kTimerFrequency) + 1) : Scheduler::kNever);
}

void Piix4Pm::event(u32, GuestTime) {
  catch_timer();
  update_sci();
}

void Piix4Pm::apm_command(u8 value) {
  constexpr u8 kAcpiEnable = 0xF1, kAcpiDisable = 0xF0;
  if (value == kAcpiEnable) control_ |= kSciEnable;
  if (value == kAcpiDisable) control_ &= static_cast<u16>(~kSciEnable);
  if (value == kAcpiEnable || value == kAcpiDisable) update_sci();
  if ((config(kDeviceActivityB, 4) & kApmEnable) == 0) return;
  global_status_ |= kApmStatus;
  if ((global_control_ & kSmiEnable) != 0 && smi_ != nullptr) smi_->raise_smi();
}

void Piix4Pm::press_power_button() {
  status_ |= kPowerButton;
  update_sci();
  wake();  // enabled or not: a suspended machine must not be out of reach
}

bool Piix4Pm::hears_power_button() const { return (enable_ & kPowerButton) != 0 && (control_ & kSciEnable) != 0; }

u32 Piix4Pm::pm_register(u64 dword) const {
  switch (dword) {
    case 0: return status_ | static_cast<u32>(enable_) << 16;
    case 1: return control_;
    case 2: return static_cast<u32>(ticks()) & kTimerMask;
    case 6: return global_status_;
    case 10: return global_control_;
    case 13: return general_output_;
    default: return 0;
  }
}

u64 Piix4Pm::read(RegionId region, u64 offset, unsigned width) {
  switch (region) {
    case kPm: {
      catch_timer();
      // A dword at most, possibly across two registers.
      const u64 both = pm_register(offset / 4) | static_cast<u64>(pm_register(offset / 4 + 1)) << 32;
      return both >> (offset % 4 * 8) & all_ones(width);
    }
    case kGpe: return (gpe_status_ | static_cast<u32>(gpe_enable_) << 16) >> (offset * 8) & 0xFF;
    case kProcessors: return offset == 0 ? 1 : 0;
    case kSmbus: return offset < sizeof smbus_ ? smbus_[offset] : 0;
    default: return 0;
  }
}

void Piix4Pm::write(RegionId region, u64 offset, unsigned width, u64 value) {
  if (width > 1) {  // registers are made of bytes, but for the suspend bit: control is written low byte first
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
  } else if (region == kSmbus && offset < sizeof smbus_) {
    if (offset == 0) {
      smbus_[0] = static_cast<u8>(smbus_[0] & ~byte);
    } else {
      smbus_[offset] = byte;
      if (offset == 2 && (byte & kSmbusStart) != 0) {
        smbus_[0] |= kSmbusDeviceError;
        smbus_[2] = static_cast<u8>(byte & ~kSmbusStart);
      }
    }
  } else if (region == kPm) {
    catch_timer();
    if (offset < 2) {
      status_ = static_cast<u16>(status_ & ~(static_cast<u32>(byte) << shift));
    } else if (offset < 4) {
      enable_ = merged(enable_, shift) & kEnableBits;
    } else if (offset < 6) {
      write_control(merged(control_, shift));
    } else if (offset >= 0x18 && offset < 0x1C) {
      global_status_ &= ~(u32{byte} << (offset - 0x18) * 8);
    } else if (offset == 0x28) {
      global_control_ = byte & kSmiEnable;
      if ((byte & kBiosRelease) != 0) status_ |= kGlobal;
    } else if (offset >= 0x34 && offset < 0x38) {
      const unsigned at = static_cast<unsigned>(offset - 0x34) * 8;
      general_output_ = (general_output_ & ~(0xFFu << at)) | static_cast<u32>(byte) << at;
    }
    update_sci();
  }
}

void Piix4Pm::write_control(u16 value) {
  control_ = value & kControlBits;
  if ((value & kSuspendEnable) == 0) return;
  const unsigned type = value >> 10 & 7;
  if (type == 0 || type == 2) {  // 2 is what the BIOS's tables call S4: the system writes its image and turns off
    machine_.request_power_off();
  } else if (type == 1) {
    suspended_ = true;
    if (suspending_) suspending_();
    machine_.request_suspend();  // the write goes on to update_sci(): what is pending and enabled wakes at once
  } else {
    log::once(log::Channel::Unimplemented, "piix4_pm: suspend type {}", type);
  }
}

}  // namespace relic86
