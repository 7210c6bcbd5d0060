#include "options/vnc_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/nearest.h"
#include "options/option_text.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

constexpr unsigned kLastPort = 0xFFFF;
constexpr unsigned kMostConnections = 1000;

// An error that begins with the option as the user wrote it: "-vnc :1,to=x: ..".
Error wrong(const VncOption& vnc, Text what) { return Error{fmt::format("{}: {}", vnc.option, what)}; }

Result<unsigned> parse_port(Text word, unsigned first) {
  const auto number = parse_number(word);
  if (!number || number.value() > kLastPort - first) return Error{fmt::format("there is no number {}", word)};
  return first + static_cast<unsigned>(number.value());
}

// "HOST:NUMBER"; an IPv6 address in brackets.
struct HostAndNumber {
  std::string host, number;
};
std::optional<HostAndNumber> split_address(Text word) {
  const auto colon = word.rfind(':');
  if (colon == Text::npos) return std::nullopt;
  Text host = word.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return HostAndNumber{std::string(host), std::string(word.substr(colon + 1))};
}

Result<> set_switch(bool& target, Text word) {
  const auto on = parse_switch(word);
  if (!on) return Error{on.message()};
  target = on.value();
  return {};
}

Result<> accept_switch(VncOption&, Text word) {
  bool ignored = false;
  return set_switch(ignored, word);
}
Result<> accept(VncOption&, Text) { return {}; }

Result<> set_sharing(VncOption& vnc, Text word) {
  constexpr std::array<Text, 3> kWords{"allow-exclusive", "force-shared", "ignore"};
  const auto* const at = std::find(kWords.begin(), kWords.end(), word);
  if (at == kWords.end()) return Error{fmt::format("unknown word; {} exist", fmt::join(kWords, ", "))};
  vnc.sharing = static_cast<VncOption::Sharing>(at - kWords.begin());
  return {};
}

Result<> set_connections(VncOption& vnc, Text word) {
  const auto number = parse_number(word);
  if (!number || number.value() == 0 || number.value() > kMostConnections)
    return Error{fmt::format("expects 1 to {} clients", kMostConnections)};
  vnc.most_clients = static_cast<unsigned>(number.value());
  return {};
}

Result<> set_last_display(VncOption& vnc, Text word) {
  const auto port = parse_port(word, kFirstVncPort);
  if (!port) return Error{"expects the number of the last display to try"};
  vnc.to = port.value();
  return {};
}

// A number, HOST:PORT, or a switch.
Result<> set_web_socket(VncOption& vnc, Text word) {
  VncOption::WebSocket socket{vnc.host, 0};
  if (const auto on = parse_switch(word)) {
    vnc.web_socket.reset();
    if (on.value()) vnc.web_socket = socket;
    return {};
  }
  Text port = word;
  const auto parts = split_address(word);
  if (parts) {
    socket.host = parts->host;
    port = parts->number;
  }
  const auto number = parse_port(port, 0);
  if (!number || number.value() == 0) return Error{"expects on, off, a TCP port, or HOST:PORT"};
  socket.port = number.value();
  vnc.web_socket = socket;
  return {};
}

struct Row {
  Text name;
  Result<> (*set)(VncOption&, Text);
};
constexpr Row kRows[] = {
    {"id",
     [](VncOption& vnc, Text word) -> Result<> {
       vnc.id = word;
       return {};
     }},
    {"to", set_last_display},
    {"reverse", [](VncOption& vnc, Text word) { return set_switch(vnc.reverse, word); }},
    {"password", [](VncOption& vnc, Text word) { return set_switch(vnc.password, word); }},
    {"password-secret",
     [](VncOption& vnc, Text word) -> Result<> {
       vnc.secret = word;
       vnc.password = true;
       return {};
     }},
    {"websocket", set_web_socket},
    {"share", set_sharing},
    {"connections", set_connections},
    {"power-control", [](VncOption& vnc, Text word) { return set_switch(vnc.power_control, word); }},
    // Clients say themselves how they want pictures encoded, and how well; one address is listened on; the guest's
    // keyboard takes keys as fast as it reads them, and its lights are told to clients in any case.
    {"lossy", accept_switch},
    {"non-adaptive", accept_switch},
    {"lock-key-sync", accept_switch},
    {"ipv4", accept_switch},
    {"ipv6", accept_switch},
    {"key-delay-ms", accept},
    // There is one screen.
    {"display", accept},
    {"head", accept},
    {"audiodev", accept},  // sound is not sent
};

constexpr struct {
  Text beginning, mend;
} kMissing[] = {
    {"tls", "there is no TLS; listen on a unix: socket or on 127.0.0.1, and let ssh or stunnel carry it"},
    {"x509", "there is no TLS; listen on a unix: socket or on 127.0.0.1, and let ssh or stunnel carry it"},
    {"sasl", "clients are known by a password at most; a unix: socket's permissions say who may connect"},
    {"acl", "clients are known by a password at most; a unix: socket's permissions say who may connect"},
};

Result<> set_property(VncOption& vnc, Text key, Text word) {
  const auto* const row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.name == key; });
  const std::string written = word.empty() ? std::string(key) : fmt::format("{}={}", key, word);
  if (row != std::end(kRows)) {
    const auto done = row->set(vnc, word);
    return done ? done : wrong(vnc, fmt::format("{}: {}", written, done.message()));
  }
  for (const auto& missing : kMissing) {
    if (key.starts_with(missing.beginning)) return wrong(vnc, fmt::format("{}: {}", written, missing.mend));
  }
  std::vector<Text> names;
  for (const Row& each : kRows) names.push_back(each.name);
  return wrong(vnc, fmt::format("{}: unknown property; the nearest is {}", written, nearest_word(key, names)));
}

Result<> set_address(VncOption& vnc, Text word) {
  constexpr Text kUnix = "unix:";
  if (word.starts_with(kUnix)) {
    vnc.path = word.substr(kUnix.size());
    if (vnc.path.empty()) return wrong(vnc, "the socket's path is missing; write unix:PATH");
    return {};
  }
  const auto parts = split_address(word);
  if (!parts) return wrong(vnc, "names no display; write :1, HOST:1, unix:PATH or none");
  vnc.host = parts->host;
  const auto port = parse_port(parts->number, vnc.reverse ? 0 : kFirstVncPort);
  if (!port) {
    return wrong(vnc, vnc.reverse ? "names no port; write HOST:PORT of the viewer"
                                  : "names no display; display 1 is port 5901, 59635 the last one");
  }
  vnc.port = port.value();
  return {};
}

Result<> parse(Options& options, Text option, Text value) {
  // No window opens beside it unless one is asked for.
  if (options.display.empty()) {
    options.display = "none";
    options.display_option = "-display none";
  }
  // The name of the first word may be left out; the path of a socket may contain '=', too.
  constexpr Text kName = "vnc=";
  const Properties words =
      parse_properties(value.starts_with(kName) ? std::string(value) : fmt::format("{}{}", kName, value));
  const Text first = words.front().second;
  if (first == "none") {
    options.vnc.reset();
    return {};
  }
  if (options.vnc) {
    return Error{fmt::format("{}{}: there is one VNC server, and {} is it; clients share it", option, value,
                             options.vnc->option)};
  }
  VncOption vnc;
  vnc.option = fmt::format("{}{}", option, value);
  for (std::size_t i = 1; i < words.size(); i++) {
    if (words[i].first != "reverse") continue;  // decides what the number of the address means
    if (auto done = set_property(vnc, words[i].first, words[i].second); !done) return done;
  }
  if (auto done = set_address(vnc, first); !done) return done;
  for (std::size_t i = 1; i < words.size(); i++) {
    if (auto done = set_property(vnc, words[i].first, words[i].second); !done) return done;
  }
  if (vnc.web_socket && vnc.reverse)
    return wrong(vnc, "reverse=on calls a viewer, and no browser can connect; leave websocket or reverse out");
  if (vnc.web_socket && vnc.web_socket->port == 0 && !vnc.path.empty())
    return wrong(vnc, "a unix: socket has no display number; write websocket=PORT");
  if (vnc.to != 0 && (vnc.to < vnc.port || !vnc.path.empty() || vnc.reverse))
    return wrong(vnc, "to= is the number of a later display to listen on");
  options.vnc = std::move(vnc);
  return {};
}

}  // namespace

Result<> set_vnc(Options& options, std::string_view value) { return parse(options, "-vnc ", value); }

Result<> set_vnc_display(Options& options, std::string_view value) { return parse(options, "-display vnc=", value); }

Result<> check_vnc(const Options& options) {
  if (!options.vnc || options.vnc->secret.empty()) return {};
  const VncOption& vnc = *options.vnc;
  if (std::none_of(options.objects.begin(), options.objects.end(),
                   [&](const ObjectOption& each) { return each.id == vnc.secret && each.type == "secret"; }))
    return wrong(vnc, fmt::format("there is no secret '{0}'; add -object secret,id={0},data=..", vnc.secret));
  return {};
}

}  // namespace relic86
