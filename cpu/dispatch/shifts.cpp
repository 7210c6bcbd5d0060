#include "cpu/semantics/shifts.h"

#include "cpu/dispatch/part.h"
#include "cpu/semantics/bits.h"
#include "cpu/system_instructions.h"

namespace relic86::dispatch {

std::span<const HandlerSet> shifts_handlers() {
  using namespace notation;
  static constexpr HandlerSet kHandlers[] = {
#include "cpu/insn_shifts.def"
  };
  return kHandlers;
}

}  // namespace relic86::dispatch
