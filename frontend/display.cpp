#include "frontend/display.h"

#include <fmt/format.h>

#include <cstdlib>
#include <thread>

#include "base/log.h"
#include "frontend/host_library.h"

namespace relic86 {

namespace {

bool environment_names(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != 0;
}

// SDL_VIDEODRIVER: the user names a way to show a window that needs neither X nor Wayland.
bool display_exists() {
  return environment_names("DISPLAY") || environment_names("WAYLAND_DISPLAY") || environment_names("SDL_VIDEODRIVER");
}

}  // namespace

Display::Display(Machine& machine, ScreenFeed& feed) : machine_(machine), host_(machine, feed) {}
Display::~Display() = default;

Result<std::unique_ptr<Display>> Display::open(const Options& options, Machine& machine, ScreenFeed& feed) {
  const bool asked = options.display == "sdl" && !options.nographic;
  if (options.nographic || options.display == "none") return std::unique_ptr<Display>();
  if (!asked && !display_exists()) {
    log::warning(
        "no window: neither DISPLAY nor WAYLAND_DISPLAY names a graphical session; -nographic shows the serial port "
        "here, -display none says that no window is wanted");
    return std::unique_ptr<Display>();
  }
  const std::string what = asked ? options.display_option + ": " : "";
  const auto entry = host_entry_point(HostLibrary::Sdl, "relic86_open_window");
  if (!entry) {
    return Error{fmt::format("{}the window's library cannot be loaded: {}, or run without a window: -display none",
                             what, entry.message())};
  }
  auto* const open_window = reinterpret_cast<OpenWindow*>(entry.value());
  std::unique_ptr<Display> display(new Display(machine, feed));
  std::string error;
  display->window_.reset(
      open_window(display->host_, WindowOptions{options.full_screen, machine.board().game_port() != nullptr}, error));
  if (!display->window_) {
    return Error{fmt::format(
        "{}no window can be opened: {}; start it in a graphical session (DISPLAY or WAYLAND_DISPLAY names it), or run "
        "without a window: -display none",
        what, error)};
  }
  return display;
}

void Display::run() {
  std::thread machine_thread([this] {
    machine_.run();
    host_.set_ended();
  });
  window_->run();
  machine_thread.join();
  window_.reset();
}

}  // namespace relic86
