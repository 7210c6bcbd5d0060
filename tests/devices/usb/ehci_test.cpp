// An EHCI and its companions: which of them sees a device, and what the controller tells.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "devices/pci_bus.h"
#include "devices/usb/ich9_ehci.h"
#include "devices/usb/uhci_registers.h"
#include "devices/usb/usb_mouse.h"
#include "devices/usb/usb_tablet.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

constexpr u32 kBase = 0xE0000000, kCommand = 0x20, kStatus = 0x24, kInterrupts = 0x28, kFrameIndex = 0x2C,
              kConfigFlag = 0x60, kPort0 = 0x64;
constexpr u32 kHalted = 0x1000, kPortChanged = 4, kRollover = 8, kAsyncAdvance = 0x20;
constexpr u32 kPower = 0x1000, kOwner = 0x2000, kReset = 0x100, kLineJ = 0x800, kConnected = 1, kConnectChanged = 2,
              kEnabled = 4;
constexpr GuestTime kMicroFrame = 125'000;

struct EhciTest : public test::TestBoard, public testing::Test {
  static constexpr unsigned kSlot = 4, kEhci = 7;
  static constexpr u16 kPorts[] = {0xC100, 0xC120, 0xC140};

  EhciTest() {
    EXPECT_TRUE(pci.attach(attachment).ok());
    pci.set_pirq_sink(&irqs);
    for (unsigned i = 0; i < 3; i++) {
      EXPECT_TRUE(pci.add(companions[i], kSlot, i).ok());
      EXPECT_TRUE(companions[i].attach(attachment).ok());
      companions[i].reset(ResetKind::PowerOn);
      set_config(kSlot, i, 0x20, 4, kPorts[i]);
      set_config(kSlot, i, 0x04, 2, 5);
    }
    EXPECT_TRUE(pci.add(ehci, kSlot, kEhci).ok());
    EXPECT_TRUE(ehci.attach(attachment).ok());
    ehci.reset(ResetKind::PowerOn);
    set_config(kSlot, kEhci, 0x10, 4, kBase);
    set_config(kSlot, kEhci, 0x04, 2, 6);
    companions[1].plug(0, std::make_unique<UsbTablet>());  // port 2
  }
  u32 reg(u32 offset, unsigned width = 4) { return static_cast<u32>(memory.read(PhysAddr(kBase + offset), width)); }
  void set_reg(u32 offset, u32 value, unsigned width = 4) { memory.write(PhysAddr(kBase + offset), width, value); }
  u32 port(unsigned number) { return reg(kPort0 + number * 4); }
  void set_port(unsigned number, u32 value) { set_reg(kPort0 + number * 4, value); }
  u16 uhci_port(unsigned number) {
    return static_cast<u16>(in(static_cast<u16>(kPorts[number / 2] + uhci::kPort0 + number % 2 * 2), 2));
  }
  bool companion_has(unsigned number) { return (uhci_port(number) & uhci::kConnected) != 0; }
  bool interrupted() const {
    return std::any_of(irqs.levels.begin(), irqs.levels.end(), [](bool l) { return l; });
  }

  PciBus pci;
  std::array<Piix3Uhci, 3> companions{Piix3Uhci(Piix3Uhci::Model::Companion1), Piix3Uhci(Piix3Uhci::Model::Companion2),
                                      Piix3Uhci(Piix3Uhci::Model::Companion3)};
  std::array<Piix3Uhci*, 3> list{&companions[0], &companions[1], &companions[2]};
  Ich9Ehci ehci{list};
};

TEST_F(EhciTest, SaysWhatItIs) {
  EXPECT_EQ(config(kSlot, kEhci, 0, 4), 0x293A8086u);
  EXPECT_EQ(config(kSlot, kEhci, 8, 4) >> 8, 0x0C0320u);
  EXPECT_EQ(config(kSlot, kEhci, 0x3D, 1), 4u);
  EXPECT_EQ(config(kSlot, kEhci, 0x60, 1), 0x20u);
  EXPECT_EQ(config(kSlot, 0, 0, 4), 0x29348086u);
  EXPECT_EQ(config(kSlot, 0, 0x0E, 1), 0x80u);
  EXPECT_EQ(config(kSlot, 1, 0, 4), 0x29358086u);
  EXPECT_EQ(config(kSlot, 2, 0, 4), 0x29368086u);
  EXPECT_EQ(reg(0, 1), 0x20u);
  EXPECT_EQ(reg(2, 2), 0x0100u);
  EXPECT_EQ(reg(4), 0x00003206u);  // three companions with two ports each, six ports
  EXPECT_EQ(reg(8), 0u);
}

TEST_F(EhciTest, RegistersAfterResetAndTheirBits) {
  EXPECT_EQ(reg(kCommand), 0x00080000u);
  EXPECT_EQ(reg(kStatus), kHalted);
  EXPECT_EQ(reg(kConfigFlag), 0u);
  EXPECT_EQ(port(2), kOwner | kPower);
  set_reg(0x34, 0xFFFFFFFF);
  EXPECT_EQ(reg(0x34), 0xFFFFF000u);
  set_reg(0x38, 0xFFFFFFFF);
  EXPECT_EQ(reg(0x38), 0xFFFFFFE0u);
  set_reg(0x39, 0x12, 1);
  EXPECT_EQ(reg(0x38), 0xFFFF12E0u);
  set_reg(kInterrupts, 0xFFFFFFFF);
  EXPECT_EQ(reg(kInterrupts), 0x3Fu);
  set_reg(kCommand, 2);
  EXPECT_EQ(reg(0x34), 0u);
  EXPECT_EQ(reg(kInterrupts), 0u);
  EXPECT_EQ(reg(kPort0 + 6 * 4), 0u);  // there is no seventh port
}

TEST_F(EhciTest, PortsAreTheCompanionsUntilTheDriverAsksForThem) {
  EXPECT_TRUE(companion_has(2));
  set_reg(kInterrupts, kPortChanged);
  set_reg(kConfigFlag, 1);
  EXPECT_FALSE(companion_has(2));
  EXPECT_EQ(uhci_port(2) & uhci::kConnectChanged, uhci::kConnectChanged);
  EXPECT_EQ(port(2), kPower | kLineJ | kConnectChanged | kConnected);
  EXPECT_EQ(port(3), kPower);
  EXPECT_EQ(reg(kStatus) & kPortChanged, kPortChanged);
  EXPECT_TRUE(interrupted());
  set_port(2, kConnectChanged);
  set_reg(kStatus, kPortChanged);
  EXPECT_FALSE(interrupted());
  EXPECT_EQ(port(2), kPower | kLineJ | kConnected);
  set_reg(kConfigFlag, 0);
  EXPECT_TRUE(companion_has(2));
  EXPECT_EQ(port(2), kPower | kOwner);
}

TEST_F(EhciTest, SlowDeviceIsLeftToTheCompanion) {
  set_reg(kConfigFlag, 1);
  set_port(2, kReset);
  EXPECT_EQ(port(2) & kReset, kReset);
  set_port(2, 0);
  EXPECT_EQ(port(2) & (kReset | kEnabled | kConnected), kConnected);  // it is not one of high speed
  set_port(2, kOwner);
  EXPECT_EQ(port(2) & (kOwner | kConnected), kOwner);
  EXPECT_TRUE(companion_has(2));
  EXPECT_EQ(uhci_port(2) & uhci::kConnectChanged, uhci::kConnectChanged);
}

TEST_F(EhciTest, PortComesBackWhenItsDeviceHasGone) {
  set_reg(kConfigFlag, 1);
  set_port(2, kOwner);
  companions[1].unplug(0);
  EXPECT_FALSE(companion_has(2));
  EXPECT_EQ(port(2) & (kOwner | kConnected), 0u);
  set_reg(kStatus, kPortChanged);
  companions[1].plug(0, std::make_unique<UsbMouse>());
  EXPECT_FALSE(companion_has(2));
  EXPECT_EQ(port(2) & (kOwner | kConnected | kConnectChanged), kConnected | kConnectChanged);
  EXPECT_EQ(reg(kStatus) & kPortChanged, kPortChanged);
  companions[1].unplug(0);
  EXPECT_EQ(port(2) & (kConnected | kConnectChanged), kConnectChanged);
}

TEST_F(EhciTest, CountsMicroFramesWhileItRuns) {
  set_reg(kFrameIndex, 0x1FF0);
  set_reg(kInterrupts, kRollover);
  pass(100 * kMicroFrame);
  EXPECT_EQ(reg(kFrameIndex), 0x1FF0u);
  set_reg(kCommand, 1);
  EXPECT_EQ(reg(kStatus) & kHalted, 0u);
  pass(15 * kMicroFrame);
  EXPECT_EQ(reg(kFrameIndex), 0x1FFFu);
  EXPECT_FALSE(interrupted());
  set_reg(kFrameIndex, 7);  // not now
  pass(kMicroFrame);
  EXPECT_EQ(reg(kFrameIndex), 0x2000u);
  EXPECT_TRUE(interrupted());
  set_reg(kStatus, kRollover);
  EXPECT_FALSE(interrupted());
  pass(0x2000 * kMicroFrame);
  EXPECT_EQ(reg(kFrameIndex), 0u);
  EXPECT_TRUE(interrupted());
  set_reg(kCommand, 0);
  pass(kMicroFrame * 10);
  EXPECT_EQ(reg(kFrameIndex), 0u);
  EXPECT_EQ(scheduler.next_deadline(), Scheduler::kNever);
}

// A command that leaves the controller running leaves its counter alone, however often it comes.
TEST_F(EhciTest, CommandsDoNotHoldTheCounterUp) {
  set_reg(kFrameIndex, 0x1FFE);
  set_reg(kInterrupts, kRollover);
  set_reg(kCommand, 1);
  for (unsigned i = 0; i < 3; i++) {
    pass(kMicroFrame / 2);
    set_reg(kCommand, 0x11 | (i % 2) << 5);
  }
  EXPECT_EQ(reg(kFrameIndex), 0x1FFFu);
  EXPECT_FALSE(interrupted());
  pass(kMicroFrame / 2);
  EXPECT_EQ(reg(kFrameIndex), 0x2000u);
  EXPECT_TRUE(interrupted());
  set_reg(kStatus, kRollover);
  pass(100 * kMicroFrame);
  EXPECT_FALSE(interrupted()) << "it was told of";
  // The next time comes on the micro-frame too, whenever the board looked.
  pass(kMicroFrame / 4);
  set_reg(kInterrupts, 0);
  set_reg(kInterrupts, kRollover);
  pass((0x2000 - 101) * kMicroFrame);
  EXPECT_FALSE(interrupted());
  pass(kMicroFrame - kMicroFrame / 4);
  EXPECT_EQ(reg(kFrameIndex), 0u);
  EXPECT_TRUE(interrupted());
}

TEST_F(EhciTest, SchedulesRunAndTheDoorbellIsAnswered) {
  set_reg(kInterrupts, kAsyncAdvance);
  set_reg(kCommand, 0x60);  // it is halted
  EXPECT_EQ(reg(kStatus), kHalted);
  set_reg(kCommand, 0x31);
  EXPECT_EQ(reg(kStatus), 0xC000u);
  set_reg(kCommand, 0x71);
  EXPECT_EQ(reg(kCommand), 0x31u);
  EXPECT_EQ(reg(kStatus), 0xC020u);
  EXPECT_TRUE(interrupted());
}

// Whose a port is, is known in one place: states that do not fit together leave no device without anybody to see it.
TEST_F(EhciTest, LoadedPortsBelongToOneOfTheTwo) {
  const auto unconfigured = test::saved(ehci), seen_there = test::saved(companions[1]);
  set_reg(kConfigFlag, 1);
  const auto configured = test::saved(ehci), seen_here = test::saved(companions[1]);
  for (const auto& state : {unconfigured, configured}) {
    for (const auto& companion : {seen_there, seen_here}) {
      ASSERT_TRUE(test::load(companions[1], companion));
      ASSERT_TRUE(test::load(ehci, state));
      EXPECT_EQ(companion_has(2) + ((port(2) & kConnected) != 0), 1);
      EXPECT_EQ(companion_has(2), (port(2) & kOwner) != 0);
      if (reg(kConfigFlag) == 0) {
        EXPECT_TRUE(companion_has(2));
      }
    }
  }
}

// Whatever is written, each device is seen by one of the two, and a machine that is loaded is the one that was saved.
TEST_F(EhciTest, RandomAccessesKeepItWhole) {
  std::mt19937 random(1);
  for (unsigned step = 0; step < 20'000; step++) {
    const u32 offset = random() % 4 == 0 ? kPort0 + random() % 6 * 4 : random() % 0x80;
    const unsigned width = 1u << random() % 3;
    if (random() % 8 == 0)
      set_reg(kConfigFlag, random() % 2);
    else
      set_reg(offset & ~(width - 1), static_cast<u32>(random()), width);
    if (random() % 50 == 0) {
      const bool there = companions[1].device_at(0) != nullptr;
      if (there)
        companions[1].unplug(0);
      else
        companions[1].plug(0, std::make_unique<UsbTablet>());
    }
    pass(static_cast<GuestTime>(random() % 1'000'000));
    const bool there = companions[1].device_at(0) != nullptr;
    ASSERT_EQ(companion_has(2) + ((port(2) & kConnected) != 0), there ? 1 : 0) << step;
    if (step % 100 != 0) continue;
    const auto state = test::saved(ehci), companion = test::saved(companions[1]);
    const bool level = interrupted();
    reset_but_timers([&] {
      for (Piix3Uhci& each : companions) each.reset(ResetKind::PowerOn);
      ehci.reset(ResetKind::PowerOn);
    });
    ASSERT_TRUE(test::load(companions[1], companion));
    ASSERT_TRUE(test::load(ehci, state));
    ASSERT_EQ(test::saved(ehci), state) << step;
    ASSERT_EQ(test::saved(companions[1]), companion) << step;
    ASSERT_EQ(interrupted(), level) << step;
  }
}

}  // namespace
}  // namespace relic86
