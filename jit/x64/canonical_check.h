#pragma once

#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

// Jumps if the address is not canonical; it is used up, and so are the host's flags.
inline void check_canonical(x86::Assembler& a, unsigned linear_bits, const x86::Gp& address,
                            const asmjit::Label& beyond) {
  a.sar(address, linear_bits - 1);
  a.add(address, 1);
  a.cmp(address, 1);
  a.ja(beyond);
}

}  // namespace relic86::jit::x64
