#include "memory/backing_store.h"

#include <gtest/gtest.h>

#include "tests/memory/memory_board.h"

namespace relic86 {
namespace {

constexpr u64 kMiB = 1u << 20;

TEST(BackingStore, RamThenExtraZeroFilled) {
  auto store = BackingStore::create(kMiB, 2 * kPageSize).value();
  EXPECT_EQ(store.size(), kMiB);
  const BackingOffset rom = store.allocate(100, "rom");
  EXPECT_EQ(rom.raw, kMiB);
  const BackingOffset next = store.allocate(kPageSize, "video");
  EXPECT_EQ(next.raw, kMiB + kPageSize) << "sizes are rounded up to pages";
  EXPECT_EQ(*store.host(BackingOffset(kMiB - 1)), 0);
  *store.host(next) = 9;
  EXPECT_EQ(store.offset_of(store.host(next)), next);
  EXPECT_TRUE(store.contains(store.host(next)));
  EXPECT_FALSE(store.contains(store.host(next) + kPageSize));
}

TEST(BackingStore, RefusesWhatTheHostCannotReserve) {
  const auto store = BackingStore::create(u64{1} << 60, 0);
  ASSERT_FALSE(store.ok());
  EXPECT_NE(store.message().find("-m"), std::string::npos);
}

TEST(BackingStore, MovedStoreKeepsItsMemory) {
  auto first = BackingStore::create(kMiB, 0).value();
  *first.host(BackingOffset(5)) = 7;
  const BackingStore second(std::move(first));
  EXPECT_EQ(*second.host(BackingOffset(5)), 7);
}

TEST(BackingStore, CodeWatchHearsOnlyOfGranulesWithCode) {
  auto store = BackingStore::create(kMiB, 0).value();
  RecordingCodeWatch watch;
  store.add_code_watch(watch);
  store.add_code(BackingOffset(0x1000), 1u << 1 | u64{1} << 63);
  EXPECT_TRUE(store.watched(BackingOffset(0x1FFF)));
  EXPECT_FALSE(store.watched(BackingOffset(0x2000)));
  store.note_write(BackingOffset(0x1000), 64);
  store.note_write(BackingOffset(0x1080), 4096 - 128 - 64);
  EXPECT_TRUE(watch.hits.empty());
  store.note_write(BackingOffset(0x103F), 2);
  store.note_write(BackingOffset(0x1FFF), 1);
  store.note_write(BackingOffset(0x1000), 4096);
  const std::vector<RecordingCodeWatch::Hit> expected{{0x103F, 2}, {0x1FFF, 1}, {0x1000, 4096}};
  EXPECT_EQ(watch.hits, expected);
  store.keep_code(BackingOffset(0x1000), 0);
  EXPECT_FALSE(store.watched(BackingOffset(0x1000)));
  store.note_write(BackingOffset(0x1FFF), 1);
  EXPECT_EQ(watch.hits.size(), 3u);
}

TEST(BackingStore, SeveralCodeWatches) {
  auto store = BackingStore::create(kMiB, 0).value();
  RecordingCodeWatch first, second;
  store.add_code_watch(first);
  store.add_code_watch(second);
  store.add_code(BackingOffset(0x1000), 0xF);
  store.note_write(BackingOffset(0x1040), 4);
  const std::vector<RecordingCodeWatch::Hit> expected{{0x1040, 4}};
  EXPECT_EQ(first.hits, expected);
  EXPECT_EQ(second.hits, expected);
  // The first has no code there any more; what the second holds stays watched.
  second.held = 0x6;
  store.keep_code(BackingOffset(0x1000), 0x1);
  EXPECT_EQ(store.code_granules(BackingOffset(0x1000)), 0x7u);
  second.held = 0;
  store.keep_code(BackingOffset(0x1000), 0);
  EXPECT_FALSE(store.watched(BackingOffset(0x1000)));
  store.remove_code_watch(first);
  store.add_code(BackingOffset(0x1000), 1);
  store.note_write(BackingOffset(0x1000), 1);
  EXPECT_EQ(first.hits, expected);
  EXPECT_EQ(second.hits.size(), 2u);
}

TEST(BackingStore, WritesOverPagesAreReportedPerPage) {
  auto store = BackingStore::create(kMiB, 0).value();
  RecordingCodeWatch watch;
  store.add_code_watch(watch);
  for (u64 page = 0x1000; page < 0x4000; page += 0x1000) store.add_code(BackingOffset(page), ~u64{0});
  store.note_write(BackingOffset(0x1FFE), 0x1004);
  const std::vector<RecordingCodeWatch::Hit> expected{{0x1FFE, 2}, {0x2000, 0x1000}, {0x3000, 2}};
  EXPECT_EQ(watch.hits, expected);
}

TEST(BackingStore, DirtyIsArmedOnceAndSetByTheFirstWrite) {
  auto store = BackingStore::create(kMiB, 0).value();
  store.arm_dirty(BackingOffset(0x2000), 0x2000);
  EXPECT_TRUE(store.watched(BackingOffset(0x2000)) && store.watched(BackingOffset(0x3000)));
  EXPECT_FALSE(store.watched(BackingOffset(0x4000)));
  store.note_write(BackingOffset(0x3456), 1);
  EXPECT_TRUE(store.dirty(BackingOffset(0x3000)));
  EXPECT_FALSE(store.watched(BackingOffset(0x3000)));
  EXPECT_FALSE(store.dirty(BackingOffset(0x2000)));
  store.arm_dirty(BackingOffset(0x2000), 0x2000);
  EXPECT_FALSE(store.dirty(BackingOffset(0x3000)));
}

TEST(BackingStore, ADirtyPageWithCodeStaysWatched) {
  auto store = BackingStore::create(kMiB, 0).value();
  store.add_code(BackingOffset(0), 1);
  store.arm_dirty(BackingOffset(0), 1);
  store.note_write(BackingOffset(0x800), 4);
  EXPECT_TRUE(store.dirty(BackingOffset(0)));
  EXPECT_TRUE(store.watched(BackingOffset(0)));
}

TEST(BackingStore, WhatIsWrittenAgainIsDirtyButNoNewCode) {
  auto store = BackingStore::create(kMiB, 0).value();
  RecordingCodeWatch watch;
  store.add_code_watch(watch);
  store.add_code(BackingOffset(0x1000), ~u64{0});
  store.arm_dirty(BackingOffset(0), 0x2000);
  store.note_rewrite(BackingOffset(0x0FFE), 4);
  EXPECT_TRUE(store.dirty(BackingOffset(0)) && store.dirty(BackingOffset(0x1000)));
  EXPECT_TRUE(watch.hits.empty());
}

TEST(BackingStore, ListenersComeAndGo) {
  auto store = BackingStore::create(kMiB, 0).value();
  unsigned first = 0, second = 0;
  const u32 key = store.on_watch([&](BackingOffset, u64) { first++; });
  store.on_watch([&](BackingOffset, u64) { second++; });
  store.add_code(BackingOffset(0x5000), 1);
  store.forget_watch_listener(key);
  store.add_code(BackingOffset(0x6000), 1);
  EXPECT_EQ(first, 1u);
  EXPECT_EQ(second, 2u);
}

TEST(BackingStore, ListenerHearsOnlyOfNewlyWatchedPages) {
  auto store = BackingStore::create(kMiB, 0).value();
  std::vector<u64> heard;
  store.on_watch([&](BackingOffset first, u64) { heard.push_back(first.raw); });
  store.add_code(BackingOffset(0x5000), 1);
  store.add_code(BackingOffset(0x5000), 2);
  store.add_code(BackingOffset(0x6000), 0);
  store.arm_dirty(BackingOffset(0x5000), 0x1000);
  store.arm_dirty(BackingOffset(0x5000), 0x2000);
  EXPECT_EQ(heard, (std::vector<u64>{0x5000, 0x5000})) << "the second of them for page 6000h";
}

}  // namespace
}  // namespace relic86
