// The character devices of a machine: who talks to which serial port, parallel port, debug port and monitor.
#pragma once

#include <memory>
#include <vector>

#include "frontend/char_backend.h"
#include "frontend/machine.h"
#include "frontend/monitor.h"
#include "frontend/options.h"

namespace relic86 {

class Consoles {
 public:
  // Opens every backend that the options name, connects ports and monitors. The machine and poller must outlive it.
  static Result<std::unique_ptr<Consoles>> create(const Options& options, Machine& machine, HostPoller& poller);
  ~Consoles();

 private:
  Consoles(const Options& options, Machine& machine, HostPoller& poller);
  Result<> build();
  Result<CharBackend*> open(const std::string& option, const std::string& spec);
  Result<CharBackend*> open_mux(const std::string& option);

  const Options& options_;
  Machine& machine_;
  HostPoller& poller_;
  std::unique_ptr<RawTerminal> terminal_;
  std::vector<std::unique_ptr<CharBackend>> backends_;
  CharBackend* stdio_ = nullptr;
  std::unique_ptr<MuxBackend> mux_;
  std::vector<std::unique_ptr<Monitor>> monitors_;
};

}  // namespace relic86
