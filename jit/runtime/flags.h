// The guest's flags while translated code runs: a chain of steps, known when the block is translated, that starts at
// the home in EngineArea. Nothing is computed until someone looks (a fault, an event, a cold instruction): then the
// steps run through ExecBuilder, so that their meaning is the interpreter's.
#pragma once

#include "cpu/cpu.h"
#include "jit/ir/ir.h"
#include "jit/runtime/engine_area.h"

namespace relic86::jit {

struct FlagOperand {
  enum Kind : u8 { None, Register, HighByte, Immediate, Slot } kind = None;
  u32 value = 0;  // register number, constant (of a step of eight bytes: sign-extended) or slot
};

struct FlagStep {
  Op op{};
  u8 size = 4;
  bool from_result = false;  // a holds the result, from which the left operand is found
  FlagOperand a, b, c;

  u32 descriptor() const { return 1u | static_cast<u32>(op) << 8 | u32{size} << 16 | (from_result ? 1u << 24 : 0u); }
};

// Flags after one step with the given operands, on top of what CpuState::flags holds.
void apply_step(Cpu& cpu, u32 descriptor, u64 a, u64 b, u64 c);
// The home's value goes to CpuState::flags, which becomes the home.
void settle_home(Cpu& cpu);
// A step whose operands are in CpuState and EngineArea.
void apply_step(Cpu& cpu, const FlagStep& step);

}  // namespace relic86::jit
