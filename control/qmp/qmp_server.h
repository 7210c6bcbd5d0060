// QMP: QEMU's machine protocol, JSON on a character device (-qmp, -mon mode=control). One object a command, one a
// reply; events in between (QEMU's qmp-spec).
#pragma once

#include <string>
#include <string_view>

#include "char/char_backend.h"
#include "machine/machine.h"

namespace relic86 {

class QmpServer final : public CharSource {
 public:
  // Both outlive the server. pretty: replies are indented.
  QmpServer(Machine& machine, CharBackend& backend, bool pretty);
  ~QmpServer();

  // Who does not read the answers is not asked for more commands.
  bool can_receive() const override { return backend_.can_take(); }
  void receive(u8 byte) override;

 private:
  void greet();
  void forget_input();
  void send(const std::string& text);
  void obey(std::string_view text);
  void tell(MachineEvent event);

  Machine& machine_;
  CharBackend& backend_;
  bool pretty_;
  bool ready_ = false;  // qmp_capabilities was said: commands are obeyed, events are sent
  std::string text_;    // of the object that is being received
  unsigned depth_ = 0;  // of brackets
  bool quoted_ = false;
  bool escaped_ = false;
};

}  // namespace relic86
