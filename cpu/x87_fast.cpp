#include "cpu/x87_fast.h"

#include <array>
#include <cstring>
#include <utility>

#include "cpu/lazy_flags.h"
#include "cpu/x87_stack.h"

namespace relic86::x87_fast {

namespace {

constexpr u16 kC0 = 1u << 8, kC1 = 1u << 9, kC2 = 1u << 10, kC3 = 1u << 14, kExceptions = 0x3F;
constexpr u16 kDefaultControl = 0x37F;

#define RELIC86_STACK "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

// --- Thunks: control word in, operands through memory, status word out. All exceptions are masked, so nothing traps.
// ---

// ST(0) OP ST(i) as D8h forms have it: the result goes to the first operand.
using BinaryThunk = u16 (*)(u8* first, const u8* second, u16 control);
template <u8 reg>
u16 run_binary(u8* first, const u8* second, u16 control) {
  u16 status = 0;
  asm volatile(
      "fnclex\n\tfldcw %[cw]\n\tfldt %[b]\n\tfldt %[a]\n\t.byte 0xD8, %c[m]\n\tfnstsw %[s]\n\tfstpt %[a]\n\tfstp "
      "%%st(0)\n\tfldcw %[d]"
      : [a] "+m"(*reinterpret_cast<FxState::Slot*>(first)), [s] "=a"(status)
      : [b] "m"(*reinterpret_cast<const FxState::Slot*>(second)), [cw] "m"(control), [d] "m"(kDefaultControl),
        [m] "i"(0xC1 | reg << 3)
      : RELIC86_STACK);
  return status;
}
// FCOM (D8 /2) and FUCOM (DD /4): only the status.
template <bool unordered>
u16 run_compare(const u8* first, const u8* second, u16 control) {
  u16 status = 0;
#define RELIC86_COMPARE(INSTRUCTION)                                                                                   \
  asm volatile("fnclex\n\tfldcw %[cw]\n\tfldt %[b]\n\tfldt %[a]\n\t" INSTRUCTION                                       \
               "\n\tfnstsw %[s]\n\tfstp %%st(0)\n\tfstp %%st(0)\n\tfldcw %[d]"                                         \
               : [s] "=a"(status)                                                                                      \
               : [a] "m"(*reinterpret_cast<const FxState::Slot*>(first)),                                              \
                 [b] "m"(*reinterpret_cast<const FxState::Slot*>(second)), [cw] "m"(control), [d] "m"(kDefaultControl) \
               : RELIC86_STACK)
  if constexpr (unordered)
    RELIC86_COMPARE("fucom %%st(1)");
  else
    RELIC86_COMPARE("fcom %%st(1)");
#undef RELIC86_COMPARE
  return status;
}

// D8h, DAh, DCh, DEh with memory: ST(0) = ST(0) OP [operand] (or compare).
using MemoryThunk = u16 (*)(u8* top, void* operand, u16 control);
template <u8 escape, u8 reg>
u16 run_memory_arithmetic(u8* top, void* operand, u16 control) {
  u16 status = 0;
  // A popping compare is run as the plain one: the guest's stack is popped by the caller.
  constexpr u8 kReg = reg == 3 ? 2 : reg;
  asm volatile("fnclex\n\tfldcw %[cw]\n\tfldt %[a]\n\t.byte %c[e], %c[m]\n\tfnstsw %[s]\n\tfstpt %[a]\n\tfldcw %[d]"
               : [a] "+m"(*reinterpret_cast<FxState::Slot*>(top)), [s] "=a"(status)
               : [e] "i"(escape), [m] "i"(kReg << 3 | 7), "D"(operand), [cw] "m"(control), [d] "m"(kDefaultControl)
               : "memory", RELIC86_STACK);
  return status;
}
// Loads: [operand] to a register image.
template <u8 escape, u8 reg>
u16 run_load(u8* top, void* operand, u16 control) {
  u16 status = 0;
  asm volatile("fnclex\n\tfldcw %[cw]\n\t.byte %c[e], %c[m]\n\tfnstsw %[s]\n\tfstpt %[a]\n\tfldcw %[d]"
               : [a] "=m"(*reinterpret_cast<FxState::Slot*>(top)), [s] "=a"(status)
               : [e] "i"(escape), [m] "i"(reg << 3 | 7), "D"(operand), [cw] "m"(control), [d] "m"(kDefaultControl)
               : "memory", RELIC86_STACK);
  return status;
}
// Stores: a register image to [operand]. pops: the form does, so the host's copy is gone.
template <u8 escape, u8 reg, bool pops>
u16 run_store(u8* top, void* operand, u16 control) {
  u16 status = 0;
#define RELIC86_STORE(AFTER)                                                                                    \
  asm volatile("fnclex\n\tfldcw %[cw]\n\tfldt %[a]\n\t.byte %c[e], %c[m]\n\tfnstsw %[s]\n\t" AFTER "fldcw %[d]" \
               : [s] "=a"(status)                                                                               \
               : [a] "m"(*reinterpret_cast<const FxState::Slot*>(top)), [e] "i"(escape), [m] "i"(reg << 3 | 7), \
                 "D"(operand), [cw] "m"(control), [d] "m"(kDefaultControl)                                      \
               : "memory", RELIC86_STACK)
  if constexpr (pops)
    RELIC86_STORE("");
  else
    RELIC86_STORE("fstp %%st(0)\n\t");
#undef RELIC86_STORE
  return status;
}
// D9h forms on ST(0) alone; for constants the old value is dropped.
using UnaryThunk = u16 (*)(u8* top, u16 control);
template <u8 modrm, bool constant>
u16 run_unary(u8* top, u16 control) {
  u16 status = 0;
#define RELIC86_UNARY(BEFORE)                                                                                    \
  asm volatile("fnclex\n\tfldcw %[cw]\n\t" BEFORE ".byte 0xD9, %c[m]\n\tfnstsw %[s]\n\tfstpt %[a]\n\tfldcw %[d]" \
               : [a] "+m"(*reinterpret_cast<FxState::Slot*>(top)), [s] "=a"(status)                              \
               : [m] "i"(modrm), [cw] "m"(control), [d] "m"(kDefaultControl)                                     \
               : RELIC86_STACK)
  if constexpr (constant)
    RELIC86_UNARY("");
  else
    RELIC86_UNARY("fldt %[a]\n\t");
#undef RELIC86_UNARY
  return status;
}
#undef RELIC86_STACK

template <std::size_t... reg>
constexpr std::array<BinaryThunk, 8> binary_thunks(std::index_sequence<reg...>) {
  return {&run_binary<static_cast<u8>(reg)>...};
}
template <u8 escape, std::size_t... reg>
constexpr std::array<MemoryThunk, 8> memory_thunks(std::index_sequence<reg...>) {
  return {&run_memory_arithmetic<escape, static_cast<u8>(reg)>...};
}
constexpr auto kEight = std::make_index_sequence<8>{};
constexpr auto kBinary = binary_thunks(kEight);
constexpr auto kD8 = memory_thunks<0xD8>(kEight), kDA = memory_thunks<0xDA>(kEight), kDC = memory_thunks<0xDC>(kEight),
               kDE = memory_thunks<0xDE>(kEight);

// --- The guest's stack ---

using x87_stack::has;
using x87_stack::pop;
using x87_stack::push;

// Exceptions are sticky; codes: which of C0-C3 the instruction defines.
void take_status(FxState& fx, u16 host, u16 codes) {
  fx.status = static_cast<u16>((fx.status & ~codes) | (host & (kExceptions | codes)));
}
constexpr u16 kCompareCodes = kC0 | kC1 | kC2 | kC3;

bool usual(const FxState& fx) { return (fx.control & kExceptions) == kExceptions; }

bool compare(FxState& fx, unsigned i, bool unordered, unsigned pops) {
  if (!has(fx, 0) || !has(fx, i)) return false;
  const u16 host = unordered ? run_compare<true>(fx.st[0].bytes, fx.st[i].bytes, fx.control)
                             : run_compare<false>(fx.st[0].bytes, fx.st[i].bytes, fx.control);
  take_status(fx, host, kCompareCodes);
  while (pops-- > 0) pop(fx);
  return true;
}

// FCOMI, FUCOMI: the codes go to EFLAGS.
bool compare_eflags(FxState& fx, unsigned i, bool unordered, bool pops, u32& eflags) {
  if (!has(fx, 0) || !has(fx, i)) return false;
  const u16 host = unordered ? run_compare<true>(fx.st[0].bytes, fx.st[i].bytes, fx.control)
                             : run_compare<false>(fx.st[0].bytes, fx.st[i].bytes, fx.control);
  take_status(fx, host, 0);  // C1 is cleared by Intel's parts only; the whole unit on this host leaves it
  eflags = ((host & kC0) != 0 ? kCF : 0u) | ((host & kC2) != 0 ? kPF : 0u) | ((host & kC3) != 0 ? kZF : 0u);
  if (pops) pop(fx);
  return true;
}

bool arithmetic(FxState& fx, u8 escape, unsigned reg, unsigned i) {
  if (!has(fx, 0) || !has(fx, i)) return false;
  u16 host = 0;
  if (escape == 0xD8) {
    host = kBinary[reg](fx.st[0].bytes, fx.st[i].bytes, fx.control);
  } else {
    // DCh and DEh put the result into ST(i): ST(i) = ST(i) OP ST(0), with /4 to /7 the other way round than D8h.
    const unsigned mirrored = reg >= 4 ? reg ^ 1 : reg;
    const unsigned actual = reg >= 4 ? mirrored : reg;
    host = kBinary[actual](fx.st[i].bytes, fx.st[0].bytes, fx.control);
  }
  take_status(fx, host, kC1);
  if (escape == 0xDE) pop(fx);
  return true;
}

UnaryThunk unary_thunk(u8 modrm) {
  switch (modrm) {
    case 0xE0: return &run_unary<0xE0, false>;  // FCHS
    case 0xE1: return &run_unary<0xE1, false>;  // FABS
    case 0xFA: return &run_unary<0xFA, false>;  // FSQRT
    case 0xFC: return &run_unary<0xFC, false>;  // FRNDINT
    default: return nullptr;
  }
}
UnaryThunk constant_thunk(u8 modrm) {
  switch (modrm) {
    case 0xE8: return &run_unary<0xE8, true>;  // FLD1
    case 0xEE: return &run_unary<0xEE, true>;  // FLDZ
    default: return nullptr;
  }
}

bool execute_d9(FxState& fx, u8 modrm) {
  const unsigned i = modrm & 7;
  const bool room = (fx.tags >> ((fx.top() + 7) & 7) & 1) == 0;
  if (modrm < 0xC8) {  // FLD ST(i)
    if (!room || !has(fx, i)) return false;
    const FxState::Slot value = fx.st[i];
    push(fx);
    fx.st[0] = value;
    fx.status &= static_cast<u16>(~kC1);
    return true;
  }
  if (modrm < 0xD0) {  // FXCH
    if (!has(fx, 0) || !has(fx, i)) return false;
    std::swap(fx.st[0], fx.st[i]);
    fx.status &= static_cast<u16>(~kC1);
    return true;
  }
  if (const UnaryThunk thunk = unary_thunk(modrm); thunk != nullptr) {
    if (!has(fx, 0)) return false;
    take_status(fx, thunk(fx.st[0].bytes, fx.control), kC1);
    return true;
  }
  if (const UnaryThunk thunk = constant_thunk(modrm); thunk != nullptr) {
    if (!room) return false;
    push(fx);
    take_status(fx, thunk(fx.st[0].bytes, fx.control), kC1);
    return true;
  }
  return false;
}

MemoryThunk load_thunk(u8 escape, u8 reg) {
  switch (escape << 4 | reg) {
    case 0xD90: return &run_load<0xD9, 0>;
    case 0xDD0: return &run_load<0xDD, 0>;
    case 0xDB0: return &run_load<0xDB, 0>;
    case 0xDB5: return &run_load<0xDB, 5>;
    case 0xDF0: return &run_load<0xDF, 0>;
    case 0xDF5: return &run_load<0xDF, 5>;
    default: return nullptr;
  }
}
MemoryThunk store_thunk(u8 escape, u8 reg) {
  switch (escape << 4 | reg) {
    case 0xD92: return &run_store<0xD9, 2, false>;
    case 0xD93: return &run_store<0xD9, 3, true>;
    case 0xDD2: return &run_store<0xDD, 2, false>;
    case 0xDD3: return &run_store<0xDD, 3, true>;
    case 0xDB2: return &run_store<0xDB, 2, false>;
    case 0xDB3: return &run_store<0xDB, 3, true>;
    case 0xDB7: return &run_store<0xDB, 7, true>;
    case 0xDF2: return &run_store<0xDF, 2, false>;
    case 0xDF3: return &run_store<0xDF, 3, true>;
    case 0xDF7: return &run_store<0xDF, 7, true>;
    default: return nullptr;
  }
}
constexpr bool store_pops(u8 reg) { return reg == 3 || reg == 7; }

}  // namespace

bool execute_register(FxState& fx, u8 escape, u8 modrm, u32& eflags) {
  if (!usual(fx)) return false;
  const unsigned reg = modrm >> 3 & 7, i = modrm & 7;
  switch (escape) {
    case 0xD8: return reg == 2 || reg == 3 ? compare(fx, i, false, reg - 2) : arithmetic(fx, escape, reg, i);
    case 0xD9: return execute_d9(fx, modrm);
    case 0xDA: return modrm == 0xE9 && compare(fx, 1, true, 2);
    case 0xDB:
    case 0xDF: return (reg == 5 || reg == 6) && compare_eflags(fx, i, reg == 5, escape == 0xDF, eflags);
    case 0xDC: return reg != 2 && reg != 3 && arithmetic(fx, escape, reg, i);
    case 0xDD:
      if (reg == 4 || reg == 5) return compare(fx, i, true, reg - 4);
      if ((reg != 2 && reg != 3) || !has(fx, 0)) return false;
      fx.st[i] = fx.st[0];  // FST, FSTP ST(i)
      fx.tags |= static_cast<u8>(1u << ((fx.top() + i) & 7));
      fx.status &= static_cast<u16>(~kC1);
      if (reg == 3) pop(fx);
      return true;
    case 0xDE:
      if (modrm == 0xD9) return compare(fx, 1, false, 2);
      return reg != 2 && reg != 3 && arithmetic(fx, escape, reg, i);
    default: return false;
  }
}

bool execute_memory(FxState& fx, u8 escape, u8 reg, x87_unit::Operand& operand) {
  if (!usual(fx)) return false;
  if ((escape & 1) == 0) {
    if (!has(fx, 0)) return false;
    const auto& thunks = escape == 0xD8 ? kD8 : escape == 0xDA ? kDA : escape == 0xDC ? kDC : kDE;
    const u16 host = thunks[reg](fx.st[0].bytes, operand.bytes, fx.control);
    const bool compares = reg == 2 || reg == 3;
    take_status(fx, host, compares ? kCompareCodes : kC1);
    if (reg == 3) pop(fx);
    return true;
  }
  if (const MemoryThunk thunk = load_thunk(escape, reg); thunk != nullptr) {
    if ((fx.tags >> ((fx.top() + 7) & 7) & 1) != 0) return false;
    FxState::Slot value;
    std::memset(value.bytes, 0, sizeof value.bytes);
    const u16 host = thunk(value.bytes, operand.bytes, fx.control);
    push(fx);
    fx.st[0] = value;
    take_status(fx, host, kC1);
    return true;
  }
  if (const MemoryThunk thunk = store_thunk(escape, reg); thunk != nullptr) {
    if (!has(fx, 0)) return false;
    take_status(fx, thunk(fx.st[0].bytes, operand.bytes, fx.control), kC1);
    if (store_pops(reg)) pop(fx);
    return true;
  }
  return false;
}

}  // namespace relic86::x87_fast
