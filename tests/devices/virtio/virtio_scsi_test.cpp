// A virtio SCSI host with disks: commands, what is not there, and a host's disk that answers late or fails.
#include "devices/virtio/virtio_scsi.h"

#include "base/byte_order.h"
#include "tests/block/late_disk.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/virtio/virtio_board.h"

namespace relic86 {
namespace {

using namespace test;
using namespace virtio;

constexpr unsigned kControl = 0, kRequests = 2;
constexpr u32 kBlock = 512, kSense = 96, kAnswer = 12 + kSense;
constexpr u8 kUntouched = 0xEE, kGood = 0, kCheckCondition = 2;
const Bytes kReadOne{0x28, 0, 0, 0, 0, 3, 0, 0, 1};
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
    return std::make_unique<ScsiDisk>(std::move(image), ScsiDiskOptions{.serial = "serial"});
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
  // LOGICAL UNIT RESET; where its answer will be.
  u64 ask_to_reset_unit() {
    Bytes reset(24);
    reset[4] = 5;
    reset[8] = 1;
    reset[9] = 1;
    const auto places = offer(kControl, {reads(reset), room(1)});
    put(places.back(), {kUntouched});
    notify(kControl);
    return places.back();
  }
  // The same; what it is answered.
  u8 reset_unit() { return memory_at(ask_to_reset_unit(), 1)[0]; }
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
    reload(*host);
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

// Each disk goes on by itself: what waits for another one's host goes on waiting.
TEST_P(VirtioScsiTest, WhatWaitsForAnotherDiskGoesOnWaiting) {
  for (const bool late : {false, true}) {
    LateAnswers other;
    other.late = answers.late = late;
    host->plug({2, 5, disk(std::make_unique<LateDisk>(std::make_unique<MemoryDisk>(second), other))});
    const auto carry_out = [&] {
      while (!answers.waiting.empty()) answers.answer();
      while (!other.waiting.empty()) other.answer();
    };
    answers.fails = other.fails = true;
    answers.action = other.action = ErrorAction::Stop;
    const Reply first = ask(1, 0, kReadOne, {}, kBlock);
    const Reply theirs = ask(2, 5, kReadOne, {}, kBlock);
    const Reply last = ask(1, 0, kReadOne, {}, kBlock);
    carry_out();
    reload(*host);
    answers.fails = other.fails = false;
    answers.retry();
    carry_out();
    EXPECT_EQ(status(first), kGood);
    EXPECT_EQ(status(last), kGood);
    EXPECT_EQ(status(theirs), kUntouched);
    EXPECT_EQ(answers.told.size(), 2u);
    reload(*host);
    answers.retry();  // nothing of it waits any more
    EXPECT_EQ(status(theirs), kUntouched);
    other.retry();
    carry_out();
    EXPECT_EQ(status(theirs), kGood);
    EXPECT_EQ(finished(kRequests).size(), 3u);
    host->unplug(2, 5);
    answers.told.clear();
  }
}

// Nothing can be tried again on a disk that has gone: what waited for it is answered, and nothing else is.
TEST_P(VirtioScsiTest, DiskThatGoesAnswersWhatWaitsForItsHost) {
  LateAnswers other;
  other.late = false;
  host->plug({2, 5, disk(std::make_unique<LateDisk>(std::make_unique<MemoryDisk>(second), other))});
  answers.fails = other.fails = true;
  answers.action = other.action = ErrorAction::Stop;
  const Reply kept = ask(1, 0, kReadOne, {}, kBlock);
  const Reply alone = ask(2, 5, kReadOne, {}, kBlock);
  reload(*host);
  host->unplug(2, 5);
  EXPECT_EQ(response(alone), kBadTarget);
  EXPECT_EQ(status(kept), kUntouched);
  host->unplug(1, 0);
  EXPECT_EQ(status(kept), kCheckCondition) << "another unit of the target answers";
  EXPECT_EQ(sense(kept), Bytes({5, 0x25, 0}));
  EXPECT_EQ(finished(kRequests).size(), 2u);
}

// Four requests of four mebibytes each wait for the host; one more is held back until one of them has come back.
class VirtioScsiFull : public VirtioScsiTest {
 protected:
  static constexpr u32 kBig = u32{4} << 20, kPart = u32{1} << 20, kRoom = 0xC0000;
  static constexpr unsigned kMost = 4;
  static constexpr u8 kTarget = 2;

  VirtioScsiFull() {
    start(0, 3);
    host->plug({kTarget, 0, disk(std::make_unique<LateDisk>(std::make_unique<MemoryDisk>(big), hosts))});
    answers.late = true;
    for (unsigned i = 0; i < kMost; i++) filling.push_back(ask_big());
    EXPECT_EQ(hosts.waiting.size(), kMost);
    held_back = ask(1, 0, kReadOne, {}, kBlock);
    EXPECT_TRUE(answers.waiting.empty());
  }
  ~VirtioScsiFull() override {  // its disk knows hosts
    if (host->has(kTarget, 0)) host->unplug(kTarget, 0);
  }
  // The four parts of its data share a place in memory.
  u64 ask_big() {
    constexpr u32 kBlocks = kBig / kBlock;
    Bytes head(51);
    head[0] = 1;
    head[1] = kTarget;
    head[2] = 0x40;
    head[19] = 0x28;
    head[19 + 7] = static_cast<u8>(kBlocks >> 8);
    head[19 + 8] = static_cast<u8>(kBlocks);
    Ring& ring = rings[kRequests];
    const u16 first = ring.next_descriptor;
    const auto add = [&](u64 address, u32 length, u16 flags) {
      const u16 index = ring.next_descriptor++;
      write_descriptor(ring.descriptors, index, address, length, flags, ring.next_descriptor);
    };
    const u64 request = buffers, reply = buffers + 64;
    buffers += 256;
    put(request, head);
    put(reply, Bytes(kAnswer, kUntouched));
    add(request, static_cast<u32>(head.size()), kDescriptorNext);
    add(reply, kAnswer, kDescriptorNext | kDescriptorWritable);
    for (u32 left = kBig; left > 0; left -= kPart)
      add(kRoom, kPart, static_cast<u16>(kDescriptorWritable | (left > kPart ? kDescriptorNext : 0)));
    offer_head(kRequests, first);
    notify(kRequests);
    return reply;
  }
  bool all_done() {
    for (const u64 reply : filling) {
      if (memory_at(reply + 11, 1)[0] != kCarriedOut) return false;
    }
    return status(held_back) == kGood;
  }

  MemoryDiskContent big{kBig};
  LateAnswers hosts;
  std::vector<u64> filling;
  Reply held_back;
};

INSTANTIATE_TEST_SUITE_P(Either, VirtioScsiFull, ::testing::Values(Interface::Legacy, Interface::Modern),
                         interface_name);

TEST_P(VirtioScsiFull, WhatIsHeldBackGoesOnWhenThereIsRoom) {
  hosts.answer();
  EXPECT_EQ(answers.waiting.size(), 1u);
  answers.answer();
  EXPECT_EQ(status(held_back), kGood);
  while (!hosts.waiting.empty()) hosts.answer();
  EXPECT_TRUE(all_done());
}

TEST_P(VirtioScsiFull, ControlIsServedMeanwhile) {
  constexpr unsigned kMany = 100;  // more than are served at once
  Bytes query(20);
  query[0] = 1;  // which events are told
  std::vector<u64> places;
  for (unsigned i = 0; i < kMany; i++) {
    places.push_back(offer(kControl, {reads(query), room(5)}).back());
    put(places.back(), Bytes(5, kUntouched));
  }
  notify(kControl);
  for (int i = 0; i < 10; i++) pass(1'000'000);
  EXPECT_EQ(finished(kControl).size(), kMany);
  EXPECT_EQ(memory_at(places.back(), 5), Bytes(5));
  EXPECT_EQ(hosts.waiting.size(), kMost);
  EXPECT_TRUE(answers.waiting.empty());
}

// What its end makes room for is under way too, though its disk had nothing to do before.
TEST_P(VirtioScsiFull, TaskManagementCarriesOutWhatWasHeldBack) {
  EXPECT_EQ(reset_unit(), 0);
  EXPECT_TRUE(all_done());
  EXPECT_TRUE(hosts.waiting.empty() && answers.waiting.empty());
  reload(*host);
  EXPECT_EQ(finished(kRequests).size(), kMost + 1);
}

TEST_P(VirtioScsiFull, DiskThatGoesCarriesOutWhatWasHeldBack) {
  host->unplug(kTarget, 0);
  EXPECT_TRUE(all_done());
  EXPECT_TRUE(hosts.waiting.empty() && answers.waiting.empty());
}

TEST_P(VirtioScsiTest, TaskManagementWaitsForWhatIsUnderWay) {
  answers.late = true;
  const Reply read = ask(1, 0, kReadOne, {}, kBlock);
  EXPECT_EQ(reset_unit(), 0);
  EXPECT_EQ(status(read), kGood);
}

// Also if the host has failed it, and it waits to be tried again.
TEST_P(VirtioScsiTest, TaskManagementWaitsForWhatTheHostHasFailed) {
  for (const bool late : {false, true}) {
    answers.late = late;
    answers.fails = true;
    answers.action = ErrorAction::Stop;
    const Reply read = ask(1, 0, kReadOne, {}, kBlock);
    const u64 one = ask_to_reset_unit(), other = ask_to_reset_unit();
    EXPECT_EQ(status(read), kUntouched);
    EXPECT_EQ(memory_at(one, 1)[0], kUntouched);
    reload(*host);
    answers.retry();  // it fails again
    while (!answers.waiting.empty()) answers.answer();
    EXPECT_EQ(memory_at(one, 1)[0], kUntouched);
    EXPECT_TRUE(finished(kControl).empty());
    answers.fails = false;
    answers.retry();
    EXPECT_EQ(status(read), kGood);
    EXPECT_EQ(memory_at(one, 1)[0], 0);
    EXPECT_EQ(memory_at(other, 1)[0], 0);
    EXPECT_EQ(finished(kControl).size(), 2u);
    EXPECT_EQ(finished(kRequests).size(), 1u);
  }
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
