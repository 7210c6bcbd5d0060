// Types into the guest: sendkey and pasted text, at the pace at which the guest reads its keyboard.
#pragma once

#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "devices/key_codes.h"
#include "devices/ps2_keyboard.h"

namespace relic86 {

class KeySender {
 public:
  explicit KeySender(Ps2Keyboard& keyboard) : keyboard_(keyboard) {}

  // "ctrl-alt-delete" or "a": pressed in order, held for hold nanoseconds of guest time, released in reverse.
  Result<> send(std::string_view keys, GuestTime hold);
  // Text typed on a US keyboard; characters it lacks are left out and counted in the result.
  unsigned type_text(std::string_view utf8);

  bool idle() const { return strokes_.empty(); }
  // Moves on if the guest is ready; called often (every millisecond or so) with the present guest time.
  void advance(GuestTime now);

 private:
  struct Stroke {
    std::vector<KeyCode> keys;
    GuestTime hold;
  };
  Ps2Keyboard& keyboard_;
  std::deque<Stroke> strokes_;
  std::size_t pressed_ = 0;  // keys of the front stroke that are down
  GuestTime not_before_ = 0;
  GuestTime hold_until_ = 0;
};

}  // namespace relic86
