#include "devices/scheduler.h"

#include <gtest/gtest.h>

namespace relic86 {
namespace {

// Every look at it takes a while, as at a host's clock.
class SlowClock final : public GuestClock {
 public:
  GuestTime now() const override { return time += step; }
  mutable GuestTime time = 0;
  GuestTime step = 1000;
};

class PeriodicTimer final : public EventHandler {
 public:
  PeriodicTimer(Scheduler& scheduler, GuestTime period)
      : scheduler_(scheduler), period_(period), timer_(scheduler.create("periodic", this, 0)) {}
  void event(u32, GuestTime late) override {
    EXPECT_GE(late, 0);
    events++;
    deadline += period_;
    scheduler_.schedule_at(timer_, deadline);
  }
  unsigned events = 0;
  GuestTime deadline = 0;

 private:
  Scheduler& scheduler_;
  GuestTime period_;
  TimerId timer_;
};

TEST(Scheduler, ATimerFasterThanItsHandlingDoesNotKeepTheMachine) {
  SlowClock clock;
  Scheduler scheduler(clock);
  PeriodicTimer timer(scheduler, 800);  // handling takes a look at the clock of 1000 ns at least
  timer.event(0, 0);
  clock.time = 80'000;
  scheduler.run_due();
  EXPECT_EQ(timer.events, 1 + 81'000 / 800u);  // what was due at the call
  EXPECT_LE(scheduler.next_deadline(), clock.time);
  scheduler.run_due();
  EXPECT_GT(timer.deadline, 160'000);
}

TEST(Scheduler, WhatLeavesTakesItsTimersAlong) {
  struct Counter final : EventHandler {
    void event(u32, GuestTime) override { events++; }
    unsigned events = 0;
  };
  SlowClock clock;
  Scheduler scheduler(clock);
  Counter stays, goes, comes;
  const TimerId first = scheduler.create("first", &goes, 0);
  scheduler.schedule_at(scheduler.create("second", &stays, 0), 3000);
  scheduler.schedule_at(first, 2000);
  scheduler.remove(goes);
  EXPECT_EQ(scheduler.next_deadline(), 3000);
  StateWriter without;
  scheduler.state(without);
  // The name and the place are free again.
  EXPECT_EQ(scheduler.create("first", &comes, 0), first);
  StateWriter with;
  scheduler.state(with);
  EXPECT_GT(with.data().size(), without.data().size());
  clock.time = 10'000;
  scheduler.run_due();
  EXPECT_EQ(goes.events, 0u);
  EXPECT_EQ(stays.events, 1u);
  EXPECT_EQ(comes.events, 0u);
}

TEST(Scheduler, EventsComeInTheOrderOfTheirDeadlines) {
  struct Recorder final : EventHandler {
    void event(u32 id, GuestTime) override { order.push_back(id); }
    std::vector<u32> order;
  } recorder;
  SlowClock clock;
  clock.step = 0;
  Scheduler scheduler(clock);
  const TimerId a = scheduler.create("a", &recorder, 1), b = scheduler.create("b", &recorder, 2);
  const TimerId c = scheduler.create("c", &recorder, 3);
  scheduler.schedule_at(c, 10);
  scheduler.schedule_at(b, 20);
  scheduler.schedule_at(a, 20);
  clock.time = 19;
  scheduler.run_due();
  EXPECT_EQ(recorder.order, (std::vector<u32>{3}));
  clock.time = 20;
  scheduler.run_due();
  EXPECT_EQ(recorder.order, (std::vector<u32>{3, 1, 2}));
  EXPECT_EQ(scheduler.next_deadline(), Scheduler::kNever);
}

}  // namespace
}  // namespace relic86
