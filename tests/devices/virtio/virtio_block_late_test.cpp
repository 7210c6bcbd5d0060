// A virtio disk whose host answers late: requests wait without the driver, and come back when they are done.
#include "devices/virtio/virtio_block.h"
#include "tests/block/late_disk.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/virtio/virtio_board.h"

namespace relic86 {
namespace {

using namespace test;
using namespace virtio;

constexpr u32 kSector = 512, kRead = 0, kWrite = 1, kFlush = 4;
constexpr u8 kGood = 0, kIoError = 1, kUntouched = 0xEE;
constexpr u64 kFlushFeature = u64{1} << 9;

Bytes header(u32 type, u8 sector) {
  Bytes bytes(16);
  bytes[0] = static_cast<u8>(type);
  bytes[8] = sector;
  return bytes;
}

class VirtioBlockLate : public ::testing::TestWithParam<Interface>, protected VirtioBoard {
 protected:
  VirtioBlockLate() {
    interface = GetParam();
    content.fill_pattern();
    disk = std::make_unique<VirtioBlock>("disk.0", VirtioInterfaces{},
                                         std::make_unique<LateDisk>(std::make_unique<MemoryDisk>(content), answers),
                                         VirtioBlockOptions{});
    plug(*disk);
  }
  // Offers a request; where its status will be.
  u64 ask(std::vector<Part> parts) {
    parts.push_back(room(1));
    places = offer(0, parts);
    put(places.back(), {kUntouched});
    notify(0);
    return places.back();
  }
  u64 ask_read(u8 sector, u32 count = 1) { return ask({reads(header(kRead, sector)), room(count * kSector)}); }
  u8 status_at(u64 place) { return memory_at(place, 1)[0]; }

  MemoryDiskContent content{64 * kSector};
  LateAnswers answers;
  std::unique_ptr<VirtioBlock> disk;
  std::vector<u64> places;
};

INSTANTIATE_TEST_SUITE_P(Either, VirtioBlockLate, ::testing::Values(Interface::Legacy, Interface::Modern),
                         interface_name);

TEST_P(VirtioBlockLate, RequestsComeBackWhenTheyAreDone) {
  start(kFlushFeature, 1);
  const u64 first = ask_read(2);
  const u64 data = places[1];
  const u64 second = ask({reads(header(kFlush, 0))});
  EXPECT_TRUE(finished(0).empty());
  EXPECT_FALSE(interrupts());
  ASSERT_EQ(answers.waiting.size(), 2u);
  answers.answer();
  EXPECT_EQ(finished(0), (std::vector<u32>{kSector + 1}));
  EXPECT_TRUE(interrupts());
  EXPECT_EQ(status_at(first), kGood);
  EXPECT_EQ(status_at(second), kUntouched);
  EXPECT_EQ(memory_at(data, 4), Bytes(content.bytes.begin() + 2 * kSector, content.bytes.begin() + 2 * kSector + 4));
  EXPECT_EQ(content.flushes, 0u);
  answers.answer();
  EXPECT_EQ(status_at(second), kGood);
  EXPECT_EQ(content.flushes, 1u);
}

TEST_P(VirtioBlockLate, AWriteTakesItsBytesWhenItIsAsked) {
  start(kFlushFeature, 1);
  const u64 status_place = ask({reads(header(kWrite, 3)), reads(Bytes(kSector, 0x77))});
  put(places[1], Bytes(kSector, 0x11));
  answers.answer();
  EXPECT_EQ(status_at(status_place), kGood);
  EXPECT_EQ(content.bytes[3 * kSector], 0x77);
  EXPECT_EQ(content.flushes, 0u);
}

TEST_P(VirtioBlockLate, WithoutTheFlushCommandAWriteIsFlushed) {
  start(0, 1);
  const u64 status_place = ask({reads(header(kWrite, 3)), reads(Bytes(kSector, 0x77))});
  answers.answer();
  EXPECT_EQ(status_at(status_place), kUntouched);
  ASSERT_EQ(answers.waiting.size(), 1u);
  answers.answer();
  EXPECT_EQ(status_at(status_place), kGood);
  EXPECT_EQ(content.flushes, 1u);
}

TEST_P(VirtioBlockLate, ErrorsComeLateToo) {
  start(kFlushFeature, 1);
  content.fail_reads_from = 0;
  const u64 status_place = ask_read(2);
  answers.answer();
  EXPECT_EQ(status_at(status_place), kIoError);
}

TEST_P(VirtioBlockLate, AResetForgetsWhatWaits) {
  start(kFlushFeature, 1);
  const u64 status_place = ask_read(2);
  set_status(0);
  answers.answer();
  EXPECT_EQ(status_at(status_place), kUntouched);
  EXPECT_FALSE(interrupts());
  start(kFlushFeature, 1);
  const u64 again = ask_read(2);
  answers.answer();
  EXPECT_EQ(status_at(again), kGood);
}

TEST_P(VirtioBlockLate, ManyWaitAtOnce) {
  start(kFlushFeature, 1);
  constexpr u32 kCount = 40;
  std::vector<u64> statuses;
  for (unsigned i = 0; i < kCount; i++) statuses.push_back(ask_read(static_cast<u8>(i)));
  EXPECT_EQ(answers.waiting.size(), kCount);
  while (!answers.waiting.empty()) answers.answer();
  EXPECT_EQ(finished(0).size(), kCount);
  for (const u64 place : statuses) EXPECT_EQ(status_at(place), kGood);
}

TEST_P(VirtioBlockLate, RequestsThatFailAreTriedAgainWhenTheMachineGoesOn) {
  for (const bool defers : {true, false}) {
    answers.late = defers;
    start(kFlushFeature, 1);
    answers.fails = true;
    answers.action = ErrorAction::Stop;
    Bytes bytes(kSector, 0x5A);
    const u64 write = ask({reads(header(kWrite, 5)), reads(bytes)});
    const u64 read = ask_read(2);
    const u64 data = places[1];
    const u64 flush = ask({reads(header(kFlush, 0))});
    while (!answers.waiting.empty()) answers.answer();
    EXPECT_EQ(answers.told.size(), 3u);
    for (const u64 place : {write, read, flush}) EXPECT_EQ(status_at(place), kUntouched);
    // A saved machine has them.
    reload(*disk);
    answers.retry();  // and fails again
    while (!answers.waiting.empty()) answers.answer();
    EXPECT_EQ(answers.told.size(), 6u);
    EXPECT_EQ(status_at(write), kUntouched);
    answers.fails = false;
    answers.retry();
    while (!answers.waiting.empty()) answers.answer();
    for (const u64 place : {write, read, flush}) EXPECT_EQ(status_at(place), kGood);
    EXPECT_EQ(content.bytes[5 * kSector], 0x5A);
    EXPECT_EQ(memory_at(data, kSector),
              Bytes(content.bytes.begin() + 2 * kSector, content.bytes.begin() + 3 * kSector));
    answers.retry();  // nothing waits any more
    EXPECT_EQ(finished(0).size() % 3, 0u);
    answers.told.clear();
  }
}

TEST_P(VirtioBlockLate, FailuresAreReportedOrIgnoredAsTheUserSays) {
  answers.late = false;
  answers.fails = true;
  start(kFlushFeature, 1);
  const u64 reported = ask_read(2);
  EXPECT_EQ(status_at(reported), kIoError);
  answers.action = ErrorAction::Ignore;
  const u64 ignored = ask({reads(header(kWrite, 5)), reads(Bytes(kSector, 1))});
  EXPECT_EQ(status_at(ignored), kGood);
}

TEST_P(VirtioBlockLate, AResetForgetsWhatWasToBeTriedAgain) {
  answers.late = false;
  answers.fails = true;
  answers.action = ErrorAction::Stop;
  start(kFlushFeature, 1);
  const u64 place = ask_read(2);
  disk->reset(ResetKind::Hard);
  answers.fails = false;
  answers.retry();
  EXPECT_EQ(status_at(place), kUntouched);
}

}  // namespace
}  // namespace relic86
