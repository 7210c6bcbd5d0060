// The Q35's chipset: host bridge, ISA bridge, SMBus.
#include <gtest/gtest.h>

#include "devices/chipset/ich9_lpc.h"
#include "devices/chipset/ich9_smbus.h"
#include "devices/chipset/q35_mch.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

constexpr unsigned kSouth = 31, kSmbusFunction = 3;
constexpr u16 kPm = 0x600;

struct Lines final : IrqSink {
  void set_irq(unsigned input, bool level) override {
    if (level && !levels[input]) rises[input]++;
    levels[input] = level;
  }
  std::array<bool, 24> levels{};
  std::array<unsigned, 24> rises{};
};

struct SmiCounter final : SmiSink {
  void raise_smi() override { count++; }
  unsigned count = 0;
};

// A card whose interrupt the test drives.
class Card final : public PciDevice {
 public:
  explicit Card(u8 pin) : PciDevice(identity_with(pin)) {}
  void interrupt(bool level) { set_interrupt(level); }
  std::string_view name() const override { return "card"; }
  u64 read(RegionId, u64, unsigned width) override { return all_ones(width); }
  void write(RegionId, u64, unsigned, u64) override {}
  void event(u32, GuestTime) override {}

 protected:
  Result<> attach_function(Attachment&) override { return {}; }
  void reset_function(ResetKind) override {}
  void state_function(StateArchive&) override {}
  void config_written(unsigned, unsigned) override {}

 private:
  static PciIdentity identity_with(u8 pin) {
    PciIdentity identity;
    identity.vendor = 0x1234;
    identity.device = 0x5678;
    identity.interrupt_pin = pin;
    return identity;
  }
};

struct Ich9 : ::testing::Test {
  Ich9() {
    lpc.set_smi_sink(&smi);
    EXPECT_TRUE(pci.add(host, 0).ok());
    EXPECT_TRUE(pci.add(lpc, kSouth).ok());
    EXPECT_TRUE(pci.add(smbus, kSouth, kSmbusFunction).ok());
    EXPECT_TRUE(pci.add(card, 3).ok());
    EXPECT_TRUE(pci.add(own, 27).ok());
    for (Device* device : all()) EXPECT_TRUE(device->attach(attachment).ok());
    for (Device* device : all()) device->reset(ResetKind::PowerOn);
  }
  std::array<Device*, 6> all() { return {&pci, &host, &lpc, &smbus, &card, &own}; }
  void set_lpc(u8 offset, unsigned width, u32 value) { board.set_config(kSouth, 0, offset, width, value); }
  void enable_pm() {
    set_lpc(0x40, 4, kPm);
    set_lpc(0x44, 1, 0x80);
  }
  void open_window() {
    board.set_config(0, 0, 0x64, 4, 0);
    board.set_config(0, 0, 0x60, 4, 0xB0000001);
  }
  u64 at(u64 address, unsigned width = 4) { return board.memory.read(PhysAddr(address), width); }
  void put(u64 address, u64 value, unsigned width = 4) { board.memory.write(PhysAddr(address), width, value); }

  test::TestBoard board;
  Lines lines;
  SmiCounter smi;
  Attachment attachment{board.scheduler, board.io, board.memory, lines};
  PciBus pci;
  Q35Mch host{pci, std::vector<u8>(0x10000, 0x90)};
  Ich9Lpc lpc{pci, board.control};
  Ich9Smbus smbus;
  Card card{1}, own{2};
};

TEST_F(Ich9, Identities) {
  EXPECT_EQ(board.config(0, 0, 0, 4), 0x29C08086u);
  EXPECT_EQ(board.config(kSouth, 0, 0, 4), 0x29188086u);
  EXPECT_EQ(board.config(kSouth, 0, 0x0E, 1), 0x80u);
  EXPECT_EQ(board.config(kSouth, kSmbusFunction, 0, 4), 0x29308086u);
}

TEST_F(Ich9, ConfigurationSpaceInMemory) {
  EXPECT_EQ(at(0xB0000000), 0xFFFFFFFFu);
  open_window();
  EXPECT_EQ(at(0xB0000000), 0x29C08086u);
  EXPECT_EQ(at(0xB0000000 | kSouth << 15 | kSmbusFunction << 12), 0x29308086u);
  EXPECT_EQ(at(0xB0000002, 2), 0x29C0u);
  put(0xB0000000 | 3 << 15 | 0x3C, 0x0B, 1);
  EXPECT_EQ(board.config(3, 0, 0x3C, 1), 0x0Bu);
  EXPECT_EQ(at(0xB0000000 | 4 << 15), 0xFFFFFFFFu) << "nobody";
  EXPECT_EQ(at(0xB0000000 | 0x100), 0xFFFFFFFFu) << "beyond 256 bytes";
  EXPECT_EQ(at(0xB0100000), 0xFFFFFFFFu) << "bus 1";
  board.set_config(0, 0, 0x60, 4, 0xC8000003);  // 128 MiB
  EXPECT_EQ(at(0xB0000000), 0xFFFFFFFFu);
  EXPECT_EQ(at(0xC8000000), 0x29C08086u);
  EXPECT_EQ(host.configuration_window().size, u64{128} << 20);
  board.set_config(0, 0, 0x60, 4, 0xC8000007);  // a size that does not exist
  EXPECT_EQ(at(0xC8000000), 0xFFFFFFFFu);
}

TEST_F(Ich9, ShadowAndSystemManagementRam) {
  board.set_config(0, 0, 0x90, 1, 0x30);
  put(0xF0000, 0x77, 1);
  EXPECT_EQ(at(0xF0000, 1), 0x77u);
  board.set_config(0, 0, 0x9D, 1, 0x0A);
  EXPECT_EQ(at(0xA0000, 1), 0xFFu);
  host.set_system_management_mode(true);
  put(0xA0000, 0x5A, 1);
  EXPECT_EQ(at(0xA0000, 1), 0x5Au);
  host.set_system_management_mode(false);
  EXPECT_EQ(at(0xA0000, 1), 0xFFu);
}

TEST_F(Ich9, PirqsLeadToBothControllers) {
  card.interrupt(true);  // slot 3, INTA#: PIRQH
  EXPECT_TRUE(lines.levels[23]);
  EXPECT_FALSE(lines.levels[11]);
  set_lpc(0x6B, 1, 11);
  EXPECT_TRUE(lines.levels[11]);
  set_lpc(0x6B, 1, 0x80);
  EXPECT_FALSE(lines.levels[11]);
  EXPECT_TRUE(lines.levels[23]);
  card.interrupt(false);
  EXPECT_FALSE(lines.levels[23]);
}

TEST_F(Ich9, OwnSlotsAreWiredByTheGuest) {
  set_lpc(0xF0, 4, 0xFED1C001);
  EXPECT_EQ(at(0xFED1C000 + 0x3148, 2), 0x3210u);
  own.interrupt(true);  // slot 27, INTB#: PIRQB
  EXPECT_TRUE(lines.levels[17]);
  put(0xFED1C000 + 0x3148, 0x3270, 2);
  EXPECT_FALSE(lines.levels[17]);
  EXPECT_TRUE(lines.levels[23]);
  put(0xFED1C000 + 0x3410, 0xFFFFFFFF);
  EXPECT_EQ(at(0xFED1C000 + 0x3410), 0u);
}

TEST_F(Ich9, PowerManagementPorts) {
  EXPECT_EQ(board.in(kPm, 4), 0xFFFFFFFFu);
  enable_pm();
  EXPECT_EQ(lpc.ports(), kPm);
  board.clock.time = 1'000'000'000;
  EXPECT_EQ(board.in(kPm + 8, 4), 3579545u);
  board.out(kPm + 2, 0x100, 2);
  board.out(kPm + 4, 1, 2);
  EXPECT_TRUE(lpc.hears_power_button());
  lpc.press_power_button();
  EXPECT_TRUE(lines.levels[9]);
  set_lpc(0x44, 1, 0x84);  // to the I/O APIC's input 20
  EXPECT_FALSE(lines.levels[9]);
  EXPECT_TRUE(lines.levels[20]);
  board.out(kPm, 0x100, 2);
  EXPECT_FALSE(lines.levels[20]);
  board.out(kPm + 0x28, 0x1234, 4);
  EXPECT_EQ(board.in(kPm + 0x28, 4), 0x1234u);
  board.out(kPm + 4, 0x2001, 2);
  EXPECT_EQ(board.control.power_offs, 1u);
  board.out(kPm + 4, 0x2401, 2);
  EXPECT_EQ(board.control.suspends, 1u);
}

TEST_F(Ich9, ResumingKeepsThePowerManagementBlockAndItsInterrupt) {
  enable_pm();
  set_lpc(0x44, 1, 0x84);
  lpc.reset(ResetKind::Resume);
  EXPECT_EQ(lpc.ports(), kPm);
  board.out(kPm + 2, 0x100, 2);
  board.out(kPm + 4, 1, 2);
  lpc.press_power_button();
  EXPECT_TRUE(lines.levels[20]);
  EXPECT_FALSE(lines.levels[9]);
}

TEST_F(Ich9, SystemManagementInterrupts) {
  enable_pm();
  board.out(0xB2, 0x42);
  EXPECT_EQ(smi.count, 0u);
  board.out(kPm + 0x30, 0x21, 4);
  board.out(0xB2, 0x42);
  EXPECT_EQ(smi.count, 1u);
  EXPECT_EQ(board.in(0xB2), 0x42u);
  EXPECT_EQ(board.in(kPm + 0x34, 4), 0x20u);
  board.out(kPm + 0x34, 0x20, 4);
  EXPECT_EQ(board.in(kPm + 0x34, 4), 0u);
  board.out(0xB2, 2);
  EXPECT_EQ(board.in(kPm + 4, 2) & 1, 1u) << "ACPI_ENABLE";
  board.out(0xB2, 3);
  EXPECT_EQ(board.in(kPm + 4, 2) & 1, 0u);
}

TEST_F(Ich9, WithoutSystemManagementModeTheBiosFindsItSetUp) {
  lpc.set_smi_sink(nullptr);
  lpc.reset(ResetKind::PowerOn);
  enable_pm();
  EXPECT_EQ(board.in(kPm + 0x30, 4), 0x20u);
}

TEST_F(Ich9, ResetControl) {
  board.out(0xCF9, 2);
  EXPECT_EQ(board.control.resets, 0u);
  board.out(0xCF9, 6);
  EXPECT_EQ(board.control.resets, 1u);
  board.out(0xCF9, 0);
  board.out(0xCF9, 4);
  EXPECT_EQ(board.control.cpu_inits, 1u);
}

TEST_F(Ich9, SmbusAnswersThatNobodyDoes) {
  board.set_config(kSouth, kSmbusFunction, 0x20, 4, 0x700);
  board.set_config(kSouth, kSmbusFunction, 0x04, 2, 1);
  board.out(0x704, 0xA1);
  board.out(0x702, 0x48);
  EXPECT_EQ(board.in(0x700), 0x04u);
  board.out(0x700, 0x04);
  EXPECT_EQ(board.in(0x700), 0u);
  EXPECT_EQ(board.in(0x704), 0xA1u);
}

TEST_F(Ich9, StateGoesOnWhereItWas) {
  enable_pm();
  open_window();
  set_lpc(0xF0, 4, 0xFED1C001);
  set_lpc(0x6B, 1, 10);
  put(0xFED1C000 + 0x3148, 0x0123, 2);
  card.interrupt(true);
  const auto bridge = test::saved(lpc), mch = test::saved(host);
  for (Device* device : all()) device->reset(ResetKind::Hard);
  EXPECT_EQ(at(0xB0000000), 0xFFFFFFFFu);
  ASSERT_TRUE(test::load(lpc, bridge));
  ASSERT_TRUE(test::load(host, mch));
  EXPECT_EQ(test::saved(lpc), bridge);
  EXPECT_EQ(test::saved(host), mch);
  EXPECT_EQ(at(0xB0000000), 0x29C08086u);
  EXPECT_EQ(at(0xFED1C000 + 0x3148, 2), 0x0123u);
  EXPECT_TRUE(lines.levels[10]);
}

// The bus is loaded first. Its levels must not go the way that the bridge had before.
TEST_F(Ich9, LoadingDrivesNoOtherInput) {
  set_lpc(0xF0, 4, 0xFED1C001);
  put(0xFED1C000 + 0x3148, 0x3270, 2);
  own.interrupt(true);  // slot 27, INTB#: PIRQH
  ASSERT_TRUE(lines.levels[23]);
  std::vector<std::vector<u8>> states;
  for (Device* device : all()) states.push_back(test::saved(*device));
  for (Device* device : all()) device->reset(ResetKind::Hard);
  lines.rises = {};
  for (std::size_t i = 0; i < states.size(); i++) ASSERT_TRUE(test::load(*all()[i], states[i]));
  EXPECT_TRUE(lines.levels[23]);
  EXPECT_EQ(lines.rises[17], 0u);
  EXPECT_EQ(lines.rises[23], 1u);
}

}  // namespace
}  // namespace relic86
