#include "options/pci_place_option.h"

#include <fmt/format.h>

#include <string_view>

#include "base/pci_place.h"
#include "options/option_text.h"

namespace relic86 {

namespace {
constexpr std::string_view kBehindPort = "behind root port ";
}  // namespace

std::optional<PciFunctionPlace> parse_pci_function(const std::string& word) {
  constexpr u64 kFunctions = 8;
  const auto part = [](const std::string& text) { return parse_number(text.starts_with("0x") ? text : "0x" + text); };
  const std::size_t dot = word.find('.');
  const auto slot = part(word.substr(0, dot));
  const auto function = dot == std::string::npos ? Result<u64>(0) : part(word.substr(dot + 1));
  if (!slot || !function || slot.value() >= kPciSlots || function.value() >= kFunctions) return std::nullopt;
  return PciFunctionPlace{static_cast<unsigned>(slot.value()), static_cast<unsigned>(function.value())};
}

std::string word_behind_port(unsigned port) { return fmt::format("{}{}", kBehindPort, port); }

Result<unsigned> parse_pci_slot(const std::string& option, const std::string& word) {
  if (word.starts_with(kBehindPort)) {
    const auto port = parse_number(word.substr(kBehindPort.size()));
    if (port && port.value() < kMostRootPorts) return place_behind_port(static_cast<unsigned>(port.value()));
  }
  const auto place = parse_pci_function(word);
  if (!place || place->function != 0)
    return Error{fmt::format("{}: addr={}: not a place on the PCI bus; give a slot from 0x3 to 0x1f", option, word)};
  return place->slot;
}

}  // namespace relic86
