// Which loops are nothing but a wait for the vertical retrace, and when that is over.
#include "devices/video/retrace_watch.h"

#include <gtest/gtest.h>

#include "devices/video/vga_timing.h"

namespace relic86 {
namespace {

bool slice(RetraceWatch& watch, u64 looks, u64 instructions) {
  for (u64 i = 0; i < looks; i++) watch.look();
  return watch.slice_over(instructions);
}

TEST(RetraceWatch, FindsALoopOfOneLength) {
  RetraceWatch watch;
  EXPECT_TRUE(slice(watch, 1500, 4500));
  EXPECT_TRUE(slice(watch, 533, 1600)) << "begun and ended in the middle";
  EXPECT_FALSE(slice(watch, 2000, 6100)) << "it did something else, too";
  EXPECT_FALSE(slice(watch, 999, 2997)) << "a count of passes would be less than a PC's";
  EXPECT_FALSE(slice(watch, 0, 5000));
  EXPECT_FALSE(slice(watch, 2000, 17 * 2000)) << "too long for a loop that only waits";
}

// Waits for the 10th line of those that are shown: two instructions more for each.
TEST(RetraceWatch, LeavesCountersOfLinesAlone) {
  RetraceWatch watch;
  EXPECT_FALSE(slice(watch, 10'000, 30'000 + 2 * 31));
}

TEST(RetraceWatch, LooksSoonerAtAGuestThatWaitsOften) {
  RetraceWatch watch;
  const u64 at_first = watch.most_at_once();
  EXPECT_TRUE(slice(watch, 2000, 6000));
  const u64 within = watch.most_at_once();
  EXPECT_FALSE(slice(watch, 0, 1000));
  const u64 after = watch.most_at_once();
  EXPECT_LT(within, after);
  EXPECT_LT(after, at_first);
  for (unsigned i = 0; i < 5000; i++) EXPECT_FALSE(slice(watch, 0, 1000));
  EXPECT_EQ(watch.most_at_once(), at_first);
}

// The moment that is told is the first at which the register's bit 3 differs.
TEST(RetraceWatch, TheChangeIsWhereTheRegisterShowsIt) {
  constexpr u8 kRetrace = 8;
  for (const unsigned height : {200u, 480u, 768u}) {
    const VgaTiming timing = VgaTiming::of_vbe(height);
    GuestTime now = 12'345;
    for (unsigned i = 0; i < 200; i++) {
      const GuestTime change = timing.next_retrace_change(now);
      ASSERT_GT(change, now);
      ASSERT_LE(change - now, timing.frame());
      const u8 before = timing.status(now) & kRetrace;
      EXPECT_EQ(timing.status(change - 1) & kRetrace, before);
      EXPECT_NE(timing.status(change) & kRetrace, before);
      now = change + static_cast<GuestTime>(i) * 997;
    }
  }
}

}  // namespace
}  // namespace relic86
