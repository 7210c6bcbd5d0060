#include "net/host_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/socket_file.h"
#include "options/option_text.h"

namespace relic86::net {

namespace {

Error trouble(const std::string& what) { return Error{fmt::format("{}: {}", what, std::strerror(errno))}; }

Result<HostSocket> new_socket(int family, int type) {
  HostSocket made(::socket(family, type | SOCK_CLOEXEC, 0));
  if (!made) return trouble("no socket");
  return made;
}

void set_option(const HostSocket& on, int level, int name, int value) {
  // Where it is refused the socket works, if less well.
  (void)::setsockopt(on.fd(), level, name, &value, sizeof value);
}

}  // namespace

void HostSocket::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::string SocketAddress::text() const {
  if (family() == AF_UNIX) return fmt::format("unix:{}", path.sun_path);
  char name[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, &ipv4.sin_addr, name, sizeof name);
  return fmt::format("{}:{}", name, ntohs(ipv4.sin_port));
}

Result<SocketAddress> inet_address(const std::string& host, const std::string& port) {
  const auto number = parse_number(port);
  if (!number || number.value() > 0xFFFF) return Error{fmt::format("'{}' is not a port", port)};
  SocketAddress address;
  address.ipv4 = {};
  address.ipv4.sin_family = AF_INET;
  address.ipv4.sin_port = htons(static_cast<u16>(number.value()));
  address.length = sizeof address.ipv4;
  if (host.empty()) return address;
  if (::inet_pton(AF_INET, host.c_str(), &address.ipv4.sin_addr) == 1) return address;
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_family = AF_INET;
  if (const int failed = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found); failed != 0)
    return Error{fmt::format("no host '{}': {}", host, ::gai_strerror(failed))};
  std::memcpy(&address.ipv4.sin_addr, &reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr,
              sizeof address.ipv4.sin_addr);
  ::freeaddrinfo(found);
  return address;
}

Result<SocketAddress> inet_address(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return Error{fmt::format("'{}': the port is missing; write HOST:PORT", text)};
  return inet_address(text.substr(0, colon), text.substr(colon + 1));
}

Result<SocketAddress> path_address(const std::string& path) {
  SocketAddress address;
  if (path.empty() || path.size() >= sizeof address.path.sun_path)
    return Error{fmt::format("the path of a socket has 1 to {} bytes", sizeof address.path.sun_path - 1)};
  address.path.sun_family = AF_UNIX;
  std::memcpy(address.path.sun_path, path.c_str(), path.size() + 1);
  address.length = sizeof address.path;
  return address;
}

void prepare_descriptor(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

Result<HostSocket> inherited_socket(const std::string& number, int type) {
  constexpr u64 kMostDescriptor = 0x7FFFFFFF;
  const auto value = parse_number(number);
  int kind = 0;
  socklen_t length = sizeof kind;
  if (!value || value.value() > kMostDescriptor ||
      ::getsockopt(static_cast<int>(value.value()), SOL_SOCKET, SO_TYPE, &kind, &length) != 0)
    return Error{fmt::format("fd={}: no open socket has this number; pass one on to relic86", number)};
  if (type != 0 && kind != type) return Error{fmt::format("fd={}: is a socket of another type", number)};
  HostSocket taken(static_cast<int>(value.value()));
  prepare_descriptor(taken.fd());
  return taken;
}

Result<HostSocket> listen_at(const SocketAddress& address) {
  auto made = new_socket(address.family(), SOCK_STREAM);
  if (!made) return made;
  if (address.family() == AF_UNIX) remove_socket(address.path.sun_path);
  set_option(made.value(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(made.value().fd(), &address.any, address.length) != 0 || ::listen(made.value().fd(), 1) != 0)
    return trouble(fmt::format("cannot listen at {}", address.text()));
  prepare_descriptor(made.value().fd());
  return made;
}

Result<HostSocket> begin_connecting(const SocketAddress& address) {
  auto made = new_socket(address.family(), SOCK_STREAM);
  if (!made) return made;
  prepare_descriptor(made.value().fd());
  if (address.family() == AF_INET) set_option(made.value(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (::connect(made.value().fd(), &address.any, address.length) != 0 && errno != EINPROGRESS)
    return Error{
        fmt::format("cannot connect to {}: {}; start the other side first", address.text(), std::strerror(errno))};
  return made;
}

int connection_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : 0;
}

Result<HostSocket> connect_to(const SocketAddress& address) {
  auto made = new_socket(address.family(), SOCK_STREAM);
  if (!made) return made;
  if (::connect(made.value().fd(), &address.any, address.length) != 0)
    return Error{
        fmt::format("cannot connect to {}: {}; start the other side first", address.text(), std::strerror(errno))};
  if (address.family() == AF_INET) set_option(made.value(), IPPROTO_TCP, TCP_NODELAY, 1);
  prepare_descriptor(made.value().fd());
  return made;
}

Result<HostSocket> datagram_socket(int family, const SocketAddress* own) {
  auto made = new_socket(family, SOCK_DGRAM);
  if (!made) return made;
  if (own != nullptr) {
    if (family == AF_UNIX) remove_socket(own->path.sun_path);
    set_option(made.value(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (::bind(made.value().fd(), &own->any, own->length) != 0)
      return trouble(fmt::format("cannot take the address {}", own->text()));
  }
  prepare_descriptor(made.value().fd());
  return made;
}

Result<HostSocket> multicast_socket(const SocketAddress& group, const SocketAddress* interface) {
  if (!IN_MULTICAST(ntohl(group.ipv4.sin_addr.s_addr)))
    return Error{fmt::format("{} is no multicast address; 224.0.0.0 to 239.255.255.255 are", group.text())};
  auto made = datagram_socket(AF_INET, &group);
  if (!made) return made;
  ip_mreq membership{};
  membership.imr_multiaddr = group.ipv4.sin_addr;
  if (interface != nullptr) membership.imr_interface = interface->ipv4.sin_addr;
  const int fd = made.value().fd();
  if (::setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership) != 0)
    return trouble(fmt::format("cannot join the group {}", group.text()));
  // Machines on one host hear each other.
  set_option(made.value(), IPPROTO_IP, IP_MULTICAST_LOOP, 1);
  if (interface != nullptr)
    (void)::setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface->ipv4.sin_addr, sizeof(in_addr));
  return made;
}

}  // namespace relic86::net
