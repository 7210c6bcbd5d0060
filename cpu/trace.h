// -d in_asm, exec and cpu: the guest's code as it is decoded and carried out, block by block.
#pragma once

#include <span>

#include "cpu/code_blocks.h"
#include "cpu/cpu.h"

namespace relic86 {

// -d in_asm: a block was decoded. bytes: its code.
void trace_decoded(const Cpu& cpu, std::span<const u8> bytes);
// -d exec or cpu is on: the engine shows every block, by trace_entered() before it runs.
bool tracing_execution();
// place: where the block's first byte lies in the backing store; the same in every run.
void trace_entered(Cpu& cpu, BackingOffset place);

}  // namespace relic86
