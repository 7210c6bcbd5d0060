// Between the program and its window, which lives in a library of its own (relic86-sdl.so), so that headless runs load
// no display library. The window's side runs on the main thread, the machine on another.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "devices/host_sinks.h"
#include "devices/input/joystick_position.h"
#include "devices/input/key_codes.h"
#include "display/frame_exchange.h"
#include "display/machine_view.h"

namespace relic86 {

// What the title shows.
struct MachineSummary {
  std::string name;              // -name; may be empty
  std::string state = "paused";  // as info status says it
  u64 instructions_per_second = 0;
  u8 lights = 0;                  // keyboard: bit 0 scroll lock, 1 num lock, 2 caps lock
  bool asked_to_quit = false;     // the guest has been sent the power button by ask_to_quit()
  bool absolute_pointer = false;  // the guest takes positions (point()): no grab is needed
  bool asks_on_close = false;     // --on-close ask
  std::string notice{};           // the last thing to tell the user: an error, or what was done
  u64 notices = 0;                // how many there have been
  unsigned pace = 100;            // percent of the host's time that the machine gets
};

// What the window may ask of the program; every call returns at once and is meant for the window's thread.
class WindowHost {
 public:
  virtual FrameExchange::Taken take_frame() = 0;
  virtual MachineSummary summary() = 0;
  // True once the machine's run is over: the window closes.
  virtual bool ended() const = 0;
  // Called from any thread when there is a new frame or the machine has ended; set before the machine runs.
  virtual void on_news(std::function<void()> callback) = 0;
  // Asks for a new summary, and for a new frame even while the machine is paused.
  virtual void refresh() = 0;

  virtual void key(KeyCode code, bool pressed) = 0;
  virtual void release_all_keys() = 0;
  // Counts to the right, down, and of the wheel away from the user.
  virtual void move_mouse(int dx, int dy, int dz) = 0;
  // Where the pointer is in the picture, 0 to AbsolutePointer::kMost.
  virtual void point(unsigned x, unsigned y) = 0;
  virtual void mouse_buttons(u8 mask) = 0;  // Ps2Mouse::Button bits
  virtual void joystick(unsigned stick, const JoystickPosition& position) = 0;
  // What a command answers is told by MachineSummary::notice, and seen in the next view().
  virtual void command(MenuCommand command) = 0;
  // The newest view; refresh_view() asks for another one.
  virtual MachineView view() = 0;
  virtual void refresh_view() = 0;
  virtual void toggle_pause() = 0;
  // Presses the guest's power button if the guest listens to it, else quits.
  virtual void ask_to_quit() = 0;
  virtual void quit() = 0;

 protected:
  ~WindowHost() = default;
};

class Window {
 public:
  virtual ~Window() = default;
  // Shows the machine until host.ended().
  virtual void run() = 0;
};

struct WindowOptions {
  bool full_screen = false;
  bool joysticks = false;  // the guest has a game port
};

// The library's one entry point, "relic86_open_window". On failure it returns null and says why in error.
using OpenWindow = Window*(WindowHost& host, const WindowOptions& options, std::string& error);

}  // namespace relic86
