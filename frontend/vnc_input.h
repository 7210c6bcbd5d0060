// What a VNC client types and points at, brought to the guest.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "devices/input/symbol_keyboard.h"
#include "display/vnc_client.h"
#include "machine/machine.h"

namespace relic86 {

using VncInputEvent = std::variant<VncKey, VncPointer, VncPower, std::string>;  // the last: the client's clipboard

// On the machine's thread.
class VncInput {
 public:
  static constexpr std::size_t kMostPasted = 60'000;  // bytes, as in the window

  explicit VncInput(Machine& machine);

  void apply(const VncInputEvent& event);
  // The client has gone: nothing of what it held stays down.
  void release();

 private:
  void take(const VncKey& key);
  void take(const VncPointer& pointer);
  void take(VncPower what);
  void take(const std::string& clipboard);
  bool asks_to_paste(const VncKey& key) const;
  void paste();
  void pass(const SymbolKeyboard::Events& events);

  Machine& machine_;
  SymbolKeyboard keyboard_;
  std::string clipboard_;
  struct Point {
    int x = 0, y = 0;
  };
  std::optional<Point> last_;  // where a pointer was that the guest takes as motion
  u8 buttons_ = 0;             // as the client has them
};

}  // namespace relic86
