#include "frontend/display.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/log.h"

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

struct WindowLibrary {
  OpenWindow* open;
};

Result<WindowLibrary> load_library() {
  std::error_code failure;
  std::string reason;
  for (const std::string& path : window_libraries()) {
    // Never unloaded: display libraries leave handlers behind that run at exit.
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* cause = dlerror();
      // An existing library that cannot be loaded tells more than a missing one.
      if (reason.empty() || std::filesystem::exists(path, failure)) reason = cause;
      continue;
    }
    void* entry = dlsym(library, "relic86_open_window");
    if (entry != nullptr) return WindowLibrary{reinterpret_cast<OpenWindow*>(entry)};
    reason = fmt::format("{} is not relic86's", path);
  }
  return Error{reason};
}

}  // namespace

std::vector<std::string> window_libraries() {
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure).parent_path();
  return {program / "relic86-sdl.so", program.parent_path() / "lib/relic86/relic86-sdl.so"};
}

Display::Display(Machine& machine) : machine_(machine), host_(machine) {}
Display::~Display() = default;

Result<std::unique_ptr<Display>> Display::open(const Options& options, Machine& machine) {
  const bool asked = options.display == "sdl" && !options.nographic;
  if (options.nographic || options.display == "none") return std::unique_ptr<Display>();
  if (!asked && !display_exists()) {
    log::warning(
        "no window: neither DISPLAY nor WAYLAND_DISPLAY names a graphical session; -nographic shows the serial port "
        "here, -display none says that no window is wanted");
    return std::unique_ptr<Display>();
  }
  const std::string what = asked ? options.display_option + ": " : "";
  auto library = load_library();
  if (!library) {
    return Error{fmt::format(
        "{}the window's library cannot be loaded: {}; install libsdl2-2.0-0 (apt-get install libsdl2-2.0-0), or run "
        "without a window: -display none",
        what, library.message())};
  }
  std::unique_ptr<Display> display(new Display(machine));
  std::string error;
  display->window_.reset(library.value().open(display->host_, WindowOptions{options.full_screen}, error));
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
