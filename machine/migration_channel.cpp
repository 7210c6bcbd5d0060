#include "machine/migration_channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "net/host_socket.h"

namespace relic86 {

namespace {

enum class Direction : u8 { Outgoing, Incoming };

struct Place {
  std::string_view kind, rest;
};

Place split(std::string_view uri) {
  const auto colon = uri.find(':');
  return colon == std::string_view::npos ? Place{uri, {}} : Place{uri.substr(0, colon), uri.substr(colon + 1)};
}

Error trouble(const std::string& uri, const char* mend) {
  return Error{fmt::format("migration {}: {}; {}", uri, std::strerror(errno), mend)};
}

// A shell whose standard input or output is the channel.
Result<MigrationChannel> run_command(const std::string& uri, const std::string& command, Direction direction) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return trouble(uri, "close other files");
  const pid_t child = ::fork();
  if (child < 0) {
    auto error = trouble(uri, "-sandbox spawn=deny forbids it, or the host's limit is reached");
    ::close(ends[0]);
    ::close(ends[1]);
    return error;
  }
  if (child == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(ends[1], direction == Direction::Outgoing ? STDIN_FILENO : STDOUT_FILENO);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    constexpr int kNotFound = 127;
    ::_exit(kNotFound);
  }
  ::close(ends[1]);
  net::prepare_descriptor(ends[0]);
  return MigrationChannel(ends[0], child);
}

Result<MigrationChannel> use_descriptor(const std::string& uri, const std::string& name, const NamedDescriptor& named) {
  int fd = named(name);
  if (fd < 0) {
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), fd);
    if (failure != std::errc{} || end != name.data() + name.size() || ::fcntl(fd, F_GETFD) < 0)
      return Error{fmt::format("migration {}: there is no such descriptor; 'getfd' hands one over", uri)};
  }
  net::prepare_descriptor(fd);
  return MigrationChannel(fd, 0);
}

Result<MigrationChannel> open_file(const std::string& uri, const std::string& path, Direction direction) {
  constexpr mode_t kMode = 0600;
  const bool writes = direction == Direction::Outgoing;
  const int fd =
      ::open(path.c_str(), (writes ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY) | O_CLOEXEC | O_NONBLOCK, kMode);
  if (fd < 0) return trouble(uri, "check the path");
  return MigrationChannel(fd, 0);
}

Result<net::SocketAddress> address_of(const Place& place) {
  // "tcp:HOST:PORT,to=.." and the like: only the place counts.
  const std::string text(place.rest.substr(0, place.rest.find(',')));
  return place.kind == "unix" ? net::path_address(text) : net::inet_address(text);
}

MigrationChannel keep(net::HostSocket socket) {
  // The channel owns a descriptor of its own.
  const int fd = ::fcntl(socket.fd(), F_DUPFD_CLOEXEC, 0);
  return MigrationChannel(fd, 0);
}

}  // namespace

MigrationChannel& MigrationChannel::operator=(MigrationChannel&& other) noexcept {
  if (this == &other) return *this;
  close();
  (void)closed();
  fd_ = std::exchange(other.fd_, -1);
  child_ = std::exchange(other.child_, 0);
  return *this;
}

MigrationChannel::~MigrationChannel() {
  close();
  (void)closed();
}

void MigrationChannel::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<bool> MigrationChannel::closed() {
  if (child_ == 0) return true;
  int status = 0;
  const pid_t ended = ::waitpid(child_, &status, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
  child_ = 0;
  if (ended < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) return true;
  return Error{"the command that the machine was sent to failed; look at what it says"};
}

void MigrationChannel::abandon() {
  close();
  if (child_ == 0) return;
  ::kill(child_, SIGKILL);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  child_ = 0;
}

Result<> check_migration_uri(const std::string& uri) {
  const Place place = split(uri);
  for (const std::string_view kind : {"tcp", "unix", "exec", "fd", "file"}) {
    if (place.kind == kind && !place.rest.empty()) return {};
  }
  return Error{fmt::format(
      "migration {}: unknown; tcp:HOST:PORT, unix:PATH, exec:COMMAND, fd:NUMBER and file:PATH are places", uri)};
}

Result<MigrationChannel> open_outgoing(const std::string& uri, const NamedDescriptor& named) {
  if (auto known = check_migration_uri(uri); !known) return known.error();
  const Place place = split(uri);
  const std::string rest(place.rest);
  if (place.kind == "exec") return run_command(uri, rest, Direction::Outgoing);
  if (place.kind == "fd") return use_descriptor(uri, rest, named);
  if (place.kind == "file") return open_file(uri, rest, Direction::Outgoing);
  const auto address = address_of(place);
  if (!address) return address.error();
  auto socket = net::begin_connecting(address.value());
  if (!socket) return socket.error();
  return keep(std::move(socket).value());
}

Result<MigrationChannel> open_incoming(const std::string& uri, const NamedDescriptor& named, bool& listens) {
  listens = false;
  if (auto known = check_migration_uri(uri); !known) return known.error();
  const Place place = split(uri);
  const std::string rest(place.rest);
  if (place.kind == "exec") return run_command(uri, rest, Direction::Incoming);
  if (place.kind == "fd") return use_descriptor(uri, rest, named);
  if (place.kind == "file") return open_file(uri, rest, Direction::Incoming);
  const auto address = address_of(place);
  if (!address) return address.error();
  auto socket = net::listen_at(address.value());
  if (!socket) return socket.error();
  listens = true;
  return keep(std::move(socket).value());
}

}  // namespace relic86
