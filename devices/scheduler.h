// Guest-time events: one queue, no host pointers in its saved state. A device creates its timers once, at attach.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/guest_clock.h"
#include "base/state_archive.h"

namespace relic86 {

class EventHandler {
 public:
  // id: as given to Scheduler::create. late: nanoseconds of guest time between the deadline and now (0 or more).
  virtual void event(u32 id, GuestTime late) = 0;

 protected:
  ~EventHandler() = default;
};

using TimerId = u32;

class Scheduler {
 public:
  static constexpr GuestTime kNever = INT64_MAX;

  explicit Scheduler(const GuestClock& clock) : clock_(clock) {}

  // name is unique in the machine ("i8254.channel0"): saved states find timers by it.
  TimerId create(std::string_view name, EventHandler* handler, u32 event_id);
  void schedule_at(TimerId timer, GuestTime deadline);  // replaces an earlier deadline; one in the past fires at once
  void schedule_in(TimerId timer, GuestTime delay) { schedule_at(timer, now() + delay); }
  void cancel(TimerId timer) { schedule_at(timer, kNever); }
  GuestTime deadline(TimerId timer) const;  // kNever: not scheduled
  // All timers of a device that leaves the machine. Not from within its event().
  void remove(const EventHandler& handler);

  GuestTime now() const { return clock_.now(); }
  GuestTime next_deadline() const { return next_; }  // kNever: nothing is scheduled
  // Runs every event that is due when it is called, in order of deadline, then of creation.
  void run_due();

  // Told when a deadline earlier than all others was set: the machine shortens the running budget.
  class Listener {
   public:
    virtual void deadline_moved_earlier(GuestTime deadline) = 0;

   protected:
    ~Listener() = default;
  };
  void set_listener(Listener* listener) { listener_ = listener; }

  void state(StateArchive& archive);

 private:
  struct Timer {
    std::string name;
    EventHandler* handler;  // null: its device has left, and the next timer that is made takes the place
    u32 event_id;
    GuestTime deadline;
  };
  void find_next();

  const GuestClock& clock_;
  std::vector<Timer> timers_;  // a PC has some thirty: a scan beats a heap
  GuestTime next_ = kNever;
  Listener* listener_ = nullptr;
};

}  // namespace relic86
