// The monitor from a user who types anything. Input: lines.
#include "control/monitor/monitor.h"
#include "tests/fuzz/quiet_machine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  static fuzz::QuietMachine machine;
  if ((*machine).ended()) machine.make();
  fuzz::Stream stream;
  Monitor monitor(*machine, stream, Monitor::Greeting::Banner);
  stream.feed({data, size});
  (*machine).run_to((*machine).cpu().instruction_count() + 100, 1000);
  return 0;
}
