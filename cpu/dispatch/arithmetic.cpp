#include "cpu/semantics/arithmetic.h"

#include "cpu/dispatch/part.h"
#include "cpu/integer_instructions.h"

namespace relic86::dispatch {

std::span<const HandlerSet> arithmetic_handlers() {
  using namespace notation;
  static constexpr HandlerSet kHandlers[] = {
#include "cpu/insn_arithmetic.def"
  };
  return kHandlers;
}

}  // namespace relic86::dispatch
