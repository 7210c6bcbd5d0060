// A few threads that carry out the work of disk images. They start when there is something to do for the first time, so
// that a process that never needs them can still be forked.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace relic86 {

class BlockWorkers {
 public:
  // most: so many threads at once, at least one.
  explicit BlockWorkers(unsigned most) : most_(most) {}
  // All that was added is carried out first.
  ~BlockWorkers();
  BlockWorkers(const BlockWorkers&) = delete;
  BlockWorkers& operator=(const BlockWorkers&) = delete;

  // Where the host starts no thread, the work is done before this returns.
  void add(std::function<void()> work);

 private:
  bool start_one();  // with the lock held; false: the host refuses, and there is none
  void serve();

  const unsigned most_;
  std::mutex mutex_;
  std::condition_variable something_;
  std::deque<std::function<void()>> waiting_;
  unsigned resting_ = 0;  // threads that wait for work
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace relic86
