#include <gtest/gtest.h>

#include "devices/pci_bus.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using test::TestBoard;

PciIdentity sample_identity() {
  PciIdentity identity;
  identity.vendor = 0x1234;
  identity.device = 0x5678;
  identity.revision = 9;
  identity.class_code = 0x010180;
  identity.interrupt_pin = 1;
  return identity;
}

class Sample final : public PciDevice {
 public:
  explicit Sample(const char* name = "sample") : PciDevice(sample_identity()), name_(name) {
    declare_io_bar(0, 16, 1, 4);
    declare_memory_bar(1, 8192, 2, 4);
    declare(0x40, 4, 0x11223344, 0x00FF00FF, 0x0000FF00);
  }
  using PciDevice::declare_rom_bar;
  using PciDevice::set_interrupt;
  std::string_view name() const override { return name_; }
  u64 read(RegionId region, u64 offset, unsigned) override { return region * 0x10u + offset; }
  void write(RegionId region, u64 offset, unsigned, u64 value) override {
    last_region = region, last_offset = offset, last_value = value;
  }
  void event(u32, GuestTime) override {}
  RegionId last_region = 0;
  u64 last_offset = 0, last_value = 0;

 protected:
  Result<> attach_function(Attachment&) override { return {}; }
  void reset_function(ResetKind) override {}
  void state_function(StateArchive&) override {}
  void config_written(unsigned, unsigned) override {}

 private:
  const char* name_;
};

struct Pirqs final : IrqSink {
  void set_irq(unsigned input, bool level) override { levels[input] = level; }
  std::array<bool, 4> levels{};
};

struct Pci : ::testing::Test {
  Pci() {
    bus.set_pirq_sink(&pirqs);
    EXPECT_TRUE(bus.add(device, 3).ok());
    EXPECT_TRUE(bus.attach(board.attachment).ok());
    EXPECT_TRUE(device.attach(board.attachment).ok());
    bus.reset(ResetKind::PowerOn);
    device.reset(ResetKind::PowerOn);
  }
  TestBoard board;
  PciBus bus;
  Sample device;
  Pirqs pirqs;
};

TEST_F(Pci, IdentityIsReadInEveryWidth) {
  EXPECT_EQ(board.config(3, 0, 0, 4), 0x56781234u);
  EXPECT_EQ(board.config(3, 0, 2, 2), 0x5678u);
  EXPECT_EQ(board.config(3, 0, 3, 1), 0x56u);
  EXPECT_EQ(board.config(3, 0, 8, 4), 0x01018009u);
  EXPECT_EQ(board.config(3, 0, 0x3D, 1), 1u);
  EXPECT_EQ(board.config(4, 0, 0, 4), 0xFFFFFFFFu);
  EXPECT_EQ(board.config(3, 1, 0, 2), 0xFFFFu);
  board.out(0xCF8, 0x80011800, 4);  // bus 1
  EXPECT_EQ(board.in(0xCFC, 4), 0xFFFFFFFFu);
  board.out(0xCF8, 0x00001800, 4);  // not enabled
  EXPECT_EQ(board.in(0xCFC, 4), 0xFFFFFFFFu);
}

TEST_F(Pci, AddressRegisterTakesDwordsOnly) {
  board.out(0xCF8, 0xFFFFFFFF, 4);
  EXPECT_EQ(board.in(0xCF8, 4), 0x80FFFFFCu);
  board.out(0xCF8, 0, 1);
  board.out(0xCFA, 0, 2);
  EXPECT_EQ(board.in(0xCF8, 4), 0x80FFFFFCu);
}

TEST_F(Pci, WriteMasksAndClearByOnes) {
  board.set_config(3, 0, 0, 4, 0);
  EXPECT_EQ(board.config(3, 0, 0, 4), 0x56781234u);
  board.set_config(3, 0, 0x40, 4, 0xAABB30DD);
  EXPECT_EQ(board.config(3, 0, 0x40, 4), 0x11BB03DDu);
}

TEST_F(Pci, BarsAreSizedAndMappedWithTheCommandRegister) {
  board.set_config(3, 0, 0x10, 4, 0xFFFFFFFF);
  EXPECT_EQ(board.config(3, 0, 0x10, 4), 0xFFFFFFF1u);
  board.set_config(3, 0, 0x14, 4, 0xFFFFFFFF);
  EXPECT_EQ(board.config(3, 0, 0x14, 4), 0xFFFFE000u);
  board.set_config(3, 0, 0x18, 4, 0xFFFFFFFF);
  EXPECT_EQ(board.config(3, 0, 0x18, 4), 0u);

  board.set_config(3, 0, 0x10, 4, 0xC000);
  board.set_config(3, 0, 0x14, 4, 0xFEB00000);
  EXPECT_EQ(board.in(0xC004), 0xFFu);
  board.set_config(3, 0, 4, 2, 3);
  EXPECT_EQ(board.in(0xC004), 0x14u);
  EXPECT_EQ(board.memory.read(PhysAddr(0xFEB00008), 1), 0x28u);
  board.memory.write(PhysAddr(0xFEB01FFC), 4, 0xCAFE);
  EXPECT_EQ(device.last_offset, 0x1FFCu);
  EXPECT_EQ(device.last_value, 0xCAFEu);
  board.set_config(3, 0, 0x10, 4, 0xD000);
  EXPECT_EQ(board.in(0xC004), 0xFFu);
  EXPECT_EQ(board.in(0xD004), 0x14u);
  board.set_config(3, 0, 4, 2, 2);
  EXPECT_EQ(board.in(0xD004), 0xFFu);
  EXPECT_EQ(board.memory.read(PhysAddr(0xFEB00008), 1), 0x28u);
  device.reset(ResetKind::Hard);
  EXPECT_EQ(board.memory.read(PhysAddr(0xFEB00008), 1), 0xFFu);
}

TEST_F(Pci, OptionRomShowsWhenEnabled) {
  Sample with_rom("with_rom");
  const BackingOffset rom = board.store.allocate(0x10000, "rom");
  board.store.bytes(rom, 2)[0] = 0x55;
  with_rom.declare_rom_bar(0x10000, rom);
  ASSERT_TRUE(bus.add(with_rom, 5).ok());
  ASSERT_TRUE(with_rom.attach(board.attachment).ok());
  with_rom.reset(ResetKind::PowerOn);
  board.set_config(5, 0, 0x30, 4, 0xFFFFFFFE);
  EXPECT_EQ(board.config(5, 0, 0x30, 4), 0xFFFF0000u);
  board.set_config(5, 0, 0x30, 4, 0xFEA00000);
  board.set_config(5, 0, 4, 2, 2);
  EXPECT_EQ(board.memory.read(PhysAddr(0xFEA00000), 1), 0xFFu);
  board.set_config(5, 0, 0x30, 4, 0xFEA00001);
  EXPECT_EQ(board.memory.read(PhysAddr(0xFEA00000), 1), 0x55u);
  board.memory.write(PhysAddr(0xFEA00000), 1, 0);
  EXPECT_EQ(board.memory.read(PhysAddr(0xFEA00000), 1), 0x55u);
}

TEST_F(Pci, InterruptsAreRotatedBySlotSharedAndMaskable) {
  Sample other("other");
  ASSERT_TRUE(bus.add(other, 7).ok());  // slots 3 and 7: the same PIRQ, C
  ASSERT_TRUE(other.attach(board.attachment).ok());
  other.reset(ResetKind::PowerOn);
  device.set_interrupt(true);
  EXPECT_EQ(pirqs.levels, (std::array<bool, 4>{false, false, true, false}));
  EXPECT_EQ(board.config(3, 0, 6, 2) & 8, 8u);
  other.set_interrupt(true);
  device.set_interrupt(false);
  EXPECT_TRUE(pirqs.levels[2]);
  board.set_config(7, 0, 4, 2, 0x400);
  EXPECT_FALSE(pirqs.levels[2]);
  board.set_config(7, 0, 4, 2, 0);
  EXPECT_TRUE(pirqs.levels[2]);
  other.reset(ResetKind::Hard);
  EXPECT_FALSE(pirqs.levels[2]);
}

TEST_F(Pci, TakenSlotNamesBoth) {
  Sample other("other");
  const auto result = bus.add(other, 3);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.message().find("sample"), std::string::npos);
  EXPECT_NE(result.message().find("other"), std::string::npos);
  EXPECT_FALSE(bus.add(other, 32).ok());
  EXPECT_EQ(bus.free_slot(3), 4u);
}

TEST_F(Pci, LoadedStateMapsBarsAgain) {
  board.set_config(3, 0, 0x10, 4, 0xC000);
  board.set_config(3, 0, 4, 2, 1);
  device.set_interrupt(true);
  const auto device_state = test::saved(device);
  const auto bus_state = test::saved(bus);
  device.set_interrupt(false);
  device.reset(ResetKind::Hard);
  EXPECT_EQ(board.in(0xC004), 0xFFu);
  ASSERT_TRUE(test::load(device, device_state));
  ASSERT_TRUE(test::load(bus, bus_state));
  EXPECT_EQ(board.in(0xC004), 0x14u);
  EXPECT_TRUE(pirqs.levels[2]);
  EXPECT_EQ(test::saved(device), device_state);
  EXPECT_EQ(test::saved(bus), bus_state);
}

TEST_F(Pci, RandomConfigurationWritesStayContained) {
  std::mt19937 random(1);
  for (unsigned i = 0; i < 20000; i++) {
    const auto port = static_cast<u16>(0xCF8 + random() % 8);
    const unsigned width = 1u << random() % 3;
    if (random() % 2 == 0) {
      board.out(0xCF8, 0x80001800u | (random() & 0xFC), 4);
    }
    board.out(port, static_cast<u32>(random()), width);
    board.in(port, width);
  }
  EXPECT_EQ(device.identity().vendor, 0x1234);
}

}  // namespace
}  // namespace relic86
