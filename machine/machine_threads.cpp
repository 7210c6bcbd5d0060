// The machine's turns where every processor has a host thread of its own (machine/processor_threads.h): this thread
// carries out the devices' events and serves the host, and sleeps in between.
#include <algorithm>

#include "machine/machine.h"
#include "machine/machine_tasks.h"
#include "machine/processor_threads.h"

namespace relic86 {

namespace {
constexpr i64 kLongestSleep = 100'000'000;    // host ns; time limits and windows are served in between
constexpr GuestTime kShortestSleep = 20'000;  // while processors run: they want the lock
constexpr GuestTime kLook = 1'000'000;        // guest ns between looks at the host and the clock while processors run
}  // namespace

bool Machine::host_waits() {
  if (!threads_) return false;
  const std::lock_guard lock(tasks_->mutex);
  return !tasks_->list.empty() || poller_.ready(0, HostPoller::Sources::LeftOut);
}

void Machine::stop_threads() {
  if (threads_) threads_->stop();
}

void Machine::turn_of_threads() {
  if (!threads_) threads_ = std::make_unique<ProcessorThreads>(*processors_, [this] { poller_.wake(); });
  const bool was_paused = paused_;
  serve_host();
  if (end_ != End::None || paused_) stop_threads();
  if (end_ != End::None) return;
  if (paused_) {
    poller_.poll(kLongestSleep);
    last_served_ = 0;
    return;
  }
  if (was_paused) return;
  if (debugger_->stepping() && !board_->suspended()) [[unlikely]] {
    stop_threads();
    run_step();
  } else {
    // An event after which a processor has not run yet, as its thread had no turn on the host, comes before the next
    // one: guest time waits (MachineClock::expect_event), so that a busy host loses no ticks.
    if (scheduler_->next_deadline() <= clock_->now() && threads_->have_looked()) {
      carry_out_events();
      threads_->note_looks();
    } else {
      clock_->expect_event(scheduler_->next_deadline());
    }
    if (!board_->suspended()) {
      run_threads();
    } else if (!wake_requested_) {
      stop_threads();
      idle();
    }
  }
  carry_out_requests();
}

void Machine::run_threads() {
  threads_->run();
  const bool idle = threads_->idle();
  const GuestTime stop = std::min(next_stop(), next_sample_), now = clock_->now();
  const GuestTime longest = idle ? GuestTime{kLongestSleep} : kLook;
  const GuestTime soonest = idle ? 0 : kShortestSleep;
  const GuestTime wait = stop == Scheduler::kNever ? longest : std::clamp<GuestTime>(stop - now, soonest, longest);
  if (wait > 0) {
    sleeps_until_ = now + wait;
    const i64 host_wait = idle ? clock_->sleep_for(wait) : wait;
    threads_->sleep([&] {
      const auto sources = idle ? HostPoller::Sources::Included : HostPoller::Sources::LeftOut;
      if (poller_.ready(host_wait, sources)) last_served_ = 0;
    });
    sleeps_until_ = 0;
    if (idle) clock_->slept(wait);
  }
  while (const auto report = threads_->take_report()) {
    threads_->stop();
    processors_->attend(report->number);
    act_on(report->reason);
  }
}

}  // namespace relic86
