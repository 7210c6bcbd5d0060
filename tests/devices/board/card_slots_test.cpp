// Cards that come to the PCI bus and go, as the ACPI code of a firmware sees it through the registers at AE00h.
#include <gtest/gtest.h>

#include "base/state_loading.h"
#include "devices/board/pc_board.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/network/card_board.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

constexpr u16 kUp = 0xAE00, kDown = 0xAE04, kEject = 0xAE08, kRemovable = 0xAE0C, kBus = 0xAE10;
constexpr u16 kEventStatus = 0xAFE0, kEventEnable = 0xAFE2;
constexpr u32 kHotplugEvent = 2, kNothing = 0xFFFFFFFF;
constexpr u16 kSecondPic = 0xA0, kSecondPicMask = 0xA1, kSecondLevels = 0x4D1;
constexpr u32 kSci = 1u << 1;  // of the second 8259A: IRQ 9

struct CardSlots : ::testing::Test {
  CardSlots() {
    board = make(parts, {});
    board->on_eject([this] { told++; });
  }

  std::unique_ptr<PcBoard> make(test::TestBoard& on, std::vector<NetworkCardConfig> cards) {
    BoardConfig config;
    config.bios = std::vector<u8>(0x10000, 0xF4);
    config.network_cards = std::move(cards);
    config.virtio.push_back(disk(4));
    auto made = PcBoard::create(std::move(config), on.scheduler, on.io, on.memory, on.control);
    EXPECT_TRUE(made.ok()) << made.message();
    made.value()->reset(ResetKind::PowerOn);
    return std::move(made).value();
  }
  NetworkCardConfig card(NetworkCardConfig::Model model, const std::string& name, std::optional<unsigned> slot) {
    NetworkCardConfig made;
    made.model = model;
    made.name = name;
    made.id = name;
    made.address = test::kCardAddress;
    made.link = &link;
    made.slot = slot;
    return made;
  }
  VirtioConfig disk(unsigned slot) {
    VirtioConfig made;
    made.name = "virtio-blk-pci";
    made.id = "d";
    made.slot = slot;
    made.image = std::make_unique<test::MemoryDisk>(content);
    return made;
  }
  // The firmware switches ACPI on and the system enables the event.
  void listen() {
    parts.out(0xB2, 0xF1);
    parts.out(kEventEnable, kHotplugEvent);
  }
  // The second 8259A's request register, whose IRQ 9 is a level.
  bool sci() {
    parts.out(kSecondPic, 0x11);
    for (const u32 word : {0x70u, 2u, 1u}) parts.out(kSecondPicMask, word);
    parts.out(kSecondLevels, kSci);
    parts.out(kSecondPic, 0x0A);
    const u32 requests = parts.in(kSecondPic);
    return (requests & kSci) != 0;
  }
  u32 vendor(unsigned slot) { return parts.config(slot, 0, 0, 4); }

  static constexpr u64 kRam = u64{2} << 20;
  test::TestBoard parts{kRam, PcBoard::kExtraMemory};
  test::FakeLink link;
  test::MemoryDiskContent content{1 << 20};
  std::unique_ptr<PcBoard> board;
  unsigned told = 0;
};

TEST_F(CardSlots, BridgesStayAndCardsAndEmptySlotsAreRemovable) {
  EXPECT_EQ(parts.in(kRemovable, 4), ~0b111u);
  EXPECT_EQ(parts.in(kUp, 4), 0u);
  EXPECT_EQ(parts.in(kDown, 4), 0u);
}

TEST_F(CardSlots, ACardComesWithAnEvent) {
  listen();
  EXPECT_EQ(vendor(7), kNothing);
  ASSERT_TRUE(board->plug(card(NetworkCardConfig::Model::E1000, "e1000", 7)).ok());
  EXPECT_EQ(vendor(7), 0x100E8086u);
  EXPECT_TRUE(sci());
  EXPECT_EQ(parts.in(kEventStatus), kHotplugEvent);
  // SeaBIOS's code looks at the register once for each slot.
  EXPECT_EQ(parts.in(kUp, 4), 1u << 7);
  EXPECT_EQ(parts.in(kUp, 4), 1u << 7);
  parts.out(kEventStatus, kHotplugEvent);
  EXPECT_FALSE(sci());
}

TEST_F(CardSlots, NobodyHearsAnEventThatIsNotEnabled) {
  parts.out(0xB2, 0xF1);
  ASSERT_TRUE(board->plug(card(NetworkCardConfig::Model::E1000, "e1000", 7)).ok());
  EXPECT_FALSE(sci());
  parts.out(kEventEnable, kHotplugEvent);
  EXPECT_TRUE(sci());
}

TEST_F(CardSlots, ACardGoesWhenTheGuestEjectsIt) {
  listen();
  ASSERT_TRUE(board->plug(card(NetworkCardConfig::Model::E1000, "e1000", 7)).ok());
  parts.out(kEventStatus, kHotplugEvent);
  parts.set_config(7, 0, 0x10, 4, 0xFEB00000);
  parts.set_config(7, 0, 4, 2, 2);
  EXPECT_NE(parts.memory.read(PhysAddr(0xFEB00008), 4), kNothing);
  board->request_unplug(7);
  EXPECT_TRUE(sci());
  EXPECT_EQ(parts.in(kDown, 4), 1u << 7);
  EXPECT_EQ(vendor(7), 0x100E8086u);
  EXPECT_EQ(told, 0u);
  parts.out(kEject, 1u << 7, 4);
  EXPECT_EQ(told, 1u);
  EXPECT_EQ(vendor(7), kNothing);
  EXPECT_EQ(parts.memory.read(PhysAddr(0xFEB00008), 4), kNothing);
  EXPECT_EQ(parts.in(kUp, 4) | parts.in(kDown, 4), 0u);
  const auto gone = board->take_ejected();
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].card.id, "e1000");
  EXPECT_TRUE(board->take_ejected().empty());
}

TEST_F(CardSlots, EveryCardComesAndGoesAgainAndAgain) {
  using Model = NetworkCardConfig::Model;
  for (unsigned round = 0; round < 3; round++) {
    for (const auto& [model, name] :
         {std::pair{Model::E1000, "e1000"}, std::pair{Model::Rtl8139, "rtl8139"}, std::pair{Model::Pcnet, "pcnet"},
          std::pair{Model::Rtl8029, "ne2k_pci"}, std::pair{Model::Virtio, "virtio-net-pci"}}) {
      const std::size_t before = board->devices().size();
      ASSERT_TRUE(board->plug(card(model, name, {})).ok()) << name;
      ASSERT_TRUE(board->plug(disk(9)).ok());
      parts.pass(1'000'000);
      parts.out(kEject, 1u << 3 | 1u << 9, 4);  // the lowest free slot
      EXPECT_EQ(board->take_ejected().size(), 2u) << name;
      EXPECT_EQ(board->devices().size(), before);
      parts.pass(1'000'000'000);
    }
  }
  EXPECT_TRUE(board->flush_media().ok());
}

TEST_F(CardSlots, WhatWasThereFromTheBeginningGoesToo) {
  EXPECT_EQ(vendor(4), 0x10011AF4u);
  board->request_unplug(4);
  parts.out(kEject, 1u << 4, 4);
  EXPECT_EQ(vendor(4), kNothing);
  EXPECT_TRUE(board->virtio_disks().empty());
}

TEST_F(CardSlots, EjectsOfWhatStaysDoNothing) {
  parts.out(kEject, ~(1u << 4), 4);
  EXPECT_EQ(told, 0u);
  EXPECT_EQ(vendor(0), 0x12378086u);
  EXPECT_NE(vendor(2), kNothing);
  // Nor do those of another bus.
  parts.out(kBus, 5, 4);
  EXPECT_EQ(parts.in(kBus, 4), 5u);
  EXPECT_EQ(parts.in(kRemovable, 4), 0u);
  parts.out(kEject, 1u << 4, 4);
  EXPECT_EQ(told, 0u);
  parts.out(kBus, 0, 4);
  parts.out(kEject, 1u << 4, 4);
  EXPECT_EQ(told, 1u);
}

TEST_F(CardSlots, AResetEndsWhatTheGuestHasNotDone) {
  board->request_unplug(4);
  board->reset(ResetKind::Hard);
  EXPECT_EQ(told, 1u);
  EXPECT_EQ(vendor(4), kNothing);
  EXPECT_EQ(parts.in(kDown, 4), 0u);
}

TEST_F(CardSlots, ASlotThatIsTakenIsRefused) {
  const auto refused = board->plug(card(NetworkCardConfig::Model::E1000, "e1000", 4));
  EXPECT_NE(refused.message().find("slot 4 is in use by virtio-blk-pci.4"), std::string::npos) << refused.message();
  EXPECT_NE(board->plug(card(NetworkCardConfig::Model::E1000, "e1000", 1)).message().find("piix3"), std::string::npos);
}

// A card that came later has the name that it would have had from the beginning.
TEST_F(CardSlots, ItsStateLoadsWhereTheCardWasThereFromTheBeginning) {
  ASSERT_TRUE(board->plug(card(NetworkCardConfig::Model::E1000, "e1000", 7)).ok());
  parts.set_config(7, 0, 0x3C, 1, 11);
  StateWriter state;
  board->state(state);
  test::TestBoard other_parts{kRam, PcBoard::kExtraMemory};
  auto other = make(other_parts, {card(NetworkCardConfig::Model::E1000, "e1000", 7)});
  const auto loaded = load_state(state.data(), [&](StateArchive& archive) { other->state(archive); });
  EXPECT_TRUE(loaded.ok()) << loaded.message();
  EXPECT_EQ(other_parts.config(7, 0, 0x3C, 1), 11u);
  EXPECT_EQ(other_parts.in(kUp, 4), 1u << 7);
}

// Of a q35: a bit of the registers, which are at CC0h, is a root port.
struct PortSlots : CardSlots {
  PortSlots() {
    board = make_q35(q35);
    board->on_eject([this] { told++; });
    q35.set_config(31, 0, 0x40, 4, kPm);
    q35.set_config(31, 0, 0x44, 1, 0x80);
  }
  std::unique_ptr<PcBoard> make_q35(test::TestBoard& on, std::vector<NetworkCardConfig> cards = {}) {
    BoardConfig config;
    config.chipset = BoardConfig::Chipset::Q35;
    config.bios = std::vector<u8>(0x10000, 0xF4);
    config.ahci.emplace();
    config.root_ports = {{.id = "a", .slot = 4, .multifunction = true}, {.id = "b", .slot = 4, .function = 1}};
    config.network_cards = std::move(cards);
    auto made = PcBoard::create(std::move(config), on.scheduler, on.io, on.memory, on.control);
    EXPECT_TRUE(made.ok()) << made.message();
    made.value()->reset(ResetKind::PowerOn);
    return std::move(made).value();
  }
  // What is behind the second port, which gets bus 7.
  u32 behind(test::TestBoard& on) {
    on.set_config(4, 1, 0x18, 4, 0x00070700);
    on.out(0xCF8, 0x80070000u, 4);
    return on.in(0xCFC, 4);
  }
  static constexpr u16 kPm = 0x600, kStatus = kPm + 0x20, kEnable = kPm + 0x28;
  static constexpr u16 kPortUp = 0xCC0, kPortDown = 0xCC4, kPortEject = 0xCC8, kPortRemovable = 0xCCC;
  test::TestBoard q35{kRam, PcBoard::kExtraMemory};
};

TEST_F(PortSlots, ACardComesAndGoesWithAnEvent) {
  EXPECT_EQ(q35.in(kPortRemovable, 4), 3u);
  q35.out(kEnable, kHotplugEvent);
  EXPECT_EQ(behind(q35), kNothing);
  const unsigned place = place_behind_port(1);
  ASSERT_TRUE(board->plug(card(NetworkCardConfig::Model::E1000, "e1000", place)).ok());
  EXPECT_EQ(behind(q35), 0x100E8086u);
  EXPECT_EQ(q35.in(kStatus), kHotplugEvent);
  EXPECT_EQ(q35.in(kPortUp, 4), 2u);
  q35.out(kStatus, kHotplugEvent);
  EXPECT_EQ(q35.in(kStatus), 0u);
  board->request_unplug(place);
  EXPECT_EQ(q35.in(kStatus), kHotplugEvent);
  EXPECT_EQ(q35.in(kPortDown, 4), 2u);
  EXPECT_EQ(behind(q35), 0x100E8086u);
  q35.out(kPortEject, 1, 4);
  EXPECT_EQ(told, 0u) << "the other port";
  q35.out(kPortEject, 2, 4);
  EXPECT_EQ(told, 1u);
  EXPECT_EQ(behind(q35), kNothing);
  EXPECT_EQ(q35.in(kPortUp, 4) | q35.in(kPortDown, 4), 0u);
  EXPECT_EQ(board->take_ejected().size(), 1u);
}

TEST_F(PortSlots, AResetEndsWhatTheGuestHasNotDone) {
  ASSERT_TRUE(board->plug(card(NetworkCardConfig::Model::E1000, "e1000", place_behind_port(1))).ok());
  board->request_unplug(place_behind_port(1));
  board->reset(ResetKind::Hard);
  EXPECT_EQ(told, 1u);
  EXPECT_EQ(behind(q35), kNothing);
}

TEST_F(PortSlots, WhatIsTakenOrStaysIsRefused) {
  ASSERT_TRUE(board->plug(card(NetworkCardConfig::Model::E1000, "e1000", place_behind_port(0))).ok());
  const auto taken = board->plug(card(NetworkCardConfig::Model::E1000, "e1000", place_behind_port(0)));
  EXPECT_NE(taken.message().find("bus=a: e1000.port0 is there already"), std::string::npos) << taken.message();
  const auto fixed = board->plug(card(NetworkCardConfig::Model::E1000, "e1000", 9));
  EXPECT_NE(fixed.message().find("Bus 'pcie.0' does not support hotplugging"), std::string::npos) << fixed.message();
}

TEST_F(PortSlots, ItsStateLoadsWhereTheCardWasThereFromTheBeginning) {
  ASSERT_TRUE(board->plug(card(NetworkCardConfig::Model::E1000, "e1000", place_behind_port(1))).ok());
  EXPECT_EQ(behind(q35), 0x100E8086u);
  StateWriter state;
  board->state(state);
  test::TestBoard other_parts{kRam, PcBoard::kExtraMemory};
  auto other = make_q35(other_parts, {card(NetworkCardConfig::Model::E1000, "e1000", place_behind_port(1))});
  const auto loaded = load_state(state.data(), [&](StateArchive& archive) { other->state(archive); });
  EXPECT_TRUE(loaded.ok()) << loaded.message();
  EXPECT_EQ(other_parts.in(kPortUp, 4), 2u);
  other_parts.out(0xCF8, 0x80070000u, 4);
  EXPECT_EQ(other_parts.in(0xCFC, 4), 0x100E8086u);
}

}  // namespace
}  // namespace relic86
