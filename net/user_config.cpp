#include "net/user_config.h"

#include <arpa/inet.h>
#include <fmt/format.h>

namespace relic86::net {

namespace {

constexpr u32 kDefaultNetwork = 0x0A000200, kDefaultMask = 0xFFFFFF00;  // 10.0.2.0/24
constexpr u32 kHostNumber = 2, kDnsNumber = 3, kFirstGuest = 15;
constexpr unsigned kMostPrefix = 32, kMostPrefix6 = 128;

u32 number(in_addr address) { return ntohl(address.s_addr); }
in_addr address(u32 number) { return {htonl(number)}; }

Result<in_addr> parse_ipv4(const std::string& text) {
  in_addr result{};
  if (inet_pton(AF_INET, text.c_str(), &result) == 1) return result;
  return Error{fmt::format("'{}' is not an IPv4 address", text)};
}

Result<in6_addr> parse_ipv6(const std::string& text) {
  in6_addr result{};
  if (inet_pton(AF_INET6, text.c_str(), &result) == 1) return result;
  return Error{fmt::format("'{}' is not an IPv6 address", text)};
}

Result<u16> parse_port(const std::string& text, u64 least) {
  const auto port = parse_number(text);
  if (port && port.value() >= least && port.value() <= 0xFFFF) return static_cast<u16>(port.value());
  return Error{fmt::format("'{}' is not a port", text)};
}

// NETWORK[/PREFIX|/MASK]; without one of these the address class decides.
Result<> parse_network(const std::string& text, UserConfig& config) {
  const auto slash = text.find('/');
  auto network = parse_ipv4(text.substr(0, slash));
  if (!network) return network.error();
  const u32 value = number(network.value());
  u32 mask = (value & 0x80000000) == 0 ? 0xFF000000 : (value & 0xC0000000) == 0x80000000 ? 0xFFFF0000 : 0xFFFFFF00;
  if (slash != std::string::npos) {
    const std::string word = text.substr(slash + 1);
    const auto bits = parse_number(word);
    constexpr u64 kLeast = 4;
    if (bits && bits.value() >= kLeast && bits.value() < kMostPrefix) {
      mask = ~0u << (kMostPrefix - bits.value());
    } else if (auto written = parse_ipv4(word); written) {
      mask = number(written.value());
    } else {
      return Error{fmt::format("'{}' is neither a number of bits from 4 to 31 nor a mask", word)};
    }
  }
  config.network = address(value & mask);
  config.mask = address(mask);
  return {};
}

Result<GuestForward> parse_guest_forward(const std::string& text) {
  const auto dash = text.find('-');
  const auto parts = split_words(text.substr(0, dash), ':');
  constexpr std::size_t kParts = 3;
  if (dash == std::string::npos || parts.size() != kParts || (parts[0] != "tcp" && !parts[0].empty()))
    return Error{"write tcp:SERVER:PORT-DEVICE or tcp:SERVER:PORT-cmd:COMMAND"};
  auto server = parse_ipv4(parts[1]);
  if (!server) return server.error();
  auto port = parse_port(parts[2], 1);
  if (!port) return port.error();
  const std::string target = text.substr(dash + 1);
  GuestForward forward{server.value(), port.value(), "", ""};
  constexpr std::string_view kCommand = "cmd:";
  (target.starts_with(kCommand) ? forward.command : forward.device) =
      target.starts_with(kCommand) ? target.substr(kCommand.size()) : target;
  return forward;
}

}  // namespace

Result<ForwardRule> parse_forward_host(const std::string& text) {
  const auto parts = split_words(text, ':');
  constexpr std::size_t kParts = 3;
  if (parts.size() != kParts || (parts[0] != "tcp" && parts[0] != "udp" && !parts[0].empty()))
    return Error{"write [tcp|udp]:[HOST]:PORT"};
  ForwardRule rule;
  rule.udp = parts[0] == "udp";
  if (!parts[1].empty()) {
    auto host = parse_ipv4(parts[1]);
    if (!host) return host.error();
    rule.host = host.value();
  }
  auto port = parse_port(parts[2], 0);
  if (!port) return port.error();
  rule.host_port = port.value();
  return rule;
}

Result<ForwardRule> parse_forward(const std::string& text) {
  const auto dash = text.find('-');
  if (dash == std::string::npos) return Error{"write [tcp|udp]:[HOST]:PORT-[GUEST]:PORT"};
  auto rule = parse_forward_host(text.substr(0, dash));
  if (!rule) return rule;
  const auto guest = split_words(text.substr(dash + 1), ':');
  if (guest.size() != 2) return Error{"write [tcp|udp]:[HOST]:PORT-[GUEST]:PORT"};
  if (!guest[0].empty()) {
    auto to = parse_ipv4(guest[0]);
    if (!to) return to.error();
    rule.value().guest = to.value();
  }
  auto port = parse_port(guest[1], 1);
  if (!port) return port.error();
  rule.value().guest_port = port.value();
  return rule;
}

namespace {

struct Read {
  UserConfig config;
  bool host = false, dhcp = false, dns = false, host6 = false, dns6 = false;

  template <class T>
  static Result<> store(Result<T> parsed, T& into) {
    if (!parsed) return parsed.error();
    into = std::move(parsed).value();
    return {};
  }
  template <class T>
  static Result<> append(Result<T> parsed, std::vector<T>& list) {
    if (!parsed) return parsed.error();
    list.push_back(std::move(parsed).value());
    return {};
  }

  Result<> take(const std::string& key, const std::string& word) {
    if (key == "ipv4") return store(parse_switch(word), config.ipv4);
    if (key == "ipv6") return store(parse_switch(word), config.ipv6);
    if (key == "restrict") return store(parse_switch(word), config.restricted);
    if (key == "net") return parse_network(word, config);
    if (key == "host") return host = true, store(parse_ipv4(word), config.host);
    if (key == "dhcpstart") return dhcp = true, store(parse_ipv4(word), config.dhcp_start);
    if (key == "dns") return dns = true, store(parse_ipv4(word), config.dns);
    if (key == "ipv6-host") return host6 = true, store(parse_ipv6(word), config.host6);
    if (key == "ipv6-dns") return dns6 = true, store(parse_ipv6(word), config.dns6);
    if (key == "ipv6-prefix") return store(parse_ipv6(word), config.prefix6);
    if (key == "ipv6-prefixlen") return take_prefix_length(word);
    if (key == "ipv6-net") {
      const auto slash = word.find('/');
      if (slash != std::string::npos) {
        if (auto length = take_prefix_length(word.substr(slash + 1)); !length) return length;
      }
      return store(parse_ipv6(word.substr(0, slash)), config.prefix6);
    }
    if (key == "hostname") return store(Result<std::string>(word), config.hostname);
    if (key == "tftp") return store(Result<std::string>(word), config.tftp);
    if (key == "tftp-server-name") return store(Result<std::string>(word), config.tftp_server_name);
    if (key == "bootfile") return store(Result<std::string>(word), config.bootfile);
    if (key == "domainname") return store(Result<std::string>(word), config.domain);
    if (key == "dnssearch") return append(Result<std::string>(word), config.search);
    if (key == "hostfwd") return append(parse_forward(word), config.forwards);
    if (key == "guestfwd") return append(parse_guest_forward(word), config.guest_forwards);
    return {};
  }

 private:
  Result<> take_prefix_length(const std::string& word) {
    const auto bits = parse_number(word);
    if (!bits || bits.value() > kMostPrefix6) return Error{fmt::format("'{}' is not a number from 0 to 128", word)};
    config.prefix6_length = static_cast<u8>(bits.value());
    return {};
  }
};

// Addresses that were not given lie in the network, where QEMU has them.
Result<> complete(Read& read) {
  UserConfig& config = read.config;
  const u32 network = number(config.network), mask = number(config.mask);
  const auto settle = [&](const char* key, bool given, in_addr& which, u32 otherwise) -> Result<> {
    if (!given) which = address(network | (otherwise & ~mask));
    if ((number(which) & mask) == network) return {};
    return Error{fmt::format("{}: lies outside of the network net=", key)};
  };
  if (auto done = settle("host", read.host, config.host, kHostNumber); !done) return done;
  if (auto done = settle("dhcpstart", read.dhcp, config.dhcp_start, kFirstGuest); !done) return done;
  if (!read.dns) config.dns = address(network | (kDnsNumber & ~mask));
  if (number(config.host) == number(config.dns)) return Error{"host and dns: are the same address; give each its own"};
  if (number(config.host) == number(config.dhcp_start) || number(config.dns) == number(config.dhcp_start))
    return Error{"dhcpstart: is the address of the host or the name server; give another one"};
  const auto in_prefix = [&](u8 last) {
    in6_addr result = config.prefix6;
    result.s6_addr[15] = static_cast<u8>(result.s6_addr[15] | last);
    return result;
  };
  if (!read.host6) config.host6 = in_prefix(kHostNumber);
  if (!read.dns6) config.dns6 = in_prefix(kDnsNumber);
  constexpr std::size_t kLongestHostname = 33;
  if (config.hostname.size() > kLongestHostname) return Error{"hostname: has more than 33 bytes"};
  if (!config.ipv4 && !config.ipv6) return Error{"ipv4=off and ipv6=off leave no network; leave one of them on"};
  return {};
}

}  // namespace

Result<UserConfig> parse_user_config(const NetdevOption& option) {
  Read read;
  read.config.network = address(kDefaultNetwork);
  read.config.mask = address(kDefaultMask);
  read.config.prefix6 = parse_ipv6("fec0::").value();
  // One protocol alone was asked for: the other one is off.
  const auto said = [&](const char* key) {
    for (const auto& [name, word] : option.properties) {
      if (name == key) return true;
    }
    return false;
  };
  for (const auto& [key, word] : option.properties) {
    if (auto taken = read.take(key, word); !taken)
      return Error{fmt::format("{},id={}: {}={}: {}", option.option, option.id, key, word, taken.message())};
  }
  if (said("ipv4") && read.config.ipv4 && !said("ipv6")) read.config.ipv6 = false;
  if (said("ipv6") && read.config.ipv6 && !said("ipv4")) read.config.ipv4 = false;
  if (auto done = complete(read); !done)
    return Error{fmt::format("{},id={}: {}", option.option, option.id, done.message())};
  return std::move(read.config);
}

}  // namespace relic86::net
