// Requests to disks whose speed is limited wait for their turn: this sees to it that it comes.
#pragma once

#include <vector>

#include "char/host_poller.h"

namespace relic86 {

class Machine;

class DiskTurns final : private HostPoller::Source {
 public:
  DiskTurns(Machine& machine, HostPoller& poller) : machine_(machine), poller_(poller) { poller_.add_source(this); }
  ~DiskTurns() { poller_.remove_source(this); }
  DiskTurns(const DiskTurns&) = delete;
  DiskTurns& operator=(const DiskTurns&) = delete;

 private:
  void prepare(std::vector<pollfd>& fds, i64& timeout) override;
  void dispatch(std::span<const pollfd> fds, bool failed) override;

  Machine& machine_;
  HostPoller& poller_;
};

}  // namespace relic86
