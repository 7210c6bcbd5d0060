#include "display/sdl/menu_bar.h"

#include <fmt/format.h>
#include <imgui.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <utility>

namespace relic86 {

namespace {

namespace fs = std::filesystem;

constexpr int kEdge = 2;                 // window units from the upper edge at which the bar comes
constexpr u64 kStays = 800;              // ms that it stays when the pointer has left it
constexpr u64 kNoticeStays = 6'000;      // ms
constexpr unsigned kFramesToSettle = 3;  // Dear ImGui places new windows in a second frame
constexpr unsigned kMenuCount = 6;
constexpr unsigned kMostUnsettled = 12;  // frames: a menu without anything to choose has no choice
constexpr u64 kLargestFloppy = 2880 * 1024;

std::string file_name(const std::string& path) { return fs::path(path).filename().string(); }

}  // namespace

std::unique_ptr<WindowMenu> make_window_menu(SDL_Window* window, SDL_Renderer* renderer, WindowHost& host,
                                             MenuTarget& target) {
  return std::make_unique<MenuBar>(window, renderer, host, target);
}

MenuBar::MenuBar(SDL_Window* window, SDL_Renderer* renderer, WindowHost& host, MenuTarget& target)
    : window_(window), host_(host), target_(target), canvas_(window, renderer) {}

// --- Events ---

bool MenuBar::visible() const {
  return shown_ || statistics_ || keys_ || close_asked_ || picker_.is_open() || notice_until_ != 0;
}

// Between one menu and the next, too.
bool MenuBar::takes_keys() const {
  return menu_open_ || frames_closed_ > 0 || close_asked_ || picker_.is_open() || wanted_menu_;
}

// SDL makes text of keys as they arrive, which may be long before a frame asks for it: text is on while anything of the
// menu takes keys. A key that is still down when that ends is released elsewhere.
void MenuBar::follow_keys() {
  const bool takes = takes_keys();
  if (std::exchange(took_keys_, takes) == takes) return;
  if (takes) return SDL_StartTextInput();
  SDL_StopTextInput();
  canvas_.forget_keys();
}

bool MenuBar::takes_pointer(int x, int y) const {
  if (menu_open_ || close_asked_ || picker_.is_open()) return true;
  int units = 1, pixels = 1, height = 1;
  SDL_GetWindowSize(window_, &units, &height);
  SDL_GetRendererOutputSize(SDL_GetRenderer(window_), &pixels, &height);
  const float line = canvas_.line_height() * static_cast<float>(units) / static_cast<float>(pixels);
  if (shown_ && static_cast<float>(y) < line) return true;
  return x >= 0 && wants_pointer_;
}

void MenuBar::show(bool on) {
  if (on == shown_) return;
  shown_ = on;
  menu_open_ = false;
  canvas_.close_popups();
  pinned_ = false;
  wanted_menu_.reset();
  frames_closed_ = 0;
  left_at_ = 0;
  frames_wanted_ = kFramesToSettle;
  canvas_.forget_input();
  follow_keys();
  if (on) host_.refresh_view();
}

bool MenuBar::take(const SDL_Event& event) {
  if (event.type == SDL_MOUSEMOTION && !shown_ && !target_.grabbed() && event.motion.y < kEdge &&
      event.motion.state == 0)
    show(true);
  if (!visible()) return false;
  frames_wanted_ = kFramesToSettle;
  const bool key = event.type == SDL_KEYDOWN || event.type == SDL_KEYUP;
  if (event.type == SDL_MOUSEBUTTONDOWN || event.type == SDL_MOUSEBUTTONUP ||
      (key && takes_keys() && MenuCanvas::is_control_key(event.key.keysym.scancode)))
    frames_held_ = 2;  // it takes effect in the first, and what it opens is begun in the second
  frames_unsettled_ = 0;
  if (event.type == SDL_KEYDOWN) MenuCanvas::show_choice();
  switch (event.type) {
    case SDL_MOUSEMOTION: canvas_.feed(event); return takes_pointer(event.motion.x, event.motion.y);
    case SDL_WINDOWEVENT:
      if (event.window.event == SDL_WINDOWEVENT_FOCUS_LOST || event.window.event == SDL_WINDOWEVENT_LEAVE) {
        canvas_.forget_input();
        if (left_at_ == 0) left_at_ = SDL_GetTicks64();
      }
      return false;
    case SDL_MOUSEBUTTONDOWN:
      if (takes_pointer(event.button.x, event.button.y)) return canvas_.feed(event), true;
      if (shown_) return show(false), true;  // a click beside it closes the menu, and is nothing else
      return false;
    case SDL_MOUSEBUTTONUP: canvas_.feed(event); return takes_pointer(event.button.x, event.button.y);
    case SDL_MOUSEWHEEL:
      if (!wants_pointer_ && !menu_open_) return false;
      return canvas_.feed(event), true;
    case SDL_TEXTINPUT:
    case SDL_KEYDOWN:
    case SDL_KEYUP: {
      const Uint16 modifiers = event.type == SDL_TEXTINPUT ? 0 : event.key.keysym.mod;
      const bool shortcut = (modifiers & KMOD_CTRL) != 0 && (modifiers & KMOD_LALT) != 0;
      if (!takes_keys() || (shortcut && event.type == SDL_KEYDOWN)) return false;
      if (event.type == SDL_KEYDOWN && go_aside(event.key)) return true;
      return canvas_.feed(event), true;
    }
    default: return false;
  }
}

// Left and right go from menu to menu; out of a menu in a menu left goes back, as Dear ImGui does it.
bool MenuBar::go_aside(const SDL_KeyboardEvent& event) {
  const SDL_Scancode key = event.keysym.scancode;
  if (!menu_open_ || canvas_.open_popups() != 1 || (key != SDL_SCANCODE_LEFT && key != SDL_SCANCODE_RIGHT))
    return false;
  if (event.repeat != 0) return true;  // a slow host takes a key that was tapped for one that is held
  wanted_menu_ = key == SDL_SCANCODE_RIGHT ? open_menu_ + 1 : open_menu_ + kMenuCount - 1;
  return true;
}

void MenuBar::hold_events(unsigned frames) {
  frames_wanted_ = std::max(frames_wanted_, frames);
  frames_held_ = std::max(frames_held_, frames);
}

void MenuBar::toggle() {
  if (shown_) return show(false);
  target_.grab(false);
  show(true);
  pinned_ = true;
  wanted_menu_ = 0;
  follow_keys();
  hold_events(kFramesToSettle);
}

void MenuBar::ask_to_close() {
  target_.grab(false);
  close_asked_ = question_appears_ = true;
  follow_keys();
  hold_events(kFramesToSettle);  // until a button has the keyboard's focus
}

void MenuBar::tick() {
  const u64 now = SDL_GetTicks64();
  if (const u64 notices = host_.summary().notices; notices != notices_seen_) {
    notices_seen_ = notices;
    notice_until_ = now + kNoticeStays;
    frames_wanted_ = kFramesToSettle;
  }
  if (notice_until_ != 0 && now > notice_until_) {
    notice_until_ = 0;
    frames_wanted_ = kFramesToSettle;
  }
  if (shown_ && !pinned_ && left_at_ != 0 && now - left_at_ > kStays && !menu_open_) show(false);
  if (statistics_) {
    host_.refresh_view();
    frames_wanted_ = kFramesToSettle;
  }
}

void MenuBar::drop(const std::string& path) {
  view_ = host_.view();
  std::error_code failure;
  const bool folder = fs::is_directory(path, failure);
  const u64 size = folder ? 0 : fs::file_size(path, failure);
  const bool floppy = folder || (!path.ends_with(".iso") && size <= kLargestFloppy);
  const MachineView::Drive* target = nullptr;
  for (const MachineView::Drive& drive : view_.drives) {
    if (drive.floppy == floppy && target == nullptr) target = &drive;
  }
  if (target != nullptr) insert(*target, folder ? "fat:floppy:" + path : path);
}

// --- Frames ---

void MenuBar::draw() {
  if (!visible()) {
    frames_wanted_ = frames_held_ = 0;
    return;
  }
  const u64 serial = view_.serial;
  view_ = host_.view();
  summary_ = host_.summary();
  if (view_.serial != serial) frames_wanted_ = std::max(frames_wanted_, 2u);
  if (frames_wanted_ > 0) frames_wanted_--;
  if (frames_held_ > 0) frames_held_--;
  canvas_.begin();
  if (shown_) bar();
  if (close_asked_) close_question();
  picker_.draw();
  if (statistics_) statistics_panel();
  if (keys_) keys_panel();
  notice();
  wants_pointer_ = ImGui::IsWindowHovered(ImGuiHoveredFlags_AnyWindow | ImGuiHoveredFlags_AllowWhenBlockedByPopup) ||
                   ImGui::IsAnyItemActive();
  // A pointer that has gone in one step, or beside which a menu has closed, has no other event that says so.
  if (wants_pointer_ || pinned_) {
    left_at_ = 0;
  } else if (left_at_ == 0) {
    left_at_ = SDL_GetTicks64();
  }
  canvas_.end();
  follow_keys();
  // A menu that has just been opened needs some frames until it has a choice; a picker until it takes text.
  const bool waits = (menu_open_ && !MenuCanvas::choice_settled()) || (picker_.is_open() && picker_.appearing());
  if (waits && ++frames_unsettled_ < kMostUnsettled) hold_events(1);
  if (std::exchange(popups_, canvas_.open_popups()) != popups_) hold_events(kFramesToSettle);
  canvas_.draw();
}

void MenuBar::bar() {
  if (!ImGui::BeginMainMenuBar()) return;
  struct Menu {
    const char* name;
    void (MenuBar::*draw)();
  };
  constexpr Menu kMenus[kMenuCount] = {{"Machine", &MenuBar::machine_menu}, {"Media", &MenuBar::media_menu},
                                       {"Devices", &MenuBar::devices_menu}, {"View", &MenuBar::view_menu},
                                       {"Speed", &MenuBar::speed_menu},     {"Help", &MenuBar::help_menu}};
  if (wanted_menu_) {
    canvas_.close_popups();
    ImGui::OpenPopup(kMenus[*wanted_menu_ % kMenuCount].name);
    wanted_menu_.reset();
  }
  const bool was_open = std::exchange(menu_open_, false) || frames_closed_ > 0;
  for (const Menu& menu : kMenus) {
    if (!ImGui::BeginMenu(menu.name)) continue;
    menu_open_ = true;
    open_menu_ = static_cast<unsigned>(&menu - kMenus);
    (this->*menu.draw)();
    ImGui::EndMenu();
  }
  if (pinned_) MenuCanvas::show_choice();
  ImGui::EndMainMenuBar();
  // The keyboard's menu goes when something was chosen, or with Escape.
  // Between one menu and the next there are frames without any.
  if (menu_open_ || !pinned_ || !was_open) {
    frames_closed_ = 0;
  } else if (++frames_closed_ > kFramesToSettle) {
    show(false);
  } else {
    hold_events(1);
  }
}

void MenuBar::machine_menu() {
  const bool running = summary_.state == "running";
  if (ImGui::MenuItem("Pause", "Ctrl+Alt+P", !running)) host_.command(MenuCommand(running ? "stop" : "cont"));
  if (ImGui::MenuItem("Reset")) host_.command(MenuCommand("system_reset"));
  if (ImGui::MenuItem("Power button")) host_.command(MenuCommand("system_powerdown"));
  ImGui::Separator();
  if (ImGui::BeginMenu("Save state")) {
    slots(false);
    ImGui::EndMenu();
  }
  if (ImGui::BeginMenu("Load state")) {
    slots(true);
    ImGui::EndMenu();
  }
  ImGui::Separator();
  if (ImGui::MenuItem("Screenshot")) {
    const std::string file = free_file_name(".png");
    host_.command(
        MenuCommand("screendump", "The screen was written to " + file).with("filename", file).with("format", "png"));
  }
  if (view_.video.empty()) {
    if (ImGui::MenuItem("Record video and sound", nullptr, false, view_.recording.empty())) {
      const std::string file = free_file_name(".avi");
      host_.command(MenuCommand("x-record-video", "Screen and sound are recorded into " + file).with("filename", file));
    }
  } else if (ImGui::MenuItem("End the video", file_name(view_.video).c_str())) {
    host_.command(MenuCommand("x-record-video", "Screen and sound were recorded into " + view_.video));
  }
  if (view_.recording.empty()) {
    if (ImGui::MenuItem("Record sound", nullptr, false, view_.sound && view_.video.empty())) {
      const std::string file = free_file_name(".wav");
      host_.command(MenuCommand("x-record-sound", "Sound is recorded into " + file).with("filename", file));
    }
  } else if (ImGui::MenuItem("End the recording", file_name(view_.recording).c_str())) {
    host_.command(MenuCommand("x-record-sound", "Sound was recorded into " + view_.recording));
  }
  ImGui::Separator();
  if (ImGui::MenuItem("Save and close")) host_.command(MenuCommand("x-close").with_flag("save", true));
  if (ImGui::MenuItem("Close without saving")) host_.command(MenuCommand("x-close").with_flag("save", false));
}

const MachineView::Saved* MenuBar::saved(const std::string& tag) const {
  const auto at = std::find_if(view_.saved.begin(), view_.saved.end(), [&](const auto& s) { return s.tag == tag; });
  return at == view_.saved.end() ? nullptr : &*at;
}

// Each slot with the screen that was saved in it and when. Other saved machines can be loaded, too.
void MenuBar::slots(bool load) {
  constexpr unsigned kSlots = 8;
  std::vector<std::string> tags;
  for (unsigned slot = 1; slot <= kSlots; slot++) tags.push_back(fmt::format("slot{}", slot));
  if (load) {
    for (const MachineView::Saved& other : view_.saved) {
      if (std::find(tags.begin(), tags.end(), other.tag) == tags.end()) tags.push_back(other.tag);
    }
  }
  for (std::size_t i = 0; i < tags.size(); i++) {
    const MachineView::Saved* const in_it = saved(tags[i]);
    const bool is_slot = i < kSlots;
    if (!is_slot && in_it == nullptr) continue;
    const std::string label = is_slot ? fmt::format("Slot {}", i + 1) : tags[i];
    std::string when = "empty";
    if (in_it != nullptr) {
      const std::time_t saved_at = in_it->saved_at;
      std::tm date{};
      localtime_r(&saved_at, &date);
      char text[32];
      std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &date);
      when = text;
    }
    const bool chosen = ImGui::MenuItem(label.c_str(), when.c_str(), false, !load || in_it != nullptr);
    if (in_it != nullptr && ImGui::IsItemHovered(ImGuiHoveredFlags_None)) thumbnail(*in_it);
    if (!chosen) continue;
    const std::string done = load ? "" : fmt::format("Saved in slot {}", i + 1);
    host_.command(MenuCommand(load ? "x-loadvm" : "x-savevm", done).with("tag", tags[i]));
  }
}

void MenuBar::thumbnail(const MachineView::Saved& saved) {
  void* const texture = canvas_.texture_of(saved.picture);
  if (texture == nullptr) return;
  constexpr float kLines = 9;
  const float height = kLines * canvas_.line_height();
  const auto width = static_cast<float>(saved.picture->width * saved.picture->pixel_aspect / saved.picture->height);
  ImGui::BeginTooltip();
  ImGui::Image(texture, {height * width, height});
  ImGui::EndTooltip();
}

void MenuBar::insert(const MachineView::Drive& drive, const std::string& file) {
  recent_.note(file);
  host_.command(MenuCommand("blockdev-change-medium", fmt::format("{}: {}", drive.label, file_name(file)))
                    .with("device", drive.name)
                    .with("filename", file));
}

void MenuBar::drive_menu(const MachineView::Drive& drive) {
  if (ImGui::MenuItem("Insert ..."))
    picker_.open(MenuPicker::Purpose::OpenFile, "Insert into " + drive.label, view_.folder,
                 [this, drive](const std::string& file) { insert(drive, file); });
  if (ImGui::MenuItem("Eject", nullptr, false, !drive.file.empty()))
    host_.command(MenuCommand("eject", drive.label + " is empty").with("device", drive.name));
  if (drive.floppy && ImGui::MenuItem("New floppy ..."))
    picker_.open(MenuPicker::Purpose::NewFile, "New floppy (1.44 MB) in " + drive.label, view_.folder,
                 [this, drive](const std::string& file) {
                   host_.command(MenuCommand("x-create-floppy").with("filename", file));
                   insert(drive, file);
                 });
  if (ImGui::IsWindowAppearing()) recent_.read();
  if (recent_.list().empty()) return;
  ImGui::Separator();
  const std::vector<std::string> recent = recent_.list();
  for (const std::string& file : recent) {
    if (ImGui::MenuItem(file_name(file).c_str())) insert(drive, file);
  }
}

void MenuBar::media_menu() {
  if (view_.drives.empty()) ImGui::TextDisabled("This machine has no drives with removable media");
  for (const MachineView::Drive& drive : view_.drives) {
    const std::string name =
        fmt::format("{}: {}###{}", drive.label, drive.file.empty() ? "empty" : file_name(drive.file), drive.name);
    if (!ImGui::BeginMenu(name.c_str())) continue;
    drive_menu(drive);
    ImGui::EndMenu();
  }
}

void MenuBar::devices_menu() {
  const char* const grab = summary_.absolute_pointer ? "Grab the keyboard" : "Grab mouse and keyboard";
  if (ImGui::MenuItem(grab, "Ctrl+Alt+G", target_.grabbed())) {
    show(false);
    target_.grab(true);
  }
  ImGui::Separator();
  if (ImGui::MenuItem("Ctrl+Alt+Delete to the guest"))
    host_.command(MenuCommand("send-key").with_keys("keys", "ctrl-alt-delete"));
  if (ImGui::MenuItem("Copy the text screen", "Ctrl+Alt+C")) target_.copy_screen_text();
  if (ImGui::MenuItem("Type the clipboard", "Ctrl+Alt+V")) target_.paste();
  ImGui::Separator();
  int volume = static_cast<int>(view_.volume);
  if (view_.sound) {
    constexpr float kColumns = 8;
    ImGui::SetNextItemWidth(kColumns * canvas_.line_height());
    if (ImGui::SliderInt("Volume", &volume, 0, 100, "%d %%"))
      host_.command(MenuCommand("x-set-volume").with_number("percent", static_cast<u64>(std::clamp(volume, 0, 100))));
    if (ImGui::MenuItem("Mute", nullptr, volume == 0))
      host_.command(MenuCommand("x-set-volume").with_number("percent", volume == 0 ? 100 : 0));
  } else {
    ImGui::TextDisabled("No sound: start with -audio to have some");
  }
  ImGui::Separator();
  if (view_.cards.empty()) ImGui::TextDisabled("This machine has no network card");
  for (const MachineView::Card& card : view_.cards) {
    if (ImGui::MenuItem(fmt::format("Network cable ({})##{}", card.model, card.name).c_str(), nullptr, card.link))
      host_.command(MenuCommand("set_link").with("name", card.name).with_flag("up", !card.link));
  }
}

void MenuBar::view_menu() {
  constexpr unsigned kLargest = 4;
  for (unsigned times = 1; times <= kLargest; times++) {
    if (ImGui::MenuItem(fmt::format("Scale {}x", times).c_str(), nullptr, false, !target_.full_screen()))
      target_.set_scale(times);
  }
  ImGui::Separator();
  struct Row {
    const char* label;
    Aspect aspect;
  };
  constexpr Row kRows[] = {
      {"Shape of the monitor", Aspect::Monitor}, {"Square pixels", Aspect::Square}, {"Fill the window", Aspect::Fill}};
  for (const Row& row : kRows) {
    if (ImGui::MenuItem(row.label, nullptr, target_.aspect() == row.aspect)) target_.set_aspect(row.aspect);
  }
  ImGui::Separator();
  if (ImGui::MenuItem("Full screen", "Ctrl+Alt+F", target_.full_screen()))
    target_.set_full_screen(!target_.full_screen());
  if (ImGui::MenuItem("Statistics", nullptr, statistics_)) {
    statistics_ = !statistics_;
    host_.refresh_view();
  }
}

void MenuBar::speed_menu() {
  if (ImGui::MenuItem("Free: as fast as the host", nullptr, view_.speed_limit == 0))
    host_.command(MenuCommand("x-set-speed").with("speed", "free"));
  for (const MachineView::Speed& speed : view_.speeds) {
    const std::string rate = fmt::format("{:g} MIPS", static_cast<double>(speed.instructions_per_second) * 1e-6);
    if (ImGui::MenuItem(speed.name.c_str(), rate.c_str(), view_.speed_limit == speed.instructions_per_second))
      host_.command(MenuCommand("x-set-speed").with("speed", speed.name));
  }
}

void MenuBar::help_menu() {
  if (ImGui::MenuItem("Keys of this window", nullptr, keys_)) keys_ = !keys_;
  ImGui::Separator();
  ImGui::TextDisabled("All options: relic86 -help");
  ImGui::TextDisabled("All commands of the monitor: help");
}

// --- Windows over the picture ---

void MenuBar::close_question() {
  const ImVec2 screen = ImGui::GetIO().DisplaySize;
  ImGui::SetNextWindowPos({screen.x / 2, screen.y / 2}, ImGuiCond_Always, {0.5f, 0.5f});
  constexpr auto kFlags = ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoCollapse |
                          ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoMove;
  // Not ImGui::IsWindowAppearing(): while nothing of the menu is visible there are no frames, so that it would not see
  // that the question was away.
  const bool appears = std::exchange(question_appears_, false);
  if (appears) ImGui::SetNextWindowFocus();
  if (ImGui::Begin("Close the machine", nullptr, kFlags)) {
    ImGui::TextUnformatted("If it is saved, the machine goes on from here at its next start.");
    ImGui::Spacing();
    if (appears) ImGui::SetKeyboardFocusHere();
    if (ImGui::Button("Save and close")) host_.command(MenuCommand("x-close").with_flag("save", true));
    ImGui::SameLine();
    if (ImGui::Button("Close without saving")) host_.command(MenuCommand("x-close").with_flag("save", false));
    ImGui::SameLine();
    if (ImGui::Button("Keep it running") || MenuCanvas::escape_pressed()) close_asked_ = false;
  }
  ImGui::End();
}

void MenuBar::statistics_panel() {
  const ImVec2 screen = ImGui::GetIO().DisplaySize;
  ImGui::SetNextWindowPos({screen.x, canvas_.line_height()}, ImGuiCond_FirstUseEver, {1, 0});
  constexpr auto kFlags = ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoSavedSettings |
                          ImGuiWindowFlags_NoFocusOnAppearing | ImGuiWindowFlags_NoNav;
  constexpr float kWidest = 0.9f;
  if (ImGui::Begin("Statistics", &statistics_, kFlags)) {
    ImGui::PushTextWrapPos(screen.x * kWidest);
    ImGui::Text("%s, %.1f MIPS", summary_.state.c_str(), static_cast<double>(summary_.instructions_per_second) * 1e-6);
    ImGui::Separator();
    ImGui::TextUnformatted(view_.statistics.c_str());
    ImGui::PopTextWrapPos();
  }
  ImGui::End();
}

void MenuBar::keys_panel() {
  struct Row {
    const char *keys, *what;
  };
  constexpr Row kRows[] = {
      {"Ctrl+Alt+M", "this menu; it comes, too, when the pointer is at the upper edge"},
      {"Ctrl+Alt+G", "grabs mouse and keyboard (so does a click), and frees them"},
      {"Ctrl+Alt+F", "full screen, and back"},
      {"Ctrl+Alt+P", "pauses the machine, and lets it go on"},
      {"Ctrl+Alt+C", "copies the guest's text screen to the clipboard"},
      {"Ctrl+Alt+V", "types the clipboard's text into the guest"},
      {"Ctrl+Alt+Q", "presses the guest's power button; twice: closes the machine"},
      {"Arrows, Enter, Escape", "choose in the menu"},
      {"A file dropped here", "goes into the drive that it fits; a folder becomes a floppy"},
  };
  const ImVec2 screen = ImGui::GetIO().DisplaySize;
  ImGui::SetNextWindowPos({screen.x / 2, screen.y / 2}, ImGuiCond_Appearing, {0.5f, 0.5f});
  constexpr auto kFlags =
      ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoFocusOnAppearing;
  if (ImGui::Begin("Keys of this window", &keys_, kFlags) && ImGui::BeginTable("##keys", 2)) {
    for (const Row& row : kRows) {
      ImGui::TableNextColumn();
      ImGui::TextUnformatted(row.keys);
      ImGui::TableNextColumn();
      ImGui::TextUnformatted(row.what);
    }
    ImGui::EndTable();
  }
  ImGui::End();
}

// What a command has answered, at the lower edge for a while.
void MenuBar::notice() {
  if (notice_until_ == 0) return;
  const ImVec2 screen = ImGui::GetIO().DisplaySize;
  constexpr float kMargin = 0.97f, kWidest = 0.9f;
  ImGui::SetNextWindowPos({screen.x / 2, screen.y * kMargin}, ImGuiCond_Always, {0.5f, 1});
  ImGui::SetNextWindowSizeConstraints({0, 0}, {screen.x * kWidest, screen.y});
  constexpr auto kFlags = ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoDecoration |
                          ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoInputs |
                          ImGuiWindowFlags_NoFocusOnAppearing;
  if (ImGui::Begin("##notice", nullptr, kFlags)) {
    ImGui::PushTextWrapPos(screen.x * kWidest);
    ImGui::TextUnformatted(summary_.notice.c_str());
    ImGui::PopTextWrapPos();
  }
  ImGui::End();
}

// --- Files ---

std::string MenuBar::free_file_name(std::string_view ending) const {
  const std::string name = summary_.name.empty() ? "relic86" : summary_.name;
  std::error_code failure;
  for (unsigned number = 1;; number++) {
    const std::string file = fmt::format("{}/{}-{}{}", view_.folder, name, number, ending);
    if (!fs::exists(file, failure)) return file;
  }
}

}  // namespace relic86
