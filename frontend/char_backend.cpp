#include "frontend/char_backend.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>

#include "base/log.h"
#include "base/print.h"

namespace relic86 {
namespace {

std::string cause() { return std::strerror(errno); }

class NullBackend final : public CharBackend {
 public:
  void put(u8) override {}
};

// Bytes to and from file descriptors. A reader that is gone never stops the guest: what cannot be written is dropped.
class DescriptorBackend : public CharBackend {
 public:
  DescriptorBackend(HostPoller& poller, int input, int output, bool owned)
      : poller_(poller), input_(input), output_(output), owned_(owned) {
    if (input_ >= 0) start_reading();
  }
  ~DescriptorBackend() override { shut(); }

  void put(u8 byte) override { write({reinterpret_cast<const char*>(&byte), 1}); }
  void write(std::string_view bytes) override {
    while (output_ >= 0 && !bytes.empty()) {
      const ssize_t count = ::write(output_, bytes.data(), bytes.size());
      if (count >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(count));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return;
      pollfd wait{output_, POLLOUT, 0};
      constexpr int kMostMilliseconds = 100;  // a stalled reader may slow the guest, not stop it
      if (::poll(&wait, 1, kMostMilliseconds) <= 0) return;
    }
  }
  void pump() override {
    while (!held_.empty() && receiver_ != nullptr && receiver_->can_receive()) {
      const u8 byte = held_.front();
      held_.pop_front();
      receiver_->receive(byte);
    }
  }

 protected:
  void start_reading() {
    poller_.watch(
        input_, [this] { on_readable(); }, [this] { return held_.size() < kMostHeld; });
  }
  virtual void on_end() { input_ = -1; }  // end of file neither ends the run nor spins
  void shut() {
    if (input_ >= 0) poller_.unwatch(input_);
    if (owned_ && input_ >= 0) ::close(input_);
    if (owned_ && output_ >= 0 && output_ != input_) ::close(output_);
    input_ = output_ = -1;
  }

  HostPoller& poller_;
  int input_;
  int output_;
  bool owned_;

 private:
  static constexpr std::size_t kMostHeld = 4096;
  void on_readable() {
    u8 buffer[512];
    const ssize_t count = ::read(input_, buffer, sizeof buffer);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
      poller_.unwatch(input_);
      on_end();
      if (end_listener_) end_listener_();
      return;
    }
    held_.insert(held_.end(), buffer, buffer + count);
    pump();
  }
  std::deque<u8> held_;
};

// A listening socket that takes one client at a time, the next one when it has gone.
class ServerBackend final : public DescriptorBackend {
 public:
  ServerBackend(HostPoller& poller, int listener, bool wait, std::string unlink_at_end)
      : DescriptorBackend(poller, -1, -1, true), listener_(listener), unlink_at_end_(std::move(unlink_at_end)) {
    if (wait)
      accept_client();
    else
      listen_for_client();
  }
  ~ServerBackend() override {
    poller_.unwatch(listener_);
    ::close(listener_);
    if (!unlink_at_end_.empty()) ::unlink(unlink_at_end_.c_str());
  }

  bool on_client(std::function<void()> listener) override {
    client_listener_ = std::move(listener);
    return input_ < 0;
  }

 protected:
  void on_end() override {
    if (input_ >= 0) ::close(input_);
    input_ = output_ = -1;
    listen_for_client();
  }

 private:
  void listen_for_client() {
    poller_.watch(listener_, [this] { accept_client(); });
  }
  void accept_client() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) return;
    const int on = 1;  // short answers go out at once; not TCP: no harm
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    poller_.unwatch(listener_);
    input_ = output_ = client;
    start_reading();
    if (client_listener_) client_listener_();
  }
  int listener_;
  std::string unlink_at_end_;
  std::function<void()> client_listener_;
};

struct SocketSpec {
  std::string address;
  bool server = false;
  bool wait = true;
};

Result<SocketSpec> parse_socket(const std::string& option, const std::string& spec, std::string_view text) {
  SocketSpec socket;
  bool first = true;
  while (true) {
    const auto comma = text.find(',');
    const auto word = text.substr(0, comma);
    if (first) {
      socket.address = word;
    } else if (word == "server" || word == "server=on") {
      socket.server = true;
    } else if (word == "nowait" || word == "wait=off") {
      socket.wait = false;
    } else if (word != "wait" && word != "wait=on" && word != "server=off" && !word.starts_with("nodelay")) {
      return Error{fmt::format("{} {}: unknown word '{}'; server and nowait are known", option, spec, word)};
    }
    first = false;
    if (comma == std::string_view::npos) return socket;
    text = text.substr(comma + 1);
  }
}

Result<std::unique_ptr<CharBackend>> open_socket(const std::string& option, const std::string& spec, int family,
                                                 const sockaddr* address, socklen_t length, const SocketSpec& how,
                                                 HostPoller& poller, const std::string& path) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error{fmt::format("{} {}: no socket: {}", option, spec, cause())};
  if (!how.server) {
    if (::connect(fd, address, length) < 0) {
      const std::string why = cause();
      ::close(fd);
      return Error{
          fmt::format("{} {}: cannot connect: {}; start the server first, or add ',server'", option, spec, why)};
    }
    return std::unique_ptr<CharBackend>(std::make_unique<DescriptorBackend>(poller, fd, fd, true));
  }
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, address, length) < 0 || ::listen(fd, 1) < 0) {
    const std::string why = cause();
    ::close(fd);
    return Error{fmt::format("{} {}: cannot listen: {}; choose another address", option, spec, why)};
  }
  return std::unique_ptr<CharBackend>(std::make_unique<ServerBackend>(poller, fd, how.wait, path));
}

Result<std::unique_ptr<CharBackend>> open_tcp(const std::string& option, const std::string& spec, std::string_view text,
                                              HostPoller& poller) {
  const auto how = parse_socket(option, spec, text);
  if (!how) return how.error();
  const std::string& address = how.value().address;
  const auto colon = address.rfind(':');
  if (colon == std::string::npos)
    return Error{fmt::format("{} {}: the port is missing; write tcp:HOST:PORT", option, spec)};
  std::string host = address.substr(0, colon);
  if (host.empty()) host = how.value().server ? "0.0.0.0" : "127.0.0.1";
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  if (const int failure = ::getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found);
      failure != 0) {
    return Error{fmt::format("{} {}: {}; write tcp:HOST:PORT", option, spec, ::gai_strerror(failure))};
  }
  auto opened = open_socket(option, spec, AF_INET, found->ai_addr, found->ai_addrlen, how.value(), poller, "");
  ::freeaddrinfo(found);
  return opened;
}

Result<std::unique_ptr<CharBackend>> open_unix(const std::string& option, const std::string& spec,
                                               std::string_view text, HostPoller& poller) {
  const auto how = parse_socket(option, spec, text);
  if (!how) return how.error();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = how.value().address;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{fmt::format("{} {}: the path must have 1 to {} bytes", option, spec, sizeof address.sun_path - 1)};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (how.value().server) ::unlink(path.c_str());
  return open_socket(option, spec, AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, how.value(),
                     poller, how.value().server ? path : "");
}

Result<std::unique_ptr<CharBackend>> open_pty(const std::string& option, HostPoller& poller) {
  int master = -1, slave = -1;
  char name[128];
  if (::openpty(&master, &slave, name, nullptr, nullptr) < 0)
    return Error{fmt::format("{} pty: no pseudo-terminal: {}", option, cause())};
  termios settings{};
  ::tcgetattr(slave, &settings);
  ::cfmakeraw(&settings);
  ::tcsetattr(slave, TCSANOW, &settings);
  // The slave stays open on our side: a client that leaves is no end of file.
  ::fcntl(master, F_SETFL, O_NONBLOCK);
  print_text(stderr, fmt::format("char device redirected to {} (label {})\n", name,
                                 option.substr(option.find_first_not_of('-'))));
  return std::unique_ptr<CharBackend>(std::make_unique<DescriptorBackend>(poller, master, master, true));
}

}  // namespace

Result<std::unique_ptr<CharBackend>> open_char_backend(const std::string& option, const std::string& spec,
                                                       HostPoller& poller) {
  if (spec == "null" || spec == "none") return std::unique_ptr<CharBackend>(std::make_unique<NullBackend>());
  if (spec == "stdio")
    return std::unique_ptr<CharBackend>(
        std::make_unique<DescriptorBackend>(poller, STDIN_FILENO, STDOUT_FILENO, false));
  if (spec == "pty") return open_pty(option, poller);
  if (spec.starts_with("file:")) {
    const std::string path = spec.substr(5);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
      return Error{
          fmt::format("{} {}: cannot write the file: {}; check the folder and its permissions", option, spec, cause())};
    return std::unique_ptr<CharBackend>(std::make_unique<DescriptorBackend>(poller, -1, fd, true));
  }
  if (spec.starts_with("tcp:")) return open_tcp(option, spec, std::string_view(spec).substr(4), poller);
  if (spec.starts_with("unix:")) return open_unix(option, spec, std::string_view(spec).substr(5), poller);
  return Error{fmt::format(
      "{} {}: unknown; stdio, mon:stdio, file:PATH, null, none, pty, tcp:HOST:PORT and unix:PATH are accepted", option,
      spec)};
}

struct RawTerminal::Saved {
  termios settings;
};

RawTerminal::RawTerminal(bool keep_signals) {
  termios settings{};
  if (::isatty(STDIN_FILENO) == 0 || ::tcgetattr(STDIN_FILENO, &settings) != 0) return;
  saved_ = std::make_unique<Saved>(Saved{settings});
  settings.c_iflag &= ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | IEXTEN);
  if (!keep_signals) settings.c_lflag &= ~static_cast<tcflag_t>(ISIG);
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &settings);
}

RawTerminal::~RawTerminal() {
  if (saved_) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_->settings);
}

class MuxBackend::Port final : public CharBackend {
 public:
  explicit Port(MuxBackend& mux) : mux_(mux) {}
  void put(u8 byte) override { mux_.stream_.put(byte); }
  CharSource* receiver() const { return receiver_; }

 private:
  MuxBackend& mux_;
};

MuxBackend::MuxBackend(CharBackend& stream, std::function<void()> quit) : stream_(stream), quit_(std::move(quit)) {
  for (auto& port : ports_) port = std::make_unique<Port>(*this);
  stream_.connect(this);
}

bool MuxBackend::can_receive() const {
  const CharSource* receiver = static_cast<const Port&>(*ports_[focus_]).receiver();
  return receiver == nullptr || receiver->can_receive();
}

void MuxBackend::receive(u8 byte) {
  constexpr u8 kCtrlA = 1;
  CharSource* receiver = static_cast<Port&>(*ports_[focus_]).receiver();
  if (!escape_ && byte == kCtrlA) {
    escape_ = true;
    return;
  }
  if (escape_) {
    escape_ = false;
    if (byte == 'x') return quit_();
    if (byte == 'c') {
      focus_ ^= 1;
      return;
    }
    if (byte != kCtrlA && byte != 'a') return;
    byte = kCtrlA;
  }
  if (receiver != nullptr) receiver->receive(byte);
}

}  // namespace relic86
