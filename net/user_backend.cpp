// -netdev user: libslirp answers for the host, a name server and a DHCP server, and connects by the host's sockets.
#include <fmt/format.h>

#include "net/backend.h"
#include "net/user_config.h"

#ifdef RELIC86_SLIRP
#include <arpa/inet.h>
#include <libslirp.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <list>

#include "base/log.h"
#include "char/char_backend.h"
#endif

namespace relic86::net {

#ifdef RELIC86_SLIRP

namespace {

constexpr i64 kNanosecondsPerMillisecond = 1'000'000;

std::string text_of(in_addr address) {
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &address, text, sizeof text);
  return text;
}

const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

class UserBackend final : public Backend, private HostPoller::Source {
 public:
  UserBackend(const NetdevOption& option, UserConfig config, Host host)
      : Backend(option.id, "user"), config_(std::move(config)), host_(host) {}

  Result<> open(const NetdevOption& option);
  ~UserBackend() override {
    if (slirp_ == nullptr) return;
    host_.poller.remove_source(this);
    slirp_cleanup(slirp_);
  }

  std::string describe() const override {
    return fmt::format("net={},restrict={}", text_of(config_.network), config_.restricted ? "on" : "off");
  }
  void take(Frame frame) override { slirp_input(slirp_, frame.data(), static_cast<int>(frame.size())); }
  Result<> add_forward(const std::string& rule) override {
    auto parsed = parse_forward(rule);
    return parsed ? forward(rule, parsed.value()) : parsed.error();
  }
  Result<> remove_forward(const std::string& rule) override {
    auto parsed = parse_forward_host(rule);
    if (!parsed) return parsed.error();
    if (slirp_remove_hostfwd(slirp_, parsed.value().udp ? 1 : 0, parsed.value().host, parsed.value().host_port) < 0)
      return Error{fmt::format("host forwarding rule for {} not found", rule)};
    return {};
  }
  std::string describe_connections() const override {
    char* const text = slirp_connection_info(slirp_);
    std::string copy = text;
    std::free(text);
    return copy;
  }

 private:
  // A connection of the guest's to an address that a character device stands behind (guestfwd).
  struct GuestPort final : CharSource {
    GuestPort(UserBackend& owner, const GuestForward& rule) : owner_(owner), server(rule.server), port(rule.port) {}
    bool can_receive() const override {
      in_addr to = server;
      return slirp_socket_can_recv(owner_.slirp_, to, port) > 0;
    }
    void receive(u8 byte) override { slirp_socket_recv(owner_.slirp_, server, port, &byte, 1); }
    UserBackend& owner_;
    in_addr server;
    int port;
    std::unique_ptr<CharBackend> device;
  };

  Result<> forward(const std::string& text, const ForwardRule& rule) {
    if (slirp_add_hostfwd(slirp_, rule.udp ? 1 : 0, rule.host, rule.host_port, rule.guest, rule.guest_port) < 0)
      return Error{
          fmt::format("could not set up host forwarding rule '{}': the host's port is in use, or not ours", text)};
    return {};
  }
  Result<> forward_guest(const GuestForward& rule);

  // HostPoller::Source
  void prepare(std::vector<pollfd>& fds, i64& timeout) override {
    for (const auto& port : guest_ports_) port->device->pump();
    const auto milliseconds =
        timeout < 0 ? UINT32_MAX
                    : static_cast<u32>(std::min<i64>(timeout / kNanosecondsPerMillisecond + 1, UINT32_MAX));
    u32 wanted = milliseconds;
    first_ = fds.size();
    fds_ = &fds;
    slirp_pollfds_fill(slirp_, &wanted, add_poll, this);
    if (wanted < milliseconds) {
      const i64 limit = i64{wanted} * kNanosecondsPerMillisecond;
      timeout = timeout < 0 ? limit : std::min(timeout, limit);
    }
  }
  void dispatch(std::span<const pollfd> fds, bool failed) override {
    ready_ = fds;
    slirp_pollfds_poll(slirp_, failed ? 1 : 0, ready_events, this);
    ready_ = {};
    // Timers follow the guest's clock, to about the time between two looks at the host: they are of seconds.
    const i64 now = host_.clock.now() / kNanosecondsPerMillisecond;
    for (Timer& timer : timers_) {
      if (timer.deadline < 0 || now < timer.deadline) continue;
      timer.deadline = -1;
      timer.callback(timer.opaque);
    }
  }

  static int add_poll(int fd, int events, void* opaque) {
    auto& self = *static_cast<UserBackend*>(opaque);
    short wanted = 0;
    if ((events & SLIRP_POLL_IN) != 0) wanted |= POLLIN;
    if ((events & SLIRP_POLL_OUT) != 0) wanted |= POLLOUT;
    if ((events & SLIRP_POLL_PRI) != 0) wanted |= POLLPRI;
    self.fds_->push_back({fd, wanted, 0});
    return static_cast<int>(self.fds_->size() - 1 - self.first_);
  }
  static int ready_events(int index, void* opaque) {
    const auto& self = *static_cast<UserBackend*>(opaque);
    if (index < 0 || static_cast<std::size_t>(index) >= self.ready_.size()) return 0;
    const short got = self.ready_[static_cast<std::size_t>(index)].revents;
    int events = 0;
    if ((got & POLLIN) != 0) events |= SLIRP_POLL_IN;
    if ((got & POLLOUT) != 0) events |= SLIRP_POLL_OUT;
    if ((got & POLLPRI) != 0) events |= SLIRP_POLL_PRI;
    if ((got & POLLERR) != 0) events |= SLIRP_POLL_ERR;
    if ((got & POLLHUP) != 0) events |= SLIRP_POLL_HUP;
    return events;
  }

  struct Timer {
    SlirpTimerCb callback;
    void* opaque;
    i64 deadline = -1;  // milliseconds of guest time; -1: not set
  };
  static const SlirpCb& callbacks();

  const UserConfig config_;
  const Host host_;
  Slirp* slirp_ = nullptr;
  std::vector<std::unique_ptr<GuestPort>> guest_ports_;
  std::list<Timer> timers_;
  std::vector<pollfd>* fds_ = nullptr;
  std::size_t first_ = 0;
  std::span<const pollfd> ready_;
};

const SlirpCb& UserBackend::callbacks() {
  static const SlirpCb table = [] {
    SlirpCb made{};
    made.send_packet = [](const void* bytes, size_t length, void* opaque) -> ssize_t {
      static_cast<UserBackend*>(opaque)->send({static_cast<const u8*>(bytes), length});
      return static_cast<ssize_t>(length);
    };
    made.guest_error = [](const char* message, void*) {
      log::print(log::Channel::GuestErrors, "network: {}", message);
    };
    made.clock_get_ns = [](void* opaque) -> int64_t { return static_cast<UserBackend*>(opaque)->host_.clock.now(); };
    made.timer_new = [](SlirpTimerCb callback, void* callback_opaque, void* opaque) -> void* {
      auto& timers = static_cast<UserBackend*>(opaque)->timers_;
      timers.push_back({callback, callback_opaque});
      return &timers.back();
    };
    made.timer_free = [](void* timer, void* opaque) {
      static_cast<UserBackend*>(opaque)->timers_.remove_if([timer](const Timer& other) { return &other == timer; });
    };
    made.timer_mod = [](void* timer, int64_t milliseconds, void*) {
      static_cast<Timer*>(timer)->deadline = milliseconds;
    };
    made.register_poll_fd = [](int, void*) {};
    made.unregister_poll_fd = [](int, void*) {};
    made.notify = [](void*) {};
    return made;
  }();
  return table;
}

Result<> UserBackend::open(const NetdevOption& option) {
  SlirpConfig config{};
  config.version = 1;
  config.restricted = config_.restricted ? 1 : 0;
  config.in_enabled = config_.ipv4;
  config.vnetwork = config_.network;
  config.vnetmask = config_.mask;
  config.vhost = config_.host;
  config.vdhcp_start = config_.dhcp_start;
  config.vnameserver = config_.dns;
  config.in6_enabled = config_.ipv6;
  config.vprefix_addr6 = config_.prefix6;
  config.vprefix_len = config_.prefix6_length;
  config.vhost6 = config_.host6;
  config.vnameserver6 = config_.dns6;
  config.vhostname = or_null(config_.hostname);
  config.tftp_server_name = or_null(config_.tftp_server_name);
  config.tftp_path = or_null(config_.tftp);
  config.bootfile = or_null(config_.bootfile);
  config.vdomainname = or_null(config_.domain);
  std::vector<const char*> search;
  for (const std::string& domain : config_.search) search.push_back(domain.c_str());
  search.push_back(nullptr);
  config.vdnssearch = search.size() > 1 ? search.data() : nullptr;
  slirp_ = slirp_new(&config, &callbacks(), this);
  if (slirp_ == nullptr) return Error{fmt::format("{},id={}: libslirp refuses these words", option.option, option.id)};
  host_.poller.add_source(this);
  std::size_t number = 0;
  for (const auto& [key, word] : option.properties) {
    if (key != "hostfwd") continue;
    if (auto done = forward(word, config_.forwards[number++]); !done)
      return Error{fmt::format("{},id={}: {}", option.option, option.id, done.message())};
  }
  for (const GuestForward& rule : config_.guest_forwards) {
    if (auto done = forward_guest(rule); !done)
      return Error{fmt::format("{},id={}: guestfwd: {}", option.option, option.id, done.message())};
  }
  return {};
}

Result<> UserBackend::forward_guest(const GuestForward& rule) {
  in_addr server = rule.server;
  if (!rule.command.empty()) {
    if (slirp_add_exec(slirp_, rule.command.c_str(), &server, rule.port) < 0)
      return Error{"the address is none of this network, or is in use already"};
    return {};
  }
  auto port = std::make_unique<GuestPort>(*this, rule);
  auto device = open_char_backend("-netdev user,guestfwd", rule.device, id() + ".guestfwd", host_.poller);
  if (!device) return device.error();
  port->device = std::move(device).value();
  const auto write = [](const void* bytes, size_t length, void* opaque) -> ssize_t {
    for (size_t i = 0; i < length; i++) static_cast<GuestPort*>(opaque)->device->put(static_cast<const u8*>(bytes)[i]);
    return static_cast<ssize_t>(length);
  };
  if (slirp_add_guestfwd(slirp_, write, port.get(), &server, rule.port) < 0)
    return Error{"the address is none of this network, or is in use already"};
  port->device->connect(port.get());
  guest_ports_.push_back(std::move(port));
  return {};
}

}  // namespace

bool user_network_exists() { return true; }

Result<std::unique_ptr<Backend>> make_user_backend(const NetdevOption& option, Host host) {
  auto config = parse_user_config(option);
  if (!config) return config.error();
  auto backend = std::make_unique<UserBackend>(option, std::move(config).value(), host);
  if (auto opened = backend->open(option); !opened) return opened.error();
  return std::unique_ptr<Backend>(std::move(backend));
}

#else

bool user_network_exists() { return false; }

Result<std::unique_ptr<Backend>> make_user_backend(const NetdevOption& option, Host) {
  return Error{fmt::format("{},id={}: this relic86 was built without libslirp; install libslirp-dev and build it again",
                           option.option, option.id)};
}

#endif

}  // namespace relic86::net
