// -netdev dgram, socket with mcast= or udp=, and tap: a frame a datagram, or a frame a read of the descriptor.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "net/socket_backends.h"

namespace relic86::net {

namespace {

constexpr std::size_t kLongestFrame = 65536;
// Frames that are read in one go: others want to be heard, too.
constexpr unsigned kMostAtOnce = 64;

class DatagramBackend final : public Backend {
 public:
  DatagramBackend(const NetdevOption& option, Host host, HostSocket socket, const SocketAddress* remote,
                  std::string where)
      : Backend(option.id, option.type), host_(host), socket_(std::move(socket)), where_(std::move(where)) {
    if (remote != nullptr) remote_ = *remote;
    host_.poller.watch(
        socket_.fd(), [this] { read(); }, [this] { return peer_can_take(); });
  }
  ~DatagramBackend() override { host_.poller.unwatch(socket_.fd()); }

  std::string describe() const override { return where_; }
  // What the host does not take at once is lost, as on a cable.
  void take(Frame frame) override {
    if (remote_.length != 0)
      (void)::sendto(socket_.fd(), frame.data(), frame.size(), MSG_NOSIGNAL, &remote_.any, remote_.length);
    else [[maybe_unused]]
      const auto written = ::write(socket_.fd(), frame.data(), frame.size());
  }

 private:
  void read() {
    std::array<u8, kLongestFrame> frame;
    for (unsigned taken = 0; taken < kMostAtOnce && peer_can_take(); taken++) {
      const ssize_t got = ::read(socket_.fd(), frame.data(), frame.size());
      if (got <= 0) return;
      send(Frame(frame).first(static_cast<std::size_t>(got)));
    }
  }

  const Host host_;
  const HostSocket socket_;
  SocketAddress remote_;  // length 0: the descriptor knows it
  const std::string where_;
};

}  // namespace

std::unique_ptr<Backend> datagram_backend(const NetdevOption& option, Host host, HostSocket socket,
                                          const SocketAddress* remote, std::string where) {
  return std::make_unique<DatagramBackend>(option, host, std::move(socket), remote, std::move(where));
}

}  // namespace relic86::net
