#include "control/gdb/gdb_server.h"

#include <fmt/format.h>

namespace relic86 {

Result<std::unique_ptr<GdbServer>> GdbServer::open(Machine& machine, const std::string& device, HostPoller& poller) {
  std::string spec = device;
  const bool socket = device.starts_with("tcp:") || device.starts_with("unix:");
  if (!socket && device != "stdio" && device != "pty") {
    return Error{
        fmt::format("-gdb {}: unknown; tcp::PORT, unix:PATH, stdio and pty are accepted, none for no server", device)};
  }
  // As QEMU's: a server that does not wait, if nothing else is said.
  if (socket && device.find(",server") == std::string::npos) spec += ",server";
  if (socket && device.find("wait") == std::string::npos) spec += ",nowait";
  auto backend = open_char_backend("-gdb", spec, "gdb", poller);
  if (!backend) return backend.error();
  return std::unique_ptr<GdbServer>(new GdbServer(machine, std::move(backend).value()));
}

GdbServer::GdbServer(Machine& machine, std::unique_ptr<CharBackend> backend)
    : backend_(std::move(backend)), session_(machine, [this](std::string_view bytes) {
        if (!backend_->write(bytes)) backend_->drop_client();  // it does not read
      }) {
  backend_->connect(this);
  backend_->on_end_of_input([this] { session_.leave(); });
  if (!backend_->on_client([this] { session_.attach(); })) session_.attach();
}

void GdbServer::receive(u8 byte) {
  obeying_ = true;
  session_.receive(byte);
  obeying_ = false;
}

GdbServer::~GdbServer() { backend_->connect(nullptr); }

GdbService::GdbService(Machine& machine, HostPoller& poller) : machine_(machine), poller_(poller) {
  machine_.provide_gdb([this](const std::string& device) { return serve(device); });
}

GdbService::~GdbService() { machine_.provide_gdb({}); }

Result<> GdbService::serve(const std::string& device) {
  if (server_ != nullptr && server_->obeying()) return Error{"gdbserver: only from the monitor, not from gdb"};
  server_.reset();
  if (device == "none") return {};
  auto server = GdbServer::open(machine_, device, poller_);
  if (!server) return server.error();
  server_ = std::move(server).value();
  return {};
}

}  // namespace relic86
