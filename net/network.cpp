#include "net/network.h"

#include <fmt/format.h>

#include <algorithm>

#include "options/json_properties.h"
#include "options/option_text.h"
#include "options/options.h"

namespace relic86::net {

namespace {
constexpr u32 kMostDumped = 65536;

std::string line_of(const Endpoint& end) {
  return fmt::format("{}: index=0,type={},{}\n", end.id(), end.kind(), end.describe());
}

// In place of a back end: what goes in is lost.
class DeadEnd final : public Backend {
 public:
  using Backend::Backend;
  std::string describe() const override { return "replayed"; }
  void take(Frame) override {}
};

}  // namespace

Result<> Backend::add_forward(const std::string&) { return Error{fmt::format("'{}' is no user network", id())}; }
Result<> Backend::remove_forward(const std::string&) { return Error{fmt::format("'{}' is no user network", id())}; }

Network::Network(Scheduler& scheduler, const GuestClock& clock, HostPoller& poller, Reach reach)
    : scheduler_(scheduler), clock_(clock), poller_(poller), reach_(reach) {
  delivery_ = scheduler_.create("network.delivery", this, 0);
}

Result<> Network::build(const NetworkOptions& options, const std::vector<ObjectOption>& objects) {
  for (const NetdevOption& option : options.netdevs) {
    // A hub port may name a back end that stands after it.
    if (option.type == "hubport") continue;
    // Nobody asked for this one: without libslirp its cable leads nowhere.
    if (!options.said && !user_network_exists()) continue;
    if (auto added = add_backend(option); !added) return added;
  }
  for (const NetdevOption& option : options.netdevs) {
    if (option.type != "hubport") continue;
    if (auto added = add_hub_port(option); !added) return added;
  }
  for (const NicOption& nic : options.nics) {
    // A back end that nobody asked for may be missing.
    NicOption card = nic;
    if (find(card.netdev) == nullptr) card.netdev.clear();
    if (auto added = add_card(card); !added) return added.error();
  }
  for (const ObjectOption& object : objects) {
    if (object.type != "filter-dump") continue;
    if (auto added = add_dump(object); !added) return added;
  }
  return {};
}

Result<> Network::add_backend(const NetdevOption& option) {
  if (find(option.id) != nullptr) return Error{fmt::format("Duplicate ID '{}' for netdev", option.id)};
  if (option.type == "hubport") return add_hub_port(option);
  if (reach_ == Reach::Nowhere) {
    backends_.push_back(std::make_unique<DeadEnd>(option.id, option.type));
    return {};
  }
  auto backend = make_backend(option, {poller_, clock_});
  if (!backend) return backend.error();
  backends_.push_back(std::move(backend).value());
  return {};
}

Result<CardPort*> Network::add_card(const NicOption& nic) {
  Endpoint* const other = nic.netdev.empty() ? nullptr : find(nic.netdev);
  if (other == nullptr && !nic.netdev.empty())
    return Error{fmt::format("netdev={}: there is no network back end with this id; netdev_add makes one", nic.netdev)};
  if (other != nullptr && other->peer() != nullptr)
    return Error{fmt::format("{}: netdev={}: something else is plugged in there; -netdev hubport makes a hub",
                             nic.option, nic.netdev)};
  // Those without a name are numbered.
  const auto cards = [&](auto member, const std::string& word) {
    return std::count_if(cards_.begin(), cards_.end(), [&](const auto& card) { return (*card.*member)() == word; });
  };
  std::string id = nic.id;
  for (auto number = cards(&CardPort::model, nic.model); id.empty() || (nic.id.empty() && cards(&CardPort::id, id) > 0);
       number++)
    id = fmt::format("{}.{}", nic.model, number);
  const auto deliver_in = [this](GuestTime delay) {
    const GuestTime wanted = scheduler_.now() + delay;
    if (wanted < scheduler_.deadline(delivery_)) scheduler_.schedule_at(delivery_, wanted);
  };
  cards_.push_back(std::make_unique<CardPort>(id, nic.model, *nic.mac, deliver_in));
  cards_.back()->watch(static_cast<u32>(cards_.size() - 1), arrivals_);
  if (other != nullptr) Endpoint::connect(*cards_.back(), *other);
  return cards_.back().get();
}

MacAddress Network::remove_card(const std::string& id) {
  const auto card = std::find_if(cards_.begin(), cards_.end(), [&](const auto& each) { return each->id() == id; });
  const MacAddress address = (*card)->address();
  cards_.erase(card);
  return address;
}

Hub& Network::hub(int number) {
  auto& hub = hubs_[number];
  if (hub == nullptr) hub = std::make_unique<Hub>(number);
  return *hub;
}

Result<> Network::add_hub_port(const NetdevOption& option) {
  const std::string word = property_value(option.properties, "hubid");
  constexpr u64 kMostHub = 0x7FFFFFFF;
  const auto number = parse_number(word);
  if (!number || number.value() > kMostHub)
    return Error{fmt::format("{},id={}: hubid={}: give the number of a hub", option.option, option.id, word)};
  auto port = hub(static_cast<int>(number.value())).make_port(option.id);
  if (const std::string to = property_value(option.properties, "netdev"); !to.empty()) {
    Endpoint* const other = find(to);
    if (other == nullptr)
      return Error{fmt::format("{},id={}: netdev={}: there is no -netdev with this id", option.option, option.id, to)};
    if (other->peer() != nullptr)
      return Error{
          fmt::format("{},id={}: netdev={}: something else is plugged in there", option.option, option.id, to)};
    Endpoint::connect(*port, *other);
  }
  hub_ports_.push_back(std::move(port));
  return {};
}

Result<> Network::add_dump(const ObjectOption& object) {
  const auto word = [&](const char* key) { return property_value(object.properties, key); };
  const auto refuse = [&](const std::string& what) {
    return Error{fmt::format("-object filter-dump,id={}: {}", object.id, what)};
  };
  if (word("file").empty()) return refuse("file= is missing; name the file that frames go to");
  Endpoint* const at = find(word("netdev"));
  if (at == nullptr) return refuse(fmt::format("netdev={}: there is no -netdev with this id", word("netdev")));
  u32 longest = kMostDumped;
  if (!word("maxlen").empty()) {
    const auto number = parse_size(word("maxlen"), 1);
    if (!number || number.value() == 0 || number.value() > kMostDumped)
      return refuse(fmt::format("maxlen={}: give a number of bytes from 1 to {}", word("maxlen"), kMostDumped));
    longest = static_cast<u32>(number.value());
  }
  auto dump = FrameDump::open(word("file"), longest, *at, clock_);
  if (!dump) return refuse(dump.message());
  dumps_.push_back({object.id, at->id(), word("file"), std::move(dump).value()});
  return {};
}

Result<> Network::remove_backend(const std::string& id) {
  std::erase_if(dumps_, [&](const Dump& dump) { return dump.netdev == id; });
  if (std::erase_if(backends_, [&](const auto& backend) { return backend->id() == id; }) > 0) return {};
  if (std::erase_if(hub_ports_, [&](const auto& port) { return port->id() == id; }) > 0) return {};
  return Error{fmt::format("Device '{}' not found", id)};
}

Endpoint* Network::find(const std::string& id) const {
  for (const auto& backend : backends_) {
    if (backend->id() == id) return backend.get();
  }
  for (const auto& port : hub_ports_) {
    if (port->id() == id) return port.get();
  }
  for (const auto& card : cards_) {
    if (card->id() == id) return card.get();
  }
  return nullptr;
}

Result<> Network::set_link(const std::string& name, bool up) {
  Endpoint* const end = find(name);
  if (end == nullptr) return Error{fmt::format("Device '{}' not found", name)};
  end->set_up(up);
  return {};
}

Result<Backend*> Network::forwarder(const std::string& id) const {
  for (const auto& backend : backends_) {
    if (backend->id() == id || (id.empty() && backend->kind() == "user")) return backend.get();
  }
  return Error{id.empty() ? "there is no user network" : fmt::format("unrecognized netdev id '{}'", id)};
}

Result<> Network::add_forward(const std::string& backend, const std::string& rule) {
  auto found = forwarder(backend);
  return found ? found.value()->add_forward(rule) : found.error();
}

Result<> Network::remove_forward(const std::string& backend, const std::string& rule) {
  auto found = forwarder(backend);
  return found ? found.value()->remove_forward(rule) : found.error();
}

std::string Network::describe() const {
  std::string text;
  for (const auto& [number, hub] : hubs_) {
    text += fmt::format("hub {}\n", number);
    for (const Endpoint* port : hub->ports())
      text +=
          fmt::format(" \\ {}", port->peer() == nullptr ? port->id() + "\n"
                                                        : fmt::format("{}: {}", port->id(), line_of(*port->peer())));
  }
  const auto tell = [&](const Endpoint& end) {
    if (end.peer() != nullptr && end.peer()->kind() == "hubport") return;
    text += line_of(end);
    if (end.kind() == "nic" && end.peer() != nullptr) text += " \\ " + line_of(*end.peer());
  };
  for (const auto& card : cards_) tell(*card);
  for (const auto& backend : backends_) {
    if (backend->peer() == nullptr) tell(*backend);
  }
  for (const Dump& dump : dumps_)
    text += fmt::format("filter {}: type=filter-dump,netdev={},file={}\n", dump.id, dump.netdev, dump.file);
  return text;
}

std::string Network::describe_connections() const {
  std::string text;
  for (const auto& backend : backends_) {
    if (const std::string connections = backend->describe_connections(); !connections.empty())
      text += fmt::format("Hub -1 ({}):\n{}", backend->id(), connections);
  }
  return text;
}

void Network::event(u32, GuestTime) {
  for (const auto& card : cards_) card->deliver();
}

}  // namespace relic86::net
