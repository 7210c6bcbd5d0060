// PM1 registers (ACPI 1.0 4.7.3; Intel 82371AB chapter 7.2; ICH9 13.8.3)
//
//   00h     2      RWC  PM1_STS: 0 TMROF_STS, 4 BM_STS, 5 GBL_STS, 8 PWRBTN_STS, 10 RTC_STS, 15 WAK_STS
//   02h     2      RW   PM1_EN: 0 TMROF_EN, 5 GBL_EN, 8 PWRBTN_EN, 10 RTC_EN
//   04h     2      RW   PM1_CNT: 0 SCI_EN, 1 BM_RLD, 2 GBL_RLS (write only), 12:10 SLP_TYP, 13 SLP_EN (write only)
//   08h     4      R    PM_TMR: 24 bits at 3.579545 MHz; TMROF_STS is set whenever bit 23 changes
//
// SLP_TYP with SLP_EN, as the tables of the board's firmware name them: 0 soft off, 1 suspend to RAM until the power
// button, the clock or the host wakes it, 2 what they call S4: off.
#include "devices/chipset/acpi_pm1.h"

#include "base/log.h"

namespace relic86 {

namespace {
constexpr u16 kResume = 1u << 15;
constexpr u16 kEnableBits = AcpiPm1::kTimerOverflow | AcpiPm1::kGlobal | AcpiPm1::kPowerButton | AcpiPm1::kRtc;
constexpr u16 kStatusBits = kEnableBits | 1u << 4 | kResume;
constexpr u16 kSleepEnable = 1u << 13, kControlBits = 0x1C03;
constexpr u64 kTimerFrequency = 3579545, kSecond = 1'000'000'000;
constexpr unsigned kTimerHalfBits = 23;
constexpr u32 kTimerMask = 0xFFFFFF;

// ticks * 1e9 / f and back, without overflow for 2^63 ns.
u64 scale(u64 value, u64 multiplier, u64 divisor) {
  return value / divisor * multiplier + value % divisor * multiplier / divisor;
}
}  // namespace

void AcpiPm1::attach(Scheduler& scheduler, IrqLine& sci, TimerId overflow) {
  scheduler_ = &scheduler;
  sci_ = &sci;
  overflow_timer_ = overflow;
}

void AcpiPm1::reset(ResetKind kind) {
  // Firmware and system see what ended the suspension (ACPI 4.8.3.1.1: WAK_STS).
  status_ = kind == ResetKind::Resume ? static_cast<u16>((status_ & (kPowerButton | kRtc)) | kResume) : u16{0};
  suspended_ = false;
  enable_ = control_ = 0;
  timer_half_ = ticks() >> kTimerHalfBits;
  update_sci();
}

void AcpiPm1::state(StateArchive& archive) {
  archive.field("status", status_);
  archive.field("enable", enable_);
  archive.field("control", control_);
  archive.field("timer_half", timer_half_);
  archive.field("suspended", suspended_);
  if (!archive.loading()) return;
  status_ &= kStatusBits;
  enable_ &= kEnableBits;
  control_ &= kControlBits;
  sci_->set((status_ & enable_) != 0 && sci_enabled());
}

u64 AcpiPm1::ticks() const { return scale(static_cast<u64>(scheduler_->now()), kTimerFrequency, kSecond); }

// The overflow status is derived from time when somebody looks, so that an idle guest needs no timer events.
void AcpiPm1::catch_timer() {
  const u64 half = ticks() >> kTimerHalfBits;
  if (half != timer_half_) status_ |= kTimerOverflow;
  timer_half_ = half;
}

void AcpiPm1::drive_sci() {
  const bool level = ((status_ & enable_ & kEnableBits) != 0 || general_event_) && sci_enabled();
  if (level != sci_->level()) sci_->set(level);
}

void AcpiPm1::set_general_event(bool pending) {
  general_event_ = pending;
  drive_sci();
}

void AcpiPm1::update_sci() {
  drive_sci();
  schedule_overflow();
  if (suspended_ && (status_ & enable_ & (kPowerButton | kRtc)) != 0) machine_.request_wake();
}

void AcpiPm1::lead_sci(IrqLine& line) {
  if (sci_ == nullptr || &line == sci_) return;
  const bool level = sci_->level();
  sci_->lower();
  sci_ = &line;
  sci_->set(level);
}

// Only an enabled overflow that is not pending yet needs an event.
void AcpiPm1::schedule_overflow() {
  const bool needed = (enable_ & kTimerOverflow) != 0 && (status_ & kTimerOverflow) == 0;
  const u64 target = (timer_half_ + 1) << kTimerHalfBits;
  scheduler_->schedule_at(overflow_timer_, needed ? static_cast<GuestTime>(scale(target, kSecond, kTimerFrequency) + 1)
                                                  : Scheduler::kNever);
}

void AcpiPm1::timer_passed() {
  catch_timer();
  update_sci();
}

void AcpiPm1::raise(Event event) {
  status_ |= event;
  update_sci();
}

void AcpiPm1::set_sci_enabled(bool on) {
  control_ = static_cast<u16>(on ? control_ | kSciEnable : control_ & ~kSciEnable);
  update_sci();
}

void AcpiPm1::wake() {
  if (suspended_) machine_.request_wake();
}

u32 AcpiPm1::dword(u64 number) const {
  switch (number) {
    case 0: return status_ | static_cast<u32>(enable_) << 16;
    case 1: return control_;
    case 2: return static_cast<u32>(ticks()) & kTimerMask;
    default: return 0;
  }
}

// Registers are made of bytes, but for the suspend bit: control is written low byte first.
void AcpiPm1::write(u64 offset, u8 byte) {
  catch_timer();
  const unsigned shift = static_cast<unsigned>(offset & 1) * 8;
  const auto merged = [&](u16 old) {
    return static_cast<u16>((old & ~(0xFFu << shift)) | static_cast<u32>(byte) << shift);
  };
  switch (offset / 2) {
    case 0: status_ = static_cast<u16>(status_ & ~(static_cast<u32>(byte) << shift)); break;
    case 1: enable_ = merged(enable_) & kEnableBits; break;
    case 2: write_control(merged(control_)); break;
    default: break;
  }
  update_sci();
}

void AcpiPm1::write_control(u16 value) {
  control_ = value & kControlBits;
  if ((value & kSleepEnable) == 0) return;
  const unsigned type = value >> 10 & 7;
  if (type == 0 || type == 2) {  // 2 is what the firmware's tables call S4: the system writes its image and turns off
    machine_.request_power_off();
  } else if (type == 1) {
    suspended_ = true;
    if (suspending_) suspending_();
    machine_.request_suspend();  // the write goes on to update_sci(): what is pending and enabled wakes at once
  } else {
    log::once(log::Channel::Unimplemented, "{}: suspend type {}", chip_, type);
  }
}

}  // namespace relic86
