#include "cpu/dispatch/part.h"
#include "cpu/semantics/bits.h"
#include "cpu/system_instructions.h"

namespace relic86::dispatch {

std::span<const HandlerSet> system_handlers() {
  using namespace notation;
  static constexpr HandlerSet kHandlers[] = {
#include "cpu/insn_system.def"
  };
  return kHandlers;
}

}  // namespace relic86::dispatch
