// Fixed code that answers by ZF and leaves all registers but kAddress as they were.
#pragma once

#include <span>

#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

inline void keep(x86::Assembler& a, std::span<const x86::Gp> kept) {
  for (const x86::Gp& each : kept) a.push(each);
}

// Its end: returns with Z, or, where slow was jumped to, with NZ. kept: as for keep(), with EAX among it.
inline void answer(x86::Assembler& a, const asmjit::Label& slow, std::span<const x86::Gp> kept) {
  const asmjit::Label out = a.newLabel();
  a.xor_(x86::eax, x86::eax);
  a.bind(out);
  for (std::size_t i = kept.size(); i-- > 0;) a.pop(kept[i]);
  a.ret();
  a.bind(slow);
  a.or_(x86::eax, 1);
  a.jmp(out);
}

}  // namespace relic86::jit::x64
