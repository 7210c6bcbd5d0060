// What a cable may lead to on the host, made from the words of -netdev.
#pragma once

#include <memory>

#include "base/guest_clock.h"
#include "base/result.h"
#include "char/host_poller.h"
#include "net/endpoint.h"
#include "options/network_option.h"

namespace relic86::net {

// What a back end stands on. Both outlive it.
struct Host {
  HostPoller& poller;
  const GuestClock& clock;
};

class Backend : public Endpoint {
 public:
  using Endpoint::Endpoint;
  // A port of the host that leads to one of the guest, as -netdev user,hostfwd= writes it; to be removed:
  // "tcp:HOST:PORT".
  virtual Result<> add_forward(const std::string& rule);
  virtual Result<> remove_forward(const std::string& rule);
  // Its connections, for info usernet; empty: it has none to tell of.
  virtual std::string describe_connections() const { return {}; }
};

// Whether this build has libslirp.
bool user_network_exists();
Result<std::unique_ptr<Backend>> make_user_backend(const NetdevOption& option, Host host);
Result<std::unique_ptr<Backend>> make_backend(const NetdevOption& option, Host host);

}  // namespace relic86::net
