#include "block/block_workers.h"

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <utility>

namespace relic86 {

BlockWorkers::~BlockWorkers() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  something_.notify_all();
  for (std::thread& each : threads_) each.join();
}

void BlockWorkers::add(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (resting_ > waiting_.size() || start_one()) {
      waiting_.push_back(std::move(work));
      work = nullptr;
    }
  }
  if (work) return work();
  something_.notify_one();
}

bool BlockWorkers::start_one() {
  if (threads_.size() >= most_) return true;
  // Signals are for the threads that wait for them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    threads_.emplace_back([this] { serve(); });
  } catch (const std::system_error&) {
    // Those that there are do it, or the caller.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return !threads_.empty();
}

void BlockWorkers::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    resting_++;
    something_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    resting_--;
    if (waiting_.empty()) return;
    const auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace relic86
