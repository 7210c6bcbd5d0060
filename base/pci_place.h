// Where a card of the PCI bus is, as one number: its slot of bus 0, or the slot of a root port, of which each has one.
#pragma once

namespace relic86 {

inline constexpr unsigned kPciSlots = 32;
inline constexpr unsigned kMostRootPorts = 32;

// The place behind the root port of this number, in the order of the command line.
constexpr unsigned place_behind_port(unsigned port) { return kPciSlots + port; }
constexpr bool is_behind_port(unsigned place) { return place >= kPciSlots; }
constexpr unsigned port_of_place(unsigned place) { return place - kPciSlots; }

}  // namespace relic86
