// A PCI Express root port: a bridge with one slot.
#include "devices/chipset/pcie_root_port.h"

#include <gtest/gtest.h>

#include "devices/chipset/q35_mch.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

constexpr unsigned kSlot = 5, kFunction = 1, kPin = 2;
constexpr u32 kNothing = 0xFFFFFFFF, kMemory = 0xE0000000, kWide = 0xF0000000;
constexpr u16 kPort = 0xC100;

// A card with ports, memory and memory of 64 bits, which all read as its number.
class Card final : public PciDevice {
 public:
  explicit Card(u16 number) : PciDevice(numbered(number)), number_(number) {
    declare_io_bar(0, 0x20, 0, 4);
    declare_memory_bar(1, 0x1000, 0, 4);
    declare_wide_memory_bar(2, 0x4000, 0, 4);
  }
  void interrupt(bool level) { set_interrupt(level); }
  std::string_view name() const override { return "card"; }
  u64 read(RegionId, u64, unsigned) override { return number_; }
  void write(RegionId, u64, unsigned, u64) override {}
  void event(u32, GuestTime) override {}
  unsigned resets = 0;

 protected:
  Result<> attach_function(Attachment&) override { return {}; }
  void reset_function(ResetKind) override { resets++; }
  void state_function(StateArchive&) override {}
  void config_written(unsigned, unsigned) override {}

 private:
  static PciIdentity numbered(u16 number) {
    PciIdentity identity;
    identity.vendor = 0x1234;
    identity.device = number;
    identity.interrupt_pin = kPin;
    return identity;
  }
  u16 number_;
};

struct Pirqs final : IrqSink {
  void set_irq(unsigned input, bool level) override { levels[input] = level; }
  std::array<bool, PciBus::kPirqs> levels{};
};

struct RootPort : ::testing::Test {
  RootPort() {
    EXPECT_TRUE(pci.add(host, 0).ok());
    EXPECT_TRUE(pci.add(port, kSlot, kFunction).ok());
    pci.add_bridge(port);
    pci.set_pirq_sink(&pirqs);
    pci.set_wiring([](unsigned slot, unsigned pin) { return (slot + pin) % PciBus::kPirqs; });
    for (Device* const device :
         {static_cast<Device*>(&pci), static_cast<Device*>(&host), static_cast<Device*>(&port)}) {
      EXPECT_TRUE(device->attach(board.attachment).ok());
      device->reset(ResetKind::PowerOn);
    }
  }
  static PcieRootPortConfig config() {
    PcieRootPortConfig config;
    config.id = "rp";
    config.slot = kSlot;
    config.function = kFunction;
    config.link = 0x11;
    config.card_slot = 0x21;
    return config;
  }
  void plug(Card& comes) {
    ASSERT_TRUE(port.add(comes).ok());
    ASSERT_TRUE(comes.attach(board.attachment).ok());
    comes.reset(ResetKind::PowerOn);
  }
  u32 get(u8 offset, unsigned width) { return board.config(kSlot, kFunction, offset, width); }
  void set(u8 offset, unsigned width, u32 value) { board.set_config(kSlot, kFunction, offset, width, value); }
  // Of a function on another bus.
  u32 below(unsigned bus, unsigned slot, u8 offset, unsigned width = 4) {
    board.out(0xCF8, 0x80000000u | bus << 16 | slot << 11 | offset, 4);
    return board.in(0xCFC, width);
  }
  void set_below(unsigned bus, u8 offset, u32 value, unsigned width = 4) {
    board.out(0xCF8, 0x80000000u | bus << 16 | offset, 4);
    board.out(0xCFC, value, width);
  }
  u64 at(u64 address) { return board.memory.read(PhysAddr(address), 4); }
  // The port is bus 3's, with windows for each of the card's BARs; the card is enabled.
  void place_card() {
    set(0x18, 4, 0x00030300);
    set(0x1C, 2, 0xC0C0);
    set(0x20, 4, 0xE000E000);
    set(0x24, 4, 0xF000F000);
    set_below(3, 0x10, kPort);
    set_below(3, 0x14, kMemory);
    set_below(3, 0x18, kWide);
    set_below(3, 0x04, 7, 2);
    set(0x04, 2, 7);
  }

  test::TestBoard board;
  Pirqs pirqs;
  PciBus pci;
  Q35Mch host{pci, std::vector<u8>(0x10000, 0x90)};
  PcieRootPort port{pci, config()};
  Card card{0x11}, other{0x22};
};

TEST_F(RootPort, IsABridgeWithTheCapabilitiesOfAPort) {
  EXPECT_EQ(get(0x00, 4), 0x000C1B36u);
  EXPECT_EQ(get(0x08, 4), 0x06040000u);
  EXPECT_EQ(get(0x0E, 1), 1u);
  EXPECT_EQ(get(0x3D, 1), 1u);
  EXPECT_NE(get(0x06, 2) & 0x10, 0u);
  const auto first = static_cast<u8>(get(0x34, 1));
  EXPECT_EQ(get(first, 1), 0x0Du);
  const auto express = static_cast<u8>(get(first + 1, 1));
  EXPECT_EQ(get(express, 2), 0x0010u) << "the last one";
  EXPECT_EQ(get(express + 2, 2), 0x0142u);
  EXPECT_EQ(get(express + 0x0F, 1), 0x11u);
  EXPECT_EQ(get(express + 0x14, 4) >> 19, 0x21u);
  EXPECT_EQ(get(express + 0x14, 4) & 0x7F, 0x40u) << "hot plug, without buttons and lamps";
}

TEST_F(RootPort, ShowsItsCardUnderTheNumberThatTheGuestGivesItsBus) {
  plug(card);
  EXPECT_EQ(below(3, 0, 0), kNothing);
  set(0x18, 4, 0x00030300);
  EXPECT_EQ(below(3, 0, 0), 0x00111234u);
  EXPECT_EQ(below(3, 1, 0), kNothing) << "there is one slot";
  EXPECT_EQ(below(0, 0, 0), 0x29C08086u);
  EXPECT_EQ(below(4, 0, 0), kNothing);
  board.set_config(0, 0, 0x60, 4, 0xB0000001);
  EXPECT_EQ(at(0xB0300000), 0x00111234u);
  EXPECT_EQ(at(0xB0300000 | 1 << 15), kNothing);
  EXPECT_NE(pci.describe().find("Bus  3, device   0, function 0:\n    card"), std::string::npos) << pci.describe();
}

TEST_F(RootPort, PassesDownWhatIsInItsWindows) {
  plug(card);
  place_card();
  EXPECT_EQ(board.in(kPort, 4), 0x11u);
  EXPECT_EQ(at(kMemory), 0x11u);
  EXPECT_EQ(at(kWide), 0x11u);
  set(0x1C, 2, 0xD0D0);
  EXPECT_EQ(board.in(kPort, 4), kNothing);
  set(0x20, 4, 0xE010E010);
  EXPECT_EQ(at(kMemory), kNothing);
  EXPECT_EQ(at(kWide), 0x11u);
  set(0x20, 4, 0xDFF0E000);  // its end is below its beginning
  EXPECT_EQ(at(kMemory), kNothing);
  set(0x24, 4, 0xE000E000);
  EXPECT_EQ(at(kMemory), 0x11u) << "either window will do";
  EXPECT_EQ(at(kWide), kNothing);
  set(0x04, 2, 1);
  EXPECT_EQ(at(kMemory), kNothing);
  set(0x04, 2, 2);
  EXPECT_EQ(at(kMemory), 0x11u);
}

TEST_F(RootPort, PrefetchableMemoryMayBeAbove4GiB) {
  plug(card);
  place_card();
  EXPECT_EQ(get(0x24, 4) & 0x000F000F, 0x00010001u);
  set(0x28, 4, 2);
  set(0x2C, 4, 2);
  EXPECT_EQ(at(kWide), kNothing);
  set_below(3, 0x1C, 2);
  EXPECT_EQ(at(u64{2} << 32 | kWide), 0x11u);
}

TEST_F(RootPort, TheCardsInterruptIsThatOfThePortsSlot) {
  plug(card);
  card.interrupt(true);
  EXPECT_TRUE(pirqs.levels[kSlot + kPin - 1]);
  const auto state = test::saved(pci);
  card.interrupt(false);
  EXPECT_FALSE(pirqs.levels[kSlot + kPin - 1]);
  EXPECT_TRUE(test::load(pci, state));
  EXPECT_EQ(test::saved(pci), state);
}

TEST_F(RootPort, ACardComesAndGoes) {
  const u8 express = 0x48, status = express + 0x1A;
  EXPECT_EQ(get(status, 2), 0u);
  plug(card);
  EXPECT_EQ(get(status, 2), 0x48u);
  EXPECT_NE(get(express + 0x12, 2) & 1u << 13, 0u);
  set(status, 2, 0x08);
  EXPECT_EQ(get(status, 2), 0x40u);
  const auto refused = port.add(other);
  EXPECT_NE(refused.message().find("devices card and card both want the slot of pcie-root-port.5.1"), std::string::npos)
      << refused.message();
  place_card();
  card.interrupt(true);
  card.reset(ResetKind::PowerOn);
  port.remove(card);
  EXPECT_EQ(below(3, 0, 0), kNothing);
  EXPECT_EQ(at(kMemory), kNothing);
  EXPECT_FALSE(pirqs.levels[kSlot + kPin - 1]);
  EXPECT_EQ(get(status, 2), 0x08u);
  plug(other);
  EXPECT_EQ(below(3, 0, 0), 0x00221234u);
  port.reset(ResetKind::Hard);
  EXPECT_EQ(get(status, 2), 0x40u) << "a card that is there from the beginning has not come";
}

TEST_F(RootPort, ResetsTheBusBelow) {
  plug(card);
  place_card();
  const unsigned before = card.resets;
  set(0x3E, 2, 0x40);
  set(0x3E, 2, 0x40);
  EXPECT_EQ(card.resets, before + 1);
  EXPECT_EQ(below(3, 0, 0), kNothing);
  EXPECT_EQ(at(kMemory), kNothing);
  set(0x3E, 2, 0);
  EXPECT_EQ(below(3, 0, 0), 0x00111234u);
  EXPECT_EQ(below(3, 0, 0x14), 0u);
}

TEST_F(RootPort, ItsStateIsLoadedBeforeTheCards) {
  plug(card);
  place_card();
  const auto bridge = test::saved(port), function = test::saved(card);
  port.reset(ResetKind::Hard);
  card.reset(ResetKind::Hard);
  EXPECT_EQ(at(kMemory), kNothing);
  EXPECT_TRUE(test::load(port, bridge));
  EXPECT_TRUE(test::load(card, function));
  EXPECT_EQ(at(kMemory), 0x11u);
  EXPECT_EQ(at(kWide), 0x11u);
  EXPECT_EQ(test::saved(port), bridge);
}

}  // namespace
}  // namespace relic86
