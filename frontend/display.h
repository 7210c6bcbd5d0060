// Decides whether a run has a window, loads the window's library and runs the machine beside it.
#pragma once

#include <memory>

#include "frontend/machine_window_host.h"
#include "machine/machine.h"

namespace relic86 {

class Display {
 public:
  // Opens the window that the options ask for. Null: the run is headless (asked for, or neither asked for a window nor
  // is there a display). Errors: a window is wanted, but its library or the display is missing.
  static Result<std::unique_ptr<Display>> open(const Options& options, Machine& machine, ScreenFeed& feed);
  ~Display();

  // Runs the machine on a thread of its own and the window on this one, until the machine ends; then the window closes.
  void run();

 private:
  Display(Machine& machine, ScreenFeed& feed);

  Machine& machine_;
  MachineWindowHost host_;
  std::unique_ptr<Window> window_;
};

}  // namespace relic86
