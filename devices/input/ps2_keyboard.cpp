// PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, Keyboards (101- and 102-key))
//
//   to the keyboard                                          from the keyboard
//   ED b   lights: 0 scroll, 1 num, 2 caps lock              FA  acknowledge    FE  resend    EE  echo
//   EE     echo                                              AA  self test passed
//   F0 b   scan code set 1-3; 0: tell the set                AB 83  identification (F2)
//   F2     identify                                          00  overrun or key error in sets 2 and 3, FF in set 1
//   F3 b   typematic: 6:5 delay (n + 1) * 250 ms, 4:0 rate   F0 xx  break of xx in sets 2 and 3; set 1: xx + 80h
//   F4/F5  scan on / off, with defaults                      E0, E1  prefixes of sets 1 and 2
//   F6     defaults
//   F7-FA  set 3, all keys: typematic, make/break, make, all
//   FB-FD  set 3, the keys that follow, likewise
//   FE     resend    FF  reset and self test
#include "devices/input/ps2_keyboard.h"

#include "base/log.h"

namespace relic86 {

namespace {
constexpr GuestTime kMillisecond = 1'000'000;
// Shorter than a real one: drivers count port reads while they wait, which are faster here than on an ISA bus.
constexpr GuestTime kResetTest = 2 * kMillisecond;
constexpr u8 kDefaultTypematic = 0x2B;
constexpr u8 kNumLockLight = 2;
constexpr unsigned kBuffer = 16;

bool grey_navigation(KeyCode code) {
  switch (code) {
    case KeyCode::Insert:
    case KeyCode::Delete:
    case KeyCode::Home:
    case KeyCode::End:
    case KeyCode::PageUp:
    case KeyCode::PageDown:
    case KeyCode::Up:
    case KeyCode::Down:
    case KeyCode::Left:
    case KeyCode::Right: return true;
    default: return false;
  }
}

bool modifier(KeyCode code) {
  switch (code) {
    case KeyCode::ShiftLeft:
    case KeyCode::ShiftRight:
    case KeyCode::ControlLeft:
    case KeyCode::AltLeft:
    case KeyCode::CapsLock: return true;
    default: return false;
  }
}

// Keys that set 3 sends once per press by default (PS/2 reference, Scan code set 3, key types): the right-hand
// modifiers, function keys, locks, the editing keys but Delete, and most of the keypad.
bool make_only(const KeyInfo& key) {
  if ((key.set1 >= 0x3B && key.set1 <= 0x58 && key.code != KeyCode::KeypadAdd && key.code != KeyCode::Less))
    return true;
  switch (key.code) {
    case KeyCode::Escape:
    case KeyCode::ControlRight:
    case KeyCode::AltRight:
    case KeyCode::KeypadEnter:
    case KeyCode::KeypadDivide:
    case KeyCode::KeypadMultiply:
    case KeyCode::Print:
    case KeyCode::Pause:
    case KeyCode::Insert:
    case KeyCode::Home:
    case KeyCode::End:
    case KeyCode::PageUp:
    case KeyCode::PageDown:
    case KeyCode::MetaLeft:
    case KeyCode::MetaRight:
    case KeyCode::Compose: return true;
    default: return false;
  }
}
}  // namespace

Result<> Ps2Keyboard::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  repeat_timer_ = board.timer(*this, "repeat", kRepeat);
  self_test_timer_ = board.timer(*this, "self_test", kSelfTestDone);
  return {};
}

void Ps2Keyboard::reset(ResetKind) {
  // Fingers stay on keys through a reset of the machine; the guest learns of the release only. The power-on test (300
  // to 500 ms, Basic assurance test) is over when the processor starts, and the controller's own start has dropped its
  // AAh: a driver finds a keyboard that answers, and nothing that it could take for an answer.
  strokes_.clear();
  responses_.clear();
  lights_ = 0;
  awaiting_ = last_sent_ = 0;
  set_defaults();
  abandon_self_test();
}

void Ps2Keyboard::state(StateArchive& archive) {
  std::array<u8, kKeyStates> held{};
  for (std::size_t i = 0; i < kKeyStates; i++) held[i] = pressed_[i];
  archive.bytes("pressed", held);
  for (std::size_t i = 0; i < kKeyStates; i++) pressed_[i] = held[i] != 0;
  strokes_.state(archive, "strokes");
  responses_.state(archive, "responses");
  archive.field("overrun", overrun_);
  archive.field("scanning", scanning_);
  archive.field("scan_set", scan_set_);
  archive.field("lights", lights_);
  archive.field("typematic", typematic_);
  archive.field("awaiting", awaiting_);
  archive.field("last_sent", last_sent_);
  archive.field("self_testing", self_testing_);
  archive.field("repeating", repeating_);
  archive.field("repeat_key", repeat_key_);
  archive.bytes("set3_types", set3_types_);
  if (scan_set_ < 1 || scan_set_ > 3) scan_set_ = 2;
  if (repeat_key_ >= all_keys().size()) repeating_ = false, repeat_key_ = 0;
}

void Ps2Keyboard::set_defaults() {
  scan_set_ = 2;
  typematic_ = kDefaultTypematic;
  scanning_ = true;
  overrun_ = false;
  repeating_ = false;
  scheduler_->cancel(repeat_timer_);
  set3_types_.fill(kTypematic);
  for (const KeyInfo& key : all_keys()) {
    if (modifier(key.code)) set3_types_[key.set3] = kBreak;
    if (make_only(key)) set3_types_[key.set3] = 0;
  }
}

void Ps2Keyboard::start_self_test() {
  self_testing_ = true;
  scheduler_->schedule_in(self_test_timer_, kResetTest);
}

void Ps2Keyboard::abandon_self_test() {
  self_testing_ = false;
  scheduler_->cancel(self_test_timer_);
}

void Ps2Keyboard::event(u32 id, GuestTime) {
  if (id == kSelfTestDone) {
    self_testing_ = false;
    return respond(0xAA);
  }
  if (!repeating_ || !scanning_) return;
  const auto code = static_cast<KeyCode>(repeat_key_);
  if (!pressed(code)) return;
  // A guest that reads slower than the rate must not find repeats of long ago: only one waits.
  if (strokes_.empty()) send_stroke(code, true);
  scheduler_->schedule_in(repeat_timer_, repeat_period());
}

GuestTime Ps2Keyboard::repeat_delay() const { return ((typematic_ >> 5 & 3) + 1) * 250 * kMillisecond; }

GuestTime Ps2Keyboard::repeat_period() const {
  // (8 + A) * 2^B * 4.17 ms (PS/2 reference, Set Typematic Rate/Delay)
  const GuestTime period = (8 + (typematic_ & 7)) * (GuestTime{1} << (typematic_ >> 3 & 3));
  return period * 4'170'000;
}

// --- Talking to the controller ---

bool Ps2Keyboard::has_byte() const {
  if (!responses_.empty()) return true;
  return !strokes_.empty() && awaiting_ == 0 && !self_testing_;
}

u8 Ps2Keyboard::take_byte() {
  if (!responses_.empty()) return last_sent_ = responses_.pop();
  last_sent_ = strokes_.pop();
  if (strokes_.empty()) overrun_ = false;
  return last_sent_;
}

bool Ps2Keyboard::ready_for_key() const {
  return scanning_ && !self_testing_ && awaiting_ == 0 && strokes_.empty() && responses_.empty() && host_ != nullptr &&
         host_->port_idle(*this);
}

void Ps2Keyboard::respond(u8 byte) {
  responses_.push(byte);
  if (host_ != nullptr) host_->data_ready();
}

void Ps2Keyboard::receive(u8 byte) {
  // A host that does not wait for the AAh of a reset is answered at once, and hears no more of the test.
  if (self_testing_) abandon_self_test();
  if (byte != 0xFE) keep_acknowledgements(responses_);
  if (awaiting_ != 0 && byte < 0xED) return parameter(byte);
  awaiting_ = 0;  // a command instead of the parameter: the command is obeyed
  command(byte);
}

void Ps2Keyboard::command(u8 byte) {
  switch (byte) {
    case 0xED:
    case 0xF0:
    case 0xF3:
    case 0xFB:
    case 0xFC:
    case 0xFD: awaiting_ = byte; return acknowledge();
    case 0xEE: return respond(0xEE);
    case 0xF2:
      acknowledge();
      respond(0xAB);
      return respond(0x83);
    case 0xF4:
      strokes_.clear();
      overrun_ = false;
      scanning_ = true;
      return acknowledge();
    case 0xF5:
    case 0xF6: {
      const u8 set = scan_set_;  // defaults leave the scan code set (PS/2 reference, Set Default)
      strokes_.clear();
      set_defaults();
      scan_set_ = set;
      scanning_ = byte == 0xF6;
      return acknowledge();
    }
    case 0xF7: change_all_set3(kTypematic); return acknowledge();
    case 0xF8: change_all_set3(kBreak); return acknowledge();
    case 0xF9: change_all_set3(0); return acknowledge();
    case 0xFA: change_all_set3(kTypematic | kBreak); return acknowledge();
    case 0xFE: return respond(last_sent_);
    case 0xFF:
      strokes_.clear();
      lights_ = 0;
      set_defaults();
      acknowledge();
      return start_self_test();
    default: log::once(log::Channel::GuestErrors, "ps2.keyboard: unknown command {:02X}h", byte); return respond(0xFE);
  }
}

void Ps2Keyboard::parameter(u8 byte) {
  const u8 to = awaiting_;
  awaiting_ = 0;
  switch (to) {
    case 0xED: lights_ = byte & 7; return acknowledge();
    case 0xF0: return select_scan_set(byte);
    case 0xF3:
      if ((byte & 0x80) != 0) return respond(0xFE);
      typematic_ = byte;
      return acknowledge();
    default:  // FB to FD: more keys follow until the next command
      set3_types_[byte] = to == 0xFB ? kTypematic : to == 0xFC ? kBreak : 0;
      awaiting_ = to;
      return acknowledge();
  }
}

void Ps2Keyboard::select_scan_set(u8 set) {
  if (set > 3) return respond(0xFE);
  acknowledge();
  if (set == 0) return respond(scan_set_);
  scan_set_ = set;
  strokes_.clear();
}

void Ps2Keyboard::change_all_set3(u8 type) {
  strokes_.clear();
  set3_types_.fill(type);
}

// --- Keys ---

void Ps2Keyboard::key(KeyCode code, bool press) {
  const auto index = static_cast<std::size_t>(code);
  if (index >= all_keys().size() || pressed_[index] == press) return;
  pressed_[index] = press;
  if (!scanning_ || self_testing_) return;
  send_stroke(code, press);
  if (press && repeats(code)) {
    repeating_ = true;
    repeat_key_ = static_cast<u8>(code);
    scheduler_->schedule_in(repeat_timer_, repeat_delay());
  } else if (press || repeat_key_ == static_cast<u8>(code)) {
    // Another key or the release of the repeating one ends the repetition; it is not taken up again.
    repeating_ = false;
    scheduler_->cancel(repeat_timer_);
  }
}

void Ps2Keyboard::release_all() {
  for (const KeyInfo& each : all_keys()) {
    if (pressed(each.code)) key(each.code, false);
  }
}

bool Ps2Keyboard::repeats(KeyCode code) const {
  if (scan_set_ == 3) return (set3_types_[key_info(code).set3] & kTypematic) != 0;
  return code != KeyCode::Pause;
}

void Ps2Keyboard::send_stroke(KeyCode code, bool press) {
  Sequence sequence;
  if (scan_set_ == 3) {
    build_set3(sequence, key_info(code), press);
  } else {
    build_set12(sequence, code, press);
  }
  if (sequence.count == 0) return;
  const unsigned room = strokes_.room() - (overrun_ ? 0 : 1);  // the last place is the overrun code's
  if (!overrun_ && sequence.count <= room && strokes_.size() + sequence.count <= kBuffer) {
    for (unsigned i = 0; i < sequence.count; i++) strokes_.push(sequence.bytes[i]);
  } else if (!overrun_) {
    strokes_.push(scan_set_ == 1 ? 0xFF : 0x00);
    overrun_ = true;
  }
  if (host_ != nullptr) host_->data_ready();
}

// A make or break code in set 1 or 2.
void Ps2Keyboard::add_code(Sequence& out, u16 set1, u16 set2, bool press) const {
  const u16 code = scan_set_ == 1 ? set1 : set2;
  if (code > 0xFF) out.add(static_cast<u8>(code >> 8));
  if (scan_set_ == 1) {
    out.add(static_cast<u8>(press ? code : code | 0x80));
  } else {
    if (!press) out.add(0xF0);
    out.add(static_cast<u8>(code));
  }
}

// The grey keys hide the state of Shift and Num Lock from software that knows the 84-key keyboard only.
void Ps2Keyboard::add_fake_shifts(Sequence& out, bool before) const {
  if (any_shift()) {
    if (pressed(KeyCode::ShiftLeft)) add_code(out, 0xE02A, 0xE012, !before);
    if (pressed(KeyCode::ShiftRight)) add_code(out, 0xE036, 0xE059, !before);
  } else if ((lights_ & kNumLockLight) != 0) {
    add_code(out, 0xE02A, 0xE012, before);
  }
}

void Ps2Keyboard::build_set12(Sequence& out, KeyCode code, bool press) const {
  const KeyInfo& info = key_info(code);
  const bool control = pressed(KeyCode::ControlLeft) || pressed(KeyCode::ControlRight);
  const bool alt = pressed(KeyCode::AltLeft) || pressed(KeyCode::AltRight);
  if (code == KeyCode::Pause) {  // make and break at once; nothing at the release
    if (!press) return;
    if (control) {
      add_code(out, 0xE046, 0xE07E, true);
      return add_code(out, 0xE046, 0xE07E, false);
    }
    out.add(0xE1);
    add_code(out, 0x1D, 0x14, true);
    add_code(out, 0x45, 0x77, true);
    out.add(0xE1);
    add_code(out, 0x1D, 0x14, false);
    return add_code(out, 0x45, 0x77, false);
  }
  if (code == KeyCode::Print) {
    if (alt) return add_code(out, 0x54, 0x84, press);
    const bool hidden = !control && !any_shift();
    if (hidden && press) add_code(out, 0xE02A, 0xE012, true);
    add_code(out, info.set1, info.set2, press);
    if (hidden && !press) add_code(out, 0xE02A, 0xE012, false);
    return;
  }
  const bool slash_with_shift = code == KeyCode::KeypadDivide && any_shift();
  const bool fake_shifts = grey_navigation(code) || slash_with_shift;
  if (fake_shifts && press) add_fake_shifts(out, true);
  add_code(out, info.set1, info.set2, press);
  if (fake_shifts && !press) add_fake_shifts(out, false);
}

void Ps2Keyboard::build_set3(Sequence& out, const KeyInfo& info, bool press) const {
  if (info.set3 == 0) return;
  if (!press) {
    if ((set3_types_[info.set3] & kBreak) == 0) return;
    out.add(0xF0);
  }
  out.add(info.set3);
}

}  // namespace relic86
