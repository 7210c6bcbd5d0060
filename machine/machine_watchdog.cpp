// What becomes of a machine whose watchdog timer was not reset in time, or whose guest says that it has panicked.
#include "base/log.h"
#include "machine/machine.h"

namespace relic86 {

void Machine::watchdog_expired() {
  watchdog_expired_ = true;
  processors_->running().request(kPendingStop);
}

void Machine::guest_panicked() {
  guest_panicked_ = true;
  processors_->running().request(kPendingStop);
}

void Machine::carry_out_watchdog() {
  watchdog_expired_ = false;
  announce(MachineEvent::Watchdog);
  switch (options_.watchdog_action) {
    using enum Options::WatchdogAction;
    case Reset: reset_requested_ = true; break;
    case Shutdown: power_button(); break;
    case PowerOff: finish(End::Watchdog); break;
    case InjectNmi: board_->pulse_nmi(); break;
    case Pause:
      stop_cause_ = StopCause::Watchdog;
      pause();
      break;
    case Debug: log::warning("watchdog: timer fired"); break;
    case None: break;
  }
}

bool Machine::pauses_at_panic() const {
  using enum Options::PanicAction;
  return options_.panic_action == Pause || (options_.panic_action == Shutdown && options_.no_shutdown);
}

void Machine::carry_out_panic() {
  guest_panicked_ = false;
  announce(MachineEvent::GuestPanicked);
  if (options_.panic_action == Options::PanicAction::None) return;
  stop_cause_ = StopCause::Panic;
  pause();
  if (!pauses_at_panic()) finish(End::GuestPanic);
}

}  // namespace relic86
