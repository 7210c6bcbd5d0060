// What runs guest instructions: the interpreter, or the translator with the interpreter below it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/types.h"
#include "cpu/code_size.h"

namespace relic86 {

enum class ExitReason : u8 {
  BudgetSpent,  // the slice's instructions are done
  Halted,       // HLT and nothing to do: sleep until an event
  Shutdown,     // triple fault
  Stopped,      // kPendingStop, kPendingReset or kPendingInit: the machine acts
  Breakpoint,   // a debugger's breakpoint or watchpoint
};

// A straight run of instructions that was decoded because the processor has come to it.
struct DecodedCode {
  LinAddr linear{0};
  u32 bytes = 0;
};

// What an engine made of the block that begins at some place, for people.
struct CodeListing {
  std::string text;      // the guest's instructions, IR and host code; empty: nothing was made of it
  u32 instructions = 0;  // of the longest translation
  u32 bytes = 0;         // of guest code in it
};

class Executor {
 public:
  virtual ~Executor() = default;
  // Runs up to budget instructions (1 or more) and counts them in CpuState (retired, slice, remaining). Never runs
  // over: a block longer than the rest is stepped. Returns between two instructions with the full architectural state
  // in CpuState.
  virtual ExitReason run(u64 budget) = 0;
  // All decoded or translated code is forgotten (reset, loadvm, a remap).
  virtual void flush_code() = 0;

  // --- For a debugger ---
  // Linear addresses at which run() returns Breakpoint before the instruction is carried out, once each time that the
  // guest comes there. The guest's memory is not touched.
  virtual void set_breakpoints(const std::vector<LinAddr>& addresses) = 0;
  // The next instruction runs whether or not a breakpoint stands there.
  virtual void pass_breakpoint() = 0;
  // Acts on what is pending, then carries out one instruction (one iteration of a REP) or delivers its fault.
  // Breakpoints are not looked at.
  virtual ExitReason single_step() = 0;

  // Called for all code that is decoded from now on, each time that it is: once as long as it is kept. What is decoded
  // already is forgotten. An exception may leave the run before its end; code that goes on there is decoded anew.
  using DecodeListener = std::function<void(const DecodedCode&)>;
  virtual void on_decoded(DecodeListener listener) = 0;
  // Instructions decoded since the start: a guest that comes to code that it has not run lately makes it grow.
  virtual u64 decoded_instructions() const = 0;
  // Statistics for people: --jit-stats, info jit.
  virtual std::string describe() const = 0;
  // rip: the address to show for the block's first instruction, which stands at first.
  virtual CodeListing listing(BackingOffset first, CodeSize size, u64 rip) = 0;
};

}  // namespace relic86
