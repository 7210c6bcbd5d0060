#include "net/endpoint.h"

#include "base/assert.h"

namespace relic86::net {

void Endpoint::connect(Endpoint& one, Endpoint& other) {
  RELIC86_ASSERT(one.peer_ == nullptr && other.peer_ == nullptr && &one != &other);
  one.peer_ = &other;
  other.peer_ = &one;
}

void Endpoint::disconnect() {
  if (peer_ == nullptr) return;
  Endpoint* const other = peer_;
  other->peer_ = nullptr;
  peer_ = nullptr;
  other->link_changed();
}

void Endpoint::set_up(bool up) {
  if (up_ == up) return;
  up_ = up;
  link_changed();
  if (peer_ != nullptr) peer_->link_changed();
}

void Endpoint::send(Frame frame) {
  if (!link_up()) return;
  for (FrameObserver* observer : observers_) observer->observe(frame);
  for (FrameObserver* observer : peer_->observers_) observer->observe(frame);
  peer_->take(frame);
}

}  // namespace relic86::net
