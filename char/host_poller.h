// Waits for host input on the machine's thread: file descriptors, a wake-up from other threads, a time limit.
#pragma once

#include <poll.h>

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "base/types.h"

namespace relic86 {

class HostPoller {
 public:
  // Whose descriptors differ from wait to wait: a network with connections of its own.
  class Source {
   public:
    // Before a wait: adds what is waited for, and may shorten the time limit (as poll() has it).
    virtual void prepare(std::vector<pollfd>& fds, i64& timeout) = 0;
    // After every wait, on the machine's thread. fds: what prepare() added, with what came of it.
    virtual void dispatch(std::span<const pollfd> fds, bool failed) = 0;

   protected:
    ~Source() = default;
  };

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

  void add_source(Source* source) { sources_.push_back(source); }
  void remove_source(Source* source) { std::erase(sources_, source); }

  // Runs the callbacks of everything readable or writable; waits at most timeout nanoseconds for the first (0: not at
  // all, -1: for ever).
  void poll(i64 timeout);
  // A wait in two steps, the second of which needs no lock of the caller: prepare() collects what poll() would wait for,
  // wait() waits, runs nothing, and says whether poll() would find a watched descriptor. Wake-ups are taken. Sources end
  // the wait only if they are included: nobody else may use them meanwhile.
  enum class Sources : u8 { Included, LeftOut };
  struct Wait {
    std::vector<pollfd> fds;  // the wake-up, the watched descriptors, those of sources
    std::size_t own = 0;      // without the sources'
    i64 timeout = 0;
  };
  Wait prepare(i64 timeout, Sources sources) const;
  static bool wait(Wait& wait);
  // What poll(0) does with the sources alone.
  void poll_sources();
  // In a process that has just been forked: the wake-up is its own from now on, not one with the process that it was.
  void forked();
  // Ends a wait; safe from any thread and from signal handlers.
  void wake();

 private:
  struct Watch {
    std::function<void()> callback;
    std::function<bool()> wants;
  };
  using Watches = std::map<int, Watch>;
  std::vector<pollfd> watched() const;
  static void take_wake_up(const pollfd& wake);
  Watches readers_, writers_;
  std::vector<Source*> sources_;
  int wake_fd_ = -1;
};

}  // namespace relic86
