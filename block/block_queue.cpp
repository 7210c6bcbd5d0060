#include "block/block_queue.h"

#include <utility>

namespace relic86 {

namespace {
constexpr i64 kSlowAccess = 2'000'000;       // ns: longer than what the host has in memory ever takes
constexpr i64 kSlowPeriod = 10'000'000'000;  // ns for which a disk counts as slow after that
}  // namespace

void BlockQueue::submit(BlockRequest request, BlockDone done) {
  add({.request = std::move(request), .done = std::move(done)});
}

void BlockQueue::run(std::function<Result<>()> work, std::function<void(Result<>)> done) {
  add({.request = {}, .work = std::move(work), .work_done = std::move(done)});
}

void BlockQueue::add(Item item) {
  submitted_++;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(item));
    if (working_) return;
    working_ = true;
  }
  host_.workers->add([this] { carry_out(); });
}

void BlockQueue::carry_out() {
  std::unique_lock lock(mutex_);
  while (!waiting_.empty()) {
    Item item = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const i64 began = now();
    item.result = item.work ? item.work() : work_(item.request);
    item.took = now() - began;
    lock.lock();
    done_.push_back(std::move(item));
    // Under the lock: whoever waits for the end may destroy the queue afterwards.
    if (!std::exchange(announced_, true)) host_.wake();
  }
  working_ = false;
  idle_.notify_all();
}

void BlockQueue::wait() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return !working_; });
}

void BlockQueue::deliver() {
  // One at a time: who is told may drain the queue.
  for (;;) {
    std::unique_lock lock(mutex_);
    if (done_.empty()) {
      announced_ = false;
      return;
    }
    Item item = std::move(done_.front());
    done_.pop_front();
    lock.unlock();
    delivered_++;
    if (item.work) {
      item.work_done(std::move(item.result));
      continue;
    }
    if (item.took > kSlowAccess) slow_until_ = now() + kSlowPeriod;
    item.done(std::move(item.request), std::move(item.result));
  }
}

void BlockQueue::drain() {
  while (!idle()) {
    wait();
    deliver();
  }
}

bool BlockQueue::slow() const { return slow_until_ != 0 && now() < slow_until_; }

void BlockQueue::note_time(i64 began) {
  const i64 end = now();
  if (end - began > kSlowAccess) slow_until_ = end + kSlowPeriod;
}

}  // namespace relic86
