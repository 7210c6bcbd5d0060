// Offers its first argument as the clipboard's text until it is killed: what another program's "copy" does.
#include <SDL.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2 || SDL_Init(SDL_INIT_VIDEO) != 0) return 1;
  SDL_Window* window = SDL_CreateWindow("clipboard", 0, 0, 1, 1, SDL_WINDOW_HIDDEN);
  if (window == nullptr || SDL_SetClipboardText(argv[1]) != 0) return 1;
  std::puts("offered");
  std::fflush(stdout);
  SDL_Event event;
  while (SDL_WaitEvent(&event) != 0) {
    if (event.type == SDL_QUIT) break;
  }
  return 0;
}
