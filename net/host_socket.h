// Sockets of the host, as network back ends open them: never waiting, closed with their owner.
#pragma once

#include <netinet/in.h>
#include <sys/un.h>

#include <string>
#include <utility>

#include "base/result.h"
#include "base/types.h"

namespace relic86::net {

class HostSocket {
 public:
  HostSocket() = default;
  explicit HostSocket(int fd) : fd_(fd) {}
  HostSocket(HostSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  HostSocket& operator=(HostSocket&& other) noexcept {
    if (this != &other) close(), fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~HostSocket() { close(); }

  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

// An address of either family.
struct SocketAddress {
  union {
    sockaddr any;
    sockaddr_in ipv4;
    sockaddr_un path;
  };
  socklen_t length = 0;
  SocketAddress() : path{} {}
  int family() const { return any.sa_family; }
  std::string text() const;  // "127.0.0.1:1234", "unix:PATH"
};

// host: a name or an IPv4 address; empty: every address of the host. port: 0 to 65535.
Result<SocketAddress> inet_address(const std::string& host, const std::string& port);
// "HOST:PORT"
Result<SocketAddress> inet_address(const std::string& text);
Result<SocketAddress> path_address(const std::string& path);

// A socket that is open already, by its number; type: SOCK_STREAM or SOCK_DGRAM, 0: either.
Result<HostSocket> inherited_socket(const std::string& number, int type);

Result<HostSocket> listen_at(const SocketAddress& address);
Result<HostSocket> connect_to(const SocketAddress& address);
// Begins to; when the socket can be written to, or fails, connection_error() tells what became of it.
Result<HostSocket> begin_connecting(const SocketAddress& address);
// An errno; 0: none.
int connection_error(int fd);
// A datagram socket with this address of its own; null: any.
Result<HostSocket> datagram_socket(int family, const SocketAddress* own);
// One that hears a multicast group. interface: an address of the host, null: the default one.
Result<HostSocket> multicast_socket(const SocketAddress& group, const SocketAddress* interface);

// Sets O_NONBLOCK and FD_CLOEXEC.
void prepare_descriptor(int fd);

}  // namespace relic86::net
