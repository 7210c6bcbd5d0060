// Local APIC and I/O APIC, as kernels and BIOSes program them.
#include "devices/chipset/local_apic.h"

#include <gtest/gtest.h>

#include "devices/chipset/apic_bus.h"
#include "devices/chipset/io_apic.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using test::load;
using test::saved;
using test::TestBoard;

constexpr u64 kApic = 0xFEE00000, kIoApic = 0xFEC00000;
constexpr u32 kMasked = 1u << 16;

struct Apics : ::testing::Test {
  explicit Apics(LocalApic::Features features = {.x2apic = true, .tsc_deadline = true}) : apic(bus, features, 0, 0) {
    EXPECT_TRUE(io.attach(board.attachment).ok());
    EXPECT_TRUE(apic.attach(board.attachment).ok());
    apic.set_output([this](bool level) { intr = level; });
    apic.set_nmi([this] { nmis++; });
    apic.set_legacy_acknowledge([] { return u8{0x08}; });
    apic.set_eoi_broadcast([this](u8 vector) { io.end_of_interrupt(vector); });
    io.connect([this](const ApicMessage& message) { return bus.deliver(message); });
    apic.reset(ResetKind::PowerOn);
    io.reset(ResetKind::PowerOn);
    set(0xF0, 0x1FF);
  }
  void set(u32 offset, u32 value) { board.memory.write(PhysAddr(kApic + offset), 4, value); }
  u32 get(u32 offset) { return static_cast<u32>(board.memory.read(PhysAddr(kApic + offset), 4)); }
  void set_io(u32 number, u32 value) {
    board.memory.write(PhysAddr(kIoApic), 4, number);
    board.memory.write(PhysAddr(kIoApic + 0x10), 4, value);
  }
  u32 get_io(u32 number) {
    board.memory.write(PhysAddr(kIoApic), 4, number);
    return static_cast<u32>(board.memory.read(PhysAddr(kIoApic + 0x10), 4));
  }
  void route(unsigned input, u32 low, u32 high = 0) {
    set_io(0x11 + input * 2, high);
    set_io(0x10 + input * 2, low);
  }
  bool requested(u8 vector) { return (get(0x200 + vector / 32 * 16u) >> (vector & 31) & 1) != 0; }
  bool served(u8 vector) { return (get(0x100 + vector / 32 * 16u) >> (vector & 31) & 1) != 0; }

  TestBoard board;
  ApicBus bus;
  LocalApic apic;
  IoApic io;
  bool intr = false;
  unsigned nmis = 0;
};

TEST_F(Apics, StartsInVirtualWireMode) {
  apic.reset(ResetKind::Hard);
  EXPECT_EQ(apic.base(), 0xFEE00900u);
  EXPECT_EQ(get(0x30), 0x50014u);
  EXPECT_EQ(get(0xE0), 0xFFFFFFFFu);
  EXPECT_EQ(get(0xF0), 0xFFu);
  EXPECT_EQ(get(0x350), 0x700u);
  EXPECT_EQ(get(0x360), kMasked);
  apic.set_lint0(true);
  EXPECT_TRUE(intr);
  EXPECT_EQ(apic.acknowledge(), 0x08);
  apic.set_lint0(false);
  EXPECT_FALSE(intr);
}

TEST_F(Apics, MaskedLint0HidesTheLegacyControllersUnlessTheApicIsOff) {
  set(0x350, 0x700 | kMasked);
  apic.set_lint0(true);
  EXPECT_FALSE(intr);
  EXPECT_TRUE(apic.set_base(0xFEE00100));
  EXPECT_TRUE(intr);
  EXPECT_EQ(get(0x30), 0xFFFFFFFFu);  // no registers there any more
}

TEST_F(Apics, Lint1BringsNmi) {
  apic.pulse_lint1();
  EXPECT_EQ(nmis, 0u);
  set(0x360, 0x400);
  apic.pulse_lint1();
  EXPECT_EQ(nmis, 1u);
}

TEST_F(Apics, DeliversByPriorityAboveTheProcessors) {
  set(0x300, 0x40000 | 0x41);
  set(0x300, 0x40000 | 0x52);
  EXPECT_TRUE(intr);
  EXPECT_EQ(apic.acknowledge(), 0x52);
  EXPECT_EQ(get(0xA0), 0x50u);
  EXPECT_FALSE(intr);
  set(0x300, 0x40000 | 0x5F);  // the same class waits
  EXPECT_FALSE(intr);
  set(0xB0, 0);
  EXPECT_EQ(apic.acknowledge(), 0x5F);
  set(0xB0, 0);
  set(0x80, 0x40);
  EXPECT_FALSE(intr);
  EXPECT_EQ(get(0xA0), 0x40u);
  set(0x80, 0x3F);
  EXPECT_TRUE(intr);
  EXPECT_EQ(apic.acknowledge(), 0x41);
  EXPECT_TRUE(served(0x41));
}

TEST_F(Apics, NothingPendingIsSpurious) { EXPECT_EQ(apic.acknowledge(), 0xFF); }

TEST_F(Apics, SoftwareDisableMasksAndHolds) {
  set(0x320, 0x40);
  set(0xF0, 0xFF);
  EXPECT_EQ(get(0x320), kMasked | 0x40u);
  set(0x320, 0x40);
  EXPECT_EQ(get(0x320), kMasked | 0x40u);  // the mask cannot be cleared now
  set(0x300, 0x40000 | 0x41);
  EXPECT_FALSE(requested(0x41));
}

TEST_F(Apics, IllegalVectorsAreReportedOnce) {
  set(0x370, 0x30);
  set(0x300, 0x40000 | 0x05);
  EXPECT_TRUE(requested(0x30));
  EXPECT_EQ(get(0x280), 0u);
  set(0x280, 0);
  EXPECT_EQ(get(0x280), 0x20u);
  set(0x280, 0);
  EXPECT_EQ(get(0x280), 0u);
  get(0x40);
  set(0x280, 0);
  EXPECT_EQ(get(0x280), 0x80u);
}

TEST_F(Apics, CommandsReachByIdGroupAndShorthand) {
  set(0x310, 0x05000000);
  set(0x300, 0x41);
  EXPECT_FALSE(requested(0x41));
  set(0x310, 0);
  set(0x300, 0x41);
  EXPECT_TRUE(requested(0x41));
  set(0x300, 0xC0000 | 0x42);  // all but self
  EXPECT_FALSE(requested(0x42));
  set(0x300, 0x80000 | 0x42);
  EXPECT_TRUE(requested(0x42));
  set(0xD0, 0x02000000);
  set(0x310, 0x04000000);
  set(0x300, 0x800 | 0x43);
  EXPECT_FALSE(requested(0x43));
  set(0x310, 0x06000000);
  set(0x300, 0x800 | 0x43);
  EXPECT_TRUE(requested(0x43));
  set(0xE0, 0x0FFFFFFF);  // cluster model
  set(0xD0, 0x22000000);
  set(0x310, 0x12000000);
  set(0x300, 0x800 | 0x44);
  EXPECT_FALSE(requested(0x44));
  set(0x310, 0x23000000);
  set(0x300, 0x800 | 0x44);
  EXPECT_TRUE(requested(0x44));
  set(0x300, 0x80000 | 0x400);
  EXPECT_EQ(nmis, 1u);
}

TEST_F(Apics, OneShotTimerCountsAndFiresOnce) {
  set(0x3E0, 0x3);  // by 16
  set(0x320, 0x60);
  set(0x380, 1000);
  EXPECT_EQ(get(0x390), 1000u);
  board.pass(8000);
  EXPECT_EQ(get(0x390), 500u);
  EXPECT_FALSE(requested(0x60));
  board.pass(8000);
  EXPECT_TRUE(requested(0x60));
  EXPECT_EQ(get(0x390), 0u);
  apic.acknowledge(), set(0xB0, 0);
  board.pass(100000);
  EXPECT_FALSE(requested(0x60));
}

TEST_F(Apics, PeriodicTimerKeepsItsPhase) {
  set(0x3E0, 0xB);  // by 1
  set(0x320, 0x20060);
  set(0x380, 10000);
  for (int i = 1; i <= 5; i++) {
    board.pass(i == 3 ? 10500 : i == 4 ? 9500 : 10000);
    EXPECT_TRUE(requested(0x60)) << i;
    apic.acknowledge(), set(0xB0, 0);
  }
  EXPECT_EQ(get(0x390), 10000u);
  board.pass(95000);  // nine periods at once: one interrupt now, the others while the next periods last
  EXPECT_TRUE(requested(0x60));
  EXPECT_EQ(get(0x390), 5000u);
  unsigned interrupts = 0;
  for (int i = 0; i < 50; i++) {
    if (requested(0x60)) interrupts++;
    apic.acknowledge(), set(0xB0, 0);
    board.pass(1000);
  }
  EXPECT_EQ(interrupts, 9u + 5u);
  board.pass(95000);
  set(0x380, 0);  // nothing is owed of a count that is over
  apic.acknowledge(), set(0xB0, 0);
  board.pass(50000);
  EXPECT_FALSE(requested(0x60));
}

struct KeptTicks : Apics {
  KeptTicks() : Apics({.x2apic = true, .tsc_deadline = true, .keeps_ticks = true}) {}
  // How many come in so much time, if each is taken at once.
  unsigned interrupts_in(GuestTime time) {
    unsigned interrupts = 0;
    for (GuestTime passed = 0; passed < time; passed += 1000) {
      if (requested(0x60)) interrupts++;
      apic.acknowledge(), set(0xB0, 0);
      board.pass(1000);
    }
    return interrupts + (requested(0x60) ? 1 : 0);
  }
};

TEST_F(KeptTicks, APeriodThatEndsWhileTheInterruptBeforeWaitsIsOwed) {
  set(0x3E0, 0xB);  // by 1
  set(0x320, 0x20060);
  set(0x380, 10000);
  for (int i = 0; i < 7; i++) board.pass(10000);  // the processor takes none of seven
  EXPECT_EQ(interrupts_in(100'000), 7u + 10u);
  for (int i = 0; i < 7; i++) board.pass(10000);
  EXPECT_TRUE(requested(0x60));
  set(0x380, 0);
  EXPECT_EQ(interrupts_in(100'000), 1u) << "nothing is owed of a count that is over";
}

TEST_F(Apics, APeriodThatEndsWhileTheInterruptBeforeWaitsIsLost) {
  set(0x3E0, 0xB);
  set(0x320, 0x20060);
  set(0x380, 10000);
  for (int i = 0; i < 7; i++) board.pass(10000);
  apic.acknowledge(), set(0xB0, 0);
  board.pass(9000);
  EXPECT_FALSE(requested(0x60));
}

TEST_F(Apics, ShortestPeriodsDoNotHang) {
  set(0x3E0, 0xB);
  set(0x320, 0x20060);
  set(0x380, 1);
  board.pass(1'000'000);
  EXPECT_TRUE(requested(0x60));
}

TEST_F(Apics, DeadlineFiresAndDisarms) {
  apic.timer().set_deadline(5000, 5000);
  EXPECT_EQ(apic.timer().deadline(), 0u);  // not in that mode
  set(0x320, 0x40060);
  set(0x380, 77);
  EXPECT_EQ(get(0x380), 0u);
  apic.timer().set_deadline(5000, 5000);
  board.pass(4999);
  EXPECT_FALSE(requested(0x60));
  board.pass(1);
  EXPECT_TRUE(requested(0x60));
  EXPECT_EQ(apic.timer().deadline(), 0u);
}

TEST_F(Apics, EdgesGoOnceAndMaskedOnesAreLost) {
  route(4, kMasked | 0x54);
  io.set_irq(4, true);
  io.set_irq(4, false);
  route(4, 0x54);
  EXPECT_FALSE(requested(0x54));
  io.set_irq(4, true);
  EXPECT_TRUE(requested(0x54));
  EXPECT_EQ(apic.acknowledge(), 0x54);
  set(0xB0, 0);
  EXPECT_FALSE(requested(0x54));
}

TEST_F(Apics, LevelsComeAgainAfterTheEnd) {
  route(10, 0x8000 | 0x5A);
  io.set_irq(10, true);
  EXPECT_EQ(apic.acknowledge(), 0x5A);
  EXPECT_EQ(get_io(0x24) & 0x4000u, 0x4000u);  // remote IRR
  EXPECT_EQ(get(0x180 + 2 * 16) & 1u << 26, 1u << 26);
  EXPECT_FALSE(intr);
  set(0xB0, 0);
  EXPECT_TRUE(intr);
  EXPECT_EQ(apic.acknowledge(), 0x5A);
  io.set_irq(10, false);
  set(0xB0, 0);
  EXPECT_FALSE(intr);
  EXPECT_EQ(get_io(0x24) & 0x4000u, 0u);
}

TEST_F(Apics, EdgeModeClearsRemoteIrr) {
  route(10, 0x8000 | 0x5A);
  io.set_irq(10, true);
  io.set_irq(10, false);
  route(10, kMasked | 0x5A);
  EXPECT_EQ(get_io(0x24), kMasked | 0x5Au);
}

TEST_F(Apics, IoApicRegistersReadBack) {
  EXPECT_EQ(get_io(1), 0x170011u);
  set_io(0, 0xFFFFFFFF);
  EXPECT_EQ(get_io(0), 0x0F000000u);
  set_io(0x13, 0xFFFFFFFF);
  EXPECT_EQ(get_io(0x13), 0xFF000000u);
  set_io(0x3E, 0xFFFFFFFF);
  EXPECT_EQ(get_io(0x3E), 0x1AFFFu);
  EXPECT_EQ(get_io(0x40), 0u);
}

// SDM 3A 10.4.7.1, 10.12.2.
TEST_F(Apics, AWrittenIdLastsUntilTheModeChanges) {
  const u64 xapic = apic.base();
  set(0x20, 0x05000000);
  EXPECT_EQ(get(0x20), 0x05000000u);
  u64 id = 1;
  ASSERT_TRUE(apic.set_base(xapic | 1u << 10));
  ASSERT_TRUE(apic.read_msr(0x802, id));
  EXPECT_EQ(id, 0u);
  ASSERT_TRUE(apic.set_base(xapic & ~u64{1u << 11}));
  ASSERT_TRUE(apic.set_base(xapic));
  EXPECT_EQ(get(0x20), 0u);
  set(0x20, 0x05000000);
  ASSERT_TRUE(apic.set_base(xapic & ~u64{1u << 11}));
  ASSERT_TRUE(apic.set_base(xapic));
  EXPECT_EQ(get(0x20), 0u);
}

TEST_F(Apics, X2apicModeMovesTheRegistersToMsrs) {
  u64 value = 0;
  EXPECT_FALSE(apic.read_msr(0x802, value));
  EXPECT_FALSE(apic.set_base(0xFEE00500));  // not without enable
  EXPECT_FALSE(apic.set_base(0xFEE00901));
  EXPECT_TRUE(apic.set_base(0xFEE00D00));
  EXPECT_EQ(get(0x30), 0xFFFFFFFFu);
  EXPECT_TRUE(apic.read_msr(0x802, value));
  EXPECT_EQ(value, 0u);
  EXPECT_TRUE(apic.read_msr(0x80D, value));
  EXPECT_EQ(value, 1u);
  EXPECT_FALSE(apic.write_msr(0x802, 1));
  EXPECT_FALSE(apic.write_msr(0x808, 0x100));
  EXPECT_TRUE(apic.write_msr(0x83F, 0x45));
  EXPECT_TRUE(intr);
  EXPECT_EQ(apic.acknowledge(), 0x45);
  EXPECT_FALSE(apic.write_msr(0x80B, 1));
  EXPECT_TRUE(apic.write_msr(0x80B, 0));
  EXPECT_TRUE(apic.write_msr(0x830, u64{1} << 32 | 0x46));
  EXPECT_FALSE(intr);
  EXPECT_TRUE(apic.write_msr(0x830, 0x46));
  EXPECT_TRUE(intr);
  EXPECT_FALSE(apic.set_base(0xFEE00900));  // back only by way of disabled
  EXPECT_TRUE(apic.set_base(0xFEE00100));
  EXPECT_TRUE(apic.set_base(0xFEE00900));
}

TEST_F(Apics, InitKeepsIdAndBase) {
  set(0x20, 0x03000000);
  set(0x80, 0x20);
  EXPECT_TRUE(apic.set_base(0xFED00900));
  apic.init();
  EXPECT_EQ(apic.base(), 0xFED00900u);
  EXPECT_EQ(board.memory.read(PhysAddr(0xFED00020), 4), 0x03000000u);
  EXPECT_EQ(board.memory.read(PhysAddr(0xFED00080), 4), 0u);
}

TEST_F(Apics, SavedStateComesBackTheSame) {
  set(0x3E0, 0xB), set(0x320, 0x20060), set(0x380, 5000);
  route(10, 0x8000 | 0x5A);
  io.set_irq(10, true);
  board.pass(7000);
  const auto bytes = saved(apic), io_bytes = saved(io);
  apic.reset(ResetKind::PowerOn), io.reset(ResetKind::PowerOn);
  EXPECT_TRUE(load(apic, bytes));
  EXPECT_TRUE(load(io, io_bytes));
  EXPECT_EQ(saved(apic), bytes);
  EXPECT_EQ(saved(io), io_bytes);
  EXPECT_EQ(get(0x390), 3000u);
}

TEST_F(Apics, RandomRegistersDoNotHang) {
  std::mt19937 random(11);
  for (int i = 0; i < 200000; i++) {
    const u32 offset = static_cast<u32>(random() % 0x40 * 0x10 + (random() % 8 == 0 ? random() % 16 : 0));
    const u32 value = random() % 2 == 0 ? static_cast<u32>(random()) : static_cast<u32>(random() & 0x1FF);
    switch (random() % 8) {
      case 0:
      case 1: board.memory.write(PhysAddr(kApic + (offset & ~3u)), 4, value); break;
      case 2: board.memory.read(PhysAddr(kApic + offset), 1); break;
      case 3: set_io(static_cast<u32>(random() % 0x42), value); break;
      case 4: io.set_irq(static_cast<unsigned>(random() % 26), random() % 2 == 0); break;
      case 5: board.pass(static_cast<GuestTime>(random() % 100000)); break;
      case 6:
        if (intr) apic.acknowledge();
        break;
      default: {
        u64 result = 0;
        apic.write_msr(0x800 + static_cast<u32>(random() % 0x100), value);
        apic.read_msr(0x800 + static_cast<u32>(random() % 0x100), result);
        if (random() % 64 == 0) apic.set_base(0xFEE00100 | (value & 0xC00));
      }
    }
  }
}

}  // namespace
}  // namespace relic86
