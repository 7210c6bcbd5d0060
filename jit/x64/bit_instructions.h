// The host's instructions that count bits, and those of BMI1 and BMI2.
#pragma once

#include "jit/ir/ir.h"
#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

struct BitInstruction {
  x86::Inst::Id id = x86::Inst::kIdNone;
  u32 flags = 0;  // those that the host leaves as the guest has them
};

inline BitInstruction instruction_of(Op op) {
  constexpr u32 kOfResult = kSF | kZF | kCF | kOF;
  switch (op) {
    case Op::Tzcnt: return {x86::Inst::kIdTzcnt, kZF | kCF};
    case Op::Lzcnt: return {x86::Inst::kIdLzcnt, kZF | kCF};
    case Op::Popcnt: return {x86::Inst::kIdPopcnt, kArithmeticFlags};
    case Op::Blsr: return {x86::Inst::kIdBlsr, kOfResult};
    case Op::Blsmsk: return {x86::Inst::kIdBlsmsk, kOfResult};
    case Op::Blsi: return {x86::Inst::kIdBlsi, kOfResult};
    case Op::Bzhi: return {x86::Inst::kIdBzhi, kOfResult};
    case Op::Bextr: return {x86::Inst::kIdBextr, kZF | kCF | kOF};
    case Op::Sarx: return {x86::Inst::kIdSarx};
    case Op::Shlx: return {x86::Inst::kIdShlx};
    case Op::Shrx: return {x86::Inst::kIdShrx};
    case Op::Pdep: return {x86::Inst::kIdPdep};
    case Op::Pext: return {x86::Inst::kIdPext};
    default: return {};
  }
}

}  // namespace relic86::jit::x64
