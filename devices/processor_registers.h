// The general registers of a processor, for a device that takes and gives more than EAX.
#pragma once

#include "base/types.h"

namespace relic86 {

class ProcessorRegisters {
 public:
  // Numbers as in instructions (SDM 2A, table 2-2).
  enum class Register : u8 { Eax = 0, Ecx = 1, Edx = 2, Ebx = 3, Esi = 6, Edi = 7 };

  virtual u32 read_register(Register number) const = 0;
  virtual void write_register(Register number, u32 value) = 0;  // the upper half of a 64-bit register is 0 then

 protected:
  ~ProcessorRegisters() = default;
};

}  // namespace relic86
