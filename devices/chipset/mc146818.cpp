// Real-time clock and CMOS RAM (Motorola MC146818A datasheet; IBM PC/AT Technical Reference, real-time clock)
//
//   port  width  R/W  bits
//   70h   1      W    bit 7: NMI masked; 6:0 index
//   71h   1      RW   the byte at the index
//   72h   1      RW   6:0 index into the second bank (Intel 82371SB datasheet, RTC extended RAM)
//   73h   1      RW   its byte
//
//   index  R/W  bits
//   00h..  RW   seconds, seconds alarm, minutes, minutes alarm, hours, hours alarm, day of week (1 Sunday), day, month,
//               year. BCD or binary by DM; hours bit 7: PM in 12-hour mode. An alarm byte of C0h or more matches all.
//   0Ah    RW   A: bit 7 UIP (R), 6:4 DV (110b and 111b hold the divider in reset), 3:0 RS periodic rate
//   0Bh    RW   B: 7 SET, 6 PIE, 5 AIE, 4 UIE, 3 SQWE, 2 DM (1 binary), 1 24/12 (1: 24 h), 0 DSE (kept only)
//   0Ch    R    C: 7 IRQF, 6 PF, 5 AF, 4 UF; reading clears all
//   0Dh    R    D: 7 VRT (the battery is good)
//   32h    RW   century, counted with the years, as BIOSes since the PC/AT keep it
#include "devices/chipset/mc146818.h"

#include <algorithm>

#include "base/state_loading.h"

namespace relic86 {

namespace {
constexpr u8 kSeconds = 0, kSecondsAlarm = 1, kMinutes = 2, kMinutesAlarm = 3, kHours = 4, kHoursAlarm = 5;
constexpr u8 kWeekday = 6, kDay = 7, kMonth = 8, kYear = 9;
constexpr u8 kRegisterA = 0x0A, kRegisterB = 0x0B, kRegisterC = 0x0C, kRegisterD = 0x0D, kCentury = 0x32;
constexpr u8 kUpdateInProgress = 0x80, kDividerReset = 0x60, kRate = 0x0F;
constexpr u8 kSet = 0x80, kPeriodic = 0x40, kAlarm = 0x20, kUpdateEnded = 0x10, kSquareWave = 0x08;  // B; C as enabled
constexpr u8 kBinary = 0x04, k24Hours = 0x02;
constexpr u8 kIrq = 0x80, kFlags = kPeriodic | kAlarm | kUpdateEnded;
constexpr u8 kValidRam = 0x80;
constexpr u8 kPm = 0x80, kAnyTime = 0xC0;

constexpr GuestTime kSecond = 1'000'000'000;
constexpr unsigned kCrystal = 32768;  // Hz
// UIP rises 244 us before an update cycle, which takes 1984 us with this crystal (datasheet, Update Cycle).
constexpr GuestTime kUipLead = 2'228'000;
// The first update follows half a second after the divider is let go (datasheet, DV0-DV2).
constexpr GuestTime kFirstUpdate = kSecond / 2;
// Behind by more (a machine held, a foreign state) the clock just goes on: bounds the catching up.
constexpr i64 kMostMissed = 40'000'000;
}  // namespace

void Mc146818::set_cmos(u8 index, u8 value) {
  if (index > kRegisterD && index < ram_.size()) ram_[index] = value;
}

Result<> Mc146818::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  update_timer_ = board.timer(*this, "update", kUpdateTimer);
  periodic_timer_ = board.timer(*this, "periodic", kPeriodicTimer);
  irq_ = board.isa_irq(8);
  return board.ports(*this, 0, 0x70, 4);
}

// RESET# leaves the clock, the RAM and most of register B alone (datasheet, RESET).
void Mc146818::reset(ResetKind kind) {
  const GuestTime now = scheduler_->now();
  if (kind == ResetKind::PowerOn) {
    ram_[kRegisterA] = 0x26;
    ram_[kRegisterB] = k24Hours;
    set_date(base_ + now / kSecond);
    next_update_ = (now / kSecond + 1) * kSecond;
    scheduler_->schedule_at(update_timer_, next_update_);
    extended_index_ = 0;
  }
  catch_up();
  ram_[kRegisterB] &= static_cast<u8>(~(kPeriodic | kAlarm | kUpdateEnded | kSquareWave));
  ram_[kRegisterC] = 0;
  ram_[kRegisterD] = kValidRam;
  index_ = 0;
  nmi_masked_ = false;
  program_periodic();
  drive();
}

void Mc146818::state(StateArchive& archive) {
  archive.bytes("ram", ram_);
  archive.bytes("extended", extended_);
  archive.field("index", index_);
  archive.field("extended_index", extended_index_);
  archive.field("nmi_masked", nmi_masked_);
  moment_field(archive, "next_update", next_update_);
  moment_field(archive, "next_edge", next_edge_);
  moment_field(archive, "counted_edge", counted_edge_);
  archive.field("owed", owed_);
  index_ &= 0x7F;
  extended_index_ &= 0x7F;
  owed_ = std::min<u32>(owed_, kCrystal);
  if (archive.loading()) irq_.set((ram_[kRegisterC] & kIrq) != 0);
}

bool Mc146818::running() const { return (ram_[kRegisterA] & kDividerReset) != kDividerReset; }

u8 Mc146818::to_register(unsigned value) const {
  if ((ram_[kRegisterB] & kBinary) != 0) return static_cast<u8>(value);
  return static_cast<u8>(value / 10 % 10 << 4 | value % 10);
}

unsigned Mc146818::from_register(u8 value) const {
  return (ram_[kRegisterB] & kBinary) != 0 ? value : (value >> 4) * 10u + (value & 0xFu);
}

// Civil date of a day number, by counting from the first of March, so that the leap day ends the year.
void Mc146818::set_date(i64 seconds) {
  i64 days = seconds / 86400;
  if (seconds % 86400 < 0) days--;
  const auto of_day = static_cast<unsigned>(seconds - days * 86400);
  i64 shifted = days + 719468;  // since 0000-03-01
  const i64 era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  shifted -= era * 146097;
  const i64 year_of_era = (shifted - shifted / 1460 + shifted / 36524 - shifted / 146096) / 365;
  const i64 day_of_year = shifted - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const auto march_month = static_cast<unsigned>((5 * day_of_year + 2) / 153);
  const auto day = static_cast<unsigned>(day_of_year) - (153 * march_month + 2) / 5 + 1;
  const unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
  const auto year = static_cast<unsigned>(year_of_era + era * 400 + (month <= 2 ? 1 : 0));

  ram_[kSeconds] = to_register(of_day % 60);
  ram_[kMinutes] = to_register(of_day / 60 % 60);
  ram_[kHours] = to_register(of_day / 3600);
  ram_[kWeekday] = to_register(static_cast<unsigned>(((days % 7 + 11) % 7) + 1));  // 1970-01-01 was a Thursday
  ram_[kDay] = to_register(day);
  ram_[kMonth] = to_register(month);
  ram_[kYear] = to_register(year % 100);
  ram_[kCentury] = to_register(year / 100);
}

bool Mc146818::count(u8 index, u8 first, u8 last) {
  const unsigned value = from_register(ram_[index]);
  const bool wraps = value >= last;
  ram_[index] = to_register(wraps ? first : value + 1);
  return wraps;
}

bool Mc146818::count_hour() {
  if ((ram_[kRegisterB] & k24Hours) != 0) return count(kHours, 0, 23);
  const u8 half = ram_[kHours] & kPm;
  const unsigned hour = from_register(static_cast<u8>(ram_[kHours] & ~kPm));
  const unsigned next = hour >= 12 ? 1 : hour + 1;
  const u8 next_half = next == 12 ? half ^ kPm : half;  // 11 AM is followed by 12 PM
  ram_[kHours] = to_register(next) | next_half;
  return next == 12 && half != 0;
}

unsigned Mc146818::last_day() const {
  const unsigned month = from_register(ram_[kMonth]);
  if (month == 2) return from_register(ram_[kYear]) % 4 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

void Mc146818::count_second() {
  if (!count(kSeconds, 0, 59) || !count(kMinutes, 0, 59) || !count_hour()) return;
  count(kWeekday, 1, 7);
  if (!count(kDay, 1, static_cast<u8>(last_day())) || !count(kMonth, 1, 12) || !count(kYear, 0, 99)) return;
  count(kCentury, 0, 99);
}

bool Mc146818::alarm_matches() const {
  const auto matches = [&](u8 time, u8 alarm) { return ram_[alarm] >= kAnyTime || ram_[alarm] == ram_[time]; };
  return matches(kSeconds, kSecondsAlarm) && matches(kMinutes, kMinutesAlarm) && matches(kHours, kHoursAlarm);
}

void Mc146818::end_update() {
  if ((ram_[kRegisterB] & kSet) != 0) return;
  count_second();
  ram_[kRegisterC] |= alarm_matches() ? kUpdateEnded | kAlarm : kUpdateEnded;
}

void Mc146818::catch_up() {
  if (!running()) return;
  const GuestTime now = scheduler_->now();
  if (next_update_ < 0 || next_update_ > now + kSecond) {  // only from a foreign state
    next_update_ = now + kSecond;
    scheduler_->schedule_at(update_timer_, next_update_);
  }
  if (next_update_ <= now) {
    const i64 due = (now - next_update_) / kSecond + 1;
    for (i64 i = 0; i < due && i < kMostMissed; i++) end_update();
    next_update_ += due * kSecond;
    scheduler_->schedule_at(update_timer_, next_update_);
  }
  if (next_edge_ <= now) {
    ram_[kRegisterC] |= kPeriodic;
    next_edge_ = Scheduler::kNever;  // until the flag is read and cleared
  }
  drive();
}

unsigned Mc146818::periodic_cycles() const {
  const unsigned rate = ram_[kRegisterA] & kRate;
  if (rate == 0 || !running()) return 0;
  return rate <= 2 ? 64u << rate : 1u << (rate - 1);
}

// The edges are taps of the divider chain that also makes the seconds: their phase is that of the updates.
GuestTime Mc146818::edge_after(GuestTime time) const {
  const unsigned period = periodic_cycles();
  if (period == 0) return Scheduler::kNever;
  const GuestTime second = next_update_ - kSecond;  // began at the last update
  const GuestTime into = time > second ? (time - second) % kSecond : 0;
  const auto cycles = static_cast<u64>(into) * kCrystal / kSecond;
  const u64 next = (cycles / period + 1) * period;
  return time - into + static_cast<GuestTime>((next * kSecond + kCrystal - 1) / kCrystal);
}

void Mc146818::note_missed_ticks() {
  const unsigned period = periodic_cycles();
  if (missed_ticks_ == MissedTicks::Lost || period == 0 || (ram_[kRegisterB] & kPeriodic) == 0) return;
  const GuestTime now = scheduler_->now();
  const auto edges = [&](GuestTime time) {  // up to then, from some second's begin
    const GuestTime since = std::max<GuestTime>(0, time - next_update_ % kSecond);
    return since / kSecond * (kCrystal / period) + since % kSecond * kCrystal / kSecond / period;
  };
  const i64 given = (ram_[kRegisterC] & kPeriodic) != 0 ? 1 : 0;
  const i64 due = owed_ + edges(now) - edges(std::min(counted_edge_, now)) - given;
  owed_ = static_cast<u32>(std::clamp<i64>(due, 0, kCrystal / period));  // a second's worth at most
  counted_edge_ = now;
}

void Mc146818::restart_periodic() {
  constexpr GuestTime kOwedInAPeriod = 4;
  const GuestTime now = scheduler_->now();
  if ((ram_[kRegisterC] & kPeriodic) != 0) {
    next_edge_ = Scheduler::kNever;
  } else {
    next_edge_ = edge_after(now);
    if (owed_ > 0) next_edge_ = std::min(next_edge_, now + periodic_cycles() * kSecond / kCrystal / kOwedInAPeriod);
  }
  const bool interrupts = (ram_[kRegisterB] & kPeriodic) != 0;
  scheduler_->schedule_at(periodic_timer_, interrupts ? next_edge_ : Scheduler::kNever);
}

void Mc146818::program_periodic() {
  owed_ = 0;
  counted_edge_ = scheduler_->now();
  restart_periodic();
}

void Mc146818::forget_missed_ticks() {
  catch_up();
  program_periodic();
}

void Mc146818::drive() {
  u8& c = ram_[kRegisterC];
  const bool active = (c & ram_[kRegisterB] & kFlags) != 0;
  c = static_cast<u8>((c & kFlags) | (active ? kIrq : 0));
  if (irq_.level() == active) return;
  irq_.set(active);
  if (active && interrupt_) interrupt_();
}

void Mc146818::event(u32, GuestTime) { catch_up(); }

u64 Mc146818::read(RegionId, u64 offset, unsigned) {
  switch (offset) {
    case 1: return read_register();
    case 2: return extended_index_;
    case 3: return extended_[extended_index_];
    default: return 0xFF;
  }
}

u8 Mc146818::read_register() {
  if (index_ > kRegisterD && index_ != kCentury) return ram_[index_];
  catch_up();
  if (index_ == kRegisterA) {
    const bool updating = running() && (ram_[kRegisterB] & kSet) == 0 && next_update_ - scheduler_->now() <= kUipLead;
    return static_cast<u8>((ram_[kRegisterA] & ~kUpdateInProgress) | (updating ? kUpdateInProgress : 0));
  }
  const u8 value = ram_[index_];
  if (index_ == kRegisterC) {
    note_missed_ticks();
    ram_[kRegisterC] = 0;
    drive();
    restart_periodic();
  }
  return value;
}

void Mc146818::write(RegionId, u64 offset, unsigned, u64 value) {
  const auto byte = static_cast<u8>(value);
  switch (offset) {
    case 0:
      index_ = byte & 0x7F;
      nmi_masked_ = (byte & 0x80) != 0;
      return;
    case 1: return write_register(byte);
    case 2: extended_index_ = byte & 0x7F; return;
    default: extended_[extended_index_] = byte; return;
  }
}

void Mc146818::write_register(u8 value) {
  catch_up();
  switch (index_) {
    case kRegisterA: return write_register_a(value);
    case kRegisterB: return write_register_b(value);
    case kRegisterC:
    case kRegisterD: return;
    case kSeconds: ram_[index_] = value & 0x7F; return;  // bit 7 cannot be written (datasheet, Table 3)
    default: ram_[index_] = value; return;
  }
}

void Mc146818::write_register_a(u8 value) {
  const bool ran = running();
  ram_[kRegisterA] = static_cast<u8>(value & ~kUpdateInProgress);
  if (running() != ran) {
    next_update_ = running() ? scheduler_->now() + kFirstUpdate : Scheduler::kNever;
    scheduler_->schedule_at(update_timer_, next_update_);
  }
  program_periodic();
}

void Mc146818::write_register_b(u8 value) {
  ram_[kRegisterB] = value;
  if ((value & kSet) != 0) ram_[kRegisterB] &= static_cast<u8>(~kUpdateEnded);  // datasheet, SET
  drive();
  program_periodic();
}

}  // namespace relic86
