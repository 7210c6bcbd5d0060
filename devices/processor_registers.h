// The general registers of a processor, for a device that takes and gives more than EAX.
#pragma once

#include "base/types.h"

namespace relic86 {

class ProcessorRegisters {
 public:
  // Numbers as in instructions (SDM 2A, table 2-2).
  enum Register : u8 { kEax = 0, kEcx = 1, kEdx = 2, kEbx = 3, kEsi = 6, kEdi = 7 };

  virtual u32 read_register(Register number) const = 0;
  virtual void write_register(Register number, u32 value) = 0;  // the upper half of a 64-bit register is 0 then

 protected:
  ~ProcessorRegisters() = default;
};

}  // namespace relic86
