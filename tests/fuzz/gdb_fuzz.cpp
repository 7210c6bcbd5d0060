// The remote serial protocol from a client that sends anything. Input: packets' contents, one a line, which are framed
// with the right checksum; a line that begins with '!' is sent as it is.
#include <fmt/format.h>

#include "control/gdb/gdb_session.h"
#include "tests/fuzz/quiet_machine.h"

namespace relic86 {
namespace {

std::string framed(std::string_view data) {
  u8 sum = 0;
  for (const char c : data) sum = static_cast<u8>(sum + static_cast<u8>(c));
  return fmt::format("${}#{:02x}", data, sum);
}

}  // namespace
}  // namespace relic86

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  static fuzz::QuietMachine machine;
  if ((*machine).ended()) machine.make();
  GdbSession session(*machine, [](std::string_view) {});
  session.attach();
  std::string_view text(reinterpret_cast<const char*>(data), size);
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    for (const char c : line.starts_with('!') ? std::string(line.substr(1)) : framed(line))
      session.receive(static_cast<u8>(c));
    (*machine).run_to((*machine).cpu().instruction_count() + 100, 1000);
  }
  session.leave();
  (*machine).pause();
  return 0;
}
