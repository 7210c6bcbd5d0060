// A sound card on a PCI bus of its own, in slot 3.
#pragma once

#include "devices/pci_bus.h"
#include "tests/devices/sound/sound_board.h"

namespace relic86::test {

struct Pirqs final : IrqSink {
  void set_irq(unsigned input, bool level) override {
    if (level && !levels[input & 3]) rises++;
    levels[input & 3] = level;
  }
  bool any() const { return levels[0] || levels[1] || levels[2] || levels[3]; }
  std::array<bool, 4> levels{};
  unsigned rises = 0;
};

template <class Card>
struct PciSoundBoard : SoundBoard {
  static constexpr unsigned kSlot = 3;

  // A card whose host is the board's, and one that is made in another way.
  PciSoundBoard() : card(&host) { plug_in(); }
  template <class Made>
  explicit PciSoundBoard(Made made) : card(made) {
    plug_in();
  }
  void place(unsigned bar, u32 address) { set_config(kSlot, 0, static_cast<u8>(kPciBar0 + bar * 4), 4, address); }
  HeardVoice& voice(unsigned n = 0) { return host.voices[n]; }

  Pirqs pirqs;
  PciBus pci;
  Card card;

 private:
  void plug_in() {
    pci.set_pirq_sink(&pirqs);
    EXPECT_TRUE(pci.add(card, kSlot, 0).ok());
    EXPECT_TRUE(pci.attach(attachment).ok());
    EXPECT_TRUE(card.attach(attachment).ok());
    pci.reset(ResetKind::PowerOn);
    card.reset(ResetKind::PowerOn);
    constexpr u32 kAllSpacesAndBus = 7;
    set_config(kSlot, 0, kPciCommand, 2, kAllSpacesAndBus);
  }
};

inline std::vector<u8> words(std::initializer_list<i16> values) {
  std::vector<u8> bytes;
  for (const i16 value : values) {
    bytes.push_back(static_cast<u8>(value));
    bytes.push_back(static_cast<u8>(value >> 8));
  }
  return bytes;
}

}  // namespace relic86::test
