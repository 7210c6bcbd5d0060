#include "frontend/vnc_input.h"

#include <algorithm>

#include "devices/absolute_pointer.h"
#include "devices/input/keyboard.h"
#include "devices/input/pointer.h"
#include "machine/guest_inputs.h"

namespace relic86 {

namespace {

constexpr u8 kCapsLock = 4;  // of Keyboard::lights()
// Keys that wait for a guest that does not read its keyboard; more are not taken.
constexpr std::size_t kMostWaiting = 1000;

// RFC 6143, 7.5.5: bit 0 left, 1 middle, 2 right; 3 and 4 turn the wheel.
constexpr u8 kLeft = 1, kMiddle = 2, kRight = 4, kWheelAway = 8, kWheelBack = 16;

u8 guest_buttons(u8 mask) {
  return static_cast<u8>(((mask & kLeft) != 0 ? AbsolutePointer::kLeft : 0) |
                         ((mask & kRight) != 0 ? AbsolutePointer::kRight : 0) |
                         ((mask & kMiddle) != 0 ? AbsolutePointer::kMiddle : 0));
}

unsigned scaled(unsigned at, unsigned size) {
  if (size < 2) return 0;
  return std::min(at, size - 1) * AbsolutePointer::kMost / (size - 1);
}

}  // namespace

VncInput::VncInput(Machine& machine)
    : machine_(machine), keyboard_(find_key_layout(machine.options().keyboard_layout)) {}

void VncInput::apply(const VncInputEvent& event) {
  std::visit([this](const auto& each) { take(each); }, event);
}

void VncInput::take(const VncKey& key) {
  if (key.down && machine_.keys().waiting() >= kMostWaiting) return;
  if (asks_to_paste(key)) return paste();
  const auto code = key.set1 != 0 ? key_from_set1(key.set1) : std::nullopt;
  const bool caps_lock = (machine_.board().keyboard().lights() & kCapsLock) != 0;
  pass(code ? keyboard_.position(*code, key.down) : keyboard_.symbol(key.symbol, key.down, caps_lock));
}

// Ctrl+Alt+V, as in the window, if the client has a clipboard.
bool VncInput::asks_to_paste(const VncKey& key) const {
  if (!key.down || clipboard_.empty() || (key.symbol != 'v' && key.symbol != 'V')) return false;
  const bool control = keyboard_.held(KeyCode::ControlLeft) || keyboard_.held(KeyCode::ControlRight);
  return control && keyboard_.held(KeyCode::AltLeft);
}

void VncInput::paste() {
  pass(keyboard_.release_all());
  machine_.keys().type_text(clipboard_);
}

void VncInput::pass(const SymbolKeyboard::Events& events) {
  for (const SymbolKeyboard::Event& event : events) machine_.keys().pass(event.code, event.down);
}

// What a replay refuses is nothing that a client has to be told of.
void VncInput::take(const VncPointer& pointer) {
  GuestInputs& inputs = machine_.inputs();
  constexpr int kStill = 0x7FFF;
  int dx = 0, dy = 0;
  if (pointer.relative) {
    dx = pointer.x - kStill;
    dy = pointer.y - kStill;
    last_.reset();
  } else if (machine_.board().pointer().absolute()) {
    (void)inputs.enter(input::Place{scaled(pointer.x, pointer.width), scaled(pointer.y, pointer.height)});
    last_.reset();
  } else {
    const Point at{pointer.x, pointer.y};
    if (last_) {
      dx = at.x - last_->x;
      dy = at.y - last_->y;
    }
    last_ = at;
  }
  const u8 pressed = static_cast<u8>(pointer.buttons & ~buttons_);
  const int dz = ((pressed & kWheelAway) != 0 ? 1 : 0) - ((pressed & kWheelBack) != 0 ? 1 : 0);
  if (dx != 0 || dy != 0 || dz != 0) (void)inputs.enter(input::Move{dx, dy, dz});
  if (guest_buttons(pointer.buttons) != guest_buttons(buttons_))
    (void)inputs.enter(input::Buttons{guest_buttons(pointer.buttons)});
  buttons_ = pointer.buttons;
}

void VncInput::take(VncPower what) {
  if (what == VncPower::Reset)
    (void)machine_.inputs().enter(input::Reset{});
  else
    (void)machine_.inputs().enter(input::PowerButton{});
}

void VncInput::take(const std::string& clipboard) { clipboard_ = clipboard; }

void VncInput::release() {
  pass(keyboard_.release_all());
  if (guest_buttons(buttons_) != 0) (void)machine_.inputs().enter(input::Buttons{0});
  buttons_ = 0;
  last_.reset();
}

}  // namespace relic86
