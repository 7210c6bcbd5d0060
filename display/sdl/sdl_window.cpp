#include "display/sdl/sdl_window.h"

#include <algorithm>
#include <string_view>

#include "devices/absolute_pointer.h"
#include "display/sdl/sdl_keys.h"
#include "display/sdl/sdl_window_manager.h"
#include "display/window_title.h"

namespace relic86 {

namespace {

constexpr int kTitleInterval = 250;           // ms between looks at state and speed
constexpr int kFrameInterval = 16;            // ms between two frames of a menu that changes
constexpr u64 kOwnResizeSettles = 700;        // ms until the window manager has answered our own change of size
constexpr u64 kQuitQuestionStands = 60'000;   // ms in which the second Ctrl+Alt+Q quits
constexpr std::size_t kMostPasted = 60'000;   // bytes
constexpr Extent kTypicalDesktop{1024, 768};  // where SDL cannot tell

Extent desktop_room(SDL_Window* window) {
  SDL_Rect usable;
  const int display = std::max(0, SDL_GetWindowDisplayIndex(window));
  if (SDL_GetDisplayUsableBounds(display, &usable) != 0 || usable.w <= 0 || usable.h <= 0) return kTypicalDesktop;
  return {usable.w, usable.h};
}

u8 button_bit(Uint8 button) {
  switch (button) {
    case SDL_BUTTON_LEFT: return 1;
    case SDL_BUTTON_RIGHT: return 2;
    case SDL_BUTTON_MIDDLE: return 4;
    case SDL_BUTTON_X1: return 8;
    case SDL_BUTTON_X2: return 16;
    default: return 0;
  }
}

// SDL falls back to drawing where nobody can look; that is no window unless the user named it (SDL_VIDEODRIVER).
bool shows_nothing() {
  const std::string_view driver = SDL_GetCurrentVideoDriver();
  return SDL_GetHint(SDL_HINT_VIDEODRIVER) == nullptr && (driver == "offscreen" || driver == "dummy");
}

void set_hints() {
  SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");  // the program has its own
  SDL_SetHint(SDL_HINT_APP_NAME, "relic86");
  SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
  SDL_SetHint(SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, "0");
  SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
  SDL_SetHint(SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1");
  SDL_SetHint(SDL_HINT_IME_SHOW_UI, "0");
}

}  // namespace

SdlWindow::~SdlWindow() {
  host_.on_news({});
  if (!initialised_) return;
  if (window_) grab(false);
  joysticks_.reset();
  menu_.reset();  // before what it draws on
  picture_ = SdlPicture();
  window_.reset();
  SDL_Quit();
}

bool SdlWindow::open(const WindowOptions& options, std::string& error) {
  const auto failed = [&] {
    error = SDL_GetError();
    return false;
  };
  set_hints();
  SDL_SetMainReady();
  if (SDL_Init(SDL_INIT_VIDEO) != 0) return failed();
  initialised_ = true;
  if (shows_nothing()) {
    error = "there is no display";
    return false;
  }
  // A text screen, as nearly every machine starts with.
  sized_for_ = {720, 400, 20.0 / 27, true};
  const Extent size = natural_size(sized_for_, kTypicalDesktop);
  window_.reset(SDL_CreateWindow("relic86", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, size.width, size.height,
                                 SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI));
  if (!window_ || !picture_.open(window_.get())) return failed();
  SDL_SetWindowMinimumSize(window_.get(), 160, 100);
  SDL_StopTextInput();  // keys, not text: no input method in between
  menu_ = make_window_menu(window_.get(), picture_.renderer(), host_, *this);
  note_own_resize();
  if (options.joysticks) joysticks_.emplace().open();
  if (options.full_screen) set_full_screen(true);
  news_event_ = SDL_RegisterEvents(1);
  host_.on_news([this] {
    if (news_queued_.exchange(true)) return;
    SDL_Event event{};
    event.type = news_event_;
    if (SDL_PushEvent(&event) != 1) news_queued_ = false;
  });
  update_title();
  return true;
}

void SdlWindow::run() {
  u64 title_due = 0;
  while (!host_.ended()) {
    SDL_Event event;
    const bool unsettled = menu_ && menu_->unsettled();
    const auto held = [this] { return menu_ && menu_->holds_events(); };
    if (!held() && SDL_WaitEventTimeout(&event, unsettled ? kFrameInterval : kTitleInterval) != 0) {
      do {
        handle(event);
      } while (!held() && SDL_PollEvent(&event) != 0);
    }
    send_mouse_motion();
    if (joysticks_) joysticks_->send(host_);
    if (const u64 now = SDL_GetTicks64(); now >= title_due) {
      title_due = now + kTitleInterval;
      host_.refresh();
      update_title();
      if (menu_) menu_->tick();
    }
    if (redraw_ || (menu_ && menu_->unsettled())) {
      redraw_ = false;
      picture_.draw();
      if (menu_) menu_->draw();
      picture_.show();
    }
  }
}

void SdlWindow::handle(const SDL_Event& event) {
  if (event.type == news_event_) {
    news_queued_ = false;
    copy_when_ready();
    if (menu_) menu_->tick();
    return take_frame();
  }
  const bool taken = menu_ && menu_->take(event);
  // Where the guest draws the pointer the host's is hidden, and comes back over the menu.
  if (event.type == SDL_MOUSEMOTION && absolute_) SDL_ShowCursor(taken ? SDL_ENABLE : SDL_DISABLE);
  if (taken) {
    // What was pressed in the guest is released there, wherever the pointer and the focus are by then.
    if (event.type == SDL_KEYUP) handle_key(event.key);
    if (event.type == SDL_MOUSEBUTTONUP && (buttons_ & button_bit(event.button.button)) != 0)
      handle_button(event.button);
    return;
  }
  switch (event.type) {
    case SDL_QUIT: return close();
    case SDL_JOYDEVICEADDED:
    case SDL_JOYDEVICEREMOVED:
      if (joysticks_) joysticks_->handle(event);
      return;
    case SDL_DROPFILE:
      if (menu_) menu_->drop(event.drop.file);
      SDL_free(event.drop.file);
      return;
    case SDL_WINDOWEVENT: return handle_window(event.window);
    case SDL_KEYDOWN:
    case SDL_KEYUP: return handle_key(event.key);
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP: return handle_button(event.button);
    case SDL_MOUSEWHEEL: return handle_wheel(event.wheel);
    case SDL_MOUSEMOTION:
      if (absolute_) return note_pointer(event.motion.x, event.motion.y);
      if (!grabbed_) return;
      motion_x_ += event.motion.xrel;
      motion_y_ += event.motion.yrel;
      return;
    case SDL_RENDER_TARGETS_RESET:
    case SDL_RENDER_DEVICE_RESET:
      picture_.textures_lost(frame_);
      if (menu_) menu_->textures_lost();
      redraw_ = true;
      return;
    default: return;
  }
}

void SdlWindow::handle_window(const SDL_WindowEvent& event) {
  switch (event.event) {
    case SDL_WINDOWEVENT_FOCUS_LOST:
      grab(false);
      release_buttons();
      release_keys();
      break;
    case SDL_WINDOWEVENT_RESIZED:
      if (!full_screen_ && SDL_GetTicks64() - resized_by_us_at_ > kOwnResizeSettles) sized_by_user_ = true;
      break;
    default: break;
  }
  redraw_ = true;
}

// --- Picture ---

void SdlWindow::take_frame() {
  const FrameExchange::Taken taken = host_.take_frame();
  if (taken.frame == nullptr) return;
  frame_ = taken.frame;
  picture_.update(*taken.frame, taken.rows);
  redraw_ = true;
  if (picture_.shape() != sized_for_) adapt_size();
}

void SdlWindow::adapt_size() {
  const PictureShape& shape = picture_.shape();
  const Uint32 flags = SDL_GetWindowFlags(window_.get());
  if (full_screen_ || sized_by_user_ || (flags & SDL_WINDOW_MAXIMIZED) != 0) return;
  sized_for_ = shape;
  const Extent size = natural_size(shape, desktop_room(window_.get()));
  Extent present;
  SDL_GetWindowSize(window_.get(), &present.width, &present.height);
  if (present.width == size.width && present.height == size.height) return;
  note_own_resize();
  SDL_SetWindowSize(window_.get(), size.width, size.height);
}

void SdlWindow::set_full_screen(bool on) {
  note_own_resize();
  if (on ? lacks_window_manager(window_.get()) : unmanaged_place_.has_value()) {
    cover_screen(on);
  } else if (SDL_SetWindowFullscreen(window_.get(), on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0) != 0) {
    return;
  }
  full_screen_ = on;
  if (!on && picture_.shape().width != 0) adapt_size();
  redraw_ = true;
}

// Where nobody manages windows we put ours over the whole screen ourselves.
void SdlWindow::cover_screen(bool on) {
  SDL_Window* window = window_.get();
  SDL_Rect place;
  if (!on) {
    place = *unmanaged_place_;
    unmanaged_place_.reset();
  } else {
    SDL_Rect present;
    SDL_GetWindowPosition(window, &present.x, &present.y);
    SDL_GetWindowSize(window, &present.w, &present.h);
    if (SDL_GetDisplayBounds(std::max(SDL_GetWindowDisplayIndex(window), 0), &place) != 0) return;
    unmanaged_place_ = present;
  }
  SDL_SetWindowSize(window, place.w, place.h);
  SDL_SetWindowPosition(window, place.x, place.y);
}

void SdlWindow::set_aspect(Aspect aspect) {
  picture_.set_aspect(aspect);
  if (picture_.shape().width != 0) adapt_size();
  redraw_ = true;
}

void SdlWindow::set_scale(unsigned times) {
  const PictureShape shape = picture_.shape();
  if (shape.width == 0 || full_screen_) return;
  sized_by_user_ = true;  // it stays as large when the guest changes its mode
  const Extent size = scaled_size(shape, times);
  note_own_resize();
  SDL_SetWindowSize(window_.get(), size.width, size.height);
}

void SdlWindow::update_title() {
  MachineSummary summary = host_.summary();
  set_absolute(summary.absolute_pointer);
  summary.asked_to_quit =
      summary.asked_to_quit && asked_to_quit_at_ && SDL_GetTicks64() - *asked_to_quit_at_ < kQuitQuestionStands;
  std::string title = window_title(summary, grabbed_);
  if (title == title_) return;
  title_ = std::move(title);
  SDL_SetWindowTitle(window_.get(), title_.c_str());
}

// --- Keyboard ---

void SdlWindow::handle_key(const SDL_KeyboardEvent& event) {
  if (event.repeat != 0) return;  // the guest's keyboard repeats by itself
  const SDL_Scancode scancode = event.keysym.scancode;
  const auto key = key_of_scancode(scancode);
  if (event.type == SDL_KEYUP) {
    // The release of a shortcut's key, or of one pressed before the window had the focus, is none of the guest's.
    if (pressed_.erase(scancode) != 0 && key) host_.key(*key, false);
    return;
  }
  if (shortcut(event)) return;
  if (key && pressed_.insert(scancode).second) host_.key(*key, true);
}

bool SdlWindow::shortcut(const SDL_KeyboardEvent& event) {
  const Uint16 modifiers = event.keysym.mod;
  if ((modifiers & KMOD_CTRL) == 0 || (modifiers & KMOD_LALT) == 0 || (modifiers & KMOD_SHIFT) != 0) return false;
  const char letter = shortcut_letter(event.keysym);
  if (letter == 0 || std::string_view("CFGMPQV").find(letter) == std::string_view::npos) return false;
  release_keys();  // the guest has seen Ctrl and Alt go down
  switch (letter) {
    case 'C': copy_screen_text(); break;
    case 'M':
      if (menu_) menu_->toggle();
      break;
    case 'F': set_full_screen(!full_screen_); break;
    case 'G': grab(!grabbed_); break;
    case 'P': host_.toggle_pause(); break;
    case 'Q': ask_to_quit(); break;
    case 'V': paste(); break;
    default: break;
  }
  return true;
}

void SdlWindow::release_keys() {
  if (pressed_.empty()) return;
  pressed_.clear();
  host_.release_all_keys();
}

void SdlWindow::paste() {
  char* clipboard = SDL_GetClipboardText();
  if (clipboard == nullptr) return;
  std::string text(clipboard);
  SDL_free(clipboard);
  if (text.size() > kMostPasted) text.resize(kMostPasted);
  if (!text.empty()) host_.command(MenuCommand("x-type-text").with("text", std::move(text)));
}

// The text is the next view's: the one that is here may be old.
void SdlWindow::copy_screen_text() {
  copied_after_ = host_.view().serial;
  host_.refresh_view();
}

void SdlWindow::copy_when_ready() {
  if (!copied_after_) return;
  const MachineView view = host_.view();
  if (view.serial == *copied_after_) return;
  copied_after_.reset();
  std::string text;
  for (std::string line : view.screen_text) {
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  if (!text.empty())
    SDL_SetClipboardText(text.c_str());
  else
    host_.command(MenuCommand("x-query-screen-text", "The screen is in a graphics mode: it has no text to copy"));
}

void SdlWindow::close() {
  if (menu_ && host_.summary().asks_on_close) return menu_->ask_to_close();
  host_.quit();
}

void SdlWindow::ask_to_quit() {
  if (host_.summary().asks_on_close) return close();
  const u64 now = SDL_GetTicks64();
  if (asked_to_quit_at_ && now - *asked_to_quit_at_ < kQuitQuestionStands) return host_.quit();
  asked_to_quit_at_ = now;
  host_.ask_to_quit();
}

// --- Mouse ---

void SdlWindow::grab(bool on) {
  if (on == grabbed_) return;
  if (!on) {
    send_mouse_motion();
    release_buttons();
  }
  SDL_SetWindowKeyboardGrab(window_.get(), on ? SDL_TRUE : SDL_FALSE);
  SDL_SetRelativeMouseMode(on && !absolute_ ? SDL_TRUE : SDL_FALSE);
  grabbed_ = on;
  update_title();
}

// The guest draws its pointer where the host's is, which is therefore hidden over the window.
void SdlWindow::set_absolute(bool on) {
  if (on == absolute_) return;
  release_buttons();
  absolute_ = on;
  pointer_.reset();
  SDL_SetRelativeMouseMode(grabbed_ && !absolute_ ? SDL_TRUE : SDL_FALSE);
  SDL_ShowCursor(absolute_ ? SDL_DISABLE : SDL_ENABLE);
}

void SdlWindow::note_pointer(int x, int y) { pointer_ = picture_.point(window_.get(), x, y, AbsolutePointer::kMost); }

void SdlWindow::handle_button(const SDL_MouseButtonEvent& event) {
  const u8 bit = button_bit(event.button);
  const bool pressed = event.state == SDL_PRESSED;
  if (absolute_) note_pointer(event.x, event.y);
  if (!grabbed_ && !absolute_) {
    if (!pressed) return;
    swallowed_button_ = bit;
    return grab(true);
  }
  if (!pressed && swallowed_button_ == bit) {
    swallowed_button_.reset();
    return;
  }
  send_mouse_motion();  // the guest sees the button where the pointer is
  const u8 buttons = static_cast<u8>(pressed ? buttons_ | bit : buttons_ & ~bit);
  if (buttons == buttons_) return;
  buttons_ = buttons;
  host_.mouse_buttons(buttons_);
}

void SdlWindow::handle_wheel(const SDL_MouseWheelEvent& event) {
  if (!grabbed_ && !absolute_) return;
  motion_wheel_ += event.direction == SDL_MOUSEWHEEL_FLIPPED ? -event.y : event.y;
}

void SdlWindow::send_mouse_motion() {
  if (pointer_) host_.point(pointer_->x, pointer_->y);
  pointer_.reset();
  if (motion_x_ == 0 && motion_y_ == 0 && motion_wheel_ == 0) return;
  host_.move_mouse(motion_x_, motion_y_, motion_wheel_);
  motion_x_ = motion_y_ = motion_wheel_ = 0;
}

void SdlWindow::release_buttons() {
  swallowed_button_.reset();
  if (buttons_ == 0) return;
  buttons_ = 0;
  host_.mouse_buttons(0);
}

}  // namespace relic86

extern "C" __attribute__((visibility("default"))) relic86::Window* relic86_open_window(
    relic86::WindowHost& host, const relic86::WindowOptions& options, std::string& error) {
  auto window = std::make_unique<relic86::SdlWindow>(host);
  if (!window->open(options, error)) return nullptr;
  return window.release();
}
