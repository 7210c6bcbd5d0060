// The two ends of a network cable: a card, a back end on the host, a port of a hub. Frames go from one to the other.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace relic86::net {

using Frame = std::span<const u8>;

// Who sees the frames on a cable without changing them (-object filter-dump).
class FrameObserver {
 public:
  virtual void observe(Frame frame) = 0;

 protected:
  ~FrameObserver() = default;
};

class Endpoint {
 public:
  // id: the user's name for it, or one that was made up. kind: as info network says it ("user", "nic").
  Endpoint(std::string id, std::string kind) : id_(std::move(id)), kind_(std::move(kind)) {}
  virtual ~Endpoint() { disconnect(); }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const std::string& id() const { return id_; }
  const std::string& kind() const { return kind_; }
  // What it is beyond its kind: "net=10.0.2.0,restrict=off".
  virtual std::string describe() const = 0;

  // A frame from the other end; it may be dropped. Never calls back into the sender.
  virtual void take(Frame frame) = 0;
  // False: take() would drop a frame now. Whoever can wait does; there is no call when that has changed.
  virtual bool can_take() const { return true; }
  // The cable was pulled out at one end or plugged in again.
  virtual void link_changed() {}

  static void connect(Endpoint& one, Endpoint& other);
  void disconnect();
  Endpoint* peer() const { return peer_; }

  // set_link: a frame passes only while both ends are up.
  void set_up(bool up);
  bool link_up() const { return up_ && peer_ != nullptr && peer_->up_; }

  void add_observer(FrameObserver* observer) { observers_.push_back(observer); }
  void remove_observer(FrameObserver* observer) { std::erase(observers_, observer); }

  // To the other end, if there is one.
  void send(Frame frame);
  bool peer_can_take() const { return !link_up() || peer_->can_take(); }

 private:
  const std::string id_, kind_;
  Endpoint* peer_ = nullptr;
  bool up_ = true;
  std::vector<FrameObserver*> observers_;
};

}  // namespace relic86::net
