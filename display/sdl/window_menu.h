// The window's menu bar: it comes when the pointer is at the window's upper edge, or by Ctrl+Alt+M.
#pragma once

#include <SDL.h>

#include <memory>

#include "display/picture_placement.h"
#include "display/window_host.h"

namespace relic86 {

// What the menu asks of its window, and shows of it.
class MenuTarget {
 public:
  virtual bool grabbed() const = 0;
  virtual void grab(bool on) = 0;
  virtual bool full_screen() const = 0;
  virtual void set_full_screen(bool on) = 0;
  virtual Aspect aspect() const = 0;
  virtual void set_aspect(Aspect aspect) = 0;
  // The window's size as a multiple of the picture's.
  virtual void set_scale(unsigned times) = 0;
  virtual void copy_screen_text() = 0;
  virtual void paste() = 0;

 protected:
  ~MenuTarget() = default;
};

class WindowMenu {
 public:
  virtual ~WindowMenu() = default;

  // True: the event was the menu's, and is none of the guest's.
  virtual bool take(const SDL_Event& event) = 0;
  virtual void toggle() = 0;
  // Asks whether to save the machine before it is closed.
  virtual void ask_to_close() = 0;
  // A file or a folder was dropped on the window.
  virtual void drop(const std::string& path) = 0;
  // Time has passed, or there is something new of the machine.
  virtual void tick() = 0;

  // Something of it is shown.
  virtual bool visible() const = 0;
  // What is shown is not what it has become: draw it once more.
  virtual bool unsettled() const = 0;
  // The next event waits until draw() has been called: Dear ImGui looks at keys and buttons once a frame, and would
  // miss what went down and up in between.
  virtual bool holds_events() const = 0;
  // Over what has been drawn, before it is presented.
  virtual void draw() = 0;
  // The renderer lost its textures.
  virtual void textures_lost() = 0;
};

// Null: the library was built without Dear ImGui; there are the shortcuts alone. All three outlive the menu.
std::unique_ptr<WindowMenu> make_window_menu(SDL_Window* window, SDL_Renderer* renderer, WindowHost& host,
                                             MenuTarget& target);

}  // namespace relic86
