// Far transfers, interrupts and IRET in the usual case: every descriptor is valid and accessed, the frame lies within
// one page, everything is in the TLB. Never called in long mode. All of it is checked first, then done. False: nothing
// was done, and the long way (cpu/far_transfer.cpp, cpu/interrupt_delivery.cpp), which knows every fault, decides. Both
// ways have the same effect.
#pragma once

#include "cpu/cpu.h"

namespace relic86 {

// An event on its way to its handler.
struct DeliveredEvent {
  u8 vector = 0;
  bool software = false;  // INT n, INT3, INTO: gate privilege counts, EXT is 0
  bool has_error = false;
  u32 error_code = 0;
  u64 return_rip = 0;
  bool resume = false;  // faults push RF set
  u32 external() const { return software ? 0u : 1u; }
};

bool deliver_directly(Cpu& cpu, const DeliveredEvent& event);
bool iret_directly(Cpu& cpu, bool wide);
bool jump_directly(Cpu& cpu, Selector selector, u32 offset, bool wide);
bool call_directly(Cpu& cpu, Selector selector, u32 offset, bool wide, u32 return_rip);
bool return_directly(Cpu& cpu, bool wide, u32 release);
// The far pointer that an indirect JMP or CALL names.
bool far_pointer_directly(Cpu& cpu, const Insn& insn, Selector& selector, u32& offset);

}  // namespace relic86
