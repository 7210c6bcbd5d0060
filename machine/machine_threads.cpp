// The machine's turns where every processor has a host thread of its own (machine/processor_threads.h): this thread
// carries out the devices' events and serves the host, and sleeps in between.
#include <algorithm>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "machine/host_time.h"
#include "machine/machine.h"
#include "machine/machine_tasks.h"
#include "machine/migration.h"
#include "machine/processor_threads.h"

namespace relic86 {

namespace {
constexpr i64 kLongestSleep = 100'000'000;    // host ns; time limits and windows are served in between
constexpr GuestTime kShortestSleep = 50'000;  // while processors run: they want the lock
constexpr GuestTime kLook = 1'000'000;        // guest ns between looks at the host and the clock while processors run
}  // namespace

void Machine::stop_threads() {
  if (threads_) threads_->stop();
}

void Machine::make_threads() {
  if (threads_) return;
  threads_ = std::make_unique<ProcessorThreads>(
      *processors_, [this] { poller_.wake(); }, [this] { look_at_time(); });
}

pid_t Machine::host_thread_of(unsigned processor) {
  if (!has_threads(options_)) return host_thread();
  make_threads();
  return threads_->host_thread_of(processor);
}

void Machine::end_threads() {
  threads_.reset();
  if (has_threads(options_)) clock_->govern(nullptr);
}

void Machine::turn_of_threads() {
  make_threads();
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
    // Nobody's host thread falls behind while the debugger steps, and a step takes time.
    clock_->govern(nullptr);
    clock_->hold_at(Scheduler::kNever);
    run_step();
  } else {
    clock_->govern(threads_.get());
    look_at_time();
    if (!board_->suspended()) {
      run_threads();
    } else if (!wake_requested_) {
      stop_threads();
      idle();
    }
  }
  carry_out_requests();
}

// Whoever has the lock sees to what is due, so that a guest that polls a device waits for nobody's turn on the host.
void Machine::look_at_time() {
  // As a rule nothing is due, and nobody wants to know the time exactly.
  if (const auto latest = clock_->estimate(kLook); latest && *latest < scheduler_->next_deadline()) return;
  const GuestTime now = clock_->look();
  // An event after which a processor has not run yet, as its thread had no turn on the host, comes before the next one:
  // guest time stands meanwhile, so that a busy host loses no ticks, and a guest that polls loses no time.
  if (scheduler_->next_deadline() <= now && !threads_->have_looked()) return clock_->hold_at(now);
  clock_->hold_at(Scheduler::kNever);
  if (scheduler_->next_deadline() > now) {
    clock_->expect_event(scheduler_->next_deadline());
  } else {
    carry_out_events();
    threads_->note_looks();
  }
  if (!clock_->on_line()) (void)clock_->look();
}

// What has stopped all processors comes before they go on. The reports that are left once the machine is paused come
// when it goes on.
bool Machine::act_on_reports() {
  bool acted = false;
  while (!paused_ && end_ == End::None) {
    const auto report = threads_->take_report();
    if (!report) break;
    threads_->stop();
    processors_->attend(report->number);
    act_on(report->reason);
    acted = true;
  }
  return acted;
}

void Machine::run_threads() {
  if (act_on_reports() || paused_ || end_ != End::None) return;
  threads_->run();
  const bool idle = threads_->idle();
  const GuestTime stop = std::min(next_stop(), next_sample_), now = clock_->now();
  const GuestTime longest = idle ? GuestTime{kLongestSleep} : kLook;
  const GuestTime soonest = idle ? 0 : kShortestSleep;
  const GuestTime wait = stop == Scheduler::kNever ? longest : std::clamp<GuestTime>(stop - now, soonest, longest);
  if (wait > 0) {
    sleeps_until_ = now + wait;
    const u64 count_before = instruction_count();
    const i64 host_before = host_monotonic_ns();
    const auto sources = idle ? HostPoller::Sources::Included : HostPoller::Sources::LeftOut;
    const auto host_wait = static_cast<i64>(static_cast<double>(wait) / clock_->pace());
    HostPoller::Wait asleep = poller_.prepare(idle ? clock_->sleep_for(wait) : host_wait, sources);
    threads_->sleep([&] {
      if (HostPoller::wait(asleep)) last_served_ = 0;
    });
    sleeps_until_ = 0;
    // A processor in the middle of a block may have counted all of it already.
    const u64 count = std::max(instruction_count(), count_before) - count_before;
    if (idle) {
      clock_->slept(wait);
    } else {
      clock_->measure(count, host_monotonic_ns() - host_before);
    }
  }
  act_on_reports();
}

// --- What comes from the host, with threads or without ---

void Machine::serve_descriptors() {
  // A migration looks for pages that are written, and watches them anew: no store is on its way meanwhile.
  if (migration_->under_way()) stop_threads();
  if (threads_ && !threads_->stopped()) {
    HostPoller::Wait at_once = poller_.prepare(0, HostPoller::Sources::LeftOut);
    if (!HostPoller::wait(at_once)) return poller_.poll_sources();
    stop_threads();
  }
  poller_.poll(0);
}

void Machine::carry_out_tasks() {
  std::vector<std::function<void()>> deliveries, tasks;
  {
    std::lock_guard lock(tasks_->mutex);
    deliveries.swap(tasks_->deliveries);
    tasks.swap(tasks_->list);
    tasks_->waiting.store(false, std::memory_order_relaxed);
  }
  for (const auto& delivery : deliveries) delivery();
  if (!tasks.empty()) stop_threads();
  for (const auto& task : tasks) task();
}

void Machine::post(std::function<void()> task) {
  tasks_->add(tasks_->list, std::move(task));
  poller_.wake();
}

}  // namespace relic86
