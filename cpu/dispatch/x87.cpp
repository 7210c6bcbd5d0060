#include "cpu/dispatch/part.h"
#include "cpu/system_instructions.h"
#include "cpu/x87_instructions.h"

namespace relic86::dispatch {

std::span<const HandlerSet> x87_handlers() {
  using namespace notation;
  static constexpr HandlerSet kHandlers[] = {
#include "cpu/insn_x87.def"
  };
  return kHandlers;
}

}  // namespace relic86::dispatch
