#include "devices/scheduler.h"

#include <algorithm>

#include "base/assert.h"
#include "base/state_loading.h"

namespace relic86 {

TimerId Scheduler::create(std::string_view name, EventHandler* handler, u32 event_id) {
  for (const Timer& timer : timers_) RELIC86_ASSERT(timer.name != name);
  auto place =
      std::find_if(timers_.begin(), timers_.end(), [](const Timer& timer) { return timer.handler == nullptr; });
  if (place == timers_.end()) place = timers_.emplace(place);
  *place = {std::string(name), handler, event_id, kNever};
  return static_cast<TimerId>(place - timers_.begin());
}

void Scheduler::remove(const EventHandler& handler) {
  for (Timer& timer : timers_) {
    if (timer.handler == &handler) timer = {.name = "", .handler = nullptr, .event_id = 0, .deadline = kNever};
  }
  find_next();
}

void Scheduler::schedule_at(TimerId timer, GuestTime deadline) {
  RELIC86_ASSERT(timer < timers_.size());
  const GuestTime before = next_;
  timers_[timer].deadline = deadline;
  find_next();
  if (next_ < before && listener_ != nullptr) listener_->deadline_moved_earlier(next_);
}

GuestTime Scheduler::deadline(TimerId timer) const { return timers_[timer].deadline; }

void Scheduler::find_next() {
  next_ = kNever;
  for (const Timer& timer : timers_) next_ = std::min(next_, timer.deadline);
}

void Scheduler::run_due() {
  // Real time goes on meanwhile: a timer whose period is shorter than its handling must not keep the machine here.
  const GuestTime until = now();
  while (next_ <= until) {
    const auto due = std::min_element(timers_.begin(), timers_.end(),
                                      [](const Timer& a, const Timer& b) { return a.deadline < b.deadline; });
    const GuestTime deadline = due->deadline;
    due->deadline = kNever;
    find_next();
    due->handler->event(due->event_id, std::max<GuestTime>(0, now() - deadline));
  }
}

void Scheduler::state(StateArchive& archive) {
  for (Timer& timer : timers_) {
    if (timer.handler != nullptr) moment_field(archive, timer.name, timer.deadline, kNever);
  }
  if (archive.loading()) find_next();
}

}  // namespace relic86
