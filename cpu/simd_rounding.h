// Floating-point operations on the host's unit with the guest's MXCSR: rounding, DAZ and FTZ are the guest's, and what
// is raised is found from the flags of the masked operation (SDM 1 11.5).
#pragma once

#include "base/types.h"

namespace relic86::simd_unit {

inline constexpr u32 kMxcsrFlags = 0x3F, kMxcsrMasks = 0x1F80;
inline constexpr u32 kMxcsrBefore = 0x07;  // IE, DE, ZE come before the result is computed
inline constexpr unsigned kMxcsrMaskShift = 7;

inline void load_mxcsr(u32 value) { asm volatile("ldmxcsr %0" : : "m"(value)); }
inline u32 store_mxcsr() {
  u32 value = 0;
  asm volatile("stmxcsr %0" : "=m"(value));
  return value;
}

// Runs body with every exception masked and the flags clear, and tells from the flags what the guest's masks make of it
// (SDM 1 11.5.2): with an unmasked pre-computation exception the later ones are not found.
template <class Body>
bool with_guest_rounding(u32& mxcsr, Body body) {
  constexpr u32 kHost = 0x1F80;
  load_mxcsr((mxcsr & ~kMxcsrFlags) | kMxcsrMasks);
  body();
  u32 raised = store_mxcsr() & kMxcsrFlags;
  load_mxcsr(kHost);
  const u32 unmasked = ~(mxcsr >> kMxcsrMaskShift) & kMxcsrFlags;
  if ((raised & unmasked & kMxcsrBefore) != 0) raised &= kMxcsrBefore;
  mxcsr |= raised;
  return (raised & unmasked) == 0;
}

// With underflow unmasked a tiny result is enough to raise it, exact or not, and FTZ does nothing (SDM 1
// 4.9.1.5, 10.2.3.3): masked, as it runs here, the host raises it for inexact ones only, but flushing to zero tells of
// all. PE is that of the masked response.
template <class Operands, class Run>
bool run_with_underflow(Run run, u32& mxcsr, Operands& operands) {
  constexpr u32 kFlush = 1u << 15, kUnderflow = 1u << 4;
  const u32 unmasked = ~(mxcsr >> kMxcsrMaskShift) & kMxcsrFlags;
  const u32 quiet = mxcsr & ~kMxcsrFlags & ~kFlush;
  Operands result = operands;
  u32 found = quiet;
  (void)with_guest_rounding(found, [&] { run(result); });
  u32 raised = found & kMxcsrFlags;
  if ((raised & unmasked & kMxcsrBefore) == 0) {
    Operands scratch = operands;
    u32 tiny = quiet | kMxcsrMasks | kFlush;
    (void)with_guest_rounding(tiny, [&] { run(scratch); });
    raised |= tiny & kUnderflow;
  }
  mxcsr |= raised;
  if ((raised & unmasked) != 0) return false;
  operands = result;
  return true;
}

// run(operands) is the operation. True: done, mxcsr collects what was raised. False: an unmasked exception was raised;
// operands are unchanged and mxcsr holds the flags that the handler will see.
template <class Operands, class Run>
bool run_rounded(Run run, u32& mxcsr, Operands& operands) {
  constexpr u32 kUnderflowMask = 1u << 11;
  if ((mxcsr & kUnderflowMask) == 0) [[unlikely]]
    return run_with_underflow(run, mxcsr, operands);
  Operands result = operands;
  const bool done = with_guest_rounding(mxcsr, [&] { run(result); });
  if (done) operands = result;
  return done;
}

}  // namespace relic86::simd_unit
