#include "devices/board/pc_board.h"

#include <gtest/gtest.h>

#include "devices/character/parallel_port.h"
#include "devices/character/uart16550.h"
#include "devices/chipset/fw_cfg.h"
#include "devices/chipset/hpet.h"
#include "devices/chipset/mc146818.h"
#include "tests/devices/network/card_board.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

struct Board : ::testing::Test {
  Board() { board = make(parts); }
  static std::unique_ptr<PcBoard> make(test::TestBoard& on) {
    BoardConfig config;
    config.bios = std::vector<u8>(0x10000, 0xF4);
    config.first_boot = {"/rom@genroms/linuxboot.bin"};
    config.firmware_files.emplace_back("genroms/linuxboot.bin", std::vector<u8>{0x55, 0xAA});
    config.debug_consoles.push_back({});
    config.debug_exits.push_back({0xF4, 4});
    auto made = PcBoard::create(std::move(config), on.scheduler, on.io, on.memory, on.control);
    EXPECT_TRUE(made.ok()) << made.message();
    made.value()->reset(ResetKind::PowerOn);
    return std::move(made).value();
  }
  static constexpr u64 kRam = u64{2} << 20;
  test::TestBoard parts{kRam, PcBoard::kExtraMemory};
  std::unique_ptr<PcBoard> board;
};

std::vector<u8> saved(PcBoard& board) {
  StateWriter writer;
  board.state(writer);
  return writer.data();
}

TEST_F(Board, HasTheChipsetAtItsPlaces) {
  EXPECT_EQ(parts.config(0, 0, 0, 4), 0x12378086u);
  EXPECT_EQ(parts.config(0, 0, 0x2C, 4), 0x11001AF4u);
  EXPECT_EQ(parts.config(1, 0, 0, 4), 0x70008086u);
  EXPECT_EQ(parts.config(1, 3, 0, 4), 0x71138086u);
  EXPECT_NE(board->find("fw_cfg"), nullptr);
  EXPECT_EQ(board->find("nothing"), nullptr);
  EXPECT_NE(board->describe_pci().find("i440fx"), std::string::npos);
}

TEST_F(Board, TellsFirmwareTheRamSize) {
  parts.out(0x510, kFwCfgRamSize, 2);
  u32 size = 0;
  for (unsigned i = 0; i < 4; i++) size |= parts.in(0x511) << (i * 8);
  EXPECT_EQ(size, kRam);
}

TEST_F(Board, ClockAndCmosDescribeTheMachine) {
  const auto get = [&](u8 index) {
    parts.out(0x70, index);
    return parts.in(0x71);
  };
  EXPECT_EQ(get(0x32) << 8 | get(9), 0x1970u);
  EXPECT_EQ(get(0x15) | get(0x16) << 8, 640u);
  EXPECT_EQ(get(0x17) | get(0x18) << 8, (kRam >> 10) - 1024);
  // A 286 program's return to real mode only resets the processor; a reboot resets the machine.
  parts.out(0x70, 0x0F), parts.out(0x71, 0x0A);
  parts.out(0x92, 3);
  EXPECT_EQ(parts.control.cpu_inits, 1u);
  EXPECT_EQ(parts.control.resets, 0u);
  parts.out(0x70, 0x0F), parts.out(0x71, 0x00);
  parts.out(0x92, 3);
  EXPECT_EQ(parts.control.resets, 1u);
}

TEST_F(Board, HasTheCharacterPortsAskedFor) {
  EXPECT_NE(board->uart(0), nullptr);
  EXPECT_EQ(board->uart(1), nullptr);
  EXPECT_NE(board->parallel(0), nullptr);
  EXPECT_EQ(board->parallel(1), nullptr);
  EXPECT_EQ(parts.in(0x3FD), 0x60u);
  EXPECT_EQ(parts.in(0x2FD), 0xFFu);
  EXPECT_EQ(parts.in(0x379), 0xDFu);
  EXPECT_EQ(parts.in(0xE9), 0xE9u);
  EXPECT_EQ(parts.in(0x402), 0xFFu);
  parts.out(0xF4, 0x21);
  EXPECT_EQ(parts.control.exit_code, 0x43u);
  EXPECT_EQ(parts.config(1, 3, 0x67, 1), 0x08u);  // the BIOS's ACPI tables show COM1 only
}

TEST_F(Board, SaveLoadSaveIsByteEqualInAnotherMachine) {
  std::mt19937 random(5);
  for (unsigned i = 0; i < 3000; i++) {
    parts.out(static_cast<u16>(random() % 0x600), static_cast<u32>(random()), 1);
    if (i % 8 == 0) parts.pass(static_cast<GuestTime>(random() % 1000000));
  }
  const auto state = saved(*board);
  test::TestBoard other_parts{kRam, PcBoard::kExtraMemory};
  auto other = make(other_parts);
  other_parts.clock.time = parts.clock.time;
  auto reader = StateReader::parse(state);
  ASSERT_TRUE(reader.ok());
  other->state(reader.value());
  EXPECT_EQ(reader.value().complaint(), "");
  EXPECT_EQ(saved(*other), state);
}

struct Q35Board : ::testing::Test {
  Q35Board() { board = make(parts); }
  static std::unique_ptr<PcBoard> make(test::TestBoard& on) {
    BoardConfig config;
    config.bios = std::vector<u8>(0x10000, 0xF4);
    config.chipset = BoardConfig::Chipset::Q35;
    config.hpet = true;
    auto made = PcBoard::create(std::move(config), on.scheduler, on.io, on.memory, on.control);
    EXPECT_TRUE(made.ok()) << made.message();
    made.value()->reset(ResetKind::PowerOn);
    return std::move(made).value();
  }
  static constexpr u64 kRam = u64{2} << 20;
  test::TestBoard parts{kRam, PcBoard::kExtraMemory};
  std::unique_ptr<PcBoard> board;
};

TEST_F(Q35Board, HasTheChipsetAtItsPlaces) {
  EXPECT_EQ(parts.config(0, 0, 0, 4), 0x29C08086u);
  EXPECT_EQ(parts.config(31, 0, 0, 4), 0x29188086u);
  EXPECT_EQ(parts.config(31, 2, 0, 4), 0x29228086u);
  EXPECT_EQ(parts.config(31, 3, 0, 4), 0x29308086u);
  EXPECT_EQ(parts.config(1, 1, 0, 4), ~0u) << "there is no IDE";
  EXPECT_EQ(parts.memory.read(PhysAddr(Hpet::kAddress), 4), 0x8086A201u);
  EXPECT_EQ(board->low_ram(), kRam);
}

TEST_F(Q35Board, SaveLoadSaveIsByteEqualInAnotherMachine) {
  constexpr u32 kWindow = 0xB0000000, kRootComplex = 0xFED1C000, kBridge = 31 << 15, kAhciFunction = 2 << 12;
  parts.set_config(0, 0, 0x60, 4, kWindow | 1);
  parts.set_config(31, 0, 0xF0, 4, kRootComplex | 1);
  std::mt19937 random(7);
  const auto store = [&](u32 address) { parts.memory.write(PhysAddr(address), 4, random()); };
  for (unsigned i = 0; i < 3000; i++) {
    parts.out(static_cast<u16>(random() % 0x600), static_cast<u32>(random()), 1);
    store(kWindow + kBridge + static_cast<u32>(random() % 0x60 + 0x90) / 4 * 4);
    store(kWindow + kBridge + kAhciFunction + static_cast<u32>(random() % 0x40) / 4 * 4);
    store(kRootComplex + 0x3140 + static_cast<u32>(random() % 0x14) / 4 * 4);
    store(Hpet::kAddress + static_cast<u32>(random() % 0x160) / 4 * 4);
    if (i % 8 == 0) parts.pass(static_cast<GuestTime>(random() % 1000000));
  }
  const auto state = saved(*board);
  test::TestBoard other_parts{kRam, PcBoard::kExtraMemory};
  auto other = make(other_parts);
  other_parts.clock.time = parts.clock.time;
  auto reader = StateReader::parse(state);
  ASSERT_TRUE(reader.ok());
  other->state(reader.value());
  EXPECT_EQ(reader.value().complaint(), "");
  EXPECT_EQ(saved(*other), state);
}

// The controller is created after the network cards, which take any slot that is free.
TEST(BoardSlots, AnAhciControllerHasTheSlotThatItNames) {
  constexpr u64 kRam = u64{2} << 20;
  test::TestBoard parts{kRam, PcBoard::kExtraMemory};
  test::FakeLink link;
  BoardConfig config;
  config.bios = std::vector<u8>(0x10000, 0xF4);
  config.ahci.emplace().slot = 3;
  NetworkCardConfig card;
  card.name = "e1000.0";
  card.link = &link;
  config.network_cards.push_back(card);
  const auto made = PcBoard::create(std::move(config), parts.scheduler, parts.io, parts.memory, parts.control);
  ASSERT_TRUE(made.ok()) << made.message();
  made.value()->reset(ResetKind::PowerOn);
  EXPECT_EQ(parts.config(3, 0, 0, 4), 0x29228086u);
  EXPECT_EQ(parts.config(4, 0, 0, 2), 0x8086u);
}

TEST_F(Board, RandomPortsAndResetsAreContained) {
  std::mt19937 random(6);
  for (unsigned i = 0; i < 200000; i++) {
    const auto port = static_cast<u16>(random() % 4 == 0 ? random() : random() % 0x1000);
    const unsigned width = 1u << random() % 3;
    if (random() % 2 == 0) {
      parts.out(port, static_cast<u32>(random()), width);
    } else {
      parts.in(port, width);
    }
    if (i % 16 == 0) parts.pass(static_cast<GuestTime>(random() % 10'000'000));
    if (i % 5000 == 0) board->reset(ResetKind::Hard);
  }
  board->reset(ResetKind::Hard);
  EXPECT_EQ(parts.config(0, 0, 0, 4), 0x12378086u);
  EXPECT_EQ(parts.memory.read(PhysAddr(0xFFFF0), 1), 0xF4u);
}

}  // namespace
}  // namespace relic86
