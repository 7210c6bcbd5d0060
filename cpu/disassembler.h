// Text of guest instructions for logs, the monitor (x /i) and failure reports. Never for execution.
#pragma once

#include <span>
#include <string>

#include "base/types.h"
#include "cpu/code_size.h"

namespace relic86 {

enum class AssemblerSyntax : u8 { Att, Intel };

struct Disassembly {
  unsigned length = 1;  // bytes of the instruction; 1 when it is not valid
  std::string text;     // "(bad)" when it is not valid
};

// The instruction at the front of bytes; address: its offset in the code segment (RIP), for branch targets.
Disassembly disassemble(std::span<const u8> bytes, u64 address, CodeSize size,
                        AssemblerSyntax syntax = AssemblerSyntax::Att);
// The host's own: 64-bit code, in Intel's syntax.
Disassembly disassemble_host(std::span<const u8> bytes, u64 address);

}  // namespace relic86
