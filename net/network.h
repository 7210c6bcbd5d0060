// The machine's networks: cards, what they are plugged into, and who looks at the frames.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "devices/network_link.h"
#include "devices/scheduler.h"
#include "net/backend.h"
#include "net/card_port.h"
#include "net/frame_dump.h"
#include "net/hub.h"
#include "options/object_option.h"

namespace relic86::net {

class Network final : private EventHandler {
 public:
  // Nowhere: what back ends get is dropped, and nothing comes from them.
  enum class Reach : u8 { Host, Nowhere };
  // The references must outlive it.
  Network(Scheduler& scheduler, const GuestClock& clock, HostPoller& poller, Reach reach = Reach::Host);
  // Before build(): who sees what reaches the cards, which are numbered from 0 on.
  void watch(Arrivals* arrivals) { arrivals_ = arrivals; }
  // Opens the back ends and makes a port for each card, in the order of the options.
  Result<> build(const NetworkOptions& options, const std::vector<ObjectOption>& objects);

  CardPort& card(std::size_t index) { return *cards_[index]; }
  std::size_t cards() const { return cards_.size(); }

  // --- What is asked for while the machine runs. Names are ids of -netdev, or of cards. ---
  Result<> add_backend(const NetdevOption& option);
  Result<> remove_backend(const std::string& id);
  // A card comes, and goes. A port lasts until its card has gone.
  Result<CardPort*> add_card(const NicOption& nic);
  MacAddress remove_card(const std::string& id);
  Result<> set_link(const std::string& name, bool up);
  // backend: empty: the only one that can.
  Result<> add_forward(const std::string& backend, const std::string& rule);
  Result<> remove_forward(const std::string& backend, const std::string& rule);
  std::string describe() const;              // info network
  std::string describe_connections() const;  // info usernet

 private:
  void event(u32 id, GuestTime late) override;
  Endpoint* find(const std::string& id) const;
  Hub& hub(int number);
  Result<> add_hub_port(const NetdevOption& option);
  Result<> add_dump(const ObjectOption& object);
  Result<Backend*> forwarder(const std::string& id) const;

  Scheduler& scheduler_;
  const GuestClock& clock_;
  HostPoller& poller_;
  const Reach reach_;
  Arrivals* arrivals_ = nullptr;
  TimerId delivery_ = 0;
  std::map<int, std::unique_ptr<Hub>> hubs_;
  std::vector<std::unique_ptr<Endpoint>> hub_ports_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::vector<std::unique_ptr<CardPort>> cards_;
  struct Dump {
    std::string id, netdev, file;
    std::unique_ptr<FrameDump> dump;
  };
  std::vector<Dump> dumps_;
};

}  // namespace relic86::net
