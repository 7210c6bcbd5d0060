// SIGINT, SIGTERM and SIGHUP end the machine in order: disks are flushed, the terminal is restored. A thread of its own
// takes them, whatever the machine's thread does; the second signal, or a machine that does not answer the first one,
// ends the process at once.
#pragma once

#include <functional>
#include <thread>

#include "machine/machine.h"

namespace relic86 {

class EndSignals {
 public:
  // by_force: called in the signals' thread before the process ends at once; puts right what would outlive it. The
  // machine outlives this object. After it the signals do what they do by default.
  EndSignals(Machine& machine, std::function<void()> by_force);
  ~EndSignals();
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

 private:
  void serve();
  int next_signal(int timeout_ms) const;  // 0: none came in time; negative: it is over
  [[noreturn]] void force(int signal, const char* why) const;

  Machine& machine_;
  std::function<void()> by_force_;
  int signals_ = -1;  // signalfd
  int over_ = -1;     // eventfd: the thread is to end
  std::thread thread_;
};

}  // namespace relic86
