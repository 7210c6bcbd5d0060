// Motorola MC146818 real-time clock with 128 bytes of CMOS RAM, a second bank of 128, and the NMI mask of port 70h.
#pragma once

#include <array>
#include <functional>

#include "devices/attachment.h"

namespace relic86 {

// Periodic interrupts whose time passes while the guest has not read the last one's flag: the chip loses them.
// Reinjected, as -rtc driftfix=slew asks for, they follow one by one, so that guests that count them keep the time.
enum class MissedTicks : u8 { Lost, Reinjected };

class Mc146818 final : public Device {
 public:
  static constexpr u8 kShutdownStatus = 0x0F;

  // base: the date at power-on, as seconds since 1970-01-01 00:00 of the calendar the guest shall see.
  explicit Mc146818(i64 base, MissedTicks missed = MissedTicks::Lost) : base_(base), missed_ticks_(missed) {}

  // Battery-backed contents, as the BIOS setup would leave them. index: 0Eh to 7Fh; others are the clock's own.
  void set_cmos(u8 index, u8 value);
  u8 cmos(u8 index) const { return ram_[index & 0x7F]; }
  // The guest has set its time by other means: periodic interrupts that it is owed do not come any more.
  void forget_missed_ticks();
  // Told of every interrupt, for the power management that it may wake.
  void on_interrupt(std::function<void()> listener) { interrupt_ = std::move(listener); }
  bool nmi_masked() const { return nmi_masked_; }

  std::string_view name() const override { return "mc146818"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 private:
  enum Timer : u32 { kUpdateTimer, kPeriodicTimer };

  u8 read_register();
  void write_register(u8 value);
  void write_register_a(u8 value);
  void write_register_b(u8 value);

  bool running() const;  // the divider chain is not held in reset
  void catch_up();       // everything that should have happened up to now
  void end_update();     // one second has passed
  void count_second();
  bool count(u8 index, u8 first, u8 last);  // adds one to a field; true: it went from last to first
  bool count_hour();
  bool alarm_matches() const;
  unsigned periodic_cycles() const;            // crystal cycles between two periodic interrupts; 0: none
  GuestTime edge_after(GuestTime time) const;  // of the periodic interrupt; kNever without one
  void note_missed_ticks();                    // Reinjected: at the read of register C
  void restart_periodic();
  void program_periodic();  // rate or enable bit were written: nothing of the past counts
  void drive();
  void set_date(i64 seconds);
  u8 to_register(unsigned value) const;
  unsigned from_register(u8 value) const;
  unsigned last_day() const;

  i64 base_;
  MissedTicks missed_ticks_;
  Scheduler* scheduler_ = nullptr;
  TimerId update_timer_ = 0;
  TimerId periodic_timer_ = 0;
  IrqLine irq_;
  std::function<void()> interrupt_;
  std::array<u8, 128> ram_{};  // 00h to 0Dh: the clock, in the guest's format
  std::array<u8, 128> extended_{};
  u8 index_ = 0;
  u8 extended_index_ = 0;
  bool nmi_masked_ = false;
  GuestTime next_update_ = Scheduler::kNever;  // end of the next update cycle; also the phase of the divider chain
  GuestTime next_edge_ = Scheduler::kNever;    // when the periodic flag is set next, if it is clear
  // Reinjected: the time up to which periodic edges are counted, and how many interrupts the guest is owed.
  GuestTime counted_edge_ = 0;
  u32 owed_ = 0;
};

}  // namespace relic86
