#include "frontend/vnc_listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/socket_file.h"
#include "net/host_socket.h"

namespace relic86 {

namespace {

constexpr int kBacklog = 8;

Error wrong(const VncOption& option, const std::string& what) {
  return Error{fmt::format("{}: {}", option.option, what)};
}

// A guest's screen and keyboard are its console: other hosts reach it only where that was asked for.
const char* listening_host(const std::string& host) { return host.empty() ? "127.0.0.1" : host.c_str(); }

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Result<Addresses> resolve(const VncOption& option, const char* host, unsigned port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  const int failure = ::getaddrinfo(host, std::to_string(port).c_str(), &hints, &found);
  if (failure != 0) return wrong(option, fmt::format("{}: {}; write HOST:DISPLAY", host, ::gai_strerror(failure)));
  return Addresses(found);
}

int listening_socket(const addrinfo& address) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, address.ai_addr, address.ai_addrlen) == 0 && ::listen(fd, kBacklog) == 0) return fd;
  const int cause = errno;
  ::close(fd);
  errno = cause;
  return -1;
}

RemoteAddress describe(const sockaddr_storage& storage, socklen_t size) {
  RemoteAddress address;
  if (storage.ss_family == AF_UNIX) {
    address.family = RemoteAddress::Family::Unix;
    sockaddr_un named{};
    std::memcpy(&named, &storage, sizeof named);
    if (size > offsetof(sockaddr_un, sun_path)) address.host = named.sun_path;
    return address;
  }
  address.family = storage.ss_family == AF_INET6 ? RemoteAddress::Family::Ipv6 : RemoteAddress::Family::Ipv4;
  char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "";
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&storage), size, host, sizeof host, service, sizeof service,
                NI_NUMERICHOST | NI_NUMERICSERV);
  address.host = host;
  address.service = service;
  return address;
}

// In the form that getaddrinfo() gives.
addrinfo info_of(net::SocketAddress& address) {
  addrinfo info{};
  info.ai_family = address.family();
  info.ai_addr = &address.any;
  info.ai_addrlen = address.length;
  return info;
}

int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

void send_at_once(int connection) {
  const int on = 1;  // not TCP: no harm
  ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

RemoteAddress remote_end(int connection) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  return ::getpeername(connection, reinterpret_cast<sockaddr*>(&storage), &size) == 0 ? describe(storage, size)
                                                                                      : RemoteAddress();
}

RemoteAddress local_end(int connection) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  return ::getsockname(connection, reinterpret_cast<sockaddr*>(&storage), &size) == 0 ? describe(storage, size)
                                                                                      : RemoteAddress();
}

VncListener::VncListener(int socket, RemoteAddress address, HostPoller& poller)
    : socket_(socket), spare_(open_spare()), address_(std::move(address)), poller_(poller) {
  poller_.watch(socket_, [this] { take_connection(); });
}

VncListener::~VncListener() {
  poller_.unwatch(socket_);
  ::close(socket_);
  if (spare_ >= 0) ::close(spare_);
  if (!path_.empty()) remove_socket(path_);
}

void VncListener::take_connection() {
  const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
  if (connection >= 0) {
    send_at_once(connection);
    if (accept_) return accept_(connection);
    ::close(connection);
    return;
  }
  // Without a free descriptor the client would wait, and the socket would be ready again at once, for ever.
  if ((errno != EMFILE && errno != ENFILE) || spare_ < 0) return;
  ::close(spare_);
  if (const int refused = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC); refused >= 0) ::close(refused);
  spare_ = open_spare();
  if (log::first_time("VNC files"))
    log::warning("a VNC client was sent away: too many files are open; raise the limit (ulimit -n)");
}

Result<std::unique_ptr<VncListener>> VncListener::open(const VncOption& option, HostPoller& poller) {
  if (!option.path.empty()) return open_unix(option, poller);
  return open_tcp(option, option.host, option.port, option.to != 0 ? option.to : option.port, poller);
}

Result<std::unique_ptr<VncListener>> VncListener::open_web_socket(const VncOption& option, unsigned display_port,
                                                                  HostPoller& poller) {
  const VncOption::WebSocket& asked = *option.web_socket;
  const unsigned port = asked.port != 0 ? asked.port : kFirstVncWebSocketPort + display_port - kFirstVncPort;
  auto opened = open_tcp(option, asked.host, port, port, poller);
  if (opened) opened.value()->address_.web_socket = true;
  return opened;
}

Result<std::unique_ptr<VncListener>> VncListener::open_tcp(const VncOption& option, const std::string& host,
                                                           unsigned first, unsigned last, HostPoller& poller) {
  for (unsigned port = first;; port++) {
    const auto addresses = resolve(option, listening_host(host), port);
    if (!addresses) return addresses.error();
    const addrinfo& address = *addresses.value();
    if (const int fd = listening_socket(address); fd >= 0) {
      std::unique_ptr<VncListener> listener(new VncListener(fd, local_end(fd), poller));
      listener->port_ = port;
      return listener;
    }
    if (errno == EADDRINUSE && port < last) continue;
    return wrong(option, fmt::format("cannot listen on port {}: {}; choose another display, or let to= find a free one",
                                     port, std::strerror(errno)));
  }
}

Result<std::unique_ptr<VncListener>> VncListener::open_unix(const VncOption& option, HostPoller& poller) {
  auto address = net::path_address(option.path);
  if (!address) return wrong(option, address.message());
  remove_socket(option.path);
  const int fd = listening_socket(info_of(address.value()));
  if (fd < 0) return wrong(option, fmt::format("cannot listen: {}; choose another path", std::strerror(errno)));
  std::unique_ptr<VncListener> listener(new VncListener(fd, local_end(fd), poller));
  listener->path_ = option.path;
  return listener;
}

Result<int> call_viewer(const VncOption& option) {
  Addresses addresses;
  net::SocketAddress local;
  addrinfo info{};
  if (option.path.empty()) {
    auto found = resolve(option, listening_host(option.host), option.port);
    if (!found) return found.error();
    addresses = std::move(found).value();
    info = *addresses;
  } else {
    const auto address = net::path_address(option.path);
    if (!address) return wrong(option, address.message());
    local = address.value();
    info = info_of(local);
  }
  const int fd = ::socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::connect(fd, info.ai_addr, info.ai_addrlen) == 0) {
    send_at_once(fd);
    return fd;
  }
  const std::string cause = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  return wrong(option, fmt::format("the viewer does not answer: {}; let it listen first", cause));
}

}  // namespace relic86
