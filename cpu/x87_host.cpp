// x87_unit on x86-64 hosts: the guest's registers are loaded into the host's x87 by FXRSTOR, the guest's own
// instruction bytes run there, FXSAVE takes the result. Non-waiting FXSAVE never traps, so even unmasked exceptions are
// exact (SDM 1 8.6, 8.7).
#include <array>
#include <cstring>
#include <utility>

#include "cpu/lazy_flags.h"
#include "cpu/x87_fast.h"
#include "cpu/x87_unit.h"

namespace relic86::x87_unit {
namespace {

constexpr u32 kDefaultMxcsr = 0x1F80;
constexpr std::size_t kX87Part = offsetof(FxState, xmm);

// FXRSTOR loads XMM too: the work area has the host's default MXCSR, and the registers are declared clobbered.
#define RELIC86_X87_CLOBBERS                                                                                          \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
      "xmm14", "xmm15", "cc", "memory"

using RegisterThunk = u32 (*)(FxState*, u32);
using MemoryThunk = void (*)(FxState*, void*);

template <u8 escape, u8 modrm>
u32 run_register(FxState* work, u32 eflags) {
  u8 zero = 0, parity = 0, carry = 0;
  u32 accumulator = eflags << 8;  // AH; FNSTSW AX would write it
  // SAHF takes CF, PF, ZF from AH for FCMOVcc; the SETcc pick up what FCOMI left.
  asm volatile(
      "fxrstor %[work]\n\t"
      "sahf\n\t"
      ".byte %c[op], %c[mod]\n\t"
      "setz %[zero]\n\t"
      "setp %[parity]\n\t"
      "setc %[carry]\n\t"
      "fxsave %[work]\n\t"
      "fninit\n\t"
      : [work] "+m"(*work), [zero] "=&r"(zero), [parity] "=&r"(parity), [carry] "=&r"(carry), "+a"(accumulator)
      : [op] "i"(escape), [mod] "i"(modrm)
      : RELIC86_X87_CLOBBERS);
  return (zero != 0 ? kZF : 0u) | (parity != 0 ? kPF : 0u) | (carry != 0 ? kCF : 0u);
}

template <u8 escape, u8 reg>
void run_memory(FxState* work, void* operand) {
  constexpr u8 kModrm = reg << 3 | 7;  // [rdi]
  asm volatile(
      "fxrstor %[work]\n\t"
      ".byte %c[op], %c[mod]\n\t"
      "fxsave %[work]\n\t"
      "fninit\n\t"
      : [work] "+m"(*work)
      : [op] "i"(escape), [mod] "i"(kModrm), "D"(operand)
      : RELIC86_X87_CLOBBERS);
}
#undef RELIC86_X87_CLOBBERS

// Index: escape bits 2:0, ModRM bits 5:0.
template <std::size_t... index>
constexpr std::array<RegisterThunk, sizeof...(index)> register_thunks(std::index_sequence<index...>) {
  return {&run_register<static_cast<u8>(0xD8 + index / 64), static_cast<u8>(0xC0 + index % 64)>...};
}
template <std::size_t... index>
constexpr std::array<MemoryThunk, sizeof...(index)> memory_thunks(std::index_sequence<index...>) {
  return {&run_memory<static_cast<u8>(0xD8 + index / 8), static_cast<u8>(index % 8)>...};
}
constexpr auto kRegisterThunks = register_thunks(std::make_index_sequence<512>{});
constexpr auto kMemoryThunks = memory_thunks(std::make_index_sequence<64>{});

// Copies of the x87 part only: pointers and opcode stay what relic86 tracks, XMM and MXCSR are not touched.
// An exception that is pending and ignored (CR0.NE clear, IGNNE# asserted) must not trap on the host: its flags stand
// aside meanwhile.
constexpr u16 kExceptionStatus = 0x80FF;
constexpr u16 kSummary = 0x80;

void begin(FxState& work, const FxState& fx) {
  std::memcpy(static_cast<void*>(&work), &fx, kX87Part);
  work.mxcsr = kDefaultMxcsr;
  if ((fx.status & kSummary) != 0) work.status &= static_cast<u16>(~kExceptionStatus);
}
void end(const FxState& work, FxState& fx) {
  const u16 ignored = (fx.status & kSummary) != 0 ? fx.status & kExceptionStatus : 0;
  fx.control = work.control;
  fx.status = work.status | ignored;
  fx.tags = work.tags;
  std::memcpy(fx.st, work.st, sizeof fx.st);
}

}  // namespace

u32 execute_register_whole(FxState& fx, u8 escape, u8 modrm, u32 eflags_in) {
  FxState work;
  begin(work, fx);
  const u32 flags = kRegisterThunks[(escape & 7u) << 6 | (modrm & 63u)](&work, eflags_in);
  end(work, fx);
  return flags;
}

void execute_memory_whole(FxState& fx, u8 escape, u8 reg, Operand& operand) {
  FxState work;
  begin(work, fx);
  kMemoryThunks[(escape & 7u) << 3 | (reg & 7u)](&work, operand.bytes);
  end(work, fx);
}

u32 execute_register(FxState& fx, u8 escape, u8 modrm, u32 eflags_in) {
  u32 eflags = 0;
  return x87_fast::execute_register(fx, escape, modrm, eflags) ? eflags
                                                               : execute_register_whole(fx, escape, modrm, eflags_in);
}

void execute_memory(FxState& fx, u8 escape, u8 reg, Operand& operand) {
  if (!x87_fast::execute_memory(fx, escape, reg, operand)) execute_memory_whole(fx, escape, reg, operand);
}

}  // namespace relic86::x87_unit
