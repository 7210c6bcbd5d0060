// Registers at FED00000h (IA-PC HPET specification 1.0a, 2.3)
//
//   offset      width  R/W  bits
//   000h        8      R    63:32 period in fs (10 ns), 31:16 vendor 8086h, 15 legacy replacement, 13 64 bits,
//                           12:8 number of the last comparator, 7:0 revision
//   010h        8      RW   1 LEG_RT_CNF, 0 ENABLE_CNF
//   020h        8      RWC  interrupt status of level-triggered comparators
//   0F0h        8      RW   the counter; writable while it is halted
//   100h +20h n 8      RW   63:32 inputs of the I/O APIC that can be chosen (R), 15 and 14 no messages (0), 13:9 the
//                           input, 8 32-bit, 6 set the value (W), 5 64 bits (R), 4 periodic possible (R), 3 periodic,
//                           2 enable, 1 level-triggered
//   108h +20h n 8      RW   the comparator
//
// With LEG_RT_CNF comparator 0 takes the place of the PIT (IRQ 0, input 2 of the I/O APIC) and comparator 1 that of the
// real time clock (IRQ 8), of which nothing is heard then. Else they have inputs 16 to 23 of the I/O APIC.
#include "devices/chipset/hpet.h"

#include <algorithm>
#include <string>

#include "base/state_loading.h"

namespace relic86 {

namespace {
constexpr u64 kPeriod = 10;  // ns
constexpr u64 kCapabilities =
    (kPeriod * 1'000'000) << 32 | 0x8086u << 16 | 1u << 15 | 1u << 13 | (Hpet::kComparators - 1) << 8 | 1;
enum ControlBit : u64 { kEnable = 1, kLegacyReplacement = 2 };
enum ComparatorBit : u64 {
  kLevel = 1u << 1,
  kInterruptEnable = 1u << 2,
  kPeriodic = 1u << 3,
  kPeriodicCapable = 1u << 4,
  kSize64 = 1u << 5,
  kSetValue = 1u << 6,
  kMode32 = 1u << 8,
};
constexpr unsigned kInputShift = 9;
constexpr u64 kInputBits = 31u << kInputShift;
constexpr u64 kComparatorWritable = kLevel | kInterruptEnable | kPeriodic | kSetValue | kMode32 | kInputBits;
constexpr u64 kPossibleInputs = u64{0x00FF0000} << 32;  // 16 to 23
constexpr u64 kFirstComparator = 0x100, kComparatorBytes = 0x20;
enum Register : u64 { kCapabilitiesAt = 0x000, kControlAt = 0x010, kStatusAt = 0x020, kCounterAt = 0x0F0 };
enum ComparatorRegister : u64 { kConfigurationAt = 0x00, kValueAt = 0x08 };
constexpr u32 kAllStatus = (1u << Hpet::kComparators) - 1;
constexpr unsigned kTimerLine = 0, kClockLine = 8, kFirstInput = 16;
// Periodic interrupts closer together than this would keep the machine from doing anything else.
constexpr GuestTime kShortestDelay = 1'000;

u64 all_bits(u64 comparator_control) { return (comparator_control & kMode32) != 0 ? 0xFFFFFFFF : ~u64{0}; }
}  // namespace

Result<> Hpet::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  for (unsigned input = kFirstInput; input < kInputs; input++) lines_[input] = board.isa_irq(input);
  constexpr std::string_view kNames[kComparators] = {"comparator0", "comparator1", "comparator2"};
  for (u32 i = 0; i < kComparators; i++) comparators_[i].timer = board.timer(*this, kNames[i], i);
  constexpr unsigned kWidest = 8;
  return board.memory().map_fixed(board.memory().new_key(),
                                  mmio_range("hpet", PhysAddr(kAddress), kPageSize, this, 0, kWidest));
}

void Hpet::reset(ResetKind) {
  control_ = counter_ = 0;
  interrupt_status_ = 0;
  counts_from_ = 0;
  for (Comparator& each : comparators_) {
    each.control = kPossibleInputs | kPeriodicCapable | kSize64;
    each.value = ~u64{0};
    each.period = 0;
  }
  drive_lines();
  rearm_all();
}

void Hpet::state(StateArchive& archive) {
  archive.field("control", control_);
  archive.field("interrupt_status", interrupt_status_);
  archive.field("counter", counter_);
  moment_field(archive, "counts_from", counts_from_);
  for (unsigned i = 0; i < kComparators; i++) {
    archive.group("comparator" + std::to_string(i), [&] {
      archive.field("control", comparators_[i].control);
      archive.field("value", comparators_[i].value);
      archive.field("period", comparators_[i].period);
    });
  }
  if (!archive.loading()) return;
  control_ &= kEnable | kLegacyReplacement;
  interrupt_status_ &= kAllStatus;
  for (Comparator& each : comparators_)
    each.control = (each.control & kComparatorWritable) | kPossibleInputs | kPeriodicCapable | kSize64;
  drive_lines();  // the scheduler knows when the comparators are due
}

// --- The counter ---

bool Hpet::running() const { return (control_ & kEnable) != 0; }
bool Hpet::replaces_legacy() const { return (control_ & kLegacyReplacement) != 0; }

u64 Hpet::counter() const {
  if (!running()) return counter_;
  return static_cast<u64>(scheduler_->now() - counts_from_) / kPeriod + counter_;
}

GuestTime Hpet::time_of(u64 distance) const {
  constexpr u64 kFarAway = u64{1} << 58;
  if (distance >= kFarAway / kPeriod) return Scheduler::kNever;
  const u64 phase = static_cast<u64>(scheduler_->now() - counts_from_) % kPeriod;
  return scheduler_->now() + static_cast<GuestTime>(distance * kPeriod - phase);
}

// --- Comparators ---

// Periodic, and the guest has said the period.
bool Hpet::repeats(const Comparator& comparator) const {
  return (comparator.control & kPeriodic) != 0 && comparator.period != 0;
}

// A comparator that is not periodic meets the counter once, and again when that has wrapped. Periodic interrupts that
// are late come one by one.
void Hpet::rearm(const Comparator& comparator) {
  if (!running()) return scheduler_->cancel(comparator.timer);
  const u64 all = all_bits(comparator.control);
  const u64 distance = (comparator.value - counter()) & all;
  if (!repeats(comparator)) return scheduler_->schedule_at(comparator.timer, time_of(distance));
  const GuestTime earliest = scheduler_->now() + kShortestDelay;
  const bool late = distance > all / 2;
  scheduler_->schedule_at(comparator.timer, late ? earliest : std::max(earliest, time_of(distance)));
}

void Hpet::rearm_all() {
  for (const Comparator& each : comparators_) rearm(each);
}

void Hpet::event(u32 id, GuestTime) {
  if (id >= kComparators || !running()) return;
  Comparator& comparator = comparators_[id];
  const u64 all = all_bits(comparator.control);
  if ((comparator.control & kLevel) != 0) {
    interrupt_status_ |= 1u << id;
    drive_lines();
  } else if ((comparator.control & kInterruptEnable) != 0) {
    if (const auto line = line_of(id)) {
      set_line(*line, true);
      set_line(*line, false);
    }
  }
  if (repeats(comparator)) {
    comparator.value = (comparator.value + comparator.period) & all;
    return rearm(comparator);
  }
  // The next match is one turn of the counter after this one, which may have been noticed late.
  const u64 to_next_match = ((comparator.value - counter() - 1) & all) + 1;
  scheduler_->schedule_at(comparator.timer, to_next_match == 0 ? Scheduler::kNever : time_of(to_next_match));
}

std::optional<unsigned> Hpet::line_of(unsigned number) const {
  if (replaces_legacy() && number < 2) return number == 0 ? kTimerLine : kClockLine;
  const u64 control = comparators_[number].control;
  const u64 input = (control & kInputBits) >> kInputShift;
  if ((control >> 32 >> input & 1) == 0) return std::nullopt;
  return static_cast<unsigned>(input);
}

// Of level-triggered comparators; the others pulse.
void Hpet::drive_lines() {
  for (const unsigned line : {kTimerLine, kClockLine}) join_.claim(line, replaces_legacy());
  u32 high = 0;
  for (unsigned i = 0; i < kComparators; i++) {
    const u64 control = comparators_[i].control;
    const bool level =
        (interrupt_status_ >> i & 1) != 0 && (control & kInterruptEnable) != 0 && (control & kLevel) != 0;
    if (const auto line = line_of(i); level && line) high |= 1u << *line;
  }
  for (unsigned line = 0; line < kInputs; line++) {
    const bool level = (high >> line & 1) != 0;
    const bool legacy = line == kTimerLine || line == kClockLine;
    if (!legacy && lines_[line].level() != level) lines_[line].set(level);
    if (legacy && replaces_legacy()) join_.drive_claimed(line, level);
  }
}

void Hpet::set_line(unsigned line, bool level) {
  if (line == kTimerLine || line == kClockLine) return join_.drive_claimed(line, level);
  lines_[line].set(level);
}

// --- Registers ---

u64 Hpet::read_register(u64 offset) const {
  if (offset >= kFirstComparator) {
    const u64 number = (offset - kFirstComparator) / kComparatorBytes;
    if (number >= kComparators) return 0;
    const Comparator& comparator = comparators_[number];
    switch (offset % kComparatorBytes) {
      case kConfigurationAt: return comparator.control;
      case kValueAt: return comparator.value;
      default: return 0;
    }
  }
  switch (offset) {
    case kCapabilitiesAt: return kCapabilities;
    case kControlAt: return control_;
    case kStatusAt: return interrupt_status_;
    case kCounterAt: return counter();
    default: return 0;
  }
}

void Hpet::write_control(u64 value) {
  const u64 before = control_;
  if ((value & kEnable) == 0) counter_ = counter();
  control_ = value & (kEnable | kLegacyReplacement);
  if ((control_ & ~before & kEnable) != 0) counts_from_ = scheduler_->now();
  drive_lines();
  rearm_all();
}

void Hpet::write_register(u64 offset, u64 value, u64 mask) {
  const auto merged = [&](u64 old) { return (old & ~mask) | (value & mask); };
  if (offset >= kFirstComparator) {
    const u64 number = (offset - kFirstComparator) / kComparatorBytes;
    if (number < kComparators)
      write_comparator_register(static_cast<unsigned>(number), offset % kComparatorBytes, value, mask);
    return;
  }
  switch (offset) {
    case kControlAt: return write_control(merged(control_));
    case kStatusAt: interrupt_status_ &= ~static_cast<u32>(value & mask); return drive_lines();
    case kCounterAt:
      counter_ = merged(counter());
      counts_from_ = scheduler_->now();
      return rearm_all();
    default: return;
  }
}

void Hpet::write_comparator_register(unsigned number, u64 offset, u64 value, u64 mask) {
  Comparator& comparator = comparators_[number];
  if (offset == kConfigurationAt) {
    const u64 writable = kComparatorWritable & mask;
    comparator.control = (comparator.control & ~writable) | (value & writable);
    if ((comparator.control & kMode32) != 0) {
      comparator.value &= all_bits(comparator.control);
      comparator.period &= all_bits(comparator.control);
    }
    if ((comparator.control & kLevel) == 0) interrupt_status_ &= ~(1u << number);
    drive_lines();
  } else if (offset == kValueAt) {
    write_comparator(comparator, value, mask);
  }
  rearm(comparator);
}

// A periodic comparator is set once with "set the value", which gives it its first match, and then gets its period. One
// that is set a single time has both (2.3.9.2.2).
void Hpet::write_comparator(Comparator& comparator, u64 value, u64 mask) {
  const auto merged = [&](u64 old) { return ((old & ~mask) | (value & mask)) & all_bits(comparator.control); };
  const bool periodic = (comparator.control & kPeriodic) != 0;
  if (!periodic || (comparator.control & kSetValue) != 0) comparator.value = merged(comparator.value);
  if (periodic) comparator.period = merged(comparator.period);
  comparator.control &= ~u64{kSetValue};
}

u64 Hpet::read(RegionId, u64 offset, unsigned width) {
  const u64 inside = offset % 8;
  return read_register(offset - inside) >> (inside * 8) & all_ones(width);
}

void Hpet::write(RegionId, u64 offset, unsigned width, u64 value) {
  const u64 inside = offset % 8;
  if (inside + width > 8) return;  // over two registers: nothing is defined
  write_register(offset - inside, value << (inside * 8), all_ones(width) << (inside * 8));
}

}  // namespace relic86
