#include "frontend/engines.h"

#include "cpu/interpreter.h"

namespace relic86 {

Result<std::unique_ptr<Executor>> make_engine(const Options&, Cpu& cpu, PhysicalBus& bus) {
  return std::unique_ptr<Executor>(std::make_unique<Interpreter>(cpu, bus));
}

}  // namespace relic86
