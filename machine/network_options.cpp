#include "machine/network_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "machine/virtio_options.h"
#include "roms/firmware.h"

namespace relic86 {

namespace {

struct Row {
  std::string_view name;
  NetworkCardConfig::Model model;
};
constexpr Row kModels[] = {
    {"e1000", NetworkCardConfig::Model::E1000},      {"pcnet", NetworkCardConfig::Model::Pcnet},
    {"rtl8139", NetworkCardConfig::Model::Rtl8139},  {"ne2k_isa", NetworkCardConfig::Model::Ne2000Isa},
    {"ne2k_pci", NetworkCardConfig::Model::Rtl8029}, {"virtio-net-pci", NetworkCardConfig::Model::Virtio},
};

NetworkCardConfig::Model model_of(std::string_view name) {
  for (const Row& row : kModels) {
    if (row.name == name) return row.model;
  }
  RELIC86_ASSERT(false);  // the command line's table knows the same names
  return {};
}

// A ROM that firmware boots the network by: only where that is asked for, because it takes its time at every start.
Result<std::vector<u8>> boot_rom(const Options& options, const NicOption& nic) {
  const auto& models = nic_models();
  const bool pci = std::any_of(models.begin(), models.end(),
                               [&](const NicModel& model) { return model.name == nic.model && model.pci; });
  const bool in_order = (options.boot_order + options.boot_once).find('n') != std::string::npos;
  if (!pci || (nic.rom_file && nic.rom_file->empty())) return std::vector<u8>();
  if (!nic.rom_file && !nic.boot_index && !in_order) return std::vector<u8>();
  const std::string rom_model = nic.model == "virtio-net-pci" ? "virtio" : nic.model;
  auto rom = Firmware(options.firmware_dirs).network_rom(nic.rom_file.value_or(""), rom_model);
  if (rom || nic.rom_file || nic.boot_index)
    return rom ? std::move(rom) : Result<std::vector<u8>>(Error{fmt::format("{}: {}", nic.option, rom.message())});
  // One letter of several: the others may well do.
  log::warning(rom.message());
  return std::vector<u8>();
}

}  // namespace

NetworkCardConfig network_card(const NicOption& nic, net::CardPort& port) {
  constexpr unsigned kVirtioNetVectors = 4;  // as QEMU's: two queues, control, configuration
  NetworkCardConfig card;
  card.model = model_of(nic.model);
  card.name = nic.model;
  card.id = nic.id;
  card.key = port.id();
  card.address = *nic.mac;
  card.link = &port;
  card.slot = nic.slot;
  card.interfaces = virtio_interfaces(nic.virtio, kVirtioNetVectors);
  card.boot_index = nic.boot_index;
  card.port = nic.port;
  card.irq = nic.irq;
  return card;
}

Result<> add_network_cards(const Options& options, net::Network& network, BoardConfig& config) {
  unsigned on_isa = 0;
  for (std::size_t i = 0; i < options.network.nics.size(); i++) {
    const NicOption& nic = options.network.nics[i];
    NetworkCardConfig card = network_card(nic, network.card(i));
    // Saved machines know the card by this name, whatever the user calls it.
    if (card.model == NetworkCardConfig::Model::Ne2000Isa) card.name += fmt::format(".{}", on_isa++);
    auto rom = boot_rom(options, nic);
    if (!rom) return rom.error();
    card.rom = std::move(rom).value();
    config.network_cards.push_back(std::move(card));
  }
  return {};
}

}  // namespace relic86
