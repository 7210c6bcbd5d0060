#include "frontend/host_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>

namespace relic86 {

namespace {

struct Row {
  const char* file;
  const char* package;  // that it needs
};

Row row_of(HostLibrary library) {
  switch (library) {
    case HostLibrary::Sdl: return {"relic86-sdl.so", "libsdl2-2.0-0"};
    case HostLibrary::Midi: return {"relic86-midi.so", "libfluidsynth3"};
    case HostLibrary::Vnc: break;
  }
  return {"relic86-vnc.so", "libvncserver1"};
}

}  // namespace

std::vector<std::string> host_library_paths(HostLibrary library) {
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure).parent_path();
  const char* const file = row_of(library).file;
  return {program / file, program.parent_path() / "lib/relic86" / file};
}

Result<void*> host_entry_point(HostLibrary library, const char* name) {
  std::error_code failure;
  std::string reason;
  for (const std::string& path : host_library_paths(library)) {
    // Never unloaded: display libraries leave handlers behind that run at exit.
    void* const loaded = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (loaded == nullptr) {
      const char* cause = dlerror();
      // An existing library that cannot be loaded tells more than a missing one.
      if (reason.empty() || std::filesystem::exists(path, failure)) reason = cause;
      continue;
    }
    if (void* entry = dlsym(loaded, name); entry != nullptr) return entry;
    reason = fmt::format("{} is not relic86's", path);
  }
  return Error{fmt::format("{0}; install {1} (apt-get install {1})", reason, row_of(library).package)};
}

}  // namespace relic86
