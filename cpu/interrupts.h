// The processor's side of interrupt delivery; implemented by the local APIC or, without one, by the board's 8259A pair.
#pragma once

#include "base/types.h"

namespace relic86 {

class InterruptAcknowledge {
 public:
  // The INTA cycle: the vector of the highest-priority request. Called only while INTR is asserted; may lower it.
  virtual u8 acknowledge() = 0;

 protected:
  ~InterruptAcknowledge() = default;
};

// The local APIC's model-specific registers. false: #GP(0), and nothing changed.
class ApicRegisters {
 public:
  virtual u64 base() const = 0;  // IA32_APIC_BASE
  virtual bool set_base(u64 value) = 0;
  virtual bool read(u32 number, u64& value) = 0;  // 800h to 8FFh, x2APIC mode
  virtual bool write(u32 number, u64 value) = 0;
  // CR8: the task priority's class, bits 7:4 of the TPR (SDM 3A 10.8.6).
  virtual u8 task_priority() const = 0;
  virtual void set_task_priority(u8 priority_class) = 0;
  // IA32_TSC_DEADLINE: its value, and the guest time at which the TSC reaches it.
  virtual u64 deadline() const = 0;
  virtual void set_deadline(u64 tsc, GuestTime moment) = 0;
  bool enabled() const { return (base() & 1u << 11) != 0; }

 protected:
  ~ApicRegisters() = default;
};

}  // namespace relic86
