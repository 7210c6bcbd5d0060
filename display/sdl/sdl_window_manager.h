// Whether somebody manages windows: SDL asks the window manager for a full screen, and without one nothing happens.
#pragma once

struct SDL_Window;

namespace relic86 {

// True on an X display without a window manager (EWMH 1.3, _NET_SUPPORTING_WM_CHECK): a bare Xvfb, a kiosk.
bool lacks_window_manager(SDL_Window* window);

}  // namespace relic86
