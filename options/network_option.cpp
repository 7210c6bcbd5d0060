#include "options/network_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/nearest.h"
#include "options/json_properties.h"
#include "options/options.h"
#include "options/pci_place_option.h"

namespace relic86 {

namespace {

using Text = std::string_view;

struct BackendRow {
  Text name;
  Text properties;
};
constexpr BackendRow kBackends[] = {
    {"user",
     "ipv4 ipv6 net host restrict hostname tftp tftp-server-name bootfile dhcpstart dns dnssearch domainname "
     "ipv6-net ipv6-prefix ipv6-prefixlen ipv6-host ipv6-dns hostfwd guestfwd"},
    {"socket", "fd listen connect mcast localaddr udp"},
    {"stream", "server addr.type addr.host addr.port addr.path addr.str reconnect"},
    {"dgram",
     "local.type local.host local.port local.path local.str remote.type remote.host remote.port remote.path "
     "remote.str"},
    {"tap", "fd ifname script downscript sndbuf vnet_hdr vhost"},
    {"hubport", "hubid netdev"},
};
struct MissingBackend {
  Text name;
  Text mend;
};
constexpr MissingBackend kMissing[] = {
    {"bridge", "no helper program is run; make a tap on the bridge and name it: -netdev tap,ifname=TAP,script=no"},
    {"vde", "there is no VDE switch; -netdev socket or stream connects machines"},
    {"l2tpv3", "there is no L2TPv3 tunnel; make one on the host and use -netdev tap"},
    {"netmap", "there is no netmap; use -netdev tap"},
    {"vhost-user", "there is no virtio; use -netdev stream"},
    {"vhost-vdpa", "there is no virtio; use -netdev tap"},
    {"vmnet-host", "it belongs to other hosts; use -netdev user"},
    {"vmnet-shared", "it belongs to other hosts; use -netdev user"},
    {"vmnet-bridged", "it belongs to other hosts; use -netdev tap"},
    {"af-xdp", "is of newer versions of QEMU; use -netdev tap"},
    {"passt", "is of newer versions of QEMU; start passt and use -netdev stream,addr.type=unix,addr.path=SOCKET"},
    {"dump", "frames are written by -object filter-dump,id=ID,netdev=ID,file=FILE"},
};
// Properties of QEMU's whose values change nothing here, or that do not exist.
constexpr MissingBackend kMissingProperties[] = {
    {"smb", "there is no SMB server; share files over HTTP, or with tftp="},
    {"smbserver", "there is no SMB server; share files over HTTP, or with tftp="},
    {"helper", "no helper program is run; use ifname= and script=no"},
    {"br", "no helper program is run; use ifname= and script=no"},
    {"fds", "a card has one queue; give fd="},
    {"queues", "a card has one queue; leave it out"},
    {"vhostfd", "there is no virtio; leave it out"},
    {"vhostfds", "there is no virtio; leave it out"},
    {"vhostforce", "there is no virtio; leave it out"},
};

constexpr Text kCardProperties = "netdev mac id addr bus bootindex romfile rombar multifunction failover_pair_id";
constexpr Text kVirtioCardProperties =
    "netdev mac id bootindex romfile rombar failover_pair_id csum guest_csum gso host_tso4 mrg_rxbuf status ctrl_vq "
    "ctrl_rx ctrl_vlan ctrl_rx_extra ctrl_mac_addr mq tx x-txtimer x-txburst rx_queue_size tx_queue_size host_mtu "
    "speed "
    "duplex ";
constexpr Text kVirtioCard = "virtio-net-pci";
constexpr Text kIsaCardProperties = "netdev mac id iobase irq bootindex";

const BackendRow* find_backend(Text name) {
  const auto* row =
      std::find_if(std::begin(kBackends), std::end(kBackends), [&](const BackendRow& r) { return r.name == name; });
  return row == std::end(kBackends) ? nullptr : row;
}

Error unknown_backend(Text option, Text name) {
  for (const MissingBackend& row : kMissing) {
    if (row.name == name) return Error{fmt::format("{} {}: {}", option, name, row.mend)};
  }
  std::vector<Text> names;
  for (const BackendRow& row : kBackends) names.push_back(row.name);
  return Error{fmt::format("{} {}: unknown type; the nearest is {}; '-netdev help' lists all", option, name,
                           nearest_word(name, names))};
}

// "hostfwd.0.str", as JSON writes an element of a list of strings, is one more hostfwd.
std::string list_name(const std::string& key) {
  const auto point = key.find('.');
  if (point == std::string::npos || point + 1 >= key.size()) return key;
  const char next = key[point + 1];
  return next >= '0' && next <= '9' ? key.substr(0, point) : key;
}

Result<std::array<u8, 6>> parse_mac(const std::string& option, const std::string& text) {
  std::array<u8, 6> mac{};
  const auto parts = split_words(text, text.find('-') != std::string::npos ? '-' : ':');
  bool right = parts.size() == mac.size();
  for (std::size_t i = 0; right && i < mac.size(); i++) {
    const auto byte =
        parts[i].size() > 2 || parts[i].empty() ? Result<u64>(Error{"no byte"}) : parse_number("0x" + parts[i]);
    right = byte.ok();
    if (right) mac[i] = static_cast<u8>(byte.value());
  }
  if (!right)
    return Error{fmt::format("{}: mac={}: not an address; write six bytes such as 52:54:00:12:34:56", option, text)};
  if ((mac[0] & 1) != 0)
    return Error{
        fmt::format("{}: mac={}: a card's address is no multicast address; let its first byte be even", option, text)};
  return mac;
}

const NicModel* find_model(Text name) {
  const auto& models = nic_models();
  const auto at = std::find_if(models.begin(), models.end(), [&](const NicModel& m) { return m.name == name; });
  return at == models.end() ? nullptr : &*at;
}

// The model that a -device of this name is; another name is answered as it is.
std::string model_of_device(Text name) {
  VirtioOption ignored;
  if (virtio_base_name(name, ignored) == "virtio-net") return std::string(kVirtioCard);
  return std::string(name == "e1000-82540em" ? "e1000" : name);
}

Result<std::string> model_named(const std::string& option, const std::string& word) {
  const std::string name = model_of_device(word == "ne2k" ? "ne2k_pci" : word == "virtio" ? kVirtioCard : Text(word));
  if (find_model(name) != nullptr) return name;
  std::vector<Text> names;
  for (const NicModel& model : nic_models()) names.push_back(model.name);
  return Error{fmt::format("{}: model={}: there is no such card; {} exist", option, word, fmt::join(names, ", "))};
}

// A card's own properties, of -device or of -nic and -net nic; false: the property is none of them.
Result<bool> set_card_property(NicOption& nic, const std::string& key, const std::string& word) {
  const auto number = [&](u64 most) -> Result<u64> {
    auto value = parse_number(word);
    if (!value || value.value() > most)
      return Error{fmt::format("{}: {}={} is not a number from 0 to {:#x}", nic.option, key, word, most)};
    return value;
  };
  if (key == "mac" || key == "macaddr") {
    auto mac = parse_mac(nic.option, word);
    if (!mac) return mac.error();
    nic.mac = mac.value();
  } else if (key == "addr") {
    auto slot = parse_pci_slot(nic.option, word);
    if (!slot) return slot.error();
    nic.slot = slot.value();
  } else if (key == "bootindex") {
    const auto index = number(0x7FFFFFFF);
    if (!index) return index.error();
    nic.boot_index = static_cast<unsigned>(index.value());
  } else if (key == "iobase") {
    const auto port = number(0xFFE0);
    if (!port) return port.error();
    nic.port = static_cast<u16>(port.value());
  } else if (key == "irq") {
    const auto irq = number(15);
    if (!irq) return irq.error();
    nic.irq = static_cast<u8>(irq.value());
  } else if (key == "id") {
    nic.id = word;
  } else if (key == "romfile") {
    nic.rom_file = word;
  } else if (key == "rombar") {
    if (word == "0") nic.rom_file = "";
  } else if (key == "netdev") {
    nic.netdev = word;
  } else {
    constexpr Text kNoEffect[] = {"bus", "multifunction", "vectors"};
    return std::find(std::begin(kNoEffect), std::end(kNoEffect), key) != std::end(kNoEffect);
  }
  return true;
}

// A name that the user cannot have given: "#net000".
std::string made_up_name(const Options& options, Text kind) {
  return fmt::format("#{}{:03}", kind, options.network.netdevs.size());
}

// -net nic and -net BACKEND meet at hub 0.
std::string add_hub_port(Options& options, const std::string& netdev) {
  const auto count = std::count_if(options.network.netdevs.begin(), options.network.netdevs.end(),
                                   [](const NetdevOption& n) { return n.id.starts_with("hub0port"); });
  NetdevOption port{"-net", "hubport", fmt::format("hub0port{}", count), {{"hubid", "0"}}};
  if (!netdev.empty()) port.properties.emplace_back("netdev", netdev);
  options.network.netdevs.push_back(port);
  return port.id;
}

}  // namespace

const std::vector<NicModel>& nic_models() {
  static const std::vector<NicModel> models{
      {"e1000", true, "Intel 82540EM, 1000 Mb/s"},
      {"rtl8139", true, "Realtek RTL8139C+, 100 Mb/s"},
      {"pcnet", true, "AMD Am79C970A PCnet-PCI II, 10 Mb/s"},
      {"ne2k_pci", true, "Realtek RTL8029AS (NE2000), 10 Mb/s"},
      {kVirtioCard, true, "virtio network card, legacy and modern"},
      {"ne2k_isa", false, "NE2000 on the ISA bus, 10 Mb/s"},
  };
  return models;
}

Result<NetdevOption> make_netdev(const std::string& option, const Properties& properties) {
  NetdevOption netdev;
  netdev.type = property_value(properties, "type");
  netdev.option = fmt::format("{} {}", option, netdev.type);
  const BackendRow* const row = find_backend(netdev.type);
  if (row == nullptr) return unknown_backend(option, netdev.type);
  const auto known = split_words(row->properties, ' ');
  const std::vector<Text> names(known.begin(), known.end());
  for (const auto& [written, word] : properties) {
    const std::string key = list_name(written);
    if (key == "type") continue;
    if (key == "id") {
      netdev.id = word;
      continue;
    }
    for (const MissingBackend& missing : kMissingProperties) {
      if (missing.name == key) return Error{fmt::format("{}: {}: {}", netdev.option, key, missing.mend)};
    }
    if (std::find(names.begin(), names.end(), key) == names.end())
      return Error{fmt::format("{}: {}={}: unknown property; the nearest is {}", netdev.option, key, word,
                               nearest_word(key, names))};
    netdev.properties.emplace_back(key, word);
  }
  return netdev;
}

Result<> add_netdev(Options& options, Text value) {
  if (asks_for_help(value)) {
    options.print_and_exit = netdev_help_text();
    return {};
  }
  options.network.said = true;
  const auto properties = option_properties("-netdev", value, "type");
  if (!properties) return properties.error();
  auto netdev = make_netdev("-netdev", properties.value());
  if (!netdev) return netdev.error();
  if (netdev.value().id.empty())
    return Error{fmt::format("{}: id= is missing; give it a name to refer to", netdev.value().option)};
  options.network.netdevs.push_back(std::move(netdev).value());
  return {};
}

// -nic [TYPE,]model=M,mac=A,..: a back end and the card on it.
Result<> add_nic(Options& options, Text value) {
  options.network.said = true;
  const auto properties = option_properties("-nic", value, "type");
  if (!properties) return properties.error();
  NicOption nic;
  nic.option = "-nic";
  nic.model = "e1000";
  Properties rest;
  for (const auto& [key, word] : properties.value()) {
    if (key == "model") {
      if (asks_for_help(word)) {
        options.print_and_exit = "Available NIC models:\n";
        for (const NicModel& model : nic_models()) options.print_and_exit += fmt::format("{}\n", model.name);
        return {};
      }
      auto model = model_named(nic.option, word);
      if (!model) return model.error();
      nic.model = model.value();
      continue;
    }
    const bool of_card = key == "mac" || key == "addr" || key == "vectors";
    auto taken = of_card ? set_card_property(nic, key, word) : Result<bool>(false);
    if (!taken) return taken.error();
    if (!taken.value()) rest.emplace_back(key, word);
  }
  const std::string type = property_value(rest, "type");
  if (type == "none") return {};
  auto netdev = make_netdev("-nic", rest);
  if (!netdev) return netdev.error();
  if (netdev.value().id.empty()) netdev.value().id = made_up_name(options, "net");
  nic.netdev = netdev.value().id;
  options.network.netdevs.push_back(std::move(netdev).value());
  options.network.nics.push_back(nic);
  return {};
}

// -net nic[,model=M,macaddr=A,netdev=ID] and -net BACKEND,..: QEMU's oldest form.
Result<> add_net(Options& options, Text value) {
  options.network.said = true;
  const auto properties = option_properties("-net", value, "type");
  if (!properties) return properties.error();
  const std::string type = property_value(properties.value(), "type");
  if (type == "none") return {};
  if (type != "nic") {
    Properties words;
    std::string name;
    for (const auto& [key, word] : properties.value()) {
      if (key == "name" || key == "id")
        name = word;
      else if (key != "vlan")
        words.emplace_back(key, word);
    }
    if (type == "hubport") return Error{"-net hubport: only -netdev knows it; say -netdev hubport,id=ID,hubid=N"};
    auto netdev = make_netdev("-net", words);
    if (!netdev) return netdev.error();
    netdev.value().id = name.empty() ? made_up_name(options, "net") : name;
    const std::string id = netdev.value().id;
    options.network.netdevs.push_back(std::move(netdev).value());
    add_hub_port(options, id);
    return {};
  }
  NicOption nic;
  nic.option = "-net nic";
  nic.model = "e1000";
  for (const auto& [key, word] : properties.value()) {
    if (key == "type" || key == "vlan" || key == "name") continue;
    if (key == "model") {
      auto model = model_named(nic.option, word);
      if (!model) return model.error();
      nic.model = model.value();
      continue;
    }
    auto taken = key == "mac" || key == "iobase" || key == "irq" || key == "bootindex"
                     ? Result<bool>(false)
                     : set_card_property(nic, key, word);
    if (!taken) return taken.error();
    if (!taken.value())
      return Error{
          fmt::format("-net nic: {}={}: unknown property; model, macaddr, netdev, addr and id are known", key, word)};
  }
  if (nic.netdev.empty()) nic.netdev = add_hub_port(options, "");
  options.network.nics.push_back(nic);
  return {};
}

std::string_view network_device_properties(Text name) {
  const NicModel* const model = find_model(model_of_device(name));
  if (model == nullptr) return {};
  static const std::string virtio = std::string(kVirtioCardProperties) + std::string(virtio_property_names());
  if (model->name == kVirtioCard) return virtio;
  return model->pci ? kCardProperties : kIsaCardProperties;
}

Result<bool> attach_network_device(Options& options, const DeviceOption& device) {
  const Text known_words = network_device_properties(device.name);
  if (known_words.empty()) return false;
  NicOption nic;
  nic.option = "-device " + device.name;
  nic.model = model_of_device(device.name);
  const bool virtio = !virtio_base_name(device.name, nic.virtio).empty();
  const auto known = split_words(known_words, ' ');
  const std::vector<Text> names(known.begin(), known.end());
  for (const auto& [key, word] : device.properties) {
    if (std::find(names.begin(), names.end(), key) == names.end())
      return Error{fmt::format("-device {}: {}={}: unknown property; the nearest is {}; '-device {},help' lists all",
                               device.name, key, word, nearest_word(key, names), device.name)};
    auto taken = virtio ? set_virtio_property(nic.virtio, nic.option, key, word) : Result<bool>(false);
    if (taken && !taken.value()) taken = set_card_property(nic, key, word);
    if (!taken) return taken.error();
  }
  if (auto checked = check_virtio(nic.virtio, nic.option); !checked) return checked.error();
  if (virtio) nic.slot = nic.virtio.slot;
  options.network.nics.push_back(nic);
  return true;
}

// As QEMU counts them: 52:54:00:12:34:56 and up.
void give_addresses(NetworkOptions& network) {
  std::set<std::array<u8, 6>> addresses;
  for (const NicOption& nic : network.nics) {
    if (nic.mac) addresses.insert(*nic.mac);
  }
  std::array<u8, 6> next{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
  for (NicOption& nic : network.nics) {
    while (!nic.mac && addresses.contains(next)) next.back()++;
    if (!nic.mac) nic.mac = next;
    addresses.insert(*nic.mac);
  }
}

Result<> resolve_network(Options& options) {
  NetworkOptions& network = options.network;
  if (!network.said && !options.no_defaults) {
    NicOption nic;
    nic.option = "default card";
    nic.model = "e1000";
    nic.netdev = made_up_name(options, "net");
    network.netdevs.push_back({"default network", "user", nic.netdev, {}});
    network.nics.insert(network.nics.begin(), nic);
  }
  constexpr std::size_t kMostCards = 29;  // slots of the PCI bus that the board leaves free
  if (network.nics.size() > kMostCards)
    return Error{fmt::format("-nic: there are at most {} network cards", kMostCards)};
  std::set<std::string> ids;
  for (const NetdevOption& netdev : network.netdevs) {
    if (!ids.insert(netdev.id).second)
      return Error{fmt::format("{},id={}: another back end has this id; give each its own", netdev.option, netdev.id)};
  }
  std::set<std::string> used;
  for (const NicOption& nic : network.nics) {
    if (nic.netdev.empty()) continue;
    if (!ids.contains(nic.netdev))
      return Error{fmt::format("{}: netdev={}: there is no -netdev with id={}", nic.option, nic.netdev, nic.netdev)};
    if (!used.insert(nic.netdev).second)
      return Error{fmt::format("{}: netdev={}: another card is plugged in there; -netdev hubport makes a hub",
                               nic.option, nic.netdev)};
  }
  give_addresses(network);
  for (const NetdevOption& netdev : network.netdevs) {
    if (netdev.type == "hubport") {
      const std::string to = property_value(netdev.properties, "netdev");
      if (!to.empty()) used.insert(to), used.insert(netdev.id);
    }
  }
  for (const NetdevOption& netdev : network.netdevs) {
    if (!used.contains(netdev.id) && !netdev.id.starts_with('#'))
      options.warnings.push_back(
          fmt::format("{},id={}: no card uses it; -device e1000,netdev={} does", netdev.option, netdev.id, netdev.id));
  }
  return {};
}

std::vector<std::string> netdev_property_names() {
  std::set<std::string> names{"type", "id"};
  for (const BackendRow& row : kBackends) {
    for (const std::string& name : split_words(row.properties, ' ')) names.insert(name);
  }
  return {names.begin(), names.end()};
}

std::string netdev_help_text() {
  std::string text = "Available netdev backend types:\n";
  for (const BackendRow& row : kBackends) text += fmt::format("{}\n", row.name);
  return text;
}

}  // namespace relic86
