// The character devices of a machine: who talks to which serial port, parallel port, debug port and monitor.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "char/char_backend.h"
#include "control/gdb/gdb_server.h"
#include "control/monitor/monitor.h"
#include "control/qmp/qmp_server.h"
#include "machine/machine.h"
#include "options/options.h"

namespace relic86 {

class Consoles {
 public:
  // Opens every backend that the options name, connects ports and monitors. The machine and poller must outlive it.
  static Result<std::unique_ptr<Consoles>> create(const Options& options, Machine& machine, HostPoller& poller);
  ~Consoles();

 private:
  Consoles(const Options& options, Machine& machine, HostPoller& poller);
  Result<> build();
  // What -serial and the like name: a backend of its own, or a named one ("chardev:ID").
  Result<CharBackend*> open(const std::string& option, const std::string& spec, const std::string& label);
  // in_use: a port or a monitor is going to be connected to it.
  Result<CharBackend*> open_device(const std::string& option, const std::string& spec, const std::string& label,
                                   bool in_use);
  Result<CharBackend*> open_named(const std::string& option, const std::string& id);
  Result<CharBackend*> open_mux(const std::string& option);
  Result<> connect_ports();
  Result<> add_monitor(const MonitorOption& monitor);

  const Options& options_;
  Machine& machine_;
  HostPoller& poller_;
  std::unique_ptr<RawTerminal> terminal_;
  std::vector<std::unique_ptr<CharBackend>> backends_;
  CharBackend* stdio_ = nullptr;
  struct Named {
    CharBackend* stream = nullptr;
    std::unique_ptr<MuxBackend> mux;  // with mux=on
  };
  std::map<std::string, Named> named_;  // the -chardev that are in use
  std::unique_ptr<MuxBackend> mux_;     // mon:stdio
  std::vector<std::unique_ptr<Monitor>> monitors_;
  std::vector<std::unique_ptr<QmpServer>> qmp_servers_;
  GdbService gdb_;
};

}  // namespace relic86
