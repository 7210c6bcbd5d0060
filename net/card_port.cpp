#include "net/card_port.h"

#include <fmt/format.h>

#include <algorithm>

namespace relic86::net {

namespace {
constexpr std::size_t kShortestFrame = 60;  // on the wire, without the frame check sequence; shorter ones are padded
constexpr std::size_t kLongestFrame = 65536;
// A frame reaches the card between two instructions, a moment after whoever sent it: never while a register of the card
// is being written.
constexpr GuestTime kCableDelay = 1'000;
// Drivers may give buffers back in memory, without a word to the card: it looks again after this.
constexpr GuestTime kRetryDelay = 2'000'000;
// Senders that can wait leave room for a burst of those that cannot.
constexpr std::size_t kRoomForOthers = CardPort::kMostWaiting / 4;
}  // namespace

std::string mac_text(const MacAddress& address) { return fmt::format("{:02x}", fmt::join(address, ":")); }

std::string CardPort::describe() const { return fmt::format("model={},macaddr={}", model_, mac_text(address_)); }

void CardPort::send(Frame frame) {
  if (arrivals_ != nullptr) arrivals_->sending();
  Endpoint::send(frame);
  if (arrivals_ != nullptr) arrivals_->sent();
}

void CardPort::accept(Frame frame) {
  // A receiver that is off loses frames, as on a real cable: the guest is not to find old ones when it starts.
  if (receiver_ == nullptr || !receiver_->listening()) return waiting_.clear();
  if (waiting_.size() >= kMostWaiting || frame.size() > kLongestFrame) return;
  std::vector<u8> bytes(frame.begin(), frame.end());
  bytes.resize(std::max(bytes.size(), kShortestFrame));
  waiting_.push_back(std::move(bytes));
  deliver_in_(receiver_->can_receive() ? kCableDelay : kRetryDelay);
}

bool CardPort::can_take() const { return waiting_.size() < kMostWaiting - kRoomForOthers; }

void CardPort::deliver() {
  while (!waiting_.empty() && receiver_ != nullptr && receiver_->can_receive()) {
    const std::vector<u8> frame = std::move(waiting_.front());
    waiting_.pop_front();
    receiver_->receive(frame);
  }
  if (!waiting_.empty()) deliver_in_(kRetryDelay);
}

void CardPort::receiver_ready() {
  if (!waiting_.empty() && receiver_ != nullptr && receiver_->can_receive()) deliver_in_(kCableDelay);
}

void CardPort::link_changed() {
  if (receiver_ != nullptr) receiver_->link_changed(link_up());
}

}  // namespace relic86::net
