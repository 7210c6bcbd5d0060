// What far transfers, interrupts and task switches share: the state they roll back, the stacks they switch to.
#pragma once

#include "cpu/cpu.h"
#include "cpu/segmentation.h"

namespace relic86 {

// A transfer that faults half-way leaves the processor as it was: taken before, restored on the fault.
class TransferGuard {
 public:
  explicit TransferGuard(Cpu& cpu);
  // The transfer faulted: everything back. Returns false, for `return guard.fail()`.
  bool fail();

 private:
  Cpu& cpu_;
  std::array<Segment, kSegmentCount> segment_;
  std::array<u64, kGprSlots> gpr_;
  u64 rip_;
  u32 eflags_;
};

// The stack for a privilege level from the present TSS (SDM 3A 7.2.1). False: #TS.
bool read_tss_stack(Cpu& cpu, unsigned privilege, u32 external, Selector& ss, u32& esp);

// Loads CS for a transfer to `privilege` (its RPL becomes the privilege) and checks the offset against its limit.
// False: #GP(0) (offset beyond the limit) with `external` in the code.
bool enter_code_segment(Cpu& cpu, Selector selector, Descriptor& descriptor, unsigned privilege, u32 offset,
                        u32 external);

// Task switch (SDM 3A 7.3). error: pushed on the new stack when it has one.
enum class TaskSwitchCause : u8 { Jump, Call, Iret, Interrupt };
struct TaskSwitchError {
  bool present = false;
  u32 code = 0;
};
bool switch_task(Cpu& cpu, Selector tss, const Descriptor& descriptor, TaskSwitchCause cause, u32 return_rip,
                 u32 external, TaskSwitchError error = {});

// After CS:EIP moved to a new privilege or mode: DS, ES, FS, GS that the less privileged code may not use become null
// (SDM 3A 5.8.6).
void drop_privileged_segments(Cpu& cpu);

}  // namespace relic86
