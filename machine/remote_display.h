// The machine's remote display (VNC) as its commands see it: the server itself is known above the machine, which
// provides it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

// One end of a connection.
struct RemoteAddress {
  std::string host;     // "127.0.0.1"; a unix socket's path
  std::string service;  // the port
  enum class Family : u8 { Ipv4, Ipv6, Unix } family = Family::Ipv4;
  bool web_socket = false;
};

class RemoteDisplay {
 public:
  struct Client {
    u64 number = 0;
    RemoteAddress address;
    RemoteAddress server;  // where it came in
  };
  enum class Event : u8 {
    Connected,     // a client has connected
    Initialized,   // it may see and type from now on
    Disconnected,  // it has gone
  };

  virtual const std::string& id() const = 0;
  virtual bool needs_password() const = 0;
  // Where it listens; empty: nowhere.
  virtual std::vector<RemoteAddress> addresses() const = 0;
  // Those that were let in.
  virtual std::vector<Client> clients() const = 0;
  // Errors: no password is asked for.
  virtual Result<> set_password(const std::string& password) = 0;
  // Seconds since 1970; nullopt: it never expires.
  virtual Result<> expire_password(std::optional<i64> when) = 0;

  // While MachineEvent::RemoteDisplay is told.
  virtual Event event() const = 0;
  virtual const Client& event_client() const = 0;

 protected:
  ~RemoteDisplay() = default;
};

}  // namespace relic86
