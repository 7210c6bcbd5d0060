#include "memory/jump_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace relic86 {

namespace {

TEST(JumpCache, StampsOfModesAndTimesDiffer) {
  const auto cache = std::make_unique<JumpCache>();
  std::set<u64> seen;
  cache->admit(3);
  EXPECT_EQ(cache->modes, 4u);
  for (unsigned time = 0; time < 100; ++time) {
    for (u32 mode = 0; mode < cache->modes; ++mode) {
      EXPECT_TRUE(seen.insert(cache->stamps[mode]).second);
      EXPECT_EQ(cache->stamps[mode] << 16, 0u);  // the upper sixteen bits
    }
    cache->forget();
  }
  cache->admit(2);  // it has one
  EXPECT_EQ(cache->modes, 4u);
}

TEST(JumpCache, IsEmptyBeforeAStampComesAgain) {
  const auto cache = std::make_unique<JumpCache>();
  cache->admit(0);
  const u64 first = cache->stamps[0];
  cache->keys[7] = first ^ 0x1234;
  u32 times = 0;
  do {
    cache->forget();
    ++times;
  } while (cache->stamps[0] != first);
  EXPECT_GT(times, 60'000u);
  EXPECT_EQ(cache->keys[7], 0u);
}

// Regions' keys have the same stamps in them.
TEST(JumpCache, ForgetsWhatRegionsFoundBeforeAStampComesAgain) {
  const auto cache = std::make_unique<JumpCache>();
  cache->admit(0);
  const u64 first = cache->stamps[0];
  cache->regions[7] = first ^ 0x5000;
  do {
    cache->forget();
  } while (cache->stamps[0] != first);
  EXPECT_EQ(cache->regions[7], 0u);
}

}  // namespace

}  // namespace relic86
