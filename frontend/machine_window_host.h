// What a window needs of a machine that runs on another thread.
#pragma once

#include <atomic>
#include <mutex>

#include "display/window_host.h"
#include "frontend/machine_pace.h"
#include "frontend/machine_view_maker.h"
#include "frontend/screen_feed.h"
#include "machine/machine.h"

namespace relic86 {

class MachineWindowHost final : public WindowHost, private ScreenFeed::Viewer {
 public:
  MachineWindowHost(Machine& machine, ScreenFeed& feed);
  ~MachineWindowHost();
  MachineWindowHost(const MachineWindowHost&) = delete;
  MachineWindowHost& operator=(const MachineWindowHost&) = delete;

  // The machine's run is over; from the machine's thread.
  void set_ended();

  FrameExchange::Taken take_frame() override { return frames_.take(); }
  MachineSummary summary() override;
  bool ended() const override { return ended_; }
  void on_news(std::function<void()> callback) override { news_ = std::move(callback); }
  void refresh() override;
  void key(KeyCode code, bool pressed) override;
  void release_all_keys() override;
  void move_mouse(int dx, int dy, int dz) override;
  void point(unsigned x, unsigned y) override;
  void mouse_buttons(u8 mask) override;
  void joystick(unsigned stick, const JoystickPosition& position) override;
  void command(MenuCommand command) override;
  MachineView view() override;
  void refresh_view() override;
  void toggle_pause() override;
  void ask_to_quit() override;
  void quit() override;

 private:
  void screen_changed(const Frame& frame, RowRange rows) override;
  void publish_summary();  // machine's thread
  void publish_view();     // machine's thread
  void tell(std::string notice);
  void watch_pace();  // machine's thread
  u64 speed();
  void enter(const GuestInput& input);  // machine's thread

  Machine& machine_;
  ScreenFeed& feed_;
  FrameExchange frames_;
  std::function<void()> news_;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> refreshing_ = false;  // a refresh is on its way
  std::atomic<bool> viewing_ = false;     // a refresh_view is on its way
  SavedPictures pictures_;                // machine's thread
  std::mutex mutex_;                      // guards summary_ and view_
  MachineSummary summary_;
  MachineView view_;
  MachinePace pace_;  // machine's thread
  bool asked_to_quit_ = false;
  u64 counted_ = 0;     // instructions at counted_at_
  i64 counted_at_ = 0;  // host time
  u64 measured_ = 0;    // instructions a second
};

}  // namespace relic86
