#include "cpu/dispatch/part.h"
#include "cpu/integer_instructions.h"
#include "cpu/semantics/moves.h"
#include "cpu/system_instructions.h"

namespace relic86::dispatch {

std::span<const HandlerSet> long_handlers() {
  using namespace notation;
  static constexpr HandlerSet kHandlers[] = {
#include "cpu/insn_long.def"
  };
  return kHandlers;
}

}  // namespace relic86::dispatch
