// The menu's bar and its menus.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "display/sdl/menu_canvas.h"
#include "display/sdl/menu_picker.h"
#include "display/sdl/recent_media.h"
#include "display/sdl/window_menu.h"

namespace relic86 {

class MenuBar final : public WindowMenu {
 public:
  MenuBar(SDL_Window* window, SDL_Renderer* renderer, WindowHost& host, MenuTarget& target);

  bool take(const SDL_Event& event) override;
  void toggle() override;
  void ask_to_close() override;
  void drop(const std::string& path) override;
  void tick() override;
  bool visible() const override;
  bool unsettled() const override { return frames_wanted_ > 0; }
  bool holds_events() const override { return frames_held_ > 0; }
  void draw() override;
  void textures_lost() override { canvas_.textures_lost(); }

 private:
  void show(bool on);
  bool takes_keys() const;
  void follow_keys();
  void hold_events(unsigned frames);
  bool go_aside(const SDL_KeyboardEvent& event);
  bool takes_pointer(int x, int y) const;

  void bar();
  void machine_menu();
  void media_menu();
  void devices_menu();
  void view_menu();
  void speed_menu();
  void help_menu();
  void slots(bool load);
  void thumbnail(const MachineView::Saved& saved);
  void drive_menu(const MachineView::Drive& drive);
  void close_question();
  void statistics_panel();
  void keys_panel();
  void notice();

  void insert(const MachineView::Drive& drive, const std::string& file);
  std::string free_file_name(std::string_view ending) const;
  const MachineView::Saved* saved(const std::string& tag) const;

  SDL_Window* window_;
  WindowHost& host_;
  MenuTarget& target_;
  MenuCanvas canvas_;
  MenuPicker picker_;
  MachineView view_;
  MachineSummary summary_;
  RecentMedia recent_;

  bool shown_ = false;                   // the bar
  bool pinned_ = false;                  // by the key: it stays until something is chosen
  std::optional<unsigned> wanted_menu_;  // the next frame opens it
  unsigned open_menu_ = 0;               // the last that was open
  bool menu_open_ = false;               // a menu of the bar, as of the last frame
  bool wants_pointer_ = false;
  bool statistics_ = false, keys_ = false;
  bool close_asked_ = false;
  bool question_appears_ = false;  // the next frame is the question's first
  bool took_keys_ = false;         // takes_keys() as follow_keys() saw it last
  u64 left_at_ = 0;                // ms; when the pointer went off the bar; 0: it is there
  u64 notices_seen_ = 0, notice_until_ = 0;
  unsigned frames_wanted_ = 0;
  unsigned frames_closed_ = 0;     // since the last menu that the key opened was closed
  unsigned popups_ = 0;            // that were open in the last frame
  unsigned frames_unsettled_ = 0;  // in which a menu has waited for what the keyboard chooses
  unsigned frames_held_ = 0;       // before the next event
};

}  // namespace relic86
