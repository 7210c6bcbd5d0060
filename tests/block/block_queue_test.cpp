#include "block/block_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "block/drive_medium.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

i64 still() { return 0; }

TEST(BlockWorkers, CarryOutAllBeforeTheyEnd) {
  std::atomic<int> done = 0;
  {
    BlockWorkers workers(3);
    for (int i = 0; i < 100; i++) workers.add([&done] { done++; });
  }
  EXPECT_EQ(done, 100);
}

TEST(BlockQueue, CarriesOutInOrderAndTellsWhenAsked) {
  BlockWorkers workers(2);
  std::atomic<unsigned> woken = 0;
  std::vector<u64> carried, told;
  BlockQueue queue({&workers, [&woken] { woken++; }, still}, [&carried](BlockRequest& request) {
    carried.push_back(request.offset);
    return Result<>();
  });
  for (u64 i = 0; i < 50; i++) {
    queue.submit({.offset = i}, [&told](BlockRequest&& request, const Result<>& result) {
      EXPECT_TRUE(result.ok());
      told.push_back(request.offset);
    });
  }
  EXPECT_FALSE(queue.idle());
  queue.wait();
  EXPECT_EQ(carried.size(), 50u);
  EXPECT_TRUE(told.empty()) << "nobody is told on another thread";
  EXPECT_GE(woken, 1u);
  queue.deliver();
  EXPECT_EQ(told, carried);
  EXPECT_TRUE(queue.idle());
}

TEST(BlockQueue, TheCallerGoesOnMeanwhile) {
  BlockWorkers workers(1);
  std::promise<void> host;
  BlockQueue queue({&workers, [] {}, still}, [answer = host.get_future().share()](BlockRequest&) {
    answer.wait();
    return Result<>(Error{"the host's disk is gone"});
  });
  std::string trouble;
  queue.submit({.kind = BlockRequest::Kind::Flush},
               [&trouble](BlockRequest&&, const Result<>& result) { trouble = result.message(); });
  queue.deliver();
  EXPECT_EQ(trouble, "") << "it is still under way";
  host.set_value();
  queue.drain();
  EXPECT_EQ(trouble, "the host's disk is gone");
}

TEST(BlockQueue, WhatIsToldMaySubmitMore) {
  BlockWorkers workers(1);
  BlockQueue queue({&workers, [] {}, still}, [](BlockRequest&) { return Result<>(); });
  unsigned told = 0;
  queue.submit({}, [&](BlockRequest&&, const Result<>&) {
    told++;
    queue.submit({}, [&](BlockRequest&&, const Result<>&) { told++; });
  });
  queue.drain();
  EXPECT_EQ(told, 2u);
}

class ServedMedium : public ::testing::Test {
 protected:
  ServedMedium() {
    const std::string path = folder.write("disk.img", std::string(1 << 20, 'x'));
    auto opened = DriveMedium::open({.file = path, .format = ImageFormat::Raw}, DriveMedium::Access::ReadWrite);
    EXPECT_TRUE(opened.ok()) << opened.message();
    medium = opened.value();
    medium->serve_with({&workers, [] {}, still});
    disk = DriveMedium::device(medium);
  }
  test::TemporaryFolder folder;
  BlockWorkers workers{2};
  std::shared_ptr<DriveMedium> medium;
  std::unique_ptr<BlockDevice> disk;
};

TEST_F(ServedMedium, AFlushIsDeferredAndWhatFollowsItKeepsItsPlace) {
  using Kind = BlockRequest::Kind;
  EXPECT_FALSE(disk->defers(Kind::Write, 0, 512)) << "the host takes it into memory";
  EXPECT_TRUE(disk->defers(Kind::Flush, 0, 0));
  bool flushed = false;
  disk->submit({.kind = Kind::Flush}, [&](BlockRequest&&, const Result<>& result) { flushed = result.ok(); });
  EXPECT_TRUE(disk->defers(Kind::Write, 0, 512)) << "one is under way";
  disk->drain();
  EXPECT_TRUE(flushed);
  EXPECT_FALSE(disk->defers(Kind::Write, 0, 512));
}

TEST_F(ServedMedium, DirectCallsSeeWhatWasSubmittedBefore) {
  disk->submit({BlockRequest::Kind::Write, 512, 4, {'a', 'b', 'c', 'd'}}, [](BlockRequest&&, const Result<>&) {});
  std::vector<u8> bytes(6);
  ASSERT_TRUE(disk->read(511, bytes).ok());
  EXPECT_EQ(bytes, (std::vector<u8>{'x', 'a', 'b', 'c', 'd', 'x'}));
  EXPECT_EQ(medium->counts().writes, 1u);
  EXPECT_EQ(medium->counts().written_bytes, 4u);
}

TEST_F(ServedMedium, ZeroesAndDiscardsReachTheImage) {
  bool told = false;
  disk->submit({.kind = BlockRequest::Kind::WriteZeroes, .offset = 4096, .length = 8192},
               [&](BlockRequest&&, const Result<>& result) { told = result.ok(); });
  disk->drain();
  EXPECT_TRUE(told);
  std::vector<u8> bytes(1);
  ASSERT_TRUE(disk->read(5000, bytes).ok());
  EXPECT_EQ(bytes[0], 0);
  const u64 before = medium->info().actual_size;
  ASSERT_TRUE(disk->discard(65536, 512 << 10).ok());
  EXPECT_LE(medium->info().actual_size, before);
}

TEST_F(ServedMedium, WhatItWaitsForIsDoneBeforeItEnds) {
  disk->submit({BlockRequest::Kind::Write, 0, 1, {'z'}}, [](BlockRequest&&, const Result<>&) {});
  disk.reset();
  medium.reset();
  EXPECT_EQ(folder.read("disk.img")[0], 'z');
}

}  // namespace
}  // namespace relic86
