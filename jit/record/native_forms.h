// Instructions that the host's own units carry out as they are: x87, MMX and SSE forms. What the back end must know to
// encode one again with host registers and a host address.
#pragma once

#include "cpu/instruction_table.h"
#include "cpu/vendor_behaviour.h"
#include "jit/ir/mode.h"

namespace relic86::jit {

struct NativeForm {
  enum class Unit : u8 { None, X87, Mmx, Sse, Avx } unit = Unit::None;
  enum class Special : u8 {
    None,
    Nothing,      // nothing is left to do: fences, hints
    Wait,         // FWAIT: nothing, unless an exception may be pending
    LoadControl,  // FLDCW
    LoadMxcsr,    // LDMXCSR
    Initialise,   // FNINIT
    EmptyMmx,     // EMMS
    ZeroUpper,    // VZEROUPPER
  } special = Special::None;
  u8 bytes = 0;               // of a memory operand
  bool aligned = false;       // the operand must be (16 bytes)
  bool store = false;         // memory is written
  bool general_rm = false;    // ModRM.rm of the register form is a general register
  bool general_reg = false;   // ModRM.reg is a general register, written
  bool immediate = false;     // an immediate byte follows
  bool compares = false;      // ZF, PF, CF := the result; OF, SF, AF := 0
  bool tracked = false;       // FIP, FCS, FOP and FDP, FDS point to it afterwards (SDM 1 8.1.8)
  bool status_to_ax = false;  // FNSTSW AX
  bool traps = false;         // raises exceptions, or meets a pending one
  // With a VEX prefix: W as the row wants it (else the general operand says), whether L counts, and whether a vector
  // register is written, all of whose bits change.
  bool vex = false;
  bool vex_w = false;
  bool length = false;
  bool writes_vector = false;
  bool doubles = false;  // with L the operand in memory has twice as many bytes
  bool fourth = false;   // the immediate's upper half names a register
  bool by_w = false;     // W makes the general operand one of eight bytes
  // The encoding: mandatory prefix (0: none), opcode map, opcode, whether a ModRM byte follows.
  u8 prefix = 0;
  OpcodeMap map = OpcodeMap::OneByte;
  u8 opcode = 0;
  bool modrm = false;
};

// Operands in memory of up to so many bytes are fetched by themselves where the fast path does not reach them.
inline constexpr unsigned kFetchedBytes = 8;

// Null: the instruction is not of this kind, or the mode does not allow it.
const NativeForm* native_form(const Insn& insn, const Mode& mode, const VendorBehaviour& vendor);

// Of the instruction's operand in memory, 0 if it has none.
u8 native_bytes(const NativeForm& form, const Insn& insn);

// FOP: the low bits of the escape byte and the ModRM byte.
u16 x87_opcode(const Insn& insn);

// The instruction may change what Mode::x87, Mode::sse and Mode::traps say.
bool changes_units(const Insn& insn);

}  // namespace relic86::jit
