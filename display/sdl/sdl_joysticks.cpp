#include "display/sdl/sdl_joysticks.h"

#include <algorithm>
#include <utility>

namespace relic86 {

namespace {

constexpr i16 kFarLeast = -32768, kFarMost = 32767;

bool pressed(SDL_GameController* controller, SDL_GameControllerButton button) {
  return SDL_GameControllerGetButton(controller, button) != 0;
}

// The cross is for games that only know a stick.
i16 axis(SDL_GameController* controller, SDL_GameControllerAxis stick, SDL_GameControllerButton less,
         SDL_GameControllerButton more) {
  if (pressed(controller, less)) return kFarLeast;
  if (pressed(controller, more)) return kFarMost;
  return SDL_GameControllerGetAxis(controller, stick);
}

u8 buttons(bool first, bool second) { return static_cast<u8>((first ? 1 : 0) | (second ? 2 : 0)); }

}  // namespace

void SdlJoysticks::open() { SDL_InitSubSystem(SDL_INIT_GAMECONTROLLER); }

void SdlJoysticks::handle(const SDL_Event& event) {
  if (event.type == SDL_JOYDEVICEADDED) {
    const int index = event.jdevice.which;
    Device device;
    if (SDL_IsGameController(index) != 0) device.controller.reset(SDL_GameControllerOpen(index));
    if (!device.controller) device.joystick.reset(SDL_JoystickOpen(index));
    if (!device.controller && !device.joystick) return;
    device.id = SDL_JoystickGetDeviceInstanceID(index);
    devices_.push_back(std::move(device));
  } else if (event.type == SDL_JOYDEVICEREMOVED) {
    std::erase_if(devices_, [&](const Device& device) { return device.id == event.jdevice.which; });
  }
}

JoystickPosition SdlJoysticks::left_half(const Device& device) {
  JoystickPosition position{.plugged = true};
  if (SDL_GameController* const controller = device.controller.get(); controller != nullptr) {
    position.x =
        axis(controller, SDL_CONTROLLER_AXIS_LEFTX, SDL_CONTROLLER_BUTTON_DPAD_LEFT, SDL_CONTROLLER_BUTTON_DPAD_RIGHT);
    position.y =
        axis(controller, SDL_CONTROLLER_AXIS_LEFTY, SDL_CONTROLLER_BUTTON_DPAD_UP, SDL_CONTROLLER_BUTTON_DPAD_DOWN);
    position.buttons =
        buttons(pressed(controller, SDL_CONTROLLER_BUTTON_A), pressed(controller, SDL_CONTROLLER_BUTTON_B));
  } else {
    SDL_Joystick* const stick = device.joystick.get();
    position.x = SDL_JoystickGetAxis(stick, 0);
    position.y = SDL_JoystickGetAxis(stick, 1);
    position.buttons = buttons(SDL_JoystickGetButton(stick, 0) != 0, SDL_JoystickGetButton(stick, 1) != 0);
  }
  return position;
}

// What a single controller has more than one stick of the time: games with four axes and four buttons use it.
JoystickPosition SdlJoysticks::right_half(const Device& device) {
  JoystickPosition position{.plugged = true};
  if (SDL_GameController* const controller = device.controller.get(); controller != nullptr) {
    position.x = SDL_GameControllerGetAxis(controller, SDL_CONTROLLER_AXIS_RIGHTX);
    position.y = SDL_GameControllerGetAxis(controller, SDL_CONTROLLER_AXIS_RIGHTY);
    position.buttons =
        buttons(pressed(controller, SDL_CONTROLLER_BUTTON_X), pressed(controller, SDL_CONTROLLER_BUTTON_Y));
    return position;
  }
  SDL_Joystick* const stick = device.joystick.get();
  constexpr int kAxesOfTwo = 4;
  if (SDL_JoystickNumAxes(stick) < kAxesOfTwo) return {};
  position.x = SDL_JoystickGetAxis(stick, 2);
  position.y = SDL_JoystickGetAxis(stick, 3);
  position.buttons = buttons(SDL_JoystickGetButton(stick, 2) != 0, SDL_JoystickGetButton(stick, 3) != 0);
  return position;
}

void SdlJoysticks::send(WindowHost& host) {
  std::array<JoystickPosition, 2> now{};
  if (!devices_.empty()) {
    now[0] = left_half(devices_[0]);
    now[1] = devices_.size() > 1 ? left_half(devices_[1]) : right_half(devices_[0]);
  }
  for (unsigned stick = 0; stick < now.size(); stick++) {
    if (now[stick] == told_[stick]) continue;
    told_[stick] = now[stick];
    host.joystick(stick, now[stick]);
  }
}

}  // namespace relic86
