// PCI Express root ports (-device pcie-root-port), as libvirt gives one to each card of a q35.
#pragma once

#include <span>

#include "base/result.h"
#include "options/options.h"

namespace relic86 {

// Checks them, and gives each card that names one by bus= its place there (addr=). What else says bus=pcie.0 is on bus
// 0.
Result<> resolve_root_ports(Options& options);
// A card that comes while the machine exists: where the port's slot is free is the board's to say.
Result<DeviceOption> resolve_root_port(const Options& options, const DeviceOption& card);

struct RootPortOption {
  std::string id;
  std::optional<unsigned> slot;  // of bus 0; else the first free one
  unsigned function = 0;
  bool multifunction = false;
  unsigned link = 0, card_slot = 0;  // port=, slot=: what it tells of itself
  bool hotplug = true;
};
bool is_root_port(const DeviceOption& device);
// Of one that has been checked.
RootPortOption root_port_option(const DeviceOption& device);
// The properties of such a device, separated by blanks; empty: it is none.
std::string_view root_port_properties(std::string_view name);

}  // namespace relic86
