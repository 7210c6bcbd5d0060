#include "devices/scheduler.h"

#include <algorithm>

#include "base/assert.h"

namespace relic86 {

TimerId Scheduler::create(std::string_view name, EventHandler* handler, u32 event_id) {
  for (const Timer& timer : timers_) RELIC86_ASSERT(timer.name != name);
  timers_.push_back({std::string(name), handler, event_id, kNever});
  return static_cast<TimerId>(timers_.size() - 1);
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
  for (Timer& timer : timers_) archive.field(timer.name, timer.deadline);
  if (!archive.loading()) return;
  for (Timer& timer : timers_) timer.deadline = std::max<GuestTime>(timer.deadline, 0);
  find_next();
}

}  // namespace relic86
