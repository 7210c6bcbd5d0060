// The fixed power management registers of ACPI (ACPI 1.0 4.7.3): PM1 events and control, the timer, the SCI, and
// suspending. The chips that have them differ in what stands around them.
#pragma once

#include <functional>

#include "base/state_archive.h"
#include "devices/device.h"
#include "devices/host_sinks.h"

namespace relic86 {

class AcpiPm1 {
 public:
  // Bits of PM1_STS and PM1_EN.
  enum Event : u16 { kTimerOverflow = 1u << 0, kGlobal = 1u << 5, kPowerButton = 1u << 8, kRtc = 1u << 10 };

  // chip: for messages.
  AcpiPm1(std::string_view chip, MachineControl& machine) : chip_(chip), machine_(machine) {}
  // sci: the line stays its owner's, and is to outlive this.
  void attach(Scheduler& scheduler, IrqLine& sci, TimerId overflow);
  void lead_sci(IrqLine& line);  // another one from now on
  void on_suspend(std::function<void()> listener) { suspending_ = std::move(listener); }
  void reset(ResetKind kind);
  void state(StateArchive& archive);
  void timer_passed();  // the overflow timer's event

  // The first twelve bytes of the registers, at any place and width.
  static constexpr u64 kSize = 12;
  u32 dword(u64 number) const;  // 0: status and enable, 1: control, 2: timer
  void catch_timer();           // before status is read
  void write(u64 offset, u8 byte);

  void raise(Event event);  // its status
  void set_sci_enabled(bool on);
  bool sci_enabled() const { return (control_ & kSciEnable) != 0; }
  bool enabled(Event event) const { return (enable_ & event) != 0; }
  void update_sci();
  // A general purpose event that is enabled pends: the other reason for an SCI.
  void set_general_event(bool pending);

  void wake();
  bool suspended() const { return suspended_; }

 private:
  enum Control : u16 { kSciEnable = 1 };
  u64 ticks() const;  // of the PM timer, not wrapped
  void drive_sci();
  void schedule_overflow();
  void write_control(u16 value);

  std::string_view chip_;
  MachineControl& machine_;
  std::function<void()> suspending_;
  Scheduler* scheduler_ = nullptr;
  IrqLine* sci_ = nullptr;
  TimerId overflow_timer_ = 0;
  u16 status_ = 0;
  u16 enable_ = 0;
  u16 control_ = 0;
  u64 timer_half_ = 0;  // ticks / 2^23 when the overflow status was last brought up to date
  bool suspended_ = false;
  bool general_event_ = false;
};

}  // namespace relic86
