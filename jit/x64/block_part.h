// The block that is being compiled, as all parts of the back end see it: its IR, the assembler, and the instruction
// that host code is made for.
#pragma once

#include "jit/analyse/flag_analysis.h"
#include "jit/runtime/engine_area.h"
#include "jit/runtime/translation.h"
#include "jit/x64/emitter_options.h"
#include "jit/x64/registers.h"
#include "jit/x64/thunks.h"

namespace relic86::jit::x64 {

struct BlockCode {
  x86::Assembler assembler;
  const BlockIr& ir;
  Mode mode;
  Translation& translation;
  const Thunks& thunks;
  const EmitterOptions options;
  std::size_t index = 0;   // of the instruction
  bool deferring = false;  // code that stands after the block's is being made
  bool failed = false;     // something cannot be encoded
};

// Base of the parts: short names for what is in the block, and where things are in the host's memory.
class BlockPart {
 protected:
  using Gp = x86::Gp;
  using Label = asmjit::Label;
  using Mem = x86::Mem;

  explicit BlockPart(BlockCode& block)
      : a_(block.assembler),
        ir_(block.ir),
        mode_(block.mode),
        translation_(block.translation),
        thunks_(block.thunks),
        options_(block.options),
        index_(block.index),
        deferring_(block.deferring),
        failed_(block.failed) {}

  const InsnIr& insn() const { return ir_.insns[index_]; }
  const Node& at(u16 id) const { return insn().nodes[id]; }

  // Places of the block, in bytes from its page.
  i32 page_offset() const { return static_cast<i32>(translation_.block->first.raw & (kPageSize - 1)); }
  i32 place(u32 offset) const { return page_offset() + static_cast<i32>(offset); }
  i32 eip_of(std::size_t index) const { return place(ir_.insns[index].offset); }
  i32 next_eip() const { return place(insn().end); }
  i32 block_end() const { return place(ir_.insns.back().end); }
  // Of the block's budget: what is left with the present instruction, and after it.
  unsigned undone_before() const { return static_cast<unsigned>(ir_.insns.size() - index_); }
  unsigned undone_after() const { return undone_before() - 1; }

  unsigned code_bytes() const { return mode_.code_bytes(); }
  Gp code_register(const Gp& of) const { return sized(of.id(), mode_.pointer_bytes()); }

  Mem area(std::size_t offset, u32 bytes = 4) const {
    return Mem(kState, static_cast<i32>(offsetof(VcpuMemory, engine) + offset), bytes);
  }
  Mem state(std::size_t offset, u32 bytes = 8) const { return Mem(kState, static_cast<i32>(offset), bytes); }
  Mem segment_field(unsigned segment, std::size_t offset, u32 bytes) const {
    return state(offsetof(CpuState, segment) + segment * sizeof(Segment) + offset, bytes);
  }
  // A guest register in CpuState.
  Mem gpr(unsigned guest_register, unsigned bytes) const {
    return state(offsetof(CpuState, gpr) + guest_register * sizeof(u64), bytes);
  }

  void load_constant(const Gp& to, u64 value) {
    if (to.size() < 8 || value <= ~u32{0}) {
      a_.mov(to.r32(), static_cast<u32>(value));
    } else if (fits_immediate(value)) {
      a_.mov(to, static_cast<i32>(value));
    } else {
      a_.movabs(to, value);
    }
  }

  x86::Assembler& a_;
  const BlockIr& ir_;
  const Mode& mode_;
  Translation& translation_;
  const Thunks& thunks_;
  const EmitterOptions& options_;
  std::size_t& index_;
  const bool& deferring_;
  bool& failed_;
};

}  // namespace relic86::jit::x64
