// The requests to one image: carried out in their order, one at a time, by one of the workers, while the guest goes on.
// Images so need no locks: whoever uses one on the machine's thread calls wait() first.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "block/block_request.h"
#include "block/block_workers.h"

namespace relic86 {

class BlockQueue {
 public:
  struct Host {
    BlockWorkers* workers = nullptr;
    // Called on any thread when requests are done: has deliver() called on the machine's thread soon.
    std::function<void()> wake;
    i64 (*nanoseconds)() = nullptr;  // the host's clock, never backwards
  };
  using Work = std::function<Result<>(BlockRequest& request)>;

  // work: what carries a request out, on a worker's thread.
  BlockQueue(Host host, Work work) : host_(std::move(host)), work_(std::move(work)) {}
  // Waits; nobody is told any more.
  ~BlockQueue() { wait(); }
  BlockQueue(const BlockQueue&) = delete;
  BlockQueue& operator=(const BlockQueue&) = delete;

  // --- On the machine's thread ---
  void submit(BlockRequest request, BlockDone done);
  // Something else that needs the image to itself, after what was submitted before.
  void run(std::function<Result<>()> work, std::function<void(Result<>)> done);
  // Nothing is under way, and everybody has been told.
  bool idle() const { return submitted_ == delivered_; }
  // Everything that was submitted is carried out. Nobody is told yet.
  void wait();
  // Tells of what is done. What is told may submit more.
  void deliver();
  // wait() and deliver() until it is idle.
  void drain();

  // Whether the host's disk has been slow a moment ago: then what usually does not take long may well.
  bool slow() const;
  i64 now() const { return host_.nanoseconds(); }
  void note_time(i64 began);  // of an access that was made without the queue

 private:
  struct Item {
    BlockRequest request{};
    BlockDone done{};
    std::function<Result<>()> work{};           // instead of the request
    std::function<void(Result<>)> work_done{};  // as done is of a request
    Result<> result{};
    i64 took = 0;  // ns
  };
  void add(Item item);
  void carry_out();

  Host host_;
  Work work_;
  u64 submitted_ = 0, delivered_ = 0;
  i64 slow_until_ = 0;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::deque<Item> waiting_, done_;
  bool working_ = false;    // a worker is at it
  bool announced_ = false;  // wake() was called and deliver() has not come yet
};

}  // namespace relic86
