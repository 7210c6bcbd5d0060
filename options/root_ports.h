// PCI Express root ports (-device pcie-root-port), as libvirt gives one to each card of a q35.
#pragma once

#include "base/result.h"
#include "options/options.h"

namespace relic86 {

// All cards are on bus 0 here: a root port is no more than a name for one card's place. The ports are taken out of the
// list of devices, and a card that names one gets the next free slot.
Result<> resolve_root_ports(Options& options);
// Whether one of them is called so.
bool is_root_port(const Options& options, std::string_view name);
// The properties of such a device, separated by blanks; empty: it is none.
std::string_view root_port_properties(std::string_view name);

}  // namespace relic86
