// Who is told of each way into a handler or a kernel, and of each way back (docs/insight.md). While there is a watch,
// both engines carry out in C++ what it is told of; without one, nothing is asked beside what those paths ask anyway.
#pragma once

#include "base/types.h"

namespace relic86 {

class Cpu;

// An event that was delivered, or a system call: the processor stands at the first instruction of what answers it.
struct KernelEntry {
  enum class Kind : u8 {
    Interrupt,    // from the interrupt controllers, or NMI
    Exception,    // INT3, INTO and INT1 too
    Software,     // INT n
    SystemCall,   // SYSCALL
    SystemEnter,  // SYSENTER
  };
  // What the processor was before.
  struct From {
    unsigned ring = 0;
    bool v86 = false;
    bool code64 = false;
  };
  Kind kind = Kind::Interrupt;
  u8 vector = 0;  // not of system calls
  bool has_error = false;
  u32 error_code = 0;
  u64 return_rip = 0;  // SYSENTER keeps none: the instruction behind it
  From from{};
};

class EntryWatch {
 public:
  virtual void entered(Cpu& cpu, const KernelEntry& entry) = 0;
  // IRET, SYSRET or SYSEXIT is done. frame: the linear address of the frame that IRET took; 0: none.
  virtual void returned(Cpu& cpu, u64 frame) = 0;

 protected:
  ~EntryWatch() = default;
};

}  // namespace relic86
