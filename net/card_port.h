// The end of a cable that a card is plugged into: frames wait here until the card has room for them.
#pragma once

#include <deque>

#include "devices/network_link.h"
#include "net/arrivals.h"
#include "net/endpoint.h"

namespace relic86::net {

class CardPort final : public Endpoint, public NetworkLink {
 public:
  // Frames that wait at most; what comes then is dropped. A window of TCP for every one of some dozen connections.
  static constexpr std::size_t kMostWaiting = 1024;

  // model: "e1000". deliver_in: deliver() is to be called after so much guest time, or earlier.
  CardPort(std::string id, std::string model, const MacAddress& address, std::function<void(GuestTime)> deliver_in)
      : Endpoint(std::move(id), "nic"),
        model_(std::move(model)),
        address_(address),
        deliver_in_(std::move(deliver_in)) {}

  // arrivals: sees what this card, of the given number, gets and sends; null: nobody. Must outlive the port.
  void watch(u32 number, Arrivals* arrivals) {
    number_ = number;
    arrivals_ = arrivals;
  }
  // A frame that comes in at the card.
  void accept(Frame frame);
  // Hands over what the card takes.
  void deliver();
  std::size_t waiting() const { return waiting_.size(); }
  // The frames that wait: what a state of the machine that is kept in memory has of the cable.
  const std::deque<std::vector<u8>>& frames() const { return waiting_; }
  void set_frames(std::deque<std::vector<u8>> frames) { waiting_ = std::move(frames); }
  const NetworkReceiver* receiver() const { return receiver_; }
  const MacAddress& address() const { return address_; }

  std::string describe() const override;
  void take(Frame frame) override { arrivals_ != nullptr ? arrivals_->arrived(number_, frame) : accept(frame); }
  bool can_take() const override;
  void link_changed() override;

  void connect(NetworkReceiver* receiver) override { receiver_ = receiver; }
  void send(Frame frame) override;
  void receiver_ready() override;
  bool up() const override { return link_up(); }

 private:
  const std::string model_;
  const MacAddress address_;
  std::function<void(GuestTime)> deliver_in_;
  NetworkReceiver* receiver_ = nullptr;
  std::deque<std::vector<u8>> waiting_;
  u32 number_ = 0;
  Arrivals* arrivals_ = nullptr;
};

// "52:54:00:12:34:56"
std::string mac_text(const MacAddress& address);

}  // namespace relic86::net
