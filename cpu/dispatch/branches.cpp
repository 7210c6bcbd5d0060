#include "cpu/semantics/branches.h"

#include "cpu/dispatch/part.h"

namespace relic86::dispatch {

std::span<const HandlerSet> branches_handlers() {
  using namespace notation;
  static constexpr HandlerSet kHandlers[] = {
#include "cpu/insn_branches.def"
  };
  return kHandlers;
}

}  // namespace relic86::dispatch
