// Which host register holds what while translated code runs. EAX to EBX, ESI and EDI stand on their own numbers, so
// that AH to BH, CL shifts, MUL and DIV map one to one. RBP alone can address memory in an instruction that names AH to
// BH (no REX prefix), so it is the address temporary. R8 to R15 of 64-bit code stand in CpuState, and have copies in
// temporaries (register_allocator.h).
#pragma once

#include <asmjit/x86.h>

#include <cstddef>

#include "cpu/state.h"

namespace relic86::jit::x64 {

namespace x86 = asmjit::x86;

inline constexpr unsigned kPinned = 8;                                 // guest registers that have a host register
inline constexpr u8 kHostOfGuest[kPinned] = {0, 1, 2, 3, 8, 9, 6, 7};  // by Gpr; ESP: r8, EBP: r9

inline x86::Gp sized(unsigned host, unsigned bytes) {
  switch (bytes) {
    case 1: return x86::gpb(host);
    case 2: return x86::gpw(host);
    case 4: return x86::gpd(host);
    default: return x86::gpq(host);
  }
}
inline x86::Gp guest(unsigned index, unsigned bytes) { return sized(kHostOfGuest[index], bytes); }

// Bytes of a register that hold a value of so many bytes.
constexpr unsigned whole(unsigned bytes) { return bytes == 8 ? 8 : 4; }
// Whether an immediate of four bytes, which the processor extends by its sign, gives this number of eight.
constexpr bool fits_immediate(u64 value) { return static_cast<u64>(i64{static_cast<i32>(value)}) == value; }

inline constexpr unsigned kTemporaries[4] = {10, 11, 12, 13};
inline const x86::Gp kAddress = x86::rbp;
inline const x86::Gp kRemaining = x86::r14;  // CpuState::remaining less the running block's instructions
inline const x86::Gp kState = x86::r15;

// Where TlbWalk stands, from kState on.
inline constexpr std::size_t kTlbWalk = offsetof(VcpuMemory, tlb) + offsetof(TlbTables, walk);

}  // namespace relic86::jit::x64
