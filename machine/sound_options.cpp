#include "machine/sound_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "base/nearest.h"
#include "options/option_text.h"
#include "options/pci_place_option.h"

namespace relic86 {

namespace {

using Text = std::string_view;

constexpr struct {
  Text name, properties;
} kCards[] = {
    {"sb16", "audiodev dma dma16 id iobase irq version"},
    {"adlib", "audiodev freq id iobase"},
    {"mpu401", "audiodev id iobase irq"},
    {"gameport", "id"},
    {"AC97", "addr audiodev bus id"},
    {"ES1370", "addr audiodev bus id"},
    {"intel-hda", "addr bus debug id msi"},
    {"ich9-intel-hda", "addr bus debug id msi"},
    {"hda-output", "audiodev bus cad debug id mixer use-timer"},
    {"hda-duplex", "audiodev bus cad debug id mixer use-timer"},
    {"hda-micro", "audiodev bus cad debug id mixer use-timer"},
};

// A property's value, of those that the card can be set to; empty: any up to most.
Result<u64> choice(const DeviceOption& device, Text key, const std::string& word, std::initializer_list<u64> choices,
                   u64 most = 0xFFFF) {
  const auto value = parse_number(word);
  const bool fits = value && value.value() <= most &&
                    (choices.size() == 0 || std::find(choices.begin(), choices.end(), value.value()) != choices.end());
  if (fits) return value;
  if (choices.size() == 0)
    return Error{fmt::format("-device {}: {}={} is not a number from 0 to {:#x}", device.name, key, word, most)};
  return Error{fmt::format("-device {}: {}={}: {} are possible", device.name, key, word, fmt::join(choices, ", "))};
}

Error unknown_property(const DeviceOption& device, Text key, Text word) {
  const auto known = split_words(sound_device_properties(device.name), ' ');
  const std::vector<Text> names(known.begin(), known.end());
  return Error{fmt::format("-device {}: {}={}: unknown property; the nearest is {}; '-device {},help' lists all",
                           device.name, key, word, nearest_word(key, names), device.name)};
}

Result<> add_pci_card(const DeviceOption& device, BoardConfig& config, PciSoundCardConfig::Model model) {
  PciSoundCardConfig card;
  card.model = model;
  for (const auto& [key, word] : device.properties) {
    if (key == "audiodev" && !card.is_hda()) {
      card.audiodev = word;
    } else if (key == "addr") {
      const auto slot = parse_pci_slot("-device " + device.name, word);
      if (!slot) return slot.error();
      card.slot = slot.value();
    } else if (key == "id") {
      card.id = word;
    } else if (key == "msi" && card.is_hda()) {
      const auto on = parse_switch_or_auto(word);
      if (!on) return Error{fmt::format("-device {}: msi={}: {}, or auto", device.name, word, on.message())};
      card.msi = on.value();
    } else if (key != "bus" && (key != "debug" || !card.is_hda())) {
      return unknown_property(device, key, word);
    }
  }
  const bool twice = std::any_of(
      config.pci_sound.begin(), config.pci_sound.end(),
      [&](const PciSoundCardConfig& other) { return other.model == model || (other.is_hda() && card.is_hda()); });
  if (twice) return Error{fmt::format("-device {}: there is one already; only one is possible", device.name)};
  config.pci_sound.push_back(std::move(card));
  return {};
}

}  // namespace

Text sound_device_properties(Text name) {
  const auto* row =
      std::find_if(std::begin(kCards), std::end(kCards), [&](const auto& card) { return card.name == name; });
  return row == std::end(kCards) ? Text{} : row->properties;
}

Result<> add_sb16(const DeviceOption& device, BoardConfig& config) {
  if (config.sb16) return Error{"-device sb16: there is one already; only one is possible"};
  Sb16CardConfig card;
  for (const auto& [key, word] : device.properties) {
    if (key == "audiodev") {
      card.audiodev = word;
      continue;
    }
    if (key == "id") continue;
    Result<u64> value = Error{};
    if (key == "iobase") {
      value = choice(device, key, word, {0x220, 0x240, 0x260, 0x280});
      if (value) card.chip.port = static_cast<u16>(value.value());
    } else if (key == "irq") {
      value = choice(device, key, word, {2, 5, 7, 10});
      if (value) card.chip.wiring.irq = static_cast<u8>(value.value());
    } else if (key == "dma") {
      value = choice(device, key, word, {0, 1, 3});
      if (value) card.chip.wiring.dma8 = static_cast<u8>(value.value());
    } else if (key == "dma16") {
      value = choice(device, key, word, {5, 6, 7});
      if (value) card.chip.wiring.dma16 = static_cast<u8>(value.value());
    } else if (key == "version") {
      value = choice(device, key, word, {});
      if (value) card.chip.version = static_cast<u16>(value.value());
    } else {
      return unknown_property(device, key, word);
    }
    if (!value) return value.error();
  }
  config.sb16 = std::move(card);
  return {};
}

Result<> add_adlib(const DeviceOption& device, BoardConfig& config) {
  if (config.adlib) return Error{"-device adlib: there is one already; only one is possible"};
  SoundCardConfig card;
  for (const auto& [key, word] : device.properties) {
    if (key == "audiodev") {
      card.audiodev = word;
    } else if (key == "iobase" || key == "freq") {
      // The chip is at 388h, where programs look for it, and its sound is converted to the output's rate.
      if (const auto value = choice(device, key, word, {}, 0xFFFFFF); !value) return value.error();
    } else if (key != "id") {
      return unknown_property(device, key, word);
    }
  }
  config.adlib = std::move(card);
  return {};
}

Result<> add_mpu401(const DeviceOption& device, BoardConfig& config) {
  if (config.mpu401) return Error{"-device mpu401: there is one already; only one is possible"};
  MidiCardConfig card;
  for (const auto& [key, word] : device.properties) {
    if (key == "audiodev") {
      card.audiodev = word;
    } else if (key == "iobase") {
      const auto value = choice(device, key, word, {0x300, 0x310, 0x320, 0x330, 0x332, 0x334, 0x336, 0x340, 0x350});
      if (!value) return value.error();
      card.card.port = static_cast<u16>(value.value());
    } else if (key == "irq") {
      const auto value = choice(device, key, word, {2, 3, 4, 5, 7, 9, 10});
      if (!value) return value.error();
      constexpr u64 kIrq2 = 2, kIrqOf2 = 9;  // on an AT's bus
      card.card.irq = static_cast<u8>(value.value() == kIrq2 ? kIrqOf2 : value.value());
    } else if (key != "id") {
      return unknown_property(device, key, word);
    }
  }
  config.mpu401 = std::move(card);
  return {};
}

Result<> add_game_port(const DeviceOption& device, BoardConfig& config) {
  for (const auto& [key, word] : device.properties) {
    if (key != "id") return unknown_property(device, key, word);
  }
  config.game_port = true;
  return {};
}

Result<> add_ac97(const DeviceOption& device, BoardConfig& config) {
  return add_pci_card(device, config, PciSoundCardConfig::Model::Ac97);
}

Result<> add_es1370(const DeviceOption& device, BoardConfig& config) {
  return add_pci_card(device, config, PciSoundCardConfig::Model::Es1370);
}

Result<> add_hda_controller(const DeviceOption& device, BoardConfig& config) {
  const bool ich9 = device.name == pci_sound_card_name(PciSoundCardConfig::Model::Ich9Hda);
  return add_pci_card(device, config, ich9 ? PciSoundCardConfig::Model::Ich9Hda : PciSoundCardConfig::Model::Ich6Hda);
}

Result<> add_hda_codec(const DeviceOption& device, BoardConfig& config) {
  const auto controller = std::find_if(config.pci_sound.begin(), config.pci_sound.end(),
                                       [](const PciSoundCardConfig& card) { return card.is_hda(); });
  if (controller == config.pci_sound.end())
    return Error{
        fmt::format("-device {}: there is no controller for it; write -device intel-hda before it", device.name)};
  HdaCodecConfig codec;
  codec.model = device.name == "hda-output"   ? HdaCodec::Model::Output
                : device.name == "hda-duplex" ? HdaCodec::Model::Duplex
                                              : HdaCodec::Model::Micro;
  const auto taken = [&](u64 address) {
    return std::any_of(controller->codecs.begin(), controller->codecs.end(),
                       [&](const HdaCodecConfig& other) { return other.address == address; });
  };
  while (taken(codec.address)) codec.address++;
  for (const auto& [key, word] : device.properties) {
    if (key == "audiodev") {
      codec.audiodev = word;
    } else if (key == "cad") {
      const auto address = choice(device, key, word, {}, HdaCodec::kAddresses - 1);
      if (!address) return address.error();
      if (taken(address.value()))
        return Error{
            fmt::format("-device {}: cad={}: another codec has this address; give each its own", device.name, word)};
      codec.address = static_cast<unsigned>(address.value());
    } else if (key == "bus") {
      const std::string buses[] = {controller->id + ".0", "hda.0"};
      if (std::find(std::begin(buses), std::end(buses), word) == std::end(buses))
        return Error{fmt::format("-device {}: bus={}: there is no such bus; the controller's is {}", device.name, word,
                                 buses[controller->id.empty() ? 1 : 0])};
    } else if (key != "id" && key != "debug" && key != "mixer" && key != "use-timer") {
      return unknown_property(device, key, word);
    }
  }
  if (codec.address >= HdaCodec::kAddresses)
    return Error{
        fmt::format("-device {}: the link has {} codecs already; leave one out", device.name, HdaCodec::kAddresses)};
  controller->codecs.push_back(std::move(codec));
  return {};
}

void connect_sound(BoardConfig& config, AudioSystem& audio) {
  const auto connect = [&](SoundCardConfig& card) { card.host = audio.host(card.audiodev); };
  if (config.adlib) connect(*config.adlib);
  if (config.sb16) {
    connect(*config.sb16);
    config.sb16->instrument = &audio.instrument(config.sb16->audiodev);
  }
  if (config.mpu401) config.mpu401->instrument = &audio.instrument(config.mpu401->audiodev);
  for (PciSoundCardConfig& card : config.pci_sound) {
    for (HdaCodecConfig& codec : card.codecs) connect(codec);
    connect(card);
    if (!card.codecs.empty()) card.host = card.codecs.front().host;
  }
  // A drive is heard where the card is that its cable leads to, else by itself.
  config.cd_sound = config.sb16                 ? config.sb16->host
                    : !config.pci_sound.empty() ? config.pci_sound.front().host
                                                : audio.host("");
}

}  // namespace relic86
