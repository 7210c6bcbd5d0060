#include "char/char_backend.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <span>
#include <utility>

#include "base/log.h"
#include "base/print.h"
#include "base/socket_file.h"
#include "options/option_text.h"

namespace relic86 {

using namespace std::string_view_literals;

namespace {

std::string cause() { return std::strerror(errno); }

class NullBackend final : public CharBackend {
 public:
  void put(u8) override {}
};

// Bytes to and from file descriptors. A reader that is gone or slow never stops the guest.
class DescriptorBackend : public CharBackend {
 public:
  // Unread::Drops: nobody may ever read (a pty), and devices do not wait for it.
  enum class Unread : u8 { Waits, Drops };
  DescriptorBackend(HostPoller& poller, int input, int output, bool owned, Unread unread = Unread::Waits)
      : poller_(poller), input_(input), output_(output), owned_(owned), unread_(unread), queue_(poller, [this] {
          pump();
        }) {
    if (output_ >= 0) queue_.open(output_);
    if (input_ >= 0) start_reading();
  }
  ~DescriptorBackend() override {
    shut();
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  void put(u8 byte) override { queue_.put(byte); }
  bool can_take() const override { return unread_ == Unread::Drops || queue_.has_room(); }
  bool write(std::string_view bytes) override { return queue_.write(bytes); }
  void flush() override { queue_.finish(); }
  int take_descriptor() override { return std::exchange(descriptor_, -1); }
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
  // Takes out what is not meant for the guest; how many bytes are left.
  virtual std::size_t filter(u8*, std::size_t count) { return count; }
  void shut() {
    queue_.close();
    if (input_ >= 0) poller_.unwatch(input_);
    if (owned_ && input_ >= 0) ::close(input_);
    if (owned_ && output_ >= 0 && output_ != input_) ::close(output_);
    input_ = output_ = -1;
  }
  void forget_input() { held_.clear(); }
  void end_input() {
    poller_.unwatch(input_);
    on_end();
    if (end_listener_) end_listener_();
  }

  HostPoller& poller_;
  int input_;
  int output_;
  bool owned_;
  Unread unread_;
  OutputQueue queue_;

 private:
  static constexpr std::size_t kMostHeld = 4096;
  void on_readable() {
    u8 buffer[512];
    const ssize_t count = receive_some(buffer);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return end_input();
    held_.insert(held_.end(), buffer, buffer + filter(buffer, static_cast<std::size_t>(count)));
    pump();
  }
  // With the descriptors that come beside the bytes of a socket; of several the last is kept.
  ssize_t receive_some(std::span<u8> buffer) {
    constexpr std::size_t kMostDescriptors = 16;  // as QEMU takes
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> beside{};
    iovec place{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = beside.data();
    message.msg_controllen = beside.size();
    const ssize_t count = ::recvmsg(input_, &message, MSG_CMSG_CLOEXEC);
    if (count < 0 && errno == ENOTSOCK) return ::read(input_, buffer.data(), buffer.size());
    for (cmsghdr* each = CMSG_FIRSTHDR(&message); count >= 0 && each != nullptr; each = CMSG_NXTHDR(&message, each)) {
      if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
      for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= each->cmsg_len; at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(each) + at, sizeof fd);
        if (const int before = std::exchange(descriptor_, fd); before >= 0) ::close(before);
      }
    }
    return count;
  }
  std::deque<u8> held_;
  int descriptor_ = -1;
};

// A client that was let go and is in the middle of a message: it gets the rest of that, if it reads it, and then the
// end.
class LeavingClient {
 public:
  LeavingClient(HostPoller& poller, int client, std::string_view rest)
      : client_(client), queue_(poller, [this] { close_when_done(); }) {
    ::shutdown(client_, SHUT_RD);
    queue_.open(client_);
    queue_.write(rest);
    close_when_done();
  }
  ~LeavingClient() { close(); }
  LeavingClient(const LeavingClient&) = delete;
  LeavingClient& operator=(const LeavingClient&) = delete;

 private:
  void close_when_done() {
    if (queue_.kept() == 0) close();
  }
  void close() {
    queue_.abandon();
    if (client_ >= 0) ::close(client_);
    client_ = -1;
  }
  int client_;
  OutputQueue queue_;
};

// A listening socket that takes one client at a time, the next one when it has gone.
class ServerBackend final : public DescriptorBackend {
 public:
  ServerBackend(HostPoller& poller, int listener, bool wait, bool telnet, std::string unlink_at_end)
      : DescriptorBackend(poller, -1, -1, true),
        listener_(listener),
        spare_(open_spare()),
        telnet_(telnet),
        unlink_at_end_(std::move(unlink_at_end)) {
    if (wait)
      accept_client();
    else
      listen_for_client();
  }
  ~ServerBackend() override {
    poller_.unwatch(listener_);
    ::close(listener_);
    if (spare_ >= 0) ::close(spare_);
    if (!unlink_at_end_.empty()) remove_socket(unlink_at_end_);
  }

  bool on_client(std::function<void()> listener) override {
    client_listener_ = std::move(listener);
    return input_ < 0;
  }
  void drop_client() override {
    if (input_ < 0) return;
    forget_input();
    poller_.unwatch(input_);
    const std::string rest = queue_.rest_of_message();
    queue_.abandon();
    leaving_.reset();
    leaving_ = std::make_unique<LeavingClient>(poller_, std::exchange(input_, -1), rest);
    end_input();
  }

 protected:
  void on_end() override {
    queue_.flush();
    queue_.abandon();
    if (input_ >= 0) ::close(input_);
    input_ = output_ = -1;
    listen_for_client();
  }

  // Telnet's commands (RFC 854): IAC and a command, IAC WILL..DONT and an option, IAC SB .. IAC SE. Two IACs are a
  // byte. A return is sent as CR LF or CR NUL.
  std::size_t filter(u8* bytes, std::size_t count) override {
    constexpr u8 kSe = 240, kSb = 250, kWill = 251, kIac = 255;
    if (!telnet_) return count;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; i++) {
      const u8 byte = bytes[i];
      const bool after_return = std::exchange(after_return_, telnet_state_ == Telnet::Text && byte == '\r');
      switch (telnet_state_) {
        case Telnet::Text:
          if (byte == kIac) {
            telnet_state_ = Telnet::Command;
          } else if (!after_return || (byte != 0 && byte != '\n')) {
            bytes[kept++] = byte;
          }
          break;
        case Telnet::Command:
          telnet_state_ = byte == kSb                     ? Telnet::Subnegotiation
                          : byte >= kWill && byte != kIac ? Telnet::Option
                                                          : Telnet::Text;
          if (byte == kIac) bytes[kept++] = byte;
          break;
        case Telnet::Option: telnet_state_ = Telnet::Text; break;
        case Telnet::Subnegotiation:
          if (byte == kIac) telnet_state_ = Telnet::SubnegotiationCommand;
          break;
        case Telnet::SubnegotiationCommand: telnet_state_ = byte == kSe ? Telnet::Text : Telnet::Subnegotiation; break;
      }
    }
    return kept;
  }

 private:
  enum class Telnet : u8 { Text, Command, Option, Subnegotiation, SubnegotiationCommand };

  void listen_for_client() {
    poller_.watch(listener_, [this] { accept_client(); });
  }
  void accept_client() {
    int client = -1;
    do client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (client < 0 && errno == EINTR);
    if (client < 0) return refuse_client();
    const int on = 1;  // short answers go out at once; not TCP: no harm
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    poller_.unwatch(listener_);
    input_ = output_ = client;
    forget_input();  // what the last client sent and nobody took is not this one's
    telnet_state_ = Telnet::Text;
    queue_.open(client);
    start_reading();
    // We echo, no go-aheads, eight bits each way (RFC 857, 858, 856).
    if (telnet_) write("\xFF\xFB\x01\xFF\xFB\x03\xFF\xFB\x00\xFF\xFD\x00"sv);
    if (client_listener_) client_listener_();
  }
  // Without a free descriptor the client would wait, and the listener would be ready again at once, for ever: a
  // descriptor that was put aside takes the client in, to send it away.
  void refuse_client() {
    if ((errno == EMFILE || errno == ENFILE) && spare_ >= 0) {
      ::close(spare_);
      if (const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); client >= 0) ::close(client);
      spare_ = open_spare();
      log::warning("a client was sent away: too many files are open; raise the limit (ulimit -n)");
    }
    listen_for_client();
  }
  static int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
  int listener_;
  int spare_;
  bool telnet_;
  bool after_return_ = false;
  Telnet telnet_state_ = Telnet::Text;
  std::string unlink_at_end_;
  std::unique_ptr<LeavingClient> leaving_;
  std::function<void()> client_listener_;
};

struct SocketSpec {
  std::string address;
  bool server = false;
  bool wait = true;
  bool telnet = false;
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
    } else if (word == "telnet" || word == "telnet=on") {
      socket.telnet = true;
    } else if (word != "wait" && word != "wait=on" && word != "server=off" && word != "ipv4" &&
               !word.starts_with("nodelay") && !word.starts_with("delay")) {
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
  return std::unique_ptr<CharBackend>(std::make_unique<ServerBackend>(poller, fd, how.wait, how.telnet, path));
}

Result<std::unique_ptr<CharBackend>> open_tcp(const std::string& option, const std::string& spec, std::string_view text,
                                              HostPoller& poller, bool telnet) {
  auto how = parse_socket(option, spec, text);
  if (!how) return how.error();
  how.value().telnet = how.value().telnet || telnet;
  const std::string& address = how.value().address;
  const auto colon = address.rfind(':');
  if (colon == std::string::npos)
    return Error{fmt::format("{} {}: the port is missing; write tcp:HOST:PORT", option, spec)};
  if (const auto port = parse_number(address.substr(colon + 1)); port && port.value() > 0xFFFF)
    return Error{fmt::format("{} {}: there is no port {}; ports are 1 to 65535", option, spec, port.value())};
  std::string host = address.substr(0, colon);
  // A guest's console, the monitor or gdb commands the whole process: other hosts reach it only where that was asked
  // for.
  if (host.empty()) host = "127.0.0.1";
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
  if (how.value().server) remove_socket(path);
  return open_socket(option, spec, AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, how.value(),
                     poller, how.value().server ? path : "");
}

// A socket that whoever started the program has opened: connected, or listening with ",server".
Result<std::unique_ptr<CharBackend>> open_inherited(const std::string& option, const std::string& spec,
                                                    std::string_view text, HostPoller& poller) {
  const auto how = parse_socket(option, spec, text);
  if (!how) return how.error();
  const auto number = parse_number(how.value().address);
  constexpr u64 kMostDescriptors = 1u << 20;
  const int fd = number && number.value() < kMostDescriptors ? static_cast<int>(number.value()) : -1;
  int listens = 0;
  socklen_t size = sizeof listens;
  if (fd < 0 || ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0)
    return Error{fmt::format("{} {}: no open socket has this number; the caller must leave it open", option, spec)};
  if ((listens != 0) != how.value().server)
    return Error{fmt::format("{} {}: the socket {}; {} server=on", option, spec,
                             listens != 0 ? "listens for clients" : "is a connection", listens != 0 ? "add" : "drop")};
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (listens == 0) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    return std::unique_ptr<CharBackend>(std::make_unique<DescriptorBackend>(poller, fd, fd, true));
  }
  return std::unique_ptr<CharBackend>(
      std::make_unique<ServerBackend>(poller, fd, how.value().wait, how.value().telnet, ""));
}

Result<std::unique_ptr<CharBackend>> open_pty(const std::string& option, const std::string& label, HostPoller& poller) {
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
  print_text(stdout, fmt::format("char device redirected to {} (label {})\n", name, label));
  auto backend = std::make_unique<DescriptorBackend>(poller, master, master, true, DescriptorBackend::Unread::Drops);
  backend->set_filename(fmt::format("pty:{}", name));
  return std::unique_ptr<CharBackend>(std::move(backend));
}

// As QEMU: two FIFOs PATH.in and PATH.out, or one at PATH for both directions.
Result<std::unique_ptr<CharBackend>> open_pipe(const std::string& option, const std::string& spec,
                                               const std::string& path, HostPoller& poller) {
  int input = ::open((path + ".in").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  int output = ::open((path + ".out").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (input >= 0 && output >= 0)
    return std::unique_ptr<CharBackend>(std::make_unique<DescriptorBackend>(poller, input, output, true));
  if (input >= 0) ::close(input);
  if (output >= 0) ::close(output);
  input = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (input >= 0) return std::unique_ptr<CharBackend>(std::make_unique<DescriptorBackend>(poller, input, input, true));
  return Error{fmt::format("{} {}: cannot open {}.in and {}.out, nor {}: {}; make them with mkfifo", option, spec, path,
                           path, path, cause())};
}

// A terminal of the host: "/dev/ttyS0".
Result<std::unique_ptr<CharBackend>> open_terminal(const std::string& option, const std::string& path,
                                                   HostPoller& poller) {
  const int terminal = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0)
    return Error{fmt::format("{} {}: cannot be opened: {}; check the name and its permissions", option, path, cause())};
  termios settings{};
  if (::tcgetattr(terminal, &settings) != 0) {
    ::close(terminal);
    return Error{fmt::format("{} {}: is no terminal; file:{} writes to a file", option, path, path)};
  }
  ::cfmakeraw(&settings);
  ::tcsetattr(terminal, TCSANOW, &settings);
  return std::unique_ptr<CharBackend>(std::make_unique<DescriptorBackend>(poller, terminal, terminal, true));
}

}  // namespace

namespace {

// "unix:PATH,server,nowait" is "unix:PATH,server=on" to whoever asks; whether it waits is over when it can be asked.
std::string described(std::string spec) {
  const auto server = spec.find(",server");
  if (server != std::string::npos) return spec.substr(0, server) + ",server=on";
  if (const auto wait = spec.find(",nowait"); wait != std::string::npos) spec.resize(wait);
  return spec;
}

Result<std::unique_ptr<CharBackend>> open_kind(const std::string& option, const std::string& spec,
                                               const std::string& label, HostPoller& poller) {
  if (spec == "null" || spec == "none") return std::unique_ptr<CharBackend>(std::make_unique<NullBackend>());
  if (spec == "stdio")
    return std::unique_ptr<CharBackend>(
        std::make_unique<DescriptorBackend>(poller, STDIN_FILENO, STDOUT_FILENO, false));
  if (spec == "pty") return open_pty(option, label, poller);
  if (spec.starts_with("file:")) {
    const std::string path = spec.substr(5);
    // A FIFO is opened both ways, so that it can be before its reader comes; files do not know O_NONBLOCK.
    struct stat about {};
    const bool fifo = ::stat(path.c_str(), &about) == 0 && S_ISFIFO(about.st_mode);
    const int fd = ::open(path.c_str(), (fifo ? O_RDWR : O_WRONLY | O_CREAT | O_TRUNC) | O_NONBLOCK | O_CLOEXEC, 0666);
    if (fd < 0)
      return Error{
          fmt::format("{} {}: cannot write the file: {}; check the folder and its permissions", option, spec, cause())};
    return std::unique_ptr<CharBackend>(std::make_unique<DescriptorBackend>(poller, -1, fd, true));
  }
  if (spec.starts_with("pipe:")) return open_pipe(option, spec, spec.substr(5), poller);
  if (spec.starts_with("/dev/")) return open_terminal(option, spec, poller);
  if (spec.starts_with("tcp:")) return open_tcp(option, spec, std::string_view(spec).substr(4), poller, false);
  if (spec.starts_with("telnet:")) return open_tcp(option, spec, std::string_view(spec).substr(7), poller, true);
  if (spec.starts_with("fd:")) return open_inherited(option, spec, std::string_view(spec).substr(3), poller);
  if (spec.starts_with("unix:")) return open_unix(option, spec, std::string_view(spec).substr(5), poller);
  return Error{fmt::format(
      "{} {}: unknown; stdio, mon:stdio, file:PATH, pipe:PATH, null, none, pty, /dev/tty.., chardev:ID, tcp:HOST:PORT, "
      "telnet:HOST:PORT and unix:PATH are accepted",
      option, spec)};
}

}  // namespace

Result<std::unique_ptr<CharBackend>> open_char_backend(const std::string& option, const std::string& spec,
                                                       const std::string& label, HostPoller& poller) {
  auto opened = open_kind(option, spec, label, poller);
  if (opened && opened.value()->filename().empty()) opened.value()->set_filename(described(spec));
  return opened;
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

RawTerminal::~RawTerminal() { restore(); }

void RawTerminal::restore() const {
  if (saved_) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_->settings);
}

class MuxBackend::Port final : public CharBackend {
 public:
  explicit Port(MuxBackend& mux) : mux_(mux) {}
  void put(u8 byte) override { mux_.stream_.put(byte); }
  bool can_take() const override { return mux_.stream_.can_take(); }
  bool write(std::string_view bytes) override { return mux_.stream_.write(bytes); }
  void drop_client() override { mux_.stream_.drop_client(); }
  void flush() override { mux_.stream_.flush(); }
  CharSource* receiver() const { return receiver_; }
  // Its client comes when the user turns to it.
  bool on_client(std::function<void()> listener) override {
    client_listener_ = std::move(listener);
    return true;
  }
  void turn_to() {
    if (client_listener_) client_listener_();
  }

 private:
  MuxBackend& mux_;
  std::function<void()> client_listener_;
};

MuxBackend::MuxBackend(CharBackend& stream, u8 escape, std::function<void()> quit)
    : stream_(stream), escape_character_(escape), quit_(std::move(quit)) {
  stream_.connect(this);
}
MuxBackend::~MuxBackend() = default;

CharBackend& MuxBackend::add_port() {
  ports_.push_back(std::make_unique<Port>(*this));
  return *ports_.back();
}

bool MuxBackend::can_receive() const {
  const CharSource* receiver = focus_ < ports_.size() ? ports_[focus_]->receiver() : nullptr;
  return receiver == nullptr || receiver->can_receive();
}

void MuxBackend::command(u8 byte) {
  const char name = static_cast<char>(escape_character_ + 'A' - 1);
  if (byte == 'x') quit_();
  if (byte == 'c' && !ports_.empty()) {
    focus_ = (focus_ + 1) % ports_.size();
    ports_[focus_]->turn_to();
  }
  if (byte == 'h' || byte == '?')
    stream_.write(fmt::format("\r\nC-{} x  quit\r\nC-{} c  next of console and monitor\r\nC-{} a  send C-{}\r\n", name,
                              name, name, name));
}

void MuxBackend::receive(u8 byte) {
  if (!escape_ && byte == escape_character_) {
    escape_ = true;
    return;
  }
  if (escape_) {
    escape_ = false;
    if (byte != escape_character_ && byte != 'a') return command(byte);
    byte = escape_character_;
  }
  CharSource* receiver = focus_ < ports_.size() ? ports_[focus_]->receiver() : nullptr;
  if (receiver != nullptr) receiver->receive(byte);
}

LoggedBackend::LoggedBackend(CharBackend& stream, int file, HostPoller& poller)
    : stream_(stream), file_(file), log_(poller, [] {}) {
  log_.open(file_);
  stream_.connect(this);
}
LoggedBackend::~LoggedBackend() {
  log_.close();
  ::close(file_);
}

Result<std::unique_ptr<CharBackend>> LoggedBackend::open(CharBackend& stream, const std::string& file, bool append,
                                                         HostPoller& poller) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
  if (fd < 0)
    return Error{fmt::format("-chardev logfile={}: cannot write the file: {}; check the folder and its permissions",
                             file, cause())};
  return std::unique_ptr<CharBackend>(new LoggedBackend(stream, fd, poller));
}

void LoggedBackend::put(u8 byte) {
  log_.put(byte);
  stream_.put(byte);
}

void LoggedBackend::flush() {
  log_.finish();
  stream_.flush();
}

bool LoggedBackend::write(std::string_view bytes) {
  if (!stream_.write(bytes)) return false;
  log_.write(bytes);
  return true;
}

}  // namespace relic86
