// The interval timer and port 61h, as BIOSes, kernels and DOS programs use them.
#include "devices/chipset/i8254.h"

#include <gtest/gtest.h>

#include "devices/chipset/system_control.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using test::load;
using test::saved;
using test::TestBoard;

constexpr GuestTime kSecond = 1'000'000'000, kMillisecond = 1'000'000;
constexpr GuestTime ticks(i64 count) { return (count * 11 * kSecond + 13124999) / 13125000; }  // first ns of a tick

struct Recorder final : LevelSink {
  void level(GuestTime at, StereoFrame level) override { changes.emplace_back(at, level.left); }
  std::vector<std::pair<GuestTime, float>> changes;
};

struct Timer : ::testing::Test {
  Timer() {
    EXPECT_TRUE(device.attach(board.attachment).ok());
    EXPECT_TRUE(control.attach(board.attachment).ok());
    device.reset(ResetKind::PowerOn);
    control.reset(ResetKind::PowerOn);
  }
  void program(unsigned channel, unsigned mode, u32 count, bool bcd = false) {
    board.out(0x43, channel << 6 | 0x30 | mode << 1 | (bcd ? 1 : 0));
    write(channel, count);
  }
  void write(unsigned channel, u32 count) {
    board.out(static_cast<u16>(0x40 + channel), count & 0xFF);
    board.out(static_cast<u16>(0x40 + channel), count >> 8);
  }
  u32 latched(unsigned channel) {
    board.out(0x43, channel << 6);
    return word(channel);
  }
  u32 word(unsigned channel) {
    const u32 low = board.in(static_cast<u16>(0x40 + channel));
    return low | board.in(static_cast<u16>(0x40 + channel)) << 8;
  }
  u32 status(unsigned channel) {
    board.out(0x43, 0xE0u | 2u << channel);
    return board.in(static_cast<u16>(0x40 + channel));
  }
  void at_tick(i64 tick) {
    const GuestTime end = ticks(tick);
    while (board.scheduler.next_deadline() <= end) {
      board.clock.time = std::max(board.clock.time, board.scheduler.next_deadline());
      board.scheduler.run_due();
    }
    board.clock.time = end;
  }
  unsigned rises() const { return board.irqs.rises[0]; }

  TestBoard board;
  I8254 device;
  SystemControlB control{device};
};

TEST_F(Timer, PeriodicInterruptsKeepTheExactRate) {
  program(0, 2, 1193);
  const unsigned before = rises();
  at_tick(i64{1193} * 36000);  // 36 s: a rounded period would be off by many
  EXPECT_EQ(rises() - before, 35999u);
  at_tick(i64{1193} * 36000 + 1);
  EXPECT_EQ(rises() - before, 36000u);
  at_tick(i64{1193} * 36000 + 1 + 100);
  EXPECT_EQ(latched(0), 1093u);
}

TEST_F(Timer, SquareWaveHalves) {
  program(0, 3, 0);
  at_tick(1);
  EXPECT_EQ(status(0), 0xB6u);
  at_tick(1 + 100);
  EXPECT_EQ(latched(0), 65536u - 200);
  at_tick(1 + 32767);
  EXPECT_TRUE(board.irqs.levels[0]);
  at_tick(1 + 32768);
  EXPECT_FALSE(board.irqs.levels[0]);
  EXPECT_EQ(status(0), 0x36u);
  at_tick(1 + 65536);
  EXPECT_TRUE(board.irqs.levels[0]);
}

// Modes 6 and 7 are modes 2 and 3 by another name, and the status shows the name.
TEST_F(Timer, StatusShowsTheModeBitsAsWritten) {
  for (unsigned channel = 0; channel < 3; channel++) {
    for (unsigned mode = 0; mode < 8; mode++) {
      for (const bool bcd : {false, true}) {
        program(channel, mode, 100, bcd);
        EXPECT_EQ(status(channel) & 0x3F, 0x30u | mode << 1 | (bcd ? 1u : 0u));
      }
    }
  }
  program(0, 7, 100);
  at_tick(1 + 49);
  EXPECT_TRUE(board.irqs.levels[0]) << "a square wave";
  at_tick(1 + 50);
  EXPECT_FALSE(board.irqs.levels[0]);
}

TEST_F(Timer, OneShotInterruptsOnce) {
  program(0, 0, 1000);
  EXPECT_FALSE(board.irqs.levels[0]);
  const unsigned before = rises();
  at_tick(1000);
  EXPECT_EQ(rises(), before);
  EXPECT_EQ(latched(0), 1u);
  at_tick(1001);
  EXPECT_EQ(rises(), before + 1);
  at_tick(1001 + 10);
  EXPECT_EQ(latched(0), 0xFFF6u);
  at_tick(200000);
  EXPECT_EQ(rises(), before + 1);
  board.out(0x40, 5);  // the first byte lowers OUT and stops the count
  EXPECT_FALSE(board.irqs.levels[0]);
  at_tick(300000);
  EXPECT_EQ(rises(), before + 1);
  board.out(0x40, 0);
  at_tick(300006);
  EXPECT_EQ(rises(), before + 2);
}

TEST_F(Timer, StrobeIsOneClockLong) {
  program(2, 4, 10);
  board.out(0x61, 1);
  at_tick(9);
  EXPECT_EQ(status(2) & 0x80, 0x80u);
  at_tick(10);
  EXPECT_EQ(status(2) & 0x80, 0u);
  at_tick(11);
  EXPECT_EQ(status(2) & 0x80, 0x80u);
}

TEST_F(Timer, LateHostOwesEveryInterrupt) {
  program(0, 2, 1000);
  at_tick(1);
  const unsigned before = rises();
  board.pass(ticks(10 * 1000));
  EXPECT_EQ(rises() - before, 1u);
  at_tick(14 * 1000 + 1);
  EXPECT_EQ(rises() - before, 14u);
  at_tick(15 * 1000 + 1);
  EXPECT_EQ(rises() - before, 15u);
}

// A falling line takes its request back from an edge-triggered controller: a late interrupt must stay a while.
TEST_F(Timer, LateSquareWaveStaysHigh) {
  program(0, 3, 10000);
  at_tick(6000);
  EXPECT_FALSE(board.irqs.levels[0]);
  board.pass(ticks(16000) - board.clock.time);  // in the low half of the next period
  EXPECT_TRUE(board.irqs.levels[0]);
  at_tick(18600);
  EXPECT_FALSE(board.irqs.levels[0]);
}

TEST_F(Timer, NewCountWaitsForThePeriod) {
  program(0, 2, 1000);
  at_tick(1 + 400);
  write(0, 300);
  EXPECT_EQ(status(0) & 0x40, 0x40u);  // null count
  EXPECT_EQ(latched(0), 600u);
  const unsigned before = rises();
  at_tick(1 + 1000);
  EXPECT_EQ(rises(), before + 1);
  EXPECT_EQ(latched(0), 300u);
  EXPECT_EQ(status(0) & 0x40, 0u);
  at_tick(1 + 1299);
  EXPECT_EQ(rises(), before + 1);
  at_tick(1 + 1300);
  EXPECT_EQ(rises(), before + 2);
}

TEST_F(Timer, NewSquareWaveCountWaitsForTheHalf) {
  board.out(0x61, 1);
  program(2, 3, 1000);
  at_tick(1 + 100);
  write(2, 200);
  at_tick(1 + 499);
  EXPECT_EQ(status(2) & 0x80, 0x80u);
  at_tick(1 + 599);
  EXPECT_EQ(status(2) & 0x80, 0u);
  at_tick(1 + 600);
  EXPECT_EQ(status(2) & 0x80, 0x80u);
  at_tick(1 + 700);
  EXPECT_EQ(status(2) & 0x80, 0u);
}

TEST_F(Timer, BcdCounts) {
  board.out(0x61, 1);
  program(2, 2, 0x7654, true);
  at_tick(1);
  EXPECT_EQ(latched(2), 0x7654u);
  at_tick(1 + 655);
  EXPECT_EQ(latched(2), 0x6999u);
  program(2, 0, 0, true);
  board.clock.time += ticks(2);
  EXPECT_EQ(latched(2) & 0xFFF0, 0x9990u);
}

TEST_F(Timer, LatchesHoldAndReadBackGivesStatusFirst) {
  board.out(0x61, 1);
  program(2, 2, 5000);
  at_tick(1 + 1000);
  board.out(0x43, 0xC8);  // status and count of channel 2
  at_tick(1 + 3000);
  board.out(0x43, 0x80);  // ignored: the first latch is unread
  EXPECT_EQ(board.in(0x42), 0xB4u);
  EXPECT_EQ(word(2), 4000u);
  EXPECT_EQ(word(2), 2000u);
  board.out(0x43, 0x94);  // low byte only
  board.out(0x42, 50);
  at_tick(1 + 3011);
  EXPECT_EQ(board.in(0x42), board.in(0x42));
  EXPECT_EQ(board.in(0x43), 0xFFu);
}

// Delay loops and calibration: gate up, wait for OUT2 in port 61h.
TEST_F(Timer, GateOfChannelTwo) {
  board.out(0x61, 0);
  program(2, 0, 1000);
  board.pass(ticks(5000));
  EXPECT_EQ(latched(2), 1000u);
  EXPECT_EQ(board.in(0x61) & 0x2F, 0u);
  board.out(0x61, 1);
  board.pass(ticks(400));
  EXPECT_NEAR(latched(2), 600, 1);
  board.out(0x61, 0);
  board.pass(ticks(400));
  EXPECT_NEAR(latched(2), 600, 1);
  board.out(0x61, 1);
  board.pass(ticks(590));
  EXPECT_EQ(board.in(0x61) & 0x2F, 0x01u);
  board.pass(ticks(20));
  EXPECT_EQ(board.in(0x61) & 0x2F, 0x21u);
  board.out(0x61, 0);
  EXPECT_EQ(board.in(0x61) & 0x2F, 0x20u);  // OUT stays
}

TEST_F(Timer, GateTriggersTheOneShot) {
  program(2, 1, 100);
  board.pass(ticks(500));
  EXPECT_EQ(board.in(0x61) & 0x20, 0x20u);
  board.out(0x61, 1);
  board.pass(ticks(50));
  EXPECT_EQ(board.in(0x61) & 0x20, 0u);
  write(2, 1000);  // for the next trigger
  board.pass(ticks(60));
  EXPECT_EQ(board.in(0x61) & 0x20, 0x20u);
  board.out(0x61, 0), board.out(0x61, 1);
  board.pass(ticks(900));
  EXPECT_EQ(board.in(0x61) & 0x20, 0u);
  board.pass(ticks(110));
  EXPECT_EQ(board.in(0x61) & 0x20, 0x20u);
}

TEST_F(Timer, RefreshTogglesAndUnusedBitsAreZero) {
  board.out(0x61, 0xFF);
  EXPECT_EQ(board.in(0x61) & 0xCF, 0x0Fu);
  unsigned changes = 0;
  u32 last = board.in(0x61) & 0x10;
  for (unsigned i = 0; i < 1000; i++) {
    board.pass(1000);
    const u32 now = board.in(0x61) & 0x10;
    changes += now != last ? 1 : 0;
    last = now;
  }
  EXPECT_EQ(changes, 66u);
}

TEST_F(Timer, SpeakerGetsTheSquareWave) {
  Recorder speaker;
  control.set_speaker(&speaker);
  program(2, 3, 1194);  // 1 kHz
  at_tick(10000);
  control.produce(board.clock.time);
  EXPECT_TRUE(speaker.changes.empty());
  EXPECT_FALSE(control.sounding());
  board.out(0x61, 3);
  EXPECT_TRUE(control.sounding());
  at_tick(10000 + 1 + 11940);
  control.produce(board.clock.time);
  ASSERT_GE(speaker.changes.size(), 20u);
  EXPECT_LE(speaker.changes.size(), 22u);
  for (std::size_t i = 2; i < speaker.changes.size(); i++) {
    EXPECT_NE(speaker.changes[i].second, speaker.changes[i - 1].second);
    EXPECT_NEAR(static_cast<double>(speaker.changes[i].first - speaker.changes[i - 1].first), 500343, 900);
  }
  board.out(0x61, 0);
  control.produce(board.clock.time);
  EXPECT_EQ(speaker.changes.back().second, 0.0f);
  const std::size_t count = speaker.changes.size();
  board.out(0x61, 2);  // by the data bit alone, OUT2 is high
  board.pass(kMillisecond);
  board.out(0x61, 0);
  EXPECT_EQ(speaker.changes.size(), count + 1);
  control.produce(board.clock.time);
  EXPECT_EQ(speaker.changes.size(), count + 2);
  EXPECT_EQ(speaker.changes.back().first - speaker.changes[count].first, kMillisecond);
  board.pass(kSecond);
  control.produce(board.clock.time);
  EXPECT_EQ(speaker.changes.size(), count + 2);
}

// A new count is taken at the end of a half period, whoever looks at the timer in between and however late the sound is
// asked for.
TEST_F(Timer, SpeakerHearsNewCountsInTime) {
  std::vector<std::pair<GuestTime, float>> expected;
  for (const bool looks : {false, true}) {
    TestBoard other;
    I8254 timer;
    SystemControlB port(timer);
    ASSERT_TRUE(timer.attach(other.attachment).ok());
    ASSERT_TRUE(port.attach(other.attachment).ok());
    timer.reset(ResetKind::PowerOn);
    port.reset(ResetKind::PowerOn);
    Recorder speaker;
    port.set_speaker(&speaker);
    const auto count = [&](u32 value) {
      other.out(0x42, value & 0xFF);
      other.out(0x42, value >> 8);
    };
    other.out(0x43, 0xB6);
    count(2000);
    other.out(0x61, 3);
    other.pass(ticks(500));
    count(300);  // from tick 1001 on
    for (int i = 0; i < 100; i++) {
      other.pass(ticks(20));
      if (looks) other.in(0x61), other.in(0x42);
    }
    port.produce(other.clock.time);
    if (!looks) {
      expected = speaker.changes;
      ASSERT_GT(expected.size(), 8u);
      EXPECT_EQ(expected[1].first, ticks(1001));
      EXPECT_EQ(expected[2].first, ticks(1151));
    }
    EXPECT_EQ(speaker.changes, expected);
  }
}

TEST_F(Timer, ResetStopsInterrupts) {
  program(0, 2, 1193);
  board.out(0x61, 3);
  board.pass(kSecond);
  device.reset(ResetKind::Hard);
  control.reset(ResetKind::Hard);
  const unsigned before = rises();
  board.pass(kSecond);
  EXPECT_EQ(rises(), before);
  EXPECT_EQ(board.in(0x61) & 0xF, 0u);
}

void exercise(Timer& test, std::mt19937& random, unsigned steps) {
  constexpr u16 kPorts[] = {0x40, 0x41, 0x42, 0x43, 0x61};
  for (unsigned i = 0; i < steps; i++) {
    const u16 port = kPorts[random() % 5];
    if (random() % 3 == 0) {
      test.board.in(port);
    } else {
      test.board.out(port, static_cast<u32>(random() % 2 == 0 ? random() % 4 : random()));
    }
    if (i % 4 == 0) test.board.pass(static_cast<GuestTime>(random() % 3 == 0 ? random() : random() % 2000));
  }
}

TEST_F(Timer, FuzzAndSavedState) {
  Recorder speaker;
  control.set_speaker(&speaker);
  std::mt19937 random(31);
  for (unsigned round = 0; round < 50; round++) {
    exercise(*this, random, 1000);
    const auto state = saved(device);
    TestBoard other_board;
    I8254 other;
    other_board.clock.time = board.clock.time;
    ASSERT_TRUE(other.attach(other_board.attachment).ok());
    EXPECT_TRUE(load(other, state));
    EXPECT_EQ(saved(other), state);
  }
  device.reset(ResetKind::Hard);
  program(0, 2, 1193);
  const unsigned before = rises();
  board.pass(2 * kMillisecond);
  EXPECT_GT(rises(), before);
}

TEST_F(Timer, ForeignStateIsContained) {
  std::mt19937 random(32);
  for (unsigned round = 0; round < 500; round++) {
    auto state = saved(device);
    for (unsigned i = 0; i < 90; i++) state[state.size() - 1 - random() % state.size()] = static_cast<u8>(random());
    load(device, state);
    exercise(*this, random, 40);
  }
  device.reset(ResetKind::PowerOn);
  program(0, 2, 1193);
  EXPECT_EQ(status(0) & 0x3F, 0x34u);
}

// A clock that goes on at every look, as the host's does.
struct CountedClock final : GuestClock {
  GuestTime now() const override { return kMillisecond * ++looks; }
  mutable GuestTime looks = 0;
};

// Guests poll these registers as fast as they can, and a look at the host's clock takes longer than all else.
TEST(TimerLooks, EachReadLooksAtTheClockOnce) {
  CountedClock clock;
  Scheduler scheduler(clock);
  IoSpace io;
  auto store = BackingStore::create(kPageSize, 0);
  ASSERT_TRUE(store.ok());
  PhysicalBus memory(store.value());
  test::RecordingIrqs irqs;
  Attachment attachment(scheduler, io, memory, irqs);
  I8254 timer;
  SystemControlB control(timer);
  ASSERT_TRUE(timer.attach(attachment).ok());
  ASSERT_TRUE(control.attach(attachment).ok());
  timer.reset(ResetKind::PowerOn);
  io.write(IoPort(0x43), 1, 0xB6);
  for (const u32 byte : {0xA9u, 0x04u}) io.write(IoPort(0x42), 1, byte);
  const auto looks_of = [&](auto access) {
    const GuestTime before = clock.looks;
    access();
    return clock.looks - before;
  };
  EXPECT_EQ(looks_of([&] { (void)io.read(IoPort(0x61), 1); }), 1) << "refresh and OUT of one moment";
  EXPECT_EQ(looks_of([&] { (void)io.read(IoPort(0x42), 1); }), 1);
}

}  // namespace
}  // namespace relic86
