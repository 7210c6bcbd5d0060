// Compiles blocks of the intermediate representation and runs them on a processor with a little RAM, without a
// translator: slow accesses are carried out here, and where a block is left its state is made whole.
#pragma once

#include "cpu/code_blocks.h"
#include "jit/ir/mode.h"
#include "jit/runtime/code_cache.h"
#include "jit/runtime/descriptor_cache.h"
#include "jit/runtime/flag_records.h"
#include "jit/runtime/translation.h"
#include "jit/x64/emitter.h"
#include "tests/jit/random/ir_generator.h"
#include "tests/jit/random/small_machine.h"

namespace relic86::jit {

class BlockRunner {
 public:
  BlockRunner();

  SmallMachine& machine() { return machine_; }

  struct Outcome {
    enum Kind : u8 { Refused, Left, Gone } kind = Refused;  // Gone: to EIP in CpuState::rip
    u64 executed = 0;                                       // instructions, those of every iteration
  };
  // From the block's start on, at most so many instructions. CpuState::rip must name that start.
  Outcome run(const GeneratedBlock& block, const Mode& mode, const x64::EmitterOptions& options, u64 budget);

 private:
  static u64 load(void* context, void* exit);
  static u64 store(void* context, void* exit);
  static u64 probe(void* context, void* exit);
  static u64 touch(void* context, void* exit);
  static u64 depart(void* context, void* exit);
  static u64 flatten(void* context, void* exit);
  static u64 unexpected(void* context, void* exit);

  SmallMachine machine_;
  CodeCache cache_;
  DescriptorCache descriptors_;
  x64::Thunks thunks_;
  FlagRecords records_;
};

}  // namespace relic86::jit
