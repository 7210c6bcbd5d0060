// The watchdog timers, driven as Linux's i6300esb and ib700wdt do it.
#include <gtest/gtest.h>

#include "base/state_loading.h"
#include "devices/chipset/i6300esb.h"
#include "devices/chipset/ib700.h"
#include "devices/pci_bus.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

constexpr GuestTime kSecond = 1'000'000'000;

struct Esb : ::testing::Test {
  Esb() {
    EXPECT_TRUE(
        board.memory
            .map_fixed(board.memory.new_key(), ram_range("ram", PhysAddr(0), board.store.ram_size(), BackingOffset(0)))
            .ok());
    EXPECT_TRUE(pci.attach(board.attachment).ok());
    EXPECT_TRUE(pci.add(watchdog, kSlot).ok());
    EXPECT_TRUE(watchdog.attach(board.attachment).ok());
    watchdog.reset(ResetKind::PowerOn);
    place();
  }
  void place() {
    board.set_config(kSlot, 0, 0x10, 4, kBase);
    board.set_config(kSlot, 0, 4, 2, 2);
  }
  u32 get(u32 offset, unsigned width = 4) {
    return static_cast<u32>(board.memory.read(PhysAddr(kBase + offset), width));
  }
  void put(u32 offset, u32 value, unsigned width = 4) { board.memory.write(PhysAddr(kBase + offset), width, value); }
  void unlock() {
    put(0xC, 0x80, 2);
    put(0xC, 0x86, 2);
  }
  // Two stages of so many seconds each: a count is 2^15 of 33 MHz, about a millisecond.
  void set_up(unsigned seconds) {
    board.set_config(kSlot, 0, 0x60, 2, 3);
    for (const u32 stage : {0u, 4u}) {
      unlock();
      put(stage, seconds * 1007);
    }
  }
  void reload() {
    unlock();
    put(0xC, 0x100, 2);
  }
  // As in a machine, in which events are hardly late.
  void pass(unsigned seconds) {
    for (unsigned i = 0; i < seconds; i++) board.pass(kSecond);
  }
  void enable() { board.set_config(kSlot, 0, 0x68, 1, 2); }

  static constexpr unsigned kSlot = 5;
  static constexpr u32 kBase = 0xFEB00000;
  test::TestBoard board;
  PciBus pci;
  I6300esb watchdog{board.control};
};

TEST_F(Esb, ShowsItself) {
  EXPECT_EQ(board.config(kSlot, 0, 0, 4), 0x25AB8086u);
  EXPECT_EQ(board.config(kSlot, 0, 8, 4) >> 8, 0x088000u);
}

TEST_F(Esb, BarksAfterBothStagesUnlessItIsReset) {
  set_up(10);
  pass(100);
  EXPECT_EQ(board.control.watchdogs, 0u);
  enable();
  for (unsigned i = 0; i < 5; i++) {
    pass(9);
    reload();
  }
  pass(11);
  EXPECT_EQ(get(8), 1u);  // the first stage has passed
  pass(8);
  EXPECT_EQ(board.control.watchdogs, 0u);
  pass(2);
  EXPECT_EQ(board.control.watchdogs, 1u);
  EXPECT_EQ(get(0xC, 2), 0x1200u);
  EXPECT_EQ(board.config(kSlot, 0, 0x68, 1), 0u);
  pass(100);
  EXPECT_EQ(board.control.watchdogs, 1u);
  // The system that comes after the reset learns of it, and clears it.
  watchdog.reset(ResetKind::Hard);
  place();
  EXPECT_EQ(get(0xC, 2), 0x1200u);
  unlock();
  put(0xC, 0x200, 2);
  EXPECT_EQ(get(0xC, 2), 0u);
}

TEST_F(Esb, AWriteWithoutTheKeyDoesNothing) {
  set_up(10);
  const u32 preload = get(0);
  put(0, 5);
  put(0xC, 0x86, 2);
  put(0, 5);
  EXPECT_EQ(get(0), preload);
  enable();
  pass(9);
  put(0xC, 0x100, 2);
  pass(12);
  EXPECT_EQ(board.control.watchdogs, 1u);
}

TEST_F(Esb, DisablingStopsItAndTheLockKeepsItRunning) {
  set_up(10);
  enable();
  board.set_config(kSlot, 0, 0x68, 1, 0);
  pass(100);
  EXPECT_EQ(board.control.watchdogs, 0u);
  board.set_config(kSlot, 0, 0x68, 1, 3);
  board.set_config(kSlot, 0, 0x68, 1, 0);
  EXPECT_EQ(board.config(kSlot, 0, 0x68, 1), 3u);
  pass(21);
  EXPECT_EQ(board.control.watchdogs, 1u);
  EXPECT_EQ(board.config(kSlot, 0, 0x68, 1), 0u);
}

TEST_F(Esb, WithoutItsOutputItOnlyTellsTheGuest) {
  set_up(1);
  board.set_config(kSlot, 0, 0x60, 2, 0x23);
  enable();
  pass(3);
  EXPECT_EQ(board.control.watchdogs, 0u);
  EXPECT_EQ(get(0xC, 2), 0x1200u);
}

TEST_F(Esb, AResetStopsIt) {
  set_up(10);
  enable();
  watchdog.reset(ResetKind::Hard);
  pass(100);
  EXPECT_EQ(board.control.watchdogs, 0u);
}

TEST_F(Esb, ItsStateGoesOnElsewhere) {
  set_up(10);
  enable();
  pass(10);
  const auto state = [this](StateArchive& archive) {
    pci.state(archive);
    watchdog.state(archive);
    board.scheduler.state(archive);
  };
  StateWriter running;
  state(running);
  pass(10);
  EXPECT_EQ(board.control.watchdogs, 1u);
  board.clock.time -= 10 * kSecond;
  const auto loaded = load_state(running.data(), state);
  ASSERT_TRUE(loaded.ok()) << loaded.message();
  pass(6);
  EXPECT_EQ(board.control.watchdogs, 1u);
  pass(5);
  EXPECT_EQ(board.control.watchdogs, 2u);
}

TEST_F(Esb, RandomAccessesAreContained) {
  std::mt19937 random(3);
  for (unsigned i = 0; i < 100000; i++) {
    const unsigned width = 1u << random() % 3;
    const u32 value = random() % 4 == 0 ? 0x80 + random() % 8 : static_cast<u32>(random());
    switch (random() % 4) {
      case 0: board.set_config(kSlot, 0, static_cast<u8>(0x60 + random() % 3 * 4), width, value); break;
      case 1: get(static_cast<u32>(random() % 32 / width * width), width); break;
      case 2: put(static_cast<u32>(random() % 32 / width * width), value, width); break;
      default: board.pass(static_cast<GuestTime>(random() % (40 * kSecond))); break;
    }
    if (random() % 256 == 0) {  // which ends what a lock has kept
      watchdog.reset(ResetKind::Hard);
      place();
    }
    if (random() % 64 != 0) continue;
    const std::vector<u8> bytes = test::saved(watchdog);
    ASSERT_TRUE(test::load(watchdog, bytes));
    ASSERT_EQ(test::saved(watchdog), bytes);
  }
  EXPECT_GT(board.control.watchdogs, 0u);
}

TEST(Ib700, CountsDownFromWhatIsWritten) {
  test::TestBoard board;
  Ib700 watchdog(board.control);
  ASSERT_TRUE(watchdog.attach(board.attachment).ok());
  watchdog.reset(ResetKind::PowerOn);
  board.out(0x443, 0);
  board.pass(29 * kSecond);
  board.out(0x443, 10);  // 10 seconds
  board.pass(9 * kSecond);
  EXPECT_EQ(board.control.watchdogs, 0u);
  board.out(0x441, 0);
  board.pass(100 * kSecond);
  EXPECT_EQ(board.control.watchdogs, 0u);
  board.out(0x443, 0xFA);
  board.pass(10 * kSecond);
  EXPECT_EQ(board.control.watchdogs, 1u);
  board.pass(100 * kSecond);
  EXPECT_EQ(board.control.watchdogs, 1u);
  board.out(0x443, 0);
  watchdog.reset(ResetKind::Hard);
  board.pass(100 * kSecond);
  EXPECT_EQ(board.control.watchdogs, 1u);
}

}  // namespace
}  // namespace relic86
