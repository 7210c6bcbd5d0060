// A virtio SCSI host with disks: commands, what is not there, and a host's disk that answers late or fails.
#include "devices/virtio/virtio_scsi.h"

#include "block/byte_order.h"
#include "tests/block/late_disk.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/virtio/virtio_board.h"

namespace relic86 {
namespace {

using namespace test;
using namespace virtio;

constexpr unsigned kRequests = 2;
constexpr u32 kBlock = 512, kSense = 96, kAnswer = 12 + kSense;
constexpr u8 kUntouched = 0xEE, kGood = 0, kCheckCondition = 2;
constexpr u8 kCarriedOut = 0, kOverrun = 1, kBadTarget = 3;

class VirtioScsiTest : public ::testing::TestWithParam<Interface>, protected VirtioBoard {
 protected:
  VirtioScsiTest() {
    interface = GetParam();
    content.fill_pattern();
    answers.late = false;
    std::vector<VirtioScsiUnit> units;
    units.push_back({1, 0, disk(std::make_unique<LateDisk>(std::make_unique<MemoryDisk>(content), answers))});
    units.push_back({1, 300, disk(std::make_unique<MemoryDisk>(second))});
    host = std::make_unique<VirtioScsi>("scsi.0", VirtioInterfaces{}, std::move(units));
    plug(*host);
    start(0, 3);
  }
  static std::unique_ptr<ScsiDisk> disk(std::unique_ptr<BlockDevice> image) {
    return std::make_unique<ScsiDisk>(std::move(image), ScsiDiskOptions{false, "serial", "HARDDISK"});
  }

  struct Reply {
    u64 answer = 0, data = 0;  // where they will be
  };
  // A request: the place of the unit, the command, data out, and room for data in.
  Reply ask(u8 target, u16 unit, Bytes command, const Bytes& out = {}, u32 in = 0) {
    Bytes head(19);
    head[0] = 1;
    head[1] = target;
    head[2] = static_cast<u8>(0x40 | unit >> 8);
    head[3] = static_cast<u8>(unit);
    command.resize(32);
    head.insert(head.end(), command.begin(), command.end());
    std::vector<Part> parts{reads(head)};
    if (!out.empty()) parts.push_back(reads(out));
    parts.push_back(room(kAnswer));
    if (in != 0) parts.push_back(room(in));
    const auto places = offer(kRequests, parts);
    const Reply reply{places[out.empty() ? 1 : 2], places.back()};
    put(reply.answer, Bytes(kAnswer, kUntouched));
    notify(kRequests);
    return reply;
  }
  u8 status(const Reply& reply) { return memory_at(reply.answer + 10, 1)[0]; }
  u8 response(const Reply& reply) { return memory_at(reply.answer + 11, 1)[0]; }
  u64 residue(const Reply& reply) { return number_at(reply.answer + 4, 4); }
  // Key, code and qualifier.
  Bytes sense(const Reply& reply) {
    const Bytes bytes = memory_at(reply.answer + 12, 18);
    return {bytes[2], bytes[12], bytes[13]};
  }
  Bytes blocks(u32 first, u32 count) {
    const auto at = content.bytes.begin() + first * kBlock;
    return {at, at + count * kBlock};
  }

  MemoryDiskContent content{64 * kBlock}, second{8 * kBlock};
  LateAnswers answers;
  std::unique_ptr<VirtioScsi> host;
};

INSTANTIATE_TEST_SUITE_P(Either, VirtioScsiTest, ::testing::Values(Interface::Legacy, Interface::Modern),
                         interface_name);

TEST_P(VirtioScsiTest, TheBusHasWhatIsOnIt) {
  EXPECT_EQ(device_config(0, 4), 1u) << "request queues";
  EXPECT_EQ(device_config(0x14, 4), kSense);
  EXPECT_EQ(device_config(0x18, 4), 32u);
  const Reply inquiry = ask(1, 0, {0x12, 0, 0, 0, 36}, {}, 36);
  EXPECT_EQ(status(inquiry), kGood);
  EXPECT_EQ(memory_at(inquiry.data + 16, 8), Bytes({'H', 'A', 'R', 'D', 'D', 'I', 'S', 'K'}));
  EXPECT_EQ(response(ask(0, 0, {0x12, 0, 0, 0, 36}, {}, 36)), kBadTarget);
  const Reply absent = ask(1, 1, {0x12, 0, 0, 0, 36}, {}, 36);
  EXPECT_EQ(memory_at(absent.data, 1)[0], 0x7F) << "no such unit";
  const Reply other = ask(1, 1, {0x00});
  EXPECT_EQ(status(other), kCheckCondition);
  EXPECT_EQ(sense(other), Bytes({5, 0x25, 0}));
  const Reply list = ask(1, 0, {0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 64}, {}, 64);
  EXPECT_EQ(residue(list), 64u - 24);
  EXPECT_EQ(memory_at(list.data, 24),
            Bytes({0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 44, 0, 0, 0, 0, 0, 0}));
  const Reply capacity = ask(1, 300, {0x25}, {}, 8);
  EXPECT_EQ(memory_at(capacity.data, 8), Bytes({0, 0, 0, 7, 0, 0, 2, 0}));
}

// The driver is told of disks that come and go, and that it was told of too little where it had left no room.
TEST_P(VirtioScsiTest, DisksComeAndGo) {
  constexpr unsigned kEvents = 1, kHotPlug = 1, kEventBytes = 16;
  const auto restart = [&](u64 wanted) { start(wanted, 3); };
  const auto buffer = [&] {
    const u64 place = offer(kEvents, {room(kEventBytes)}).front();
    put(place, Bytes(kEventBytes, kUntouched));
    notify(kEvents);
    return place;
  };
  restart(u64{1} << kHotPlug);
  const u64 first = buffer();
  EXPECT_EQ(memory_at(first, 1)[0], kUntouched);
  host->plug({2, 300, disk(std::make_unique<MemoryDisk>(second))});
  EXPECT_EQ(memory_at(first, kEventBytes), Bytes({1, 0, 0, 0, 1, 2, 0x41, 44, 0, 0, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(status(ask(2, 300, {0x00})), kGood);
  const u64 next = buffer();
  host->unplug(2, 300);
  EXPECT_EQ(memory_at(next, kEventBytes), Bytes({1, 0, 0, 0, 1, 2, 0x41, 44, 0, 0, 0, 0, 2, 0, 0, 0}));
  EXPECT_EQ(response(ask(2, 300, {0x00})), kBadTarget);
  host->plug({3, 1, disk(std::make_unique<MemoryDisk>(second))});
  const u64 late = buffer();
  EXPECT_EQ(memory_at(late, kEventBytes), Bytes({0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  // One that knows nothing of it is not told.
  restart(0);
  const u64 kept = buffer();
  host->unplug(3, 1);
  EXPECT_EQ(memory_at(kept, 1)[0], kUntouched);
}

// What is under way on a disk that goes is carried out first; the others go on.
TEST_P(VirtioScsiTest, DiskThatGoesFinishesItsRequests) {
  host->plug({2, 0, disk(std::make_unique<MemoryDisk>(second))});
  answers.late = true;
  const Reply read = ask(1, 0, {0x28, 0, 0, 0, 0, 3, 0, 0, 2}, {}, 2 * kBlock);
  EXPECT_EQ(status(read), kUntouched);
  host->unplug(1, 0);
  EXPECT_EQ(status(read), kGood);
  EXPECT_EQ(memory_at(read.data, 2 * kBlock), blocks(3, 2));
  EXPECT_EQ(status(ask(2, 0, {0x28, 0, 0, 0, 0, 0, 0, 0, 1}, {}, kBlock)), kGood);
}

TEST_P(VirtioScsiTest, BlocksAreReadAndWritten) {
  for (const bool late : {false, true}) {
    answers.late = late;
    const Reply read = ask(1, 0, {0x28, 0, 0, 0, 0, 3, 0, 0, 2}, {}, 2 * kBlock);
    if (late) {
      EXPECT_EQ(status(read), kUntouched);
      answers.answer();
    }
    EXPECT_EQ(status(read), kGood);
    EXPECT_EQ(response(read), kCarriedOut);
    EXPECT_EQ(memory_at(read.data, 2 * kBlock), blocks(3, 2));
    const Bytes bytes(kBlock, late ? 0x11 : 0x22);
    const Reply written = ask(1, 0, {0x2A, 0, 0, 0, 0, 9, 0, 0, 1}, bytes);
    if (late) answers.answer();
    EXPECT_EQ(status(written), kGood);
    EXPECT_EQ(residue(written), 0u);
    EXPECT_EQ(blocks(9, 1), bytes);
    const Reply flushed = ask(1, 0, {0x35});
    if (late) answers.answer();
    EXPECT_EQ(status(flushed), kGood);
  }
}

TEST_P(VirtioScsiTest, TooLittleRoomIsAnOverrun) {
  const Reply read = ask(1, 0, {0x28, 0, 0, 0, 0, 3, 0, 0, 4}, {}, 2 * kBlock);
  EXPECT_EQ(response(read), kOverrun);
  EXPECT_EQ(memory_at(read.data, 2 * kBlock), blocks(3, 2));
  const Reply beyond = ask(1, 0, {0x28, 0, 0, 0, 0, 63, 0, 0, 2}, {}, 2 * kBlock);
  EXPECT_EQ(status(beyond), kCheckCondition);
  EXPECT_EQ(sense(beyond), Bytes({5, 0x21, 0}));
  EXPECT_EQ(residue(beyond), 2 * kBlock);
}

TEST_P(VirtioScsiTest, FailuresOfTheHostAreSenseData) {
  answers.fails = true;
  const Reply read = ask(1, 0, {0x28, 0, 0, 0, 0, 3, 0, 0, 1}, {}, kBlock);
  EXPECT_EQ(status(read), kCheckCondition);
  EXPECT_EQ(sense(read), Bytes({3, 0x11, 0}));
  const Reply flush = ask(1, 0, {0x35});
  EXPECT_EQ(sense(flush), Bytes({3, 0x0C, 0}));
  EXPECT_EQ(status(ask(1, 300, {0x28, 0, 0, 0, 0, 3, 0, 0, 1}, {}, kBlock)), kGood) << "another disk";
}

TEST_P(VirtioScsiTest, WhatFailsIsTriedAgainWhenTheMachineGoesOn) {
  for (const bool late : {false, true}) {
    answers.late = late;
    answers.fails = true;
    answers.action = ErrorAction::Stop;
    const Bytes bytes(kBlock, late ? 0x33 : 0x44);
    const Reply written = ask(1, 0, {0x2A, 0, 0, 0, 0, 9, 0, 0, 1}, bytes);
    const Reply read = ask(1, 0, {0x28, 0, 0, 0, 0, 3, 0, 0, 1}, {}, kBlock);
    while (!answers.waiting.empty()) answers.answer();
    EXPECT_EQ(status(written), kUntouched);
    StateWriter saved;
    host->state(saved);
    StateReader reader = StateReader::parse(saved.data()).value();
    host->state(reader);
    EXPECT_EQ(reader.complaint(), "");
    answers.retry();
    while (!answers.waiting.empty()) answers.answer();
    EXPECT_EQ(status(read), kUntouched) << "it fails again";
    answers.fails = false;
    answers.retry();
    while (!answers.waiting.empty()) answers.answer();
    EXPECT_EQ(status(written), kGood);
    EXPECT_EQ(status(read), kGood);
    EXPECT_EQ(blocks(9, 1), bytes);
    EXPECT_EQ(memory_at(read.data, kBlock), blocks(3, 1));
  }
}

TEST_P(VirtioScsiTest, TaskManagementWaitsForWhatIsUnderWay) {
  answers.late = true;
  const Reply read = ask(1, 0, {0x28, 0, 0, 0, 0, 3, 0, 0, 1}, {}, kBlock);
  Bytes reset(24);
  reset[4] = 5;  // LOGICAL UNIT RESET
  reset[8] = 1;
  reset[9] = 1;
  const auto places = offer(0, {reads(reset), room(1)});
  put(places.back(), {kUntouched});
  notify(0);
  EXPECT_EQ(memory_at(places.back(), 1)[0], 0);
  EXPECT_EQ(status(read), kGood);
}

TEST_P(VirtioScsiTest, ARequestWithoutRoomForItsAnswerBreaksTheDevice) {
  (void)offer(kRequests, {reads(Bytes(51)), room(20)});
  notify(kRequests);
  if (modern()) {
    EXPECT_NE(VirtioBoard::status() & kNeedsReset, 0);
  }
  EXPECT_EQ(status(ask(1, 0, {0x00})), kUntouched) << "it does nothing more";
}

}  // namespace
}  // namespace relic86
