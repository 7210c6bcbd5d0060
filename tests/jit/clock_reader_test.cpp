// Processors on threads of their own read the clock's line without the machine's lock.
#include "jit/x64/clock_reader.h"

#include <gtest/gtest.h>
#include <x86intrin.h>

#include <atomic>
#include <thread>

namespace relic86 {

namespace {

using jit::x64::read_clock_line;

// Longer than any test takes; so many ticks are a nanosecond.
constexpr u64 kLong = u64{1} << 43, kTicks = u64{1} << 12, kRate = (u64{1} << 32) / kTicks;

void set(u64& field, u64 value) { std::atomic_ref(field).store(value, std::memory_order_release); }

}  // namespace

TEST(ClockReader, FollowsTheLine) {
  ClockLine line{.first = __rdtsc(), .span = kLong, .rate = kRate, .start = 1000};
  const auto before = read_clock_line(line), after = read_clock_line(line);
  ASSERT_TRUE(before && after);
  EXPECT_GE(*before, 1000);
  EXPECT_GE(*after, *before);
  EXPECT_EQ(line.latest, *after);
}

TEST(ClockReader, SaysNothingWhereNoLineHolds) {
  ClockLine ended{.first = __rdtsc(), .span = 0, .rate = kRate};
  EXPECT_FALSE(read_clock_line(ended));
  ClockLine over{.first = __rdtsc() - 1000, .span = 1000, .rate = kRate};
  EXPECT_FALSE(read_clock_line(over));
  EXPECT_EQ(over.latest, 0);
}

TEST(ClockReader, IsNotBehindWhatAnotherOneHasRead) {
  ClockLine line{.first = __rdtsc(), .span = kLong, .rate = kRate, .latest = GuestTime{1} << 50};
  EXPECT_EQ(read_clock_line(line), GuestTime{1} << 50);
}

// Each new line goes on where the one before it was; one that is taken for another would be far behind or ahead.
TEST(ClockReader, TimeGoesOnWhileLinesAreDrawn) {
  ClockLine line{.first = __rdtsc(), .span = kLong, .rate = kRate};
  std::atomic<bool> over = false;
  std::thread reader([&] {
    GuestTime last = 0;
    while (!over) {
      const auto now = read_clock_line(line);
      if (!now) continue;
      EXPECT_GE(*now, last);
      EXPECT_LT(*now, GuestTime{1} << 50);
      last = *now;
    }
  });
  const u64 origin = line.first;
  for (unsigned i = 0; i < 200'000; ++i) {
    set(line.span, 0);
    const u64 ticks = __rdtsc();
    const bool slow = i % 2 == 0;  // half the rate: the next line's start makes up for it
    set(line.first, ticks);
    set(line.rate, slow ? kRate / 2 : kRate);
    std::atomic_ref(line.start).store(static_cast<GuestTime>((ticks - origin) / kTicks), std::memory_order_release);
    set(line.span, kLong);
  }
  over = true;
  reader.join();
}

}  // namespace relic86
