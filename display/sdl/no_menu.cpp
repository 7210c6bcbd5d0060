// Where Dear ImGui is not installed the window has no menu.
#include "display/sdl/window_menu.h"

namespace relic86 {

std::unique_ptr<WindowMenu> make_window_menu(SDL_Window*, SDL_Renderer*, WindowHost&, MenuTarget&) { return nullptr; }

}  // namespace relic86
