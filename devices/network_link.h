// Between a network card and what its cable leads to. Frames are Ethernet frames without the frame check sequence.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace relic86 {

using MacAddress = std::array<u8, 6>;

// What a card lets in, for those who ask (query-rx-filter).
struct ReceiveFilter {
  bool promiscuous = false;
  bool broadcast = false;
  bool all_multicast = false;
  MacAddress address{};
};

// The receiving side of a card. Called on the machine's thread, between two instructions.
class NetworkReceiver {
 public:
  // False: the receiver is switched off and frames go by unseen.
  virtual bool listening() const = 0;
  // False: a frame would find no buffer. It waits in the cable until the card calls NetworkLink::receiver_ready().
  virtual bool can_receive() const = 0;
  // A frame of 60 bytes or more. One that finds no buffer, or no way through the filters, is dropped.
  virtual void receive(std::span<const u8> frame) = 0;
  virtual void link_changed(bool up) = 0;
  virtual ReceiveFilter receive_filter() const = 0;

 protected:
  ~NetworkReceiver() = default;
};

// The cable as a card sees it.
class NetworkLink {
 public:
  virtual void connect(NetworkReceiver* receiver) = 0;  // null: nobody
  // Never waits, and never calls the receiver before it returns.
  virtual void send(std::span<const u8> frame) = 0;
  // can_receive() has become true.
  virtual void receiver_ready() = 0;
  virtual bool up() const = 0;

 protected:
  ~NetworkLink() = default;
};

}  // namespace relic86
