// Types into the guest: sendkey and pasted text, at the pace at which the guest reads its keyboard.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "devices/input/key_codes.h"
#include "devices/input/key_layouts.h"
#include "devices/input/keyboard.h"

namespace relic86 {

class KeySender {
 public:
  // press: how a key goes down (true) and up. layout: that the guest has, for typed text.
  using Press = std::function<void(KeyCode, bool)>;
  KeySender(Keyboard& keyboard, Press press, const KeyLayout& layout = key_layouts().front())
      : keyboard_(keyboard), press_(std::move(press)), layout_(layout) {}

  // "ctrl-alt-delete" or "a": pressed in order, held for hold nanoseconds of guest time, released in reverse.
  Result<> send(std::string_view keys, GuestTime hold);
  // Text typed on a keyboard of the layout; characters it lacks are left out and counted in the result.
  unsigned type_text(std::string_view utf8);

  // Another machine was loaded, with its own time: nothing more of what was sent is typed, and no key stays down.
  void forget();

  bool idle() const { return strokes_.empty(); }
  // Moves on if the guest is ready, or has not been for long (it may have no keyboard driver); called often (every
  // millisecond or so) with the present guest time.
  void advance(GuestTime now);

 private:
  // Keys go down in order: those of `held` stay down, each of `sequence` is pressed and released, then `held` goes up.
  struct Stroke {
    std::vector<KeyCode> held;
    std::vector<KeyCode> sequence;
    GuestTime hold = 0;  // how long the last key stays down
  };
  Keyboard& keyboard_;
  Press press_;
  const KeyLayout& layout_;
  std::deque<Stroke> strokes_;
  std::size_t held_down_ = 0;  // keys of the front stroke's `held` that are down
  std::size_t next_in_sequence_ = 0;
  bool sequence_key_down_ = false;
  GuestTime not_before_ = 0;
  GuestTime waiting_since_ = -1;  // since when the guest has not been ready; -1: it was
};

}  // namespace relic86
