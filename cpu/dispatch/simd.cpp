#include "cpu/dispatch/part.h"
#include "cpu/simd_instructions.h"

namespace relic86::dispatch {

std::span<const HandlerSet> simd_handlers() {
  using namespace notation;
  static constexpr HandlerSet kHandlers[] = {
#include "cpu/insn_simd.def"
  };
  return kHandlers;
}

}  // namespace relic86::dispatch
