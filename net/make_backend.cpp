// From the words of -netdev to a back end.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "net/socket_backends.h"
#include "options/json_properties.h"

namespace relic86::net {

namespace {

using Made = Result<std::unique_ptr<Backend>>;

class Words {
 public:
  explicit Words(const NetdevOption& option) : option_(option) {}
  std::string operator[](const std::string& key) const { return property_value(option_.properties, key); }
  bool has(const std::string& key) const { return !(*this)[key].empty(); }
  Error refuse(const std::string& what) const {
    return Error{fmt::format("{},id={}: {}", option_.option, option_.id, what)};
  }

 private:
  const NetdevOption& option_;
};

// TYPE.type=inet|unix|fd with its host and port, path, or str.
struct Place {
  enum class Kind : u8 { None, Address, Descriptor } kind = Kind::None;
  SocketAddress address;
  std::string descriptor;
};

Result<Place> parse_place(const Words& words, const std::string& prefix) {
  Place place;
  const std::string type = words[prefix + ".type"];
  if (type.empty()) return place;
  if (type == "fd") {
    place.kind = Place::Kind::Descriptor;
    place.descriptor = words[prefix + ".str"];
    return place;
  }
  if (type != "inet" && type != "unix")
    return words.refuse(fmt::format("{}.type={}: unknown type; inet, unix and fd exist", prefix, type));
  auto address = type == "inet" ? inet_address(words[prefix + ".host"], words[prefix + ".port"])
                                : path_address(words[prefix + ".path"]);
  if (!address) return words.refuse(fmt::format("{}: {}", prefix, address.message()));
  place.kind = Place::Kind::Address;
  place.address = address.value();
  return place;
}

bool is_multicast(const SocketAddress& address) {
  return address.family() == AF_INET && IN_MULTICAST(ntohl(address.ipv4.sin_addr.s_addr));
}

}  // namespace

Made make_stream_backend(const NetdevOption& option, Host host) {
  const Words words(option);
  const auto server = words.has("server") ? parse_switch(words["server"]) : Result<bool>(false);
  if (!server) return words.refuse("server: " + server.message());
  auto place = parse_place(words, "addr");
  if (!place) return place.error();
  if (place.value().kind == Place::Kind::None)
    return words.refuse("addr.type= is missing; write addr.type=inet,addr.host=HOST,addr.port=PORT");
  const bool inherited = place.value().kind == Place::Kind::Descriptor;
  auto socket = inherited        ? inherited_socket(place.value().descriptor, SOCK_STREAM)
                : server.value() ? listen_at(place.value().address)
                                 : connect_to(place.value().address);
  if (!socket) return words.refuse(socket.message());
  const std::string where = inherited ? "fd:" + place.value().descriptor : place.value().address.text();
  return server.value() ? stream_listener(option, host, std::move(socket).value(), where)
                        : stream_connection(option, host, std::move(socket).value(), where);
}

Made make_dgram_backend(const NetdevOption& option, Host host) {
  const Words words(option);
  auto local = parse_place(words, "local");
  if (!local) return local.error();
  auto remote = parse_place(words, "remote");
  if (!remote) return remote.error();
  const bool has_local = local.value().kind == Place::Kind::Address;
  if (local.value().kind == Place::Kind::Descriptor) {
    auto socket = inherited_socket(local.value().descriptor, SOCK_DGRAM);
    if (!socket) return words.refuse(socket.message());
    return datagram_backend(option, host, std::move(socket).value(), nullptr, "fd:" + local.value().descriptor);
  }
  if (remote.value().kind != Place::Kind::Address)
    return words.refuse("remote.type= is missing; write remote.type=inet,remote.host=HOST,remote.port=PORT");
  const SocketAddress& to = remote.value().address;
  if (has_local && local.value().address.family() != to.family())
    return words.refuse("local and remote are of different types");
  const SocketAddress* const own = has_local ? &local.value().address : nullptr;
  auto socket = is_multicast(to) ? multicast_socket(to, own) : datagram_socket(to.family(), own);
  if (!socket) return words.refuse(socket.message());
  return datagram_backend(option, host, std::move(socket).value(), &to,
                          fmt::format("{}{}", is_multicast(to) ? "mcast=" : "remote=", to.text()));
}

Made make_socket_backend(const NetdevOption& option, Host host) {
  const Words words(option);
  const int ways = words.has("fd") + words.has("listen") + words.has("connect") + words.has("mcast") + words.has("udp");
  if (ways != 1) return words.refuse("exactly one of listen=, connect=, mcast=, udp= and fd= is expected");
  if (words.has("fd")) {
    auto socket = inherited_socket(words["fd"], 0);
    if (!socket) return words.refuse(socket.message());
    int kind = 0;
    socklen_t length = sizeof kind;
    (void)::getsockopt(socket.value().fd(), SOL_SOCKET, SO_TYPE, &kind, &length);
    const std::string where = "fd=" + words["fd"];
    return kind == SOCK_DGRAM ? datagram_backend(option, host, std::move(socket).value(), nullptr, where)
                              : stream_connection(option, host, std::move(socket).value(), where);
  }
  const std::string way = words.has("listen")    ? "listen"
                          : words.has("connect") ? "connect"
                          : words.has("mcast")   ? "mcast"
                                                 : "udp";
  auto address = inet_address(words[way]);
  if (!address) return words.refuse(fmt::format("{}={}: {}", way, words[way], address.message()));
  const std::string where = fmt::format("{}={}", way, words[way]);
  if (way == "listen" || way == "connect") {
    auto socket = way == "listen" ? listen_at(address.value()) : connect_to(address.value());
    if (!socket) return words.refuse(socket.message());
    return way == "listen" ? stream_listener(option, host, std::move(socket).value(), where)
                           : stream_connection(option, host, std::move(socket).value(), where);
  }
  SocketAddress own;
  if (words.has("localaddr")) {
    auto local = way == "mcast" ? inet_address(words["localaddr"], "0") : inet_address(words["localaddr"]);
    if (!local) return words.refuse(fmt::format("localaddr={}: {}", words["localaddr"], local.message()));
    own = local.value();
  } else if (way == "udp") {
    return words.refuse("localaddr=HOST:PORT is missing: where the other side sends to");
  }
  const SocketAddress* const local = own.length == 0 ? nullptr : &own;
  auto socket = way == "mcast" ? multicast_socket(address.value(), local) : datagram_socket(AF_INET, local);
  if (!socket) return words.refuse(socket.message());
  return datagram_backend(option, host, std::move(socket).value(), &address.value(), where);
}

Made make_tap_backend(const NetdevOption& option, Host host) {
  const Words words(option);
  if (words.has("fd")) {
    constexpr u64 kMostDescriptor = 0x7FFFFFFF;
    const auto number = parse_number(words["fd"]);
    if (!number || number.value() > kMostDescriptor || ::fcntl(static_cast<int>(number.value()), F_GETFD) < 0)
      return words.refuse(
          fmt::format("fd={}: no open descriptor has this number; pass a tap on to relic86", words["fd"]));
    HostSocket tap(static_cast<int>(number.value()));
    prepare_descriptor(tap.fd());
    return datagram_backend(option, host, std::move(tap), nullptr, "fd=" + words["fd"]);
  }
  for (const char* key : {"script", "downscript"}) {
    const std::string script = words[key];
    if (!script.empty() && script != "no")
      return words.refuse(
          fmt::format("{}={}: no scripts are run; set the interface up before and say {}=no", key, script, key));
  }
  if (words.has("vhost") && words["vhost"] != "off") return words.refuse("vhost: there is no virtio; leave it out");
  HostSocket tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!tap)
    return words.refuse(fmt::format(
        "/dev/net/tun: {}; make a tap that belongs to you: ip tuntap add mode tap user NAME", std::strerror(errno)));
  ifreq request{};
  const std::string name = words["ifname"];
  if (name.size() >= sizeof request.ifr_name)
    return words.refuse(fmt::format("ifname={}: a name has at most 15 bytes", name));
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
  if (::ioctl(tap.fd(), TUNSETIFF, &request) != 0)
    return words.refuse(
        fmt::format("ifname={}: {}; make a tap that belongs to you: ip tuntap add {} mode tap user NAME", name,
                    std::strerror(errno), name.empty() ? "tap0" : name));
  prepare_descriptor(tap.fd());
  const std::string chosen = request.ifr_name;
  return datagram_backend(option, host, std::move(tap), nullptr, "ifname=" + chosen);
}

Made make_backend(const NetdevOption& option, Host host) {
  if (option.type == "user") return make_user_backend(option, host);
  if (option.type == "stream") return make_stream_backend(option, host);
  if (option.type == "dgram") return make_dgram_backend(option, host);
  if (option.type == "tap") return make_tap_backend(option, host);
  return make_socket_backend(option, host);
}

}  // namespace relic86::net
