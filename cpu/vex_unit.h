// Instructions with a VEX prefix on this host's own unit. The guest's instruction is encoded again with fixed registers
// and a fixed place in memory, in a small function that loads and stores these: made once for an opcode with its
// immediate, kept in memory that the host may execute. So the hundreds of AVX instructions are rows of the table
// (cpu/insn_vex.def), in a build without the translator too.
#pragma once

#include <memory>
#include <unordered_map>

#include "base/types.h"
#include "cpu/executable_memory.h"
#include "cpu/instruction_table.h"
#include "cpu/state.h"

namespace relic86 {

// The operands by their fields of the encoding; what the instruction does not write stays.
struct alignas(32) VexOperands {
  struct alignas(32) Vector {
    FxState::Slot half[2] = {};
  };
  Vector reg;     // ModRM.reg
  Vector vex;     // VEX.vvvv
  Vector rm;      // ModRM.rm; of the memory form the operand's bytes, then zeros
  Vector fourth;  // bits 7:4 of the immediate
  u64 general_reg = 0;
  u64 general_rm = 0;
  u64 flags = 0;  // RFLAGS afterwards
};

struct VexEncoding {
  OpcodeMap map = OpcodeMap::VexTwoByte;
  u8 opcode = 0;
  u8 implied = 0;  // pp: 0 none, 1 66, 2 F3, 3 F2
  bool w = false;
  bool l = false;
  bool memory = false;
  bool has_vex = false;  // VEX.vvvv is an operand
  bool general_reg = false;
  bool general_rm = false;
  bool has_immediate = false;
  bool has_fourth = false;  // the immediate's upper half names a register
  u8 extension = 0xFF;      // what ModRM.reg is when it is part of the opcode
  u8 immediate = 0;

  u64 key() const;
};

class VexUnit {
 public:
  VexUnit();
  ~VexUnit();
  VexUnit(const VexUnit&) = delete;
  VexUnit& operator=(const VexUnit&) = delete;

  // The host lets a program make code.
  static bool available();

  using Function = void (*)(VexOperands*);
  // The host must have the instruction.
  Function function(const VexEncoding& encoding);

 private:
  void begin_anew();
  void write(const VexEncoding& encoding, u8* at);

  std::unique_ptr<ExecutableMemory> memory_;
  std::size_t used_ = 0;
  std::unordered_map<u64, Function> functions_;
};

}  // namespace relic86
