// -netdev, -nic, -net and -device CARD: network cards and what they are plugged into.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "options/option_text.h"
#include "options/virtio_option.h"

namespace relic86 {

struct Options;
struct DeviceOption;

// What a cable leads to. Properties are checked by name here, by value where the back end is made (net/).
struct NetdevOption {
  std::string option;  // as the user wrote it, for messages: "-netdev user"
  std::string type;    // "user", "socket", "hubport" ..
  std::string id;
  Properties properties;  // the others
};

struct NicOption {
  std::string option;  // for messages: "-device e1000"
  std::string model;   // "e1000": a row of nic_models()
  std::string id;      // of its -device; may be empty
  std::string netdev;  // empty: its cable leads nowhere
  std::optional<std::array<u8, 6>> mac;
  std::optional<unsigned> slot;        // addr=; else the first free one
  std::optional<unsigned> boot_index;  // tried at this place by firmware
  u16 port = 0x300;                    // of a card on the ISA bus
  u8 irq = 9;
  VirtioOption virtio;                  // of a virtio card
  std::optional<std::string> rom_file;  // romfile=; empty: none. Else the model's, where the network is booted from
};

struct NetworkOptions {
  bool said = false;  // nothing was said: a PC has one card on a user network
  std::vector<NetdevOption> netdevs;
  std::vector<NicOption> nics;
};

// Cards by the names that -device and model= take; whether each is on the PCI bus.
struct NicModel {
  std::string_view name;
  bool pci;
  std::string_view help;
};
const std::vector<NicModel>& nic_models();

Result<> add_netdev(Options& options, std::string_view value);
Result<> add_nic(Options& options, std::string_view value);
Result<> add_net(Options& options, std::string_view value);
// One back end's properties (type= among them), checked; for netdev_add.
Result<NetdevOption> make_netdev(const std::string& option, const Properties& properties);
// False: the device is no network card.
Result<bool> attach_network_device(Options& options, const DeviceOption& device);
// The properties that -device takes for a card; empty: it is none.
std::string_view network_device_properties(std::string_view name);
// When the line is whole: the card that a PC has when nothing was said, addresses, names that refer to each other.
Result<> resolve_network(Options& options);

// Cards without an address get the next free ones.
void give_addresses(NetworkOptions& network);

std::vector<std::string> netdev_property_names();
std::string netdev_help_text();

}  // namespace relic86
