// The x87 register stack in the layout of FxState: st[0] is ST(0) whatever TOP is, so that a push or a pop moves all
// eight slots. What a push finds in its way, or a pop in an empty register, is the caller's to look at.
#pragma once

#include <cstring>

#include "cpu/state.h"

namespace relic86::x87_stack {

// Whether ST(i) holds something.
inline bool has(const FxState& fx, unsigned i) { return (fx.tags >> ((fx.top() + i) & 7) & 1) != 0; }

inline void set_top(FxState& fx, unsigned top) {
  constexpr unsigned kTopShift = 11;
  fx.status = static_cast<u16>((fx.status & ~(7u << kTopShift)) | (top & 7) << kTopShift);
}

inline void pop(FxState& fx) {
  const FxState::Slot old = fx.st[0];
  fx.tags &= static_cast<u8>(~(1u << fx.top()));
  std::memmove(&fx.st[0], &fx.st[1], 7 * sizeof old);
  fx.st[7] = old;
  set_top(fx, fx.top() + 1);
}

// The new ST(0) counts as filled; its bytes are those of what was ST(7).
inline void push(FxState& fx) {
  const FxState::Slot old = fx.st[7];
  std::memmove(&fx.st[1], &fx.st[0], 7 * sizeof old);
  fx.st[0] = old;
  set_top(fx, fx.top() + 7);
  fx.tags |= static_cast<u8>(1u << fx.top());
}

}  // namespace relic86::x87_stack
