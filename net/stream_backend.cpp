// -netdev stream, and socket with listen= or connect=: frames over a stream, each after its length in four bytes, the
// most significant first.
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "char/output_queue.h"
#include "net/socket_backends.h"

namespace relic86::net {

namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr u32 kLongestFrame = 65536;
constexpr std::size_t kMostRead = 65536;

class StreamBackend final : public Backend {
 public:
  StreamBackend(const NetdevOption& option, Host host)
      : Backend(option.id, option.type), host_(host), queue_(host.poller, [] {}) {}
  ~StreamBackend() override {
    drop();
    if (listener_) host_.poller.unwatch(listener_.fd());
  }

  void listen(HostSocket listener, std::string where) {
    listener_ = std::move(listener);
    where_ = std::move(where);
    host_.poller.watch(
        listener_.fd(), [this] { accept(); }, [this] { return !connection_; });
  }
  void adopt(HostSocket connection, std::string where) {
    if (!where.empty()) where_ = std::move(where);
    connection_ = std::move(connection);
    queue_.open(connection_.fd());
    host_.poller.watch(
        connection_.fd(), [this] { read(); }, [this] { return peer_can_take(); });
  }

  std::string describe() const override {
    return connection_ ? fmt::format("connected,{}", where_) : fmt::format("listening,{}", where_);
  }
  // A peer that does not read loses frames, whole ones.
  void take(Frame frame) override {
    if (!connection_ || !queue_.has_room()) return;
    std::string bytes(kLengthBytes, '\0');
    for (std::size_t i = 0; i < kLengthBytes; i++)
      bytes[i] = static_cast<char>(frame.size() >> ((kLengthBytes - 1 - i) * 8));
    bytes.append(reinterpret_cast<const char*>(frame.data()), frame.size());
    queue_.write(bytes);
    queue_.flush();
  }
  bool can_take() const override { return !connection_ || queue_.has_room(); }

 private:
  void accept() {
    const int fd = ::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    prepare_descriptor(fd);
    const int on = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    adopt(HostSocket(fd), "");
  }
  void drop() {
    if (!connection_) return;
    host_.poller.unwatch(connection_.fd());
    queue_.abandon();
    connection_.close();
    input_.clear();
  }
  void read() {
    const std::size_t had = input_.size();
    input_.resize(had + kMostRead);
    const ssize_t got = ::read(connection_.fd(), input_.data() + had, kMostRead);
    input_.resize(had + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return drop();
    std::size_t at = 0;
    while (input_.size() - at >= kLengthBytes) {
      u32 length = 0;
      for (std::size_t i = 0; i < kLengthBytes; i++) length = length << 8 | input_[at + i];
      if (length > kLongestFrame) {
        log::warning(fmt::format("{}: the other side does not speak QEMU's stream of frames; it is let go", id()));
        return drop();
      }
      if (input_.size() - at - kLengthBytes < length) break;
      send(Frame(input_).subspan(at + kLengthBytes, length));
      at += kLengthBytes + length;
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  const Host host_;
  HostSocket listener_, connection_;
  OutputQueue queue_;
  std::string where_;
  std::vector<u8> input_;
};

}  // namespace

std::unique_ptr<Backend> stream_listener(const NetdevOption& option, Host host, HostSocket listener,
                                         std::string where) {
  auto backend = std::make_unique<StreamBackend>(option, host);
  backend->listen(std::move(listener), std::move(where));
  return backend;
}

std::unique_ptr<Backend> stream_connection(const NetdevOption& option, Host host, HostSocket connection,
                                           std::string where) {
  auto backend = std::make_unique<StreamBackend>(option, host);
  backend->adopt(std::move(connection), std::move(where));
  return backend;
}

}  // namespace relic86::net
