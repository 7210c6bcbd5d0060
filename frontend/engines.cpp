#include "frontend/engines.h"

#include "cpu/interpreter.h"
#ifdef RELIC86_JIT
#include "jit/translator.h"
#endif

namespace relic86 {

Result<std::unique_ptr<Executor>> make_engine(const Options& options, Cpu& cpu, PhysicalBus& bus) {
  using Accel = Options::Accel;
#ifdef RELIC86_JIT
  if (options.accel != Accel::Interpreter) {
    auto translator = std::make_unique<jit::Translator>(cpu, bus);
    if (translator->usable()) return std::unique_ptr<Executor>(std::move(translator));
    if (options.accel == Accel::Jit) {
      return Error{"-accel jit: the host gives no executable memory; -accel interp runs without it"};
    }
  }
#else
  if (options.accel == Accel::Jit) return Error{"-accel jit: this build has no translator; use -accel interp"};
#endif
  return std::unique_ptr<Executor>(std::make_unique<Interpreter>(cpu, bus));
}

}  // namespace relic86
