// The machine's window: keyboard, mouse, picture, title and shortcuts.
#pragma once

#include <SDL.h>

#include <atomic>
#include <optional>
#include <set>
#include <string>

#include "display/sdl/sdl_joysticks.h"
#include "display/sdl/sdl_picture.h"
#include "display/sdl/window_menu.h"
#include "display/window_host.h"

namespace relic86 {

class SdlWindow final : public Window, private MenuTarget {
 public:
  explicit SdlWindow(WindowHost& host) : host_(host) {}
  ~SdlWindow() override;
  SdlWindow(const SdlWindow&) = delete;
  SdlWindow& operator=(const SdlWindow&) = delete;

  // False: there is no display to open a window on; error says why.
  bool open(const WindowOptions& options, std::string& error);
  void run() override;

 private:
  void handle(const SDL_Event& event);
  void handle_window(const SDL_WindowEvent& event);
  void handle_key(const SDL_KeyboardEvent& event);
  bool shortcut(const SDL_KeyboardEvent& event);  // false: not one of ours, the guest gets the key
  void handle_button(const SDL_MouseButtonEvent& event);
  void handle_wheel(const SDL_MouseWheelEvent& event);

  void take_frame();
  void adapt_size();
  void update_title();
  void send_mouse_motion();
  void note_pointer(int x, int y);
  void set_absolute(bool on);
  void release_keys();
  void release_buttons();
  void cover_screen(bool on);
  void close();
  void ask_to_quit();
  void copy_when_ready();

  // MenuTarget
  bool grabbed() const override { return grabbed_; }
  void grab(bool on) override;
  bool full_screen() const override { return full_screen_; }
  void set_full_screen(bool on) override;
  Aspect aspect() const override { return picture_.aspect(); }
  void set_aspect(Aspect aspect) override;
  void set_scale(unsigned times) override;
  void copy_screen_text() override;
  void paste() override;
  void note_own_resize() { resized_by_us_at_ = SDL_GetTicks64(); }

  WindowHost& host_;
  bool initialised_ = false;
  SdlWindowHandle window_;
  SdlPicture picture_;
  std::optional<SdlJoysticks> joysticks_;  // where the guest has a port for them
  std::unique_ptr<WindowMenu> menu_;       // null: there is none
  const Frame* frame_ = nullptr;           // the last one taken
  PictureShape sized_for_;                 // the picture that the window's size suits
  bool redraw_ = true;
  bool full_screen_ = false;
  std::optional<SDL_Rect> unmanaged_place_;  // of the window before it covered a screen without a window manager
  bool sized_by_user_ = false;
  u64 resized_by_us_at_ = 0;  // ms
  bool grabbed_ = false;
  bool absolute_ = false;  // the guest takes positions: the pointer is not grabbed
  std::string title_;

  std::set<SDL_Scancode> pressed_;      // keys whose press the guest has seen
  std::optional<u8> swallowed_button_;  // its press grabbed the mouse: the guest does not see its release either
  u8 buttons_ = 0;
  int motion_x_ = 0, motion_y_ = 0, motion_wheel_ = 0;
  std::optional<PicturePoint> pointer_;  // not told yet
  std::optional<u64> asked_to_quit_at_;  // ms
  std::optional<u64> copied_after_;      // the view after this one goes to the clipboard

  Uint32 news_event_ = 0;
  std::atomic<bool> news_queued_ = false;
};

}  // namespace relic86
