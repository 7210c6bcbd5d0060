// A hub: what comes in at one port goes out at all others.
#pragma once

#include <memory>
#include <vector>

#include "net/endpoint.h"

namespace relic86::net {

class Hub {
 public:
  explicit Hub(int number) : number_(number) {}
  int number() const { return number_; }
  // A port of this hub; the hub must outlive it.
  std::unique_ptr<Endpoint> make_port(std::string id);
  // The ports that exist, in the order in which they were made.
  const std::vector<Endpoint*>& ports() const { return ports_; }

 private:
  class Port;
  const int number_;
  std::vector<Endpoint*> ports_;
  bool forwarding_ = false, asking_ = false;
};

}  // namespace relic86::net
