// A keyboard elsewhere that says what is on its keys, not where they are: which keys of the guest's keyboard go down
// and up for it.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "devices/input/key_layouts.h"

namespace relic86 {

class SymbolKeyboard {
 public:
  // layout: that the guest has.
  explicit SymbolKeyboard(const KeyLayout& layout) : layout_(layout) {}

  struct Event {
    KeyCode code;
    bool down;
    friend bool operator==(const Event&, const Event&) = default;
  };
  using Events = std::vector<Event>;

  // A key by its keysym. Where the guest needs other modifiers to type the same, these are held around it. caps_lock:
  // of the guest's keyboard.
  Events symbol(u32 keysym, bool down, bool caps_lock);
  // A key by its place.
  Events position(KeyCode code, bool down);
  // Whoever typed has gone.
  Events release_all();

  bool held(KeyCode code) const { return down_.contains(code); }

 private:
  struct Place {
    KeyCode code{};
    bool types = false;  // a character, for which shift and right_alt are to be as follows
    bool shift = false;
    bool right_alt = false;
  };
  std::optional<Place> place_of(u32 keysym, bool caps_lock) const;
  Events around(const Place& place) const;

  const KeyLayout& layout_;
  std::set<KeyCode> down_;
  std::map<u32, KeyCode> pressed_by_;  // keysyms whose keys are down
};

}  // namespace relic86
