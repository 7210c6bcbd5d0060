#include "devices/virtio/virtio_block.h"

#include <functional>

#include "base/state_loading.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/virtio/virtio_board.h"

namespace relic86 {
namespace {

using namespace test;
using namespace virtio;

constexpr u32 kSector = 512;
constexpr u8 kGood = 0, kIoError = 1, kUnsupported = 2;
constexpr u64 kFlushFeature = u64{1} << 9, kEvents = u64{1} << kEventIndex;

Bytes header(u32 type, u64 sector = 0) {
  Bytes bytes(16);
  for (unsigned i = 0; i < 4; i++) bytes[i] = static_cast<u8>(type >> (i * 8));
  for (unsigned i = 0; i < 8; i++) bytes[8 + i] = static_cast<u8>(sector >> (i * 8));
  return bytes;
}

Bytes range(u64 sector, u32 count, u32 flags = 0) {
  Bytes bytes(16);
  for (unsigned i = 0; i < 8; i++) bytes[i] = static_cast<u8>(sector >> (i * 8));
  for (unsigned i = 0; i < 4; i++) bytes[8 + i] = static_cast<u8>(count >> (i * 8));
  for (unsigned i = 0; i < 4; i++) bytes[12 + i] = static_cast<u8>(flags >> (i * 8));
  return bytes;
}

class VirtioBlockTest : public ::testing::TestWithParam<Interface>, protected VirtioBoard {
 protected:
  VirtioBlockTest() {
    interface = GetParam();
    content.fill_pattern();
  }
  void plug_disk(const VirtioInterfaces& interfaces = {}) {
    disk = std::make_unique<VirtioBlock>("disk.0", interfaces, std::make_unique<MemoryDisk>(content),
                                         VirtioBlockOptions{{16, 4, 32}, "SERIAL7"});
    plug(*disk);
  }
  void start_disk(u64 wanted = kFlushFeature) {
    plug_disk();
    start(wanted, 1);
  }
  // Carries a request out; its status.
  u8 request(std::vector<Part> parts) {
    parts.push_back(room(1));
    places = offer(0, parts);
    notify(0);
    lengths = finished(0);
    EXPECT_EQ(lengths.size(), 1u);
    return memory_at(places.back(), 1)[0];
  }
  Bytes sectors(u64 first, u32 count) const {
    const auto at = content.bytes.begin() + static_cast<std::ptrdiff_t>(first * kSector);
    return {at, at + count * kSector};
  }

  MemoryDiskContent content{2048 * kSector};
  std::unique_ptr<VirtioBlock> disk;
  std::vector<u64> places;
  std::vector<u32> lengths;
};

TEST_P(VirtioBlockTest, TellsItsSizeAndShape) {
  start_disk();
  EXPECT_EQ(device_config(0, 4), 2048u);
  EXPECT_EQ(device_config(4, 4), 0u);
  EXPECT_EQ(device_config(0x0C, 4), 254u);
  EXPECT_EQ(device_config(0x10, 2), 16u);
  EXPECT_EQ(device_config(0x12, 1), 4u);
  EXPECT_EQ(device_config(0x13, 1), 32u);
  EXPECT_EQ(device_config(0x14, 4), 512u);
}

TEST_P(VirtioBlockTest, ReadsAndInterrupts) {
  start_disk();
  EXPECT_EQ(request({reads(header(0, 5)), room(3 * kSector)}), kGood);
  EXPECT_EQ(memory_at(places[1], 3 * kSector), sectors(5, 3));
  EXPECT_EQ(lengths, std::vector<u32>{3 * kSector + 1});
  EXPECT_TRUE(interrupts());
  EXPECT_EQ(interrupt_status(), kQueueInterrupt);
  EXPECT_FALSE(interrupts());
  EXPECT_EQ(interrupt_status(), 0);
}

TEST_P(VirtioBlockTest, DataMayBeInAnyPieces) {
  start_disk();
  // The header in two parts, data and status in odd ones.
  const Bytes whole = header(0, 9);
  EXPECT_EQ(request({reads(Bytes(whole.begin(), whole.begin() + 3)), reads(Bytes(whole.begin() + 3, whole.end())),
                     room(1), room(600), room(423)}),
            kGood);
  Bytes got = memory_at(places[2], 1);
  for (const auto& [at, size] : {std::pair{places[3], 600u}, std::pair{places[4], 423u}}) {
    const Bytes part = memory_at(at, size);
    got.insert(got.end(), part.begin(), part.end());
  }
  EXPECT_EQ(got, sectors(9, 2));
}

TEST_P(VirtioBlockTest, Writes) {
  start_disk();
  const Bytes data(2 * kSector, 0xA5);
  EXPECT_EQ(request({reads(header(1, 100)), reads(data)}), kGood);
  EXPECT_EQ(sectors(100, 2), data);
  EXPECT_EQ(lengths, std::vector<u32>{1});
  EXPECT_EQ(content.flushes, 0u);
  EXPECT_EQ(request({reads(header(4))}), kGood);
  EXPECT_EQ(content.flushes, 1u);
}

TEST_P(VirtioBlockTest, WithoutFlushCommandsWritesAreOnTheMedium) {
  start_disk(0);
  EXPECT_EQ(request({reads(header(1, 0)), reads(Bytes(kSector, 1))}), kGood);
  EXPECT_EQ(content.flushes, 1u);
}

TEST_P(VirtioBlockTest, RefusesWhatDoesNotFit) {
  start_disk();
  EXPECT_EQ(request({reads(header(0, 2047)), room(2 * kSector)}), kIoError);
  EXPECT_EQ(request({reads(header(0, ~u64{0})), room(kSector)}), kIoError);
  EXPECT_EQ(request({reads(header(0, 0)), room(100)}), kIoError);
  EXPECT_EQ(request({reads(header(1, 2048)), reads(Bytes(kSector, 0))}), kIoError);
  EXPECT_EQ(request({reads(header(2)), room(16)}), kUnsupported) << "SCSI";
  EXPECT_EQ(request({reads(header(0, 2047)), room(kSector)}), kGood);
}

TEST_P(VirtioBlockTest, HostErrorsReachTheDriver) {
  start_disk();
  content.fail_reads_from = 10 * kSector;
  content.fail_writes_from = 20 * kSector;
  content.fail_flush = true;
  EXPECT_EQ(request({reads(header(0, 12)), room(kSector)}), kIoError);
  EXPECT_EQ(request({reads(header(1, 20)), reads(Bytes(kSector, 0))}), kIoError);
  EXPECT_EQ(request({reads(header(4))}), kIoError);
}

TEST_P(VirtioBlockTest, ReadOnlyMedium) {
  content.read_only = true;
  start_disk();
  EXPECT_NE(device_features() >> 5 & 1, 0u);
  EXPECT_EQ(request({reads(header(1, 0)), reads(Bytes(kSector, 0))}), kIoError);
  EXPECT_EQ(request({reads(header(0, 0)), room(kSector)}), kGood);
}

TEST_P(VirtioBlockTest, Serial) {
  start_disk();
  EXPECT_EQ(request({reads(header(8)), room(20)}), kGood);
  EXPECT_EQ(memory_at(places[1], 20),
            (Bytes{'S', 'E', 'R', 'I', 'A', 'L', '7', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_P(VirtioBlockTest, WritesZeroesAndDiscards) {
  start_disk(kFlushFeature | u64{1} << 13 | u64{1} << 14);
  EXPECT_EQ(request({reads(header(13)), reads(range(7, 2, 1))}), kGood);
  EXPECT_EQ(sectors(7, 2), Bytes(2 * kSector));
  EXPECT_EQ(request({reads(header(11)), reads(range(20, 4))}), kGood);
  EXPECT_EQ(request({reads(header(11)), reads(range(2047, 2))}), kIoError);
  EXPECT_EQ(request({reads(header(11)), reads(range(0, 1, 1))}), kUnsupported);
  EXPECT_EQ(request({reads(header(13)), reads(range(0, 1, 2))}), kUnsupported);
}

TEST_P(VirtioBlockTest, ManyRequestsAtOnceAreServedInParts) {
  start_disk();
  std::vector<std::vector<u64>> all;
  for (u64 i = 0; i < 80; i++) all.push_back(offer(0, {reads(header(0, i)), room(kSector), room(1)}));
  notify(0);
  EXPECT_LT(finished(0).size(), 80u);
  pass(1'000'000);
  EXPECT_EQ(number_at(rings[0].used + 2, 2), 80u);
  for (u64 i = 0; i < 80; i++) EXPECT_EQ(memory_at(all[i][1], kSector), sectors(i, 1)) << i;
}

TEST_P(VirtioBlockTest, GoesRoundTheRing) {
  start_disk(kFlushFeature | kEvents);
  for (u64 i = 0; i < 700; i++) {
    buffers = kBuffers;
    ASSERT_EQ(request({reads(header(0, i)), room(kSector)}), kGood) << i;
    ASSERT_EQ(memory_at(places[1], kSector), sectors(i, 1)) << i;
  }
}

TEST_P(VirtioBlockTest, EventIndexHoldsInterruptsBack) {
  start_disk(kFlushFeature | kEvents);
  set_used_event(0, 2);  // when the third one is used
  for (unsigned i = 0; i < 3; i++) {
    EXPECT_FALSE(interrupts()) << i;
    EXPECT_EQ(available_event(0), i);
    request({reads(header(0, i)), room(kSector)});
  }
  EXPECT_TRUE(interrupts());
}

TEST_P(VirtioBlockTest, FlagHoldsInterruptsBack) {
  start_disk();
  put_number(rings[0].available, kNoInterrupt, 2);
  request({reads(header(0)), room(kSector)});
  EXPECT_FALSE(interrupts());
}

TEST_P(VirtioBlockTest, IndirectTables) {
  start_disk(kFlushFeature | u64{1} << kIndirect);
  constexpr u64 kTable = 0x70000, kData = 0x72000;
  put(kData, header(0, 3));
  write_descriptor(kTable, 0, kData, 16, kDescriptorNext, 2);
  write_descriptor(kTable, 2, kData + 0x100, kSector, kDescriptorNext | kDescriptorWritable, 1);
  write_descriptor(kTable, 1, kData + 0x400, 1, kDescriptorWritable, 0);
  write_descriptor(rings[0].descriptors, 0, kTable, 3 * 16, kDescriptorIndirect, 0);
  offer_head(0, 0);
  notify(0);
  EXPECT_EQ(finished(0), std::vector<u32>{kSector + 1});
  EXPECT_EQ(memory_at(kData + 0x100, kSector), sectors(3, 1));
}

TEST_P(VirtioBlockTest, AResetForgetsEverything) {
  start_disk();
  request({reads(header(0)), room(kSector)});
  set_status(0);
  EXPECT_EQ(status(), 0);
  EXPECT_FALSE(interrupts());
  start(kFlushFeature, 1);
  EXPECT_EQ(request({reads(header(0, 1)), room(kSector)}), kGood);
}

TEST_P(VirtioBlockTest, WaitsForBusMastering) {
  start_disk();
  set_config(kSlot, 0, 4, 2, 3);
  const auto at = offer(0, {reads(header(0)), room(kSector), room(1)});
  put(at[2], {0xEE});
  if (modern()) {
    notify(0);
    EXPECT_EQ(memory_at(at[2], 1)[0], 0xEE);
    set_config(kSlot, 0, 4, 2, 7);
  } else {
    notify(0);  // old drivers never asked for it
  }
  EXPECT_EQ(memory_at(at[2], 1)[0], kGood);
}

TEST_P(VirtioBlockTest, StateIsKept) {
  start_disk(kFlushFeature | kEvents);
  for (u64 i = 0; i < 70; i++) offer(0, {reads(header(0, i)), room(kSector), room(1)});
  notify(0);
  reload(*disk);
}

// --- What a driver does wrong ---

TEST_P(VirtioBlockTest, BrokenQueuesStopTheDevice) {
  struct Case {
    const char* what;
    std::function<void(VirtioBoard&)> spoil;
  };
  const u64 outside = u64{1} << 30;
  const Case cases[] = {
      {"a loop",
       [](VirtioBoard& b) { b.write_descriptor(b.rings[0].descriptors, 0, kBuffers, 16, kDescriptorNext, 0); }},
      {"an index outside",
       [](VirtioBoard& b) { b.write_descriptor(b.rings[0].descriptors, 0, kBuffers, 16, kDescriptorNext, 5000); }},
      {"an empty buffer", [](VirtioBoard& b) { b.write_descriptor(b.rings[0].descriptors, 0, kBuffers, 0, 0, 0); }},
      {"no header", [](VirtioBoard& b) { b.write_descriptor(b.rings[0].descriptors, 0, kBuffers, 8, 0, 0); }},
      {"no status", [](VirtioBoard& b) { b.write_descriptor(b.rings[0].descriptors, 0, kBuffers, 16, 0, 0); }},
      {"a header where nothing is",
       [=](VirtioBoard& b) {
         b.write_descriptor(b.rings[0].descriptors, 0, outside, 16, kDescriptorNext, 1);
         b.write_descriptor(b.rings[0].descriptors, 1, kBuffers, 1, kDescriptorWritable, 0);
       }},
      {"data at the end of all addresses",
       [](VirtioBoard& b) {
         b.put(kBuffers, header(0));
         b.write_descriptor(b.rings[0].descriptors, 0, kBuffers, 16, kDescriptorNext, 1);
         b.write_descriptor(b.rings[0].descriptors, 1, ~u64{0} - 100, 512, kDescriptorWritable | kDescriptorNext, 2);
         b.write_descriptor(b.rings[0].descriptors, 2, kBuffers, 1, kDescriptorWritable, 0);
       }},
      {"a buffer to read after one to write",
       [](VirtioBoard& b) {
         b.write_descriptor(b.rings[0].descriptors, 0, kBuffers, 16, kDescriptorWritable | kDescriptorNext, 1);
         b.write_descriptor(b.rings[0].descriptors, 1, kBuffers, 16, 0, 0);
       }},
      {"an indirect table in another one",
       [](VirtioBoard& b) {
         b.write_descriptor(b.rings[0].descriptors, 0, kBuffers, 16, kDescriptorIndirect, 0);
         b.write_descriptor(kBuffers, 0, kBuffers, 16, kDescriptorIndirect, 0);
       }},
      {"an indirect table of 17 bytes",
       [](VirtioBoard& b) { b.write_descriptor(b.rings[0].descriptors, 0, kBuffers, 17, kDescriptorIndirect, 0); }},
      {"an indirect table outside",
       [=](VirtioBoard& b) { b.write_descriptor(b.rings[0].descriptors, 0, outside, 32, kDescriptorIndirect, 0); }},
      {"a head outside", [](VirtioBoard& b) { b.put_number(b.rings[0].available + 4, 9999, 2); }},
      {"an index far ahead", [](VirtioBoard& b) { b.put_number(b.rings[0].available + 2, 30000, 2); }},
  };
  plug_disk();
  for (const Case& each : cases) {
    start(kFlushFeature, 1);
    write_descriptor(rings[0].descriptors, 0, kBuffers, 16, 0, 0);
    offer_head(0, 0);
    each.spoil(*this);
    notify(0);
    EXPECT_TRUE(finished(0).empty()) << each.what;
    if (modern()) {
      EXPECT_NE(status() & kNeedsReset, 0) << each.what;
      EXPECT_NE(interrupt_status() & kConfigInterrupt, 0) << each.what;
    }
    notify(0);
    EXPECT_TRUE(finished(0).empty()) << each.what;
    start(kFlushFeature, 1);
    EXPECT_EQ(request({reads(header(0, 1)), room(kSector)}), kGood) << "after " << each.what;
  }
}

TEST_P(VirtioBlockTest, RingsOutsideOfMemory) {
  plug_disk();
  start(kFlushFeature, 1);
  for (const u64 address : {u64{0xFFFF0000}, u64{kMemory}, ~u64{0} - 0xFFF}) {
    set_status(0);
    set_status(kAcknowledge | kDriver);
    set_features(features);
    if (modern()) {
      set_status(kAcknowledge | kDriver | kFeaturesOk);
      set_common(kQueueSelect, 2, 0);
      for (const u32 ring : {kQueueDescriptors, kQueueAvailable, kQueueUsed}) {
        set_common(ring, 4, static_cast<u32>(address));
        set_common(ring + 4, 4, static_cast<u32>(address >> 32));
      }
      set_common(kQueueEnable, 2, 1);
    } else {
      set_legacy(kLegacyQueueAddress, 4, static_cast<u32>(address >> 12));
    }
    set_status(static_cast<u8>(status() | kDriverOk));
    notify(0);
    if (modern()) {
      EXPECT_NE(status() & kNeedsReset, 0) << address;
    }
  }
}

// A buffer that is the device's own registers: they are not touched while the device moves data.
TEST_P(VirtioBlockTest, ItsOwnRegistersAsABuffer) {
  start_disk();
  put(kBuffers, header(0, 0));
  write_descriptor(rings[0].descriptors, 0, kBuffers, 16, kDescriptorNext, 1);
  write_descriptor(rings[0].descriptors, 1, kMemory, kSector, kDescriptorWritable | kDescriptorNext, 2);
  write_descriptor(rings[0].descriptors, 2, kBuffers + 16, 1, kDescriptorWritable, 0);
  offer_head(0, 0);
  const u8 before = status();
  notify(0);
  EXPECT_EQ(status(), before);
  EXPECT_EQ(finished(0), std::vector<u32>{kSector + 1});
}

INSTANTIATE_TEST_SUITE_P(Interfaces, VirtioBlockTest, testing::Values(Interface::Legacy, Interface::Modern),
                         interface_name);

}  // namespace
}  // namespace relic86
