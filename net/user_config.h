// The words of -netdev user, checked: a network of its own that the host answers for.
#pragma once

#include <netinet/in.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "options/network_option.h"

namespace relic86::net {

// [tcp|udp]:[HOST]:PORT-[GUEST]:PORT
struct ForwardRule {
  bool udp = false;
  in_addr host{};  // 0.0.0.0: every address of the host
  u16 host_port = 0;
  in_addr guest{};  // 0.0.0.0: the first address that DHCP gives
  u16 guest_port = 0;
};

// [tcp]:SERVER:PORT-cmd:COMMAND, or -DEVICE as -serial names it
struct GuestForward {
  in_addr server{};
  u16 port = 0;
  std::string command;
  std::string device;
};

struct UserConfig {
  bool ipv4 = true, ipv6 = true;
  bool restricted = false;
  in_addr network{}, mask{}, host{}, dhcp_start{}, dns{};
  in6_addr prefix6{}, host6{}, dns6{};
  u8 prefix6_length = 64;
  std::string hostname, tftp, tftp_server_name, bootfile, domain;
  std::vector<std::string> search;
  std::vector<ForwardRule> forwards;
  std::vector<GuestForward> guest_forwards;
};

Result<UserConfig> parse_user_config(const NetdevOption& option);
Result<ForwardRule> parse_forward(const std::string& text);
// "[tcp|udp]:[HOST]:PORT": the host's side of a rule.
Result<ForwardRule> parse_forward_host(const std::string& text);

}  // namespace relic86::net
