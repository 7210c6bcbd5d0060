#include "display/sdl/sdl_window_manager.h"

#include <SDL.h>
#include <SDL_syswm.h>
#include <dlfcn.h>

namespace relic86 {

#ifdef SDL_VIDEO_DRIVER_X11
namespace {

// SDL has loaded the library of its choice: its functions are found there, nothing is linked.
template <class Function>
Function* x11_function(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

bool root_has_property(void* library, Display* display, const char* name) {
  auto* const intern = x11_function<decltype(XInternAtom)>(library, "XInternAtom");
  auto* const root = x11_function<decltype(XDefaultRootWindow)>(library, "XDefaultRootWindow");
  auto* const read = x11_function<decltype(XGetWindowProperty)>(library, "XGetWindowProperty");
  auto* const release = x11_function<decltype(XFree)>(library, "XFree");
  if (intern == nullptr || root == nullptr || read == nullptr || release == nullptr) return true;
  const Atom property = intern(display, name, 1);
  if (property == 0) return false;
  Atom type = 0;
  int format = 0;
  unsigned long count = 0, left = 0;
  unsigned char* value = nullptr;
  const int failure = read(display, root(display), property, 0, 1, 0, 0, &type, &format, &count, &left, &value);
  if (value != nullptr) release(value);
  return failure == 0 && type != 0;
}

}  // namespace

bool lacks_window_manager(SDL_Window* window) {
  SDL_SysWMinfo info;
  SDL_VERSION(&info.version);
  if (SDL_GetWindowWMInfo(window, &info) != SDL_TRUE || info.subsystem != SDL_SYSWM_X11) return false;
  void* library = dlopen("libX11.so.6", RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return false;
  const bool managed = root_has_property(library, info.info.x11.display, "_NET_SUPPORTING_WM_CHECK");
  dlclose(library);
  return !managed;
}
#else
bool lacks_window_manager(SDL_Window*) { return false; }
#endif

}  // namespace relic86
