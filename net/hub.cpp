#include "net/hub.h"

#include <fmt/format.h>

#include <algorithm>

namespace relic86::net {

class Hub::Port final : public Endpoint {
 public:
  Port(Hub& hub, std::string id) : Endpoint(std::move(id), "hubport"), hub_(hub) {}
  ~Port() override { std::erase(hub_.ports_, this); }
  std::string describe() const override { return fmt::format("hubid={}", hub_.number_); }
  void take(Frame frame) override {
    // While a frame goes out at this port, its peer answers, as the user network does to ARP and DHCP at once. What
    // comes in at another port meanwhile is the same frame that came back round a ring of hubs.
    if (hub_.forwarding_ && !sending_) return;
    const bool answer = hub_.forwarding_;
    hub_.forwarding_ = true;
    for (Endpoint* port : hub_.ports_) {
      if (port != this) static_cast<Port*>(port)->send_on(frame);
    }
    hub_.forwarding_ = answer;
  }
  // Whoever can wait does so for the slowest.
  bool can_take() const override {
    if (hub_.asking_) return true;
    hub_.asking_ = true;
    const bool all = std::all_of(hub_.ports_.begin(), hub_.ports_.end(),
                                 [this](const Endpoint* port) { return port == this || port->peer_can_take(); });
    hub_.asking_ = false;
    return all;
  }

 private:
  void send_on(Frame frame) {
    const bool before = sending_;
    sending_ = true;
    send(frame);
    sending_ = before;
  }

  Hub& hub_;
  bool sending_ = false;
};

std::unique_ptr<Endpoint> Hub::make_port(std::string id) {
  auto port = std::make_unique<Port>(*this, std::move(id));
  ports_.push_back(port.get());
  return port;
}

}  // namespace relic86::net
