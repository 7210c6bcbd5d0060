// From the command line's network cards to the board's.
#pragma once

#include "devices/board/board_config.h"
#include "net/network.h"
#include "options/options.h"

namespace relic86 {

// One of them, without a ROM, at the end of its cable.
NetworkCardConfig network_card(const NicOption& nic, net::CardPort& port);

// The network has been built from the same options. The error: a boot ROM that was asked for cannot be had.
Result<> add_network_cards(const Options& options, net::Network& network, BoardConfig& config);

}  // namespace relic86
