#include "cpu/avx_instructions.h"
#include "cpu/dispatch/part.h"
#include "cpu/semantics/bits.h"
#include "cpu/simd_instructions.h"
#include "cpu/system_instructions.h"

namespace relic86::dispatch {

std::span<const HandlerSet> vex_handlers() {
  using namespace notation;
  static constexpr HandlerSet kHandlers[] = {
#include "cpu/insn_vex.def"
  };
  return kHandlers;
}

}  // namespace relic86::dispatch
