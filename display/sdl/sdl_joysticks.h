// The host's game controllers and joysticks as the two sticks of the guest's game port.
#pragma once

#include <SDL.h>

#include <array>
#include <memory>
#include <vector>

#include "display/window_host.h"

namespace relic86 {

class SdlJoysticks {
 public:
  // Does nothing until there is something plugged in; trouble leaves the guest without sticks.
  void open();
  // A controller came or went.
  void handle(const SDL_Event& event);
  // Tells the guest what has changed.
  void send(WindowHost& host);

 private:
  struct Close {
    void operator()(SDL_Joystick* stick) const { SDL_JoystickClose(stick); }
    void operator()(SDL_GameController* controller) const { SDL_GameControllerClose(controller); }
  };
  struct Device {
    SDL_JoystickID id = 0;
    std::unique_ptr<SDL_GameController, Close> controller;  // null: SDL knows no layout of it
    std::unique_ptr<SDL_Joystick, Close> joystick;          // then this one
  };

  static JoystickPosition left_half(const Device& device);
  static JoystickPosition right_half(const Device& device);

  std::vector<Device> devices_;  // in the order in which they came
  std::array<JoystickPosition, 2> told_{};
};

}  // namespace relic86
