#include "frontend/sdl_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>

namespace relic86 {

std::vector<std::string> sdl_libraries() {
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure).parent_path();
  return {program / "relic86-sdl.so", program.parent_path() / "lib/relic86/relic86-sdl.so"};
}

Result<void*> sdl_entry_point(const char* name) {
  std::error_code failure;
  std::string reason;
  for (const std::string& path : sdl_libraries()) {
    // Never unloaded: display libraries leave handlers behind that run at exit.
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* cause = dlerror();
      // An existing library that cannot be loaded tells more than a missing one.
      if (reason.empty() || std::filesystem::exists(path, failure)) reason = cause;
      continue;
    }
    if (void* entry = dlsym(library, name); entry != nullptr) return entry;
    reason = fmt::format("{} is not relic86's", path);
  }
  return Error{fmt::format("{}; install libsdl2-2.0-0 (apt-get install libsdl2-2.0-0)", reason)};
}

}  // namespace relic86
