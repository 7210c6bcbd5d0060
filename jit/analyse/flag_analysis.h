// Looks ahead from an instruction that defines flags: is anyone going to look at them, and which guest registers change
// before the last look.
#pragma once

#include "jit/ir/ir.h"

namespace relic86::jit {

struct FlagNeed {
  bool read = false;   // an instruction of the block reads one of them
  bool exact = false;  // an exit may show them
  u32 clobbered = 0;   // guest registers that later instructions change before the last look (bits)
  bool needed() const { return read || exact; }
};

// The block may be left after the instruction has written its registers, or some of them: by its handler. Back ends
// leave no other instruction so, unless its flags are settled before.
bool leaves_after_writing(const InsnIr& insn);

// What becomes of the flags `defined` of instruction `at`.
FlagNeed flag_need(const BlockIr& block, std::size_t at, u32 defined);
// What becomes of the flags that instruction `first` finds.
FlagNeed flag_need_from(const BlockIr& block, std::size_t first, u32 flags);

}  // namespace relic86::jit
