// The sockets of the VNC server.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "char/host_poller.h"
#include "machine/remote_display.h"
#include "options/vnc_option.h"

namespace relic86 {

class VncListener {
 public:
  // Called with each connection, which becomes the callee's.
  using Accept = std::function<void(int connection)>;

  // For plain clients: the display's own socket. Errors name the option, the cause and the mend.
  static Result<std::unique_ptr<VncListener>> open(const VncOption& option, HostPoller& poller);
  // For browsers; display_port: of the plain one, 0 for a unix socket.
  static Result<std::unique_ptr<VncListener>> open_web_socket(const VncOption& option, unsigned display_port,
                                                              HostPoller& poller);
  ~VncListener();
  VncListener(const VncListener&) = delete;
  VncListener& operator=(const VncListener&) = delete;

  void on_connection(Accept accept) { accept_ = std::move(accept); }
  const RemoteAddress& address() const { return address_; }
  unsigned port() const { return port_; }

 private:
  VncListener(int socket, RemoteAddress address, HostPoller& poller);
  static Result<std::unique_ptr<VncListener>> open_tcp(const VncOption& option, const std::string& host, unsigned first,
                                                       unsigned last, HostPoller& poller);
  static Result<std::unique_ptr<VncListener>> open_unix(const VncOption& option, HostPoller& poller);
  void take_connection();

  int socket_;
  int spare_;  // put aside for the moment when no more files can be opened
  RemoteAddress address_;
  unsigned port_ = 0;
  std::string path_;  // of a unix socket, removed at the end
  HostPoller& poller_;
  Accept accept_;
};

// Calls the viewer that the option names (reverse=on).
Result<int> call_viewer(const VncOption& option);

// The ends of a connection.
RemoteAddress remote_end(int connection);
RemoteAddress local_end(int connection);

}  // namespace relic86
