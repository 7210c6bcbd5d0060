// QMP from a client that sends anything: JSON of any shape, and commands with any arguments. Input: what it sends after
// qmp_capabilities. Bit 0 of its first byte asks for indented answers.
#include <optional>

#include "control/qmp/qmp_server.h"
#include "tests/fuzz/quiet_machine.h"

namespace relic86 {
namespace {

// Servers live as long as their machine.
struct Session {
  fuzz::QuietMachine machine;
  std::array<fuzz::Stream, 2> streams;
  std::array<std::optional<QmpServer>, 2> servers;
  Session() { serve(); }
  void serve() {
    for (std::size_t i = 0; i < servers.size(); i++) servers[i].emplace(*machine, streams[i], i != 0);
  }
  void renew() {
    for (auto& server : servers) server.reset();
    machine.make();
    serve();
  }
};

}  // namespace
}  // namespace relic86

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  static Session session;
  if (size < 1) return 0;
  if ((*session.machine).ended()) session.renew();
  fuzz::Stream& stream = session.streams[data[0] & 1];
  static constexpr char kReady[] = R"({"execute":"qmp_capabilities"})";
  stream.arrive();
  stream.feed({reinterpret_cast<const u8*>(kReady), sizeof kReady - 1});
  stream.feed({data + 1, size - 1});
  (*session.machine).run_to((*session.machine).cpu().instruction_count() + 100, 1000);  // posted tasks
  // No answer is out of proportion to what was asked.
  constexpr std::size_t kMostAnswers = 64u << 20;
  if (stream.written() > kMostAnswers) std::abort();
  return 0;
}
