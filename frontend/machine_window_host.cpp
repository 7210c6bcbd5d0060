#include "frontend/machine_window_host.h"

#include <fmt/format.h>

#include <algorithm>

#include "devices/input/keyboard.h"
#include "devices/input/pointer.h"
#include "machine/guest_inputs.h"
#include "machine/host_time.h"

namespace relic86 {

MachineWindowHost::MachineWindowHost(Machine& machine, ScreenFeed& feed) : machine_(machine), feed_(feed) {
  summary_.name = machine.options().name;
  feed_.add(this);
  publish_summary();
  publish_view();  // a file may be dropped before anybody has asked for one
}

MachineWindowHost::~MachineWindowHost() { feed_.remove(this); }

void MachineWindowHost::set_ended() {
  ended_ = true;
  if (news_) news_();
}

void MachineWindowHost::screen_changed(const Frame& frame, RowRange rows) {
  frames_.publish(frame, rows);
  if (news_) news_();
}

// Real time: how fast the processor runs while it runs. With -icount no such thing is measured: instructions over host
// time, idle time included.
u64 MachineWindowHost::speed() {
  if (!machine_.clock().deterministic()) return machine_.clock().instructions_per_second();
  constexpr i64 kLeastTime = 100'000'000;
  const i64 now = host_monotonic_ns();
  const u64 count = machine_.instruction_count();
  if (now - counted_at_ < kLeastTime) return measured_;
  if (counted_at_ != 0) {
    const double seconds = static_cast<double>(now - counted_at_) * 1e-9;
    measured_ = count < counted_ ? 0 : static_cast<u64>(static_cast<double>(count - counted_) / seconds);
  }
  counted_ = count;
  counted_at_ = now;
  return measured_;
}

// A host that is too slow is heard first. In real time what it has kept from the guest comes back to the guest, but not
// to the sound.
void MachineWindowHost::watch_pace() {
  const MachineClock& clock = machine_.clock();
  const i64 host = host_monotonic_ns();
  pace_.look(!machine_.paused(), clock.deterministic() ? clock.now() : host - host_thread_wait_ns(), host);
  const auto& outputs = machine_.options().audio_devices;
  const bool heard = std::any_of(outputs.begin(), outputs.end(), [](const auto& o) { return o.driver == "sdl"; });
  if (heard && pace_.should_be_told())
    tell(
        fmt::format("This host is too slow: the machine runs at {} % of its speed, and its sound has gaps. Fewer "
                    "processors or a lower speed (menu Speed) may help.",
                    pace_.percent()));
}

void MachineWindowHost::publish_summary() {
  const u64 rate = speed();
  std::lock_guard lock(mutex_);
  summary_.pace = pace_.percent();
  summary_.state = machine_.status();
  summary_.instructions_per_second = rate;
  summary_.lights = machine_.board().keyboard().lights();
  summary_.asked_to_quit = asked_to_quit_;
  summary_.absolute_pointer = machine_.board().pointer().absolute();
  summary_.asks_on_close = machine_.options().on_close == Options::OnClose::Ask;
}

MachineSummary MachineWindowHost::summary() {
  std::lock_guard lock(mutex_);
  return summary_;
}

void MachineWindowHost::refresh() {
  if (refreshing_.exchange(true)) return;
  machine_.post([this] {
    refreshing_ = false;
    watch_pace();
    publish_summary();
    if (machine_.paused()) feed_.update();
  });
}

// What a replay refuses is nothing that a window has to tell of.
void MachineWindowHost::enter(const GuestInput& input) { (void)machine_.inputs().enter(input); }

void MachineWindowHost::key(KeyCode code, bool pressed) {
  machine_.post([this, code, pressed] { enter(input::Key{code, pressed}); });
}

void MachineWindowHost::release_all_keys() {
  machine_.post([this] { enter(input::AllKeysUp{}); });
}

void MachineWindowHost::move_mouse(int dx, int dy, int dz) {
  machine_.post([this, dx, dy, dz] { enter(input::Move{dx, dy, dz}); });
}

void MachineWindowHost::point(unsigned x, unsigned y) {
  machine_.post([this, x, y] { enter(input::Place{x, y}); });
}

void MachineWindowHost::mouse_buttons(u8 mask) {
  machine_.post([this, mask] { enter(input::Buttons{mask}); });
}

void MachineWindowHost::joystick(unsigned stick, const JoystickPosition& position) {
  machine_.post([this, stick, position] { enter(input::Joystick{static_cast<u8>(stick), position}); });
}

void MachineWindowHost::tell(std::string notice) {
  if (notice.empty()) return;
  {
    std::lock_guard lock(mutex_);
    summary_.notice = std::move(notice);
    summary_.notices++;
  }
  if (news_) news_();
}

void MachineWindowHost::command(MenuCommand command) {
  machine_.post([this, command = std::move(command)] {
    tell(carry_out(machine_, command));
    publish_summary();
    publish_view();
    if (machine_.paused()) feed_.update();
  });
}

MachineView MachineWindowHost::view() {
  std::lock_guard lock(mutex_);
  return view_;
}

void MachineWindowHost::refresh_view() {
  if (viewing_.exchange(true)) return;
  machine_.post([this] {
    viewing_ = false;
    publish_view();
  });
}

void MachineWindowHost::publish_view() {
  MachineView made = make_machine_view(machine_, pictures_);
  {
    std::lock_guard lock(mutex_);
    made.serial = view_.serial + 1;
    view_ = std::move(made);
  }
  if (news_) news_();
}

void MachineWindowHost::toggle_pause() {
  machine_.post([this] {
    machine_.paused() ? machine_.resume() : machine_.pause();
    publish_summary();
  });
}

void MachineWindowHost::ask_to_quit() {
  machine_.post([this] {
    if (machine_.paused() || !machine_.board().hears_power_button()) return machine_.quit();
    enter(input::PowerButton{});
    asked_to_quit_ = true;
    publish_summary();
  });
}

void MachineWindowHost::quit() {
  machine_.post([this] { machine_.quit(); });
}

}  // namespace relic86
