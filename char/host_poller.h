// Waits for host input on the machine's thread: file descriptors, a wake-up from other threads, a time limit.
#pragma once

#include <functional>
#include <map>

#include "base/types.h"

namespace relic86 {

class HostPoller {
 public:
  HostPoller();
  ~HostPoller();
  HostPoller(const HostPoller&) = delete;
  HostPoller& operator=(const HostPoller&) = delete;

  // on_readable runs on the machine thread whenever fd has input, end of file or an error to be read. wants (optional)
  // says whether the owner can take input now: a source that cannot is left waiting without spinning.
  void watch(int fd, std::function<void()> on_readable, std::function<bool()> wants = {});
  void unwatch(int fd);  // allowed from inside a callback
  // on_writable runs on the machine thread whenever fd takes output and wants() is true.
  void watch_output(int fd, std::function<void()> on_writable, std::function<bool()> wants);
  void unwatch_output(int fd);

  // Runs the callbacks of everything readable or writable; waits at most timeout nanoseconds for the first (0: not at
  // all, -1: for ever).
  void poll(i64 timeout);
  // Ends a wait; safe from any thread and from signal handlers.
  void wake();

 private:
  struct Watch {
    std::function<void()> callback;
    std::function<bool()> wants;
  };
  using Watches = std::map<int, Watch>;
  Watches readers_, writers_;
  int wake_fd_ = -1;
};

}  // namespace relic86
