// Which of three instruction sets a code segment runs: what the same bytes mean, and how they are decoded.
#pragma once

#include "base/types.h"
#include "cpu/state.h"

namespace relic86 {

// Default operand and address size of a code segment: CS.D, and in IA-32e mode CS.L (SDM 3A 3.4.5).
enum class CodeSize : u8 { Bits16, Bits32, Bits64 };

inline CodeSize code_size(const CpuMode& mode) {
  if (mode.code64) [[unlikely]]
    return CodeSize::Bits64;
  return mode.code32 ? CodeSize::Bits32 : CodeSize::Bits16;
}

}  // namespace relic86
