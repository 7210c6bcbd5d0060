// One SIMD operation on two registers, by this host's own unit (cpu/simd_host.cpp). A soft unit for other hosts fits
// here.
#pragma once

#include "base/types.h"
#include "cpu/state.h"

namespace relic86::simd_unit {

enum class Prefix : u8 { None = 0, P66 = 0x66, PF3 = 0xF3, PF2 = 0xF2 };
enum class Map : u8 { TwoByte, Escape38 };

using XmmOperation = void (*)(FxState::Slot& destination, const FxState::Slot& source);
using MmxOperation = void (*)(u64& destination, u64 source);

// destination = destination OP source, as the encoded instruction does on two XMM registers. Null: not one that exists
// here.
XmmOperation xmm_operation(Map map, Prefix prefix, u8 opcode);
MmxOperation mmx_operation(Map map, u8 opcode);
// CMPPS, CMPPD, CMPSS, CMPSD (opcode C2h) with predicate 0 to 7.
XmmOperation compare_operation(Prefix prefix, unsigned predicate);

// ROUNDPS, ROUNDPD, ROUNDSS, ROUNDSD (0F 3A 08h to 0Bh) and DPPS, DPPD (40h, 41h) with an immediate. Hosts with SSE4.1.
XmmOperation round_operation(u8 opcode, unsigned immediate);
XmmOperation dot_operation(u8 opcode, unsigned immediate);
// PCLMULQDQ, AESKEYGENASSIST, SHA1RNDS4 with an immediate. Hosts with the instruction.
XmmOperation carryless_operation(unsigned immediate);
XmmOperation round_key_operation(unsigned immediate);
XmmOperation sha1_rounds_operation(unsigned immediate);
// SHA256RNDS2, which takes the round's words and constants from XMM0. Hosts with SHA.
void sha256_rounds(FxState::Slot& destination, const FxState::Slot& source, const FxState::Slot& xmm0);

// A floating-point operation run with the guest's rounding, DAZ and FTZ; mxcsr's flags collect what was raised. True:
// done. False: an unmasked exception was raised; destination is unchanged and mxcsr holds the flags that the handler
// will see.
bool run_floating(XmmOperation operation, u32& mxcsr, FxState::Slot& destination, const FxState::Slot& source);

// UCOMISS, UCOMISD (opcode 2Eh), COMISS, COMISD (2Fh): ZF, PF, CF as EFLAGS bits; false as above.
bool compare(Prefix prefix, bool ordered, u32& mxcsr, const FxState::Slot& first, const FxState::Slot& second,
             u32& eflags);

// Conversions between integers, MMX and XMM (opcodes 2Ah, 2Ch, 2Dh); false as above. Integers of 32 bits stand in the
// low half, and results have an empty upper one.
enum class IntegerWidth : u8 { Bits32, Bits64 };
bool integer_to_scalar(Prefix prefix, IntegerWidth width, u32& mxcsr, FxState::Slot& destination, u64 source);
bool scalar_to_integer(Prefix prefix, IntegerWidth width, bool truncate, u32& mxcsr, const FxState::Slot& source,
                       u64& result);
bool mmx_to_packed(Prefix prefix, u32& mxcsr, FxState::Slot& destination, u64 source);
bool packed_to_mmx(Prefix prefix, bool truncate, u32& mxcsr, const FxState::Slot& source, u64& result);

}  // namespace relic86::simd_unit
