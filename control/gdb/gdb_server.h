// The gdb stub's place on the host: a character backend and the session on it (gdb_session.h).
#pragma once

#include <memory>
#include <string>

#include "char/char_backend.h"
#include "control/gdb/gdb_session.h"
#include "devices/host_sinks.h"

namespace relic86 {

class GdbServer final : private CharSource {
 public:
  // device: as -gdb names it: tcp:[HOST]:PORT, unix:PATH, stdio, pty. Sockets listen without waiting for a client. The
  // machine and the poller outlive the server.
  static Result<std::unique_ptr<GdbServer>> open(Machine& machine, const std::string& device, HostPoller& poller);
  ~GdbServer();
  // A packet of this session is being obeyed: the server cannot go now.
  bool obeying() const { return obeying_; }

 private:
  GdbServer(Machine& machine, std::unique_ptr<CharBackend> backend);
  bool can_receive() const override { return backend_->can_take(); }
  void receive(u8 byte) override;

  std::unique_ptr<CharBackend> backend_;
  GdbSession session_;
  bool obeying_ = false;
};

// Serves Machine::serve_gdb with at most one server at a time. The machine and the poller outlive it.
class GdbService {
 public:
  GdbService(Machine& machine, HostPoller& poller);
  ~GdbService();
  GdbService(const GdbService&) = delete;
  GdbService& operator=(const GdbService&) = delete;

 private:
  Result<> serve(const std::string& device);

  Machine& machine_;
  HostPoller& poller_;
  std::unique_ptr<GdbServer> server_;
};

}  // namespace relic86
