// Where on the PCI bus a -device stands: addr=, and what stands for it behind a root port.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace relic86 {

struct PciFunctionPlace {
  unsigned slot = 0, function = 0;
};
// A place of bus 0 as addr= gives it, "SLOT" or "SLOT.FUNCTION", both hexadecimal; nothing: it is none.
std::optional<PciFunctionPlace> parse_pci_function(const std::string& word);

// The place (base/pci_place.h) of a card that is one function: "SLOT", "SLOT.0", or word_behind_port().
Result<unsigned> parse_pci_slot(const std::string& option, const std::string& word);
// What addr= says of a card that has named a root port (options/root_ports.h).
std::string word_behind_port(unsigned port);

}  // namespace relic86
