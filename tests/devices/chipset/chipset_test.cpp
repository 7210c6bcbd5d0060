#include <gtest/gtest.h>

#include "devices/board/cmos_map.h"
#include "devices/chipset/i440fx.h"
#include "devices/chipset/piix3.h"
#include "devices/chipset/piix4_pm.h"
#include "devices/irq_join.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using test::TestBoard;

std::vector<u8> sample_bios(std::size_t size) {
  std::vector<u8> bytes(size);
  for (std::size_t i = 0; i < size; i++) bytes[i] = static_cast<u8>(i >> 12);
  bytes[size - 1] = 0xEA;
  return bytes;
}

struct Chipset : ::testing::Test {
  Chipset() {
    EXPECT_TRUE(bus.add(host, 0).ok());
    EXPECT_TRUE(bus.add(isa, 1).ok());
    EXPECT_TRUE(bus.add(pm, 1, 3).ok());
    for (Device* device : std::initializer_list<Device*>{&bus, &host, &isa, &pm}) {
      EXPECT_TRUE(device->attach(board.attachment).ok());
    }
    reset();
  }
  void reset() {
    for (Device* device : std::initializer_list<Device*>{&bus, &host, &isa, &pm}) device->reset(ResetKind::PowerOn);
  }
  void enable_pm() {
    board.set_config(1, 3, 0x40, 4, 0xB001);
    board.set_config(1, 3, 0x80, 1, 1);
  }
  u8 byte(u64 address) { return static_cast<u8>(board.memory.read(PhysAddr(address), 1)); }
  void poke(u64 address, u8 value) { board.memory.write(PhysAddr(address), 1, value); }

  TestBoard board;
  PciBus bus;
  I440fx host{sample_bios(0x40000)};
  Piix3 isa{bus, board.control};
  Piix4Pm pm{board.control};
};

TEST_F(Chipset, BiosShowsAtTheTopAndBelowOneMegabyte) {
  EXPECT_EQ(byte(0xFFFFFFFF), 0xEA);
  EXPECT_EQ(byte(0xFFFFF), 0xEA);
  EXPECT_EQ(byte(0xFFFC0000), 0x00);
  EXPECT_EQ(byte(0xFFFE0000), 0x20);
  EXPECT_EQ(byte(0xE0000), 0x20);
  EXPECT_EQ(byte(0xC0000), 0xFF);
  poke(0xF0000, 0x77);
  EXPECT_EQ(byte(0xF0000), 0x30);
  poke(0x100000, 0x12);
  EXPECT_EQ(byte(0x100000), 0x12);
}

TEST_F(Chipset, SmallRomsEndAtTheTop) {
  TestBoard other;
  PciBus other_bus;
  I440fx small(std::vector<u8>{0x90, 0xF4});
  ASSERT_TRUE(other_bus.add(small, 0).ok());
  ASSERT_TRUE(small.attach(other.attachment).ok());
  small.reset(ResetKind::PowerOn);
  EXPECT_EQ(other.memory.read(PhysAddr(0xFFFFFFFE), 2), 0xF490u);
  EXPECT_EQ(other.memory.read(PhysAddr(0xFFFFC), 4), 0xF490FFFFu);
  EXPECT_EQ(other.memory.read(PhysAddr(0xE0000), 1), 0xFFu);
}

TEST_F(Chipset, PamCopiesAndProtectsShadowRam) {
  board.set_config(0, 0, 0x59, 1, 0x20);  // F0000h: read ROM, write RAM
  poke(0xF1234, 0x77);
  EXPECT_EQ(byte(0xF1234), 0x31);
  board.set_config(0, 0, 0x59, 1, 0x10);  // read RAM, writes dropped
  EXPECT_EQ(byte(0xF1234), 0x77);
  poke(0xF1234, 0x11);
  EXPECT_EQ(byte(0xF1234), 0x77);
  EXPECT_EQ(byte(0xFFFF1234), 0x31);
  board.set_config(0, 0, 0x5A, 1, 0x03);  // C0000h to C3FFFh only
  poke(0xC0000, 1);
  poke(0xC4000, 1);
  EXPECT_EQ(byte(0xC0000), 1);
  EXPECT_EQ(byte(0xC4000), 0xFF);
  board.set_config(0, 0, 0x5F, 1, 0x30);  // EC000h to EFFFFh
  poke(0xEC000, 5);
  poke(0xE8000, 5);
  EXPECT_EQ(byte(0xEC000), 5);
  EXPECT_EQ(byte(0xE8000), 0x28);
  const auto state = test::saved(host);
  host.reset(ResetKind::Hard);
  EXPECT_EQ(byte(0xF1234), 0x31);
  ASSERT_TRUE(test::load(host, state));
  EXPECT_EQ(byte(0xF1234), 0x77);
  EXPECT_EQ(test::saved(host), state);
}

TEST_F(Chipset, SmramOpensInSmmAndLocks) {
  poke(0xA0000, 1);
  EXPECT_EQ(byte(0xA0000), 0xFF);
  board.set_config(0, 0, 0x72, 1, 0x4A);
  poke(0xA0000, 0x5A);
  EXPECT_EQ(byte(0xA0000), 0x5A);
  board.set_config(0, 0, 0x72, 1, 0x1A);  // lock
  EXPECT_EQ(byte(0xA0000), 0xFF);
  board.set_config(0, 0, 0x72, 1, 0x4A);
  EXPECT_EQ(board.config(0, 0, 0x72, 1), 0x1Au);
  host.set_system_management_mode(true);
  EXPECT_EQ(byte(0xA0000), 0x5A);
  host.set_system_management_mode(false);
  EXPECT_EQ(byte(0xA0000), 0xFF);
  host.reset(ResetKind::Hard);
  board.set_config(0, 0, 0x72, 1, 0x4A);
  EXPECT_EQ(byte(0xA0000), 0x5A);
}

TEST_F(Chipset, PirqsAreRoutedAndShared) {
  board.set_config(1, 0, 0x60, 4, 0x0B0A0B80);  // A off, B 11, C 10, D 11
  isa.set_irq(0, true);
  isa.set_irq(1, true);
  isa.set_irq(3, true);
  EXPECT_TRUE(board.irqs.levels[11]);
  isa.set_irq(1, false);
  EXPECT_TRUE(board.irqs.levels[11]);
  EXPECT_FALSE(board.irqs.levels[10]);
  board.set_config(1, 0, 0x63, 1, 0x0A);
  EXPECT_FALSE(board.irqs.levels[11]);
  EXPECT_TRUE(board.irqs.levels[10]);
  board.set_config(1, 0, 0x63, 1, 0x08);  // reserved
  EXPECT_FALSE(board.irqs.levels[10]);
  EXPECT_EQ(isa.routed_to(3), 16u);
  const auto state = test::saved(isa);
  isa.reset(ResetKind::Hard);
  ASSERT_TRUE(test::load(isa, state));
  EXPECT_EQ(test::saved(isa), state);
}

TEST_F(Chipset, ResetControlActsOnTheRisingBit) {
  board.out(0xCF9, 0x02);
  EXPECT_EQ(board.control.resets, 0u);
  board.out(0xCF9, 0x06);
  EXPECT_EQ(board.control.resets, 1u);
  board.out(0xCF9, 0x06);
  EXPECT_EQ(board.control.resets, 1u);
  reset();
  board.out(0xCF9, 0x04);
  EXPECT_EQ(board.control.cpu_inits, 1u);
  EXPECT_EQ(board.control.resets, 1u);
}

TEST_F(Chipset, ApmPortsAreScratchWithoutSmm) {
  board.out(0xB3, 0x42);
  board.out(0xB2, 0x01);
  EXPECT_EQ(board.in(0xB2), 1u);
  EXPECT_EQ(board.in(0xB3), 0x42u);
  EXPECT_EQ(board.config(1, 3, 0x58, 4), 1u << 25);  // SeaBIOS then leaves SMM alone
}

TEST_F(Chipset, ApmWriteRaisesSmi) {
  struct Smi final : SmiSink {
    void raise_smi() override { count++; }
    unsigned count = 0;
  } smi;
  pm.set_smi_sink(&smi);
  isa.on_apm_command([&](u8 value) { pm.apm_command(value); });
  pm.reset(ResetKind::PowerOn);
  enable_pm();
  EXPECT_EQ(board.config(1, 3, 0x58, 4), 0u);
  board.out(0xB2, 1);
  board.set_config(1, 3, 0x58, 4, 1u << 25);
  board.out(0xB2, 1);
  EXPECT_EQ(smi.count, 0u);  // GLBCTL's SMI_EN is missing
  board.out(0xB028, 1, 4);
  EXPECT_EQ(board.in(0xB028, 4), 1u);
  const auto state = test::saved(pm);
  board.out(0xB2, 1);
  EXPECT_EQ(smi.count, 1u);
  board.set_config(1, 3, 0x58, 4, 0);
  board.out(0xB2, 1);
  EXPECT_EQ(smi.count, 1u);
  EXPECT_EQ(board.in(0xB018, 4), 0x20u);
  board.out(0xB018, 0x20);
  EXPECT_EQ(board.in(0xB018, 4), 0u);
  pm.reset(ResetKind::Hard);
  board.out(0xB2, 1);
  EXPECT_EQ(smi.count, 1u);
  ASSERT_TRUE(test::load(pm, state));
  board.out(0xB2, 1);
  EXPECT_EQ(smi.count, 2u);
}

TEST_F(Chipset, PmTimerRunsAtItsFrequencyAndWraps) {
  EXPECT_EQ(board.in(0xB008, 4), 0xFFFFFFFFu);
  enable_pm();
  EXPECT_EQ(board.in(0xB008, 4), 0u);
  board.pass(1'000'000'000);
  EXPECT_EQ(board.in(0xB008, 4), 3579545u);
  EXPECT_EQ(board.in(0xB000, 2), 0u);
  board.pass(1'400'000'000);  // past 2^23
  EXPECT_EQ(board.in(0xB000, 2) & 1, 1u);
  board.out(0xB000, 1, 2);
  EXPECT_EQ(board.in(0xB000, 2) & 1, 0u);
  board.pass(2'400'000'000);  // past 2^24
  EXPECT_LT(board.in(0xB008, 4), 1u << 24);
  EXPECT_EQ(board.in(0xB000, 2) & 1, 1u);
}

TEST_F(Chipset, TimerOverflowMakesSci) {
  enable_pm();
  board.out(0xB004, 1, 2);
  board.out(0xB002, 1, 2);
  board.pass(2'343'000'000);
  EXPECT_FALSE(board.irqs.levels[9]);
  board.pass(1'000'000);
  EXPECT_TRUE(board.irqs.levels[9]);
  board.out(0xB000, 1, 2);
  EXPECT_FALSE(board.irqs.levels[9]);
  board.pass(2'344'000'000);
  EXPECT_TRUE(board.irqs.levels[9]);
}

TEST_F(Chipset, PowerButtonAndSoftOff) {
  enable_pm();
  pm.press_power_button();
  EXPECT_FALSE(board.irqs.levels[9]);
  board.out(0xB002, 0x100, 2);
  board.out(0xB004, 1, 2);
  EXPECT_TRUE(board.irqs.levels[9]);
  EXPECT_EQ(board.in(0xB000, 4), 0x01000100u);
  board.out(0xB001, 1);
  EXPECT_FALSE(board.irqs.levels[9]);
  EXPECT_EQ(board.control.power_offs, 0u);
  board.out(0xB004, 0x2001, 2);
  EXPECT_EQ(board.control.power_offs, 1u);
  EXPECT_EQ(board.in(0xB004, 2), 1u);
}

TEST_F(Chipset, SuspendToRamEndsByWhatIsEnabled) {
  unsigned told = 0;
  pm.on_suspend([&] { told++; });
  enable_pm();
  pm.wake();
  pm.clock_interrupt();  // awake: a status bit and nothing else
  EXPECT_EQ(board.control.wakes, 0u);
  EXPECT_EQ(board.in(0xB000, 2), 0x400u);
  board.out(0xB000, 0x400, 2);
  board.out(0xB004, 0x2400, 2);
  EXPECT_TRUE(pm.suspended());
  EXPECT_EQ(told, 1u);
  EXPECT_EQ(board.control.suspends, 1u);
  pm.clock_interrupt();
  EXPECT_EQ(board.control.wakes, 0u);  // RTC_EN is missing
  board.out(0xB002, 0x400, 2);
  EXPECT_EQ(board.control.wakes, 1u);
  pm.reset(ResetKind::Resume);
  EXPECT_FALSE(pm.suspended());
  EXPECT_EQ(board.in(0xB000, 4), 0x8400u);
  board.out(0xB000, 0x8400, 2);
  EXPECT_EQ(board.in(0xB000, 4), 0u);
  // Pending and enabled before: no sleep at all.
  pm.press_power_button();
  board.out(0xB002, 0x100, 2);
  board.out(0xB004, 0x2400, 2);
  EXPECT_EQ(board.control.wakes, 2u);
  pm.reset(ResetKind::Hard);
  EXPECT_FALSE(pm.suspended());
  enable_pm();
  EXPECT_EQ(board.in(0xB000, 4), 0u);
  EXPECT_EQ(board.control.power_offs, 0u);
}

TEST_F(Chipset, ResumeKeepsTheShadow) {
  board.set_config(0, 0, 0x59, 1, 0x30);
  poke(0xF0000, 0x77);
  EXPECT_EQ(byte(0xF0000), 0x77);
  host.reset(ResetKind::Resume);
  EXPECT_EQ(byte(0xF0000), 0x77);
  poke(0xF0000, 0x78);
  EXPECT_EQ(byte(0xF0000), 0x78);
  host.reset(ResetKind::Hard);
  EXPECT_EQ(byte(0xF0000), 0x30);
}

TEST_F(Chipset, PmStateAndFuzz) {
  enable_pm();
  board.pass(123'456);
  board.out(0xB002, 0x121, 2);
  const auto state = test::saved(pm);
  reset();
  EXPECT_EQ(board.in(0xB002, 2), 0xFFFFu);
  ASSERT_TRUE(test::load(pm, state));
  EXPECT_EQ(board.in(0xB002, 2), 0x121u);
  EXPECT_EQ(test::saved(pm), state);
  std::mt19937 random(2);
  for (unsigned i = 0; i < 50000; i++) {
    static constexpr u16 kBases[] = {0xB000, 0xB020, 0xAFE0, 0xAE00, 0xAF00, 0xCF8, 0xB0};
    const auto port = static_cast<u16>(kBases[random() % 7] + random() % 32);
    const unsigned width = 1u << random() % 3;
    if (i % 64 == 0) {
      enable_pm();
      board.pass(static_cast<GuestTime>(random()));
    }
    if (i % 16 == 0) board.out(0xCF8, 0x80000000u | (random() & 0xBFC), 4);
    board.out(port, static_cast<u32>(random()), width);
    board.in(port, width);
  }
}

TEST(IrqJoin, LinesAreHighWhileAnyWireIs) {
  test::RecordingIrqs sink;
  IrqJoin join;
  join.connect(&sink);
  IrqLine first(&join, join.new_wire(4)), second(&join, join.new_wire(4)), other(&join, join.new_wire(3));
  first.raise();
  second.raise();
  first.lower();
  EXPECT_TRUE(sink.levels[4]);
  EXPECT_EQ(sink.rises[4], 1u);
  other.pulse();
  EXPECT_EQ(sink.rises[3], 1u);
  StateWriter writer;
  join.state(writer);
  second.lower();
  EXPECT_FALSE(sink.levels[4]);
  auto reader = StateReader::parse(writer.data());
  ASSERT_TRUE(reader.ok());
  join.state(reader.value());
  EXPECT_TRUE(join.level(4));
}

TEST(CmosMap, TellsTheBiosWhatIsThere) {
  CmosConfig config;
  config.ram_size = u64{128} << 20;
  config.floppies = {FloppyDriveType::M1_44, FloppyDriveType::None};
  config.disks[0] = {{1015, 16, 63}, DiskTranslation::None};
  config.disks[2] = {{16383, 16, 63}, DiskTranslation::Lba};
  config.boot_order = "ad";
  std::array<int, 128> cmos;
  cmos.fill(-1);
  for (const auto& [index, value] : cmos_contents(config)) cmos[index] = value;
  EXPECT_EQ(cmos[0x10], 0x40);
  EXPECT_EQ(cmos[0x12], 0xF0);
  EXPECT_EQ(cmos[0x14], 0x07);
  EXPECT_EQ(cmos[0x15] | cmos[0x16] << 8, 640);
  EXPECT_EQ(cmos[0x30] | cmos[0x31] << 8, 0xFFFF);
  EXPECT_EQ(cmos[0x34] | cmos[0x35] << 8, 112 * 16);
  EXPECT_EQ(cmos[0x3D], 0x31);
  EXPECT_EQ(cmos[0x38], 0x00);
  EXPECT_EQ(cmos[0x39], 1 << 4);
  EXPECT_EQ(cmos[0x1B] | cmos[0x1C] << 8, 1015);
  int sum = 0;
  for (int i = 0x10; i <= 0x2D; i++) sum += std::max(cmos[static_cast<std::size_t>(i)], 0);
  EXPECT_EQ(cmos[0x2E] << 8 | cmos[0x2F], sum);
}

}  // namespace
}  // namespace relic86
