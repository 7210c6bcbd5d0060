// The processor's way to the board's local APIC: neither side knows the other.
#pragma once

#include "cpu/interrupts.h"
#include "devices/chipset/local_apic.h"

namespace relic86 {

class ApicPort final : public ApicRegisters {
 public:
  explicit ApicPort(LocalApic& apic) : apic_(apic) {}
  u64 base() const override { return apic_.base(); }
  bool set_base(u64 value) override { return apic_.set_base(value); }
  bool read(u32 number, u64& value) override { return apic_.read_msr(number, value); }
  bool write(u32 number, u64 value) override { return apic_.write_msr(number, value); }
  u8 task_priority() const override { return apic_.priority_class(); }
  void set_task_priority(u8 priority_class) override { apic_.set_priority_class(priority_class); }
  u64 deadline() const override { return apic_.timer().deadline(); }
  void set_deadline(u64 tsc, GuestTime moment) override { apic_.timer().set_deadline(tsc, moment); }

 private:
  LocalApic& apic_;
};

}  // namespace relic86
