#include "machine/key_sender.h"

#include <fmt/format.h>

#include "devices/input/key_text.h"

namespace relic86 {

namespace {
constexpr GuestTime kGap = 10'000'000;        // between strokes: a BIOS polls its buffer this often
constexpr GuestTime kTypedHold = 20'000'000;  // pasted characters
constexpr GuestTime kPatience = 2'000'000'000;
constexpr std::size_t kMostStrokes = 65536;
}  // namespace

Result<> KeySender::send(std::string_view keys, GuestTime hold) {
  Stroke stroke;
  stroke.hold = hold;
  std::string_view rest = keys;
  while (true) {
    const auto dash = rest.find('-', 1);  // "-" itself may be a key's name
    const std::string_view name = rest.substr(0, dash);
    const auto key = key_from_name(name);
    if (!key)
      return Error{fmt::format(
          "invalid parameter: {}: unknown key; names are as QEMU's: a, 1, ret, spc, ctrl, alt, shift, f1, kp_add ...",
          name)};
    stroke.held.push_back(*key);
    if (dash == std::string_view::npos) break;
    rest = rest.substr(dash + 1);
  }
  constexpr std::size_t kMostKeys = 16;
  if (stroke.held.size() > kMostKeys || strokes_.size() >= kMostStrokes) return Error{"too many keys"};
  strokes_.push_back(std::move(stroke));
  return {};
}

unsigned KeySender::type_text(std::string_view utf8) {
  unsigned left_out = 0;
  for (const KeyChord& chord : chords_for_text(utf8, &left_out, layout_)) {
    std::vector<KeyCode> modifiers;
    if (chord.control) modifiers.push_back(KeyCode::ControlLeft);
    if (chord.alt) modifiers.push_back(KeyCode::AltLeft);
    if (chord.right_alt) modifiers.push_back(KeyCode::AltRight);
    if (chord.shift) modifiers.push_back(KeyCode::ShiftLeft);
    if (strokes_.size() >= kMostStrokes) return ++left_out;
    Stroke stroke{std::move(modifiers), {}, kTypedHold};
    // Keys of one chord (Alt with keypad digits) are pressed one after the other while the modifiers are held.
    for (const KeyCode key : chord.keys) stroke.sequence.push_back(key);
    strokes_.push_back(std::move(stroke));
  }
  return left_out;
}

void KeySender::forget() {
  strokes_.clear();
  held_down_ = next_in_sequence_ = 0;
  sequence_key_down_ = false;
  not_before_ = 0;
  waiting_since_ = -1;
  keyboard_.release_all();
}

void KeySender::advance(GuestTime now) {
  if (strokes_.empty() || now < not_before_) return;
  if (!keyboard_.ready_for_key()) {
    if (waiting_since_ < 0) waiting_since_ = now;
    if (now - waiting_since_ < kPatience) return;
  }
  waiting_since_ = -1;
  Stroke& stroke = strokes_.front();
  const auto wait = [&](GuestTime delay) { not_before_ = now + delay; };
  if (held_down_ < stroke.held.size()) {
    press_(stroke.held[held_down_++], true);
    if (held_down_ == stroke.held.size() && stroke.sequence.empty()) wait(stroke.hold);
    return;
  }
  if (next_in_sequence_ < stroke.sequence.size()) {
    const KeyCode key = stroke.sequence[next_in_sequence_];
    press_(key, !sequence_key_down_);
    if (sequence_key_down_)
      next_in_sequence_++;
    else
      wait(stroke.hold);
    sequence_key_down_ = !sequence_key_down_;
    return;
  }
  for (std::size_t i = stroke.held.size(); i-- > 0;) press_(stroke.held[i], false);
  strokes_.pop_front();
  held_down_ = next_in_sequence_ = 0;
  wait(kGap);
}

}  // namespace relic86
