// Runs of SCAS and CMPS against the same, element by element.
#include "cpu/string_runs.h"

#include <gtest/gtest.h>

#include <vector>

namespace relic86 {
namespace {

constexpr u32 kMost = 70;

template <class W>
class StringRuns : public testing::Test {
 protected:
  // Elements of which the one at `odd` differs from all others, in its last byte.
  static std::vector<u8> bytes(u32 count, u32 odd) {
    std::vector<u8> made(count * sizeof(W), 0x5A);
    if (odd < count) made[odd * sizeof(W) + sizeof(W) - 1] = 0xA5;
    return made;
  }
  static const u8* start(const std::vector<u8>& from, bool down) {
    return down ? from.data() + from.size() - sizeof(W) : from.data();
  }
};
using Widths = testing::Types<u8, u16, u32, u64>;
TYPED_TEST_SUITE(StringRuns, Widths);

TYPED_TEST(StringRuns, AScanEndsAtTheFirstThatDecides) {
  using W = TypeParam;
  for (const bool down : {false, true}) {
    for (u32 count = 1; count <= kMost; ++count) {
      for (u32 odd = 0; odd <= count; ++odd) {
        const auto from = this->bytes(count, odd);
        const u32 expected = odd == count ? count : down ? count - odd : odd + 1;
        for (const bool while_equal : {false, true}) {
          const u8* const at_odd = from.data() + (odd < count ? odd : 0) * sizeof(W);
          const u8* const at_other = from.data() + (odd == 0 && count > 1 ? 1 : 0) * sizeof(W);
          // The one that decides is the odd one: by being equal, or by being unequal to what all others are.
          const W value = string_runs::load<W>(while_equal ? at_other : at_odd);
          if (odd == count && !while_equal) continue;  // every one decides
          if (count == 1 && while_equal) continue;
          W last{};
          const u32 done = string_runs::scan<W>(this->start(from, down), value, count, down, while_equal, last);
          ASSERT_EQ(done, expected) << count << " elements, the odd one " << odd << (down ? ", down" : ", up");
          const u32 place = down ? count - done : done - 1;
          ASSERT_EQ(last, string_runs::load<W>(from.data() + place * sizeof(W)));
        }
      }
    }
  }
}

TYPED_TEST(StringRuns, AScanThatFindsNothingIsOfAll) {
  using W = TypeParam;
  const auto from = this->bytes(kMost, kMost);
  for (const bool down : {false, true}) {
    W last{};
    EXPECT_EQ(string_runs::scan<W>(this->start(from, down), W{7}, kMost, down, false, last), kMost);
    EXPECT_EQ(last, string_runs::load<W>(from.data()));
  }
}

TYPED_TEST(StringRuns, AComparisonEndsAtTheFirstThatDecides) {
  using W = TypeParam;
  for (const bool down : {false, true}) {
    for (u32 count = 1; count <= kMost; ++count) {
      const auto right = this->bytes(count, count);
      for (u32 odd = 0; odd <= count; ++odd) {
        const auto left = this->bytes(count, odd);
        W last_left{}, last_right{};
        const u32 done = string_runs::compare<W>(this->start(left, down), this->start(right, down), count, down, true,
                                                 last_left, last_right);
        ASSERT_EQ(done, odd == count ? count : down ? count - odd : odd + 1) << count << ", the odd one " << odd;
        const u32 place = down ? count - done : done - 1;
        ASSERT_EQ(last_left, string_runs::load<W>(left.data() + place * sizeof(W)));
        ASSERT_EQ(last_right, string_runs::load<W>(right.data() + place * sizeof(W)));
        const u32 until_equal = string_runs::compare<W>(this->start(left, down), this->start(right, down), count, down,
                                                        false, last_left, last_right);
        const bool first_is_odd = odd == (down ? count - 1 : 0);
        ASSERT_EQ(until_equal, first_is_odd && count > 1 ? 2u : 1u);
      }
    }
  }
}

}  // namespace
}  // namespace relic86
