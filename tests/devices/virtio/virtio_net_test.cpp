#include "devices/virtio/virtio_net.h"

#include "devices/virtio/virtio_net_registers.h"
#include "tests/devices/network/card_board.h"
#include "tests/devices/virtio/virtio_board.h"

namespace relic86 {
namespace {

using namespace test;
using namespace virtio_net;

constexpr u64 bit(unsigned feature) { return u64{1} << feature; }
constexpr u64 kAll = bit(kChecksum) | bit(kGuestChecksum) | bit(kMac) | bit(kHostTso4) | bit(kMergeableBuffers) |
                     bit(kStatusField) | bit(kControlQueue) | bit(kControlReceive) | bit(kControlVlan) |
                     bit(kControlReceiveExtra) | bit(kControlAddress);

class VirtioNetTest : public ::testing::TestWithParam<Interface>, protected VirtioBoard {
 protected:
  VirtioNetTest() {
    interface = GetParam();
    card = std::make_unique<VirtioNet>("card.0", VirtioInterfaces{}, link, kCardAddress);
    plug(*card);
  }
  void start_card(u64 wanted = kAll) {
    start(wanted, 3);
    header = (features & bit(kMergeableBuffers)) != 0 || modern() ? kLongHeader : kShortHeader;
  }
  void send(Bytes head, const Bytes& frame) {
    head.resize(header);
    offer(kTransmitQueue, {reads(head), reads(frame)});
    notify(kTransmitQueue);
  }
  std::vector<u64> offer_buffer(u32 size) {
    const auto places = offer(kReceiveQueue, {room(size)});
    notify(kReceiveQueue);
    return places;
  }
  bool take_frame(const Bytes& frame) {
    if (!link.receiver->listening() || !link.receiver->can_receive()) return false;
    link.receiver->receive(frame);
    return true;
  }
  u8 command(Bytes request) {
    const auto places = offer(kCommandQueue, {reads(std::move(request)), room(1)});
    put(places[1], {0xEE});
    notify(kCommandQueue);
    return memory_at(places[1], 1)[0];
  }

  FakeLink link;
  std::unique_ptr<VirtioNet> card;
  std::size_t header = 0;
};

TEST_P(VirtioNetTest, TellsAddressAndLink) {
  start_card();
  for (u32 i = 0; i < 6; i++) EXPECT_EQ(device_config(i, 1), kCardAddress[i]);
  EXPECT_EQ(device_config(6, 2), 1u);
  link.plugged = false;
  link.receiver->link_changed(false);
  EXPECT_EQ(device_config(6, 2), 0u);
  EXPECT_EQ(interrupt_status(), virtio::kConfigInterrupt);
}

TEST_P(VirtioNetTest, Sends) {
  start_card(0);
  const Bytes frame = make_frame(kStranger, 77);
  send({}, frame);
  ASSERT_EQ(link.sent.size(), 1u);
  EXPECT_EQ(link.sent[0], frame);
  EXPECT_EQ(finished(kTransmitQueue).size(), 1u);
  EXPECT_TRUE(interrupts());
}

TEST_P(VirtioNetTest, PutsChecksumsIn) {
  start_card();
  Bytes frame = make_tcp_frame(100);
  // As a driver: the pseudo header's sum stands in the checksum field, and IP's checksum is the driver's.
  const u32 pseudo = internet_sum(std::span(frame).subspan(kIpAt + 12, 8), 6) + 120;
  store_big16(frame, kTcpAt + 16, (pseudo & 0xFFFF) + (pseudo >> 16));
  store_big16(frame, kIpAt + 10, sum_of(std::span(frame).subspan(kIpAt, 20)));
  Bytes head(kLongHeader);
  head[kHeaderFlags] = kNeedsChecksum;
  head[kHeaderStart] = kTcpAt, head[kHeaderOffset] = 16;
  send(head, frame);
  ASSERT_EQ(link.sent.size(), 1u);
  EXPECT_TRUE(checksums_right(link.sent[0]));
  head[kHeaderStart] = 0xFF, head[kHeaderStart + 1] = 0xFF;
  send(head, frame);
  EXPECT_EQ(link.sent.size(), 1u) << "a checksum outside of the frame";
}

TEST_P(VirtioNetTest, CutsALongPacketIntoSegments) {
  start_card();
  constexpr std::size_t kData = 3500;
  Bytes head(kLongHeader);
  head[kHeaderFlags] = kNeedsChecksum;
  head[kHeaderKind] = kTcp4Segments;
  head[kHeaderSegment] = static_cast<u8>(1460 & 0xFF), head[kHeaderSegment + 1] = 1460 >> 8;
  head[kHeaderStart] = kTcpAt, head[kHeaderOffset] = 16;
  const Bytes frame = make_tcp_frame(kData);
  send(head, frame);
  ASSERT_EQ(link.sent.size(), 3u);
  Bytes data;
  for (const Bytes& segment : link.sent) {
    EXPECT_TRUE(checksums_right(segment));
    data.insert(data.end(), segment.begin() + kTcpDataAt, segment.end());
  }
  EXPECT_EQ(data, Bytes(frame.begin() + kTcpDataAt, frame.end()));
}

TEST_P(VirtioNetTest, Receives) {
  start_card(0);
  EXPECT_FALSE(link.receiver->can_receive());
  const auto places = offer_buffer(2000);
  EXPECT_GT(link.ready, 0u);
  const Bytes frame = make_frame(kCardAddress, 200);
  ASSERT_TRUE(take_frame(frame));
  EXPECT_EQ(finished(kReceiveQueue), std::vector<u32>{static_cast<u32>(header + 200)});
  EXPECT_EQ(memory_at(places[0] + header, 200), frame);
  EXPECT_TRUE(interrupts());
  EXPECT_FALSE(link.receiver->can_receive());
}

TEST_P(VirtioNetTest, AFrameMayTakeSeveralBuffers) {
  start_card();
  std::vector<u64> places;
  for (unsigned i = 0; i < 3; i++) places.push_back(offer_buffer(100)[0]);
  const Bytes frame = make_frame(kCardAddress, 250);
  ASSERT_TRUE(take_frame(frame));
  EXPECT_EQ(finished(kReceiveQueue), (std::vector<u32>{100, 100, 62}));
  EXPECT_EQ(number_at(places[0] + kHeaderBuffers, 2), 3u);
  EXPECT_EQ(memory_at(places[0] + header, 88), Bytes(frame.begin(), frame.begin() + 88));
  EXPECT_EQ(memory_at(places[2], 62), Bytes(frame.begin() + 188, frame.end()));
}

TEST_P(VirtioNetTest, AFrameThatFindsTooFewBuffersIsLostButTheBuffersAreNot) {
  start_card(kAll | bit(virtio::kEventIndex));
  offer_buffer(100);
  EXPECT_TRUE(take_frame(make_frame(kCardAddress, 250)));
  EXPECT_TRUE(finished(kReceiveQueue).empty());
  EXPECT_EQ(available_event(kReceiveQueue), 1u) << "the driver is to tell of the next buffer";
  offer_buffer(400);
  EXPECT_TRUE(take_frame(make_frame(kCardAddress, 250)));
  EXPECT_EQ(finished(kReceiveQueue).size(), 2u);
}

TEST_P(VirtioNetTest, SaysWhichChecksumsAreRight) {
  start_card();
  const auto flags = [&](const Bytes& frame) {
    const auto places = offer_buffer(2000);
    EXPECT_TRUE(take_frame(frame));
    return memory_at(places[0], 1)[0];
  };
  Bytes frame = make_tcp_frame(100);
  EXPECT_EQ(flags(frame), 0);
  store_big16(frame, kIpAt + 10, sum_of(std::span(frame).subspan(kIpAt, 20)));
  const u32 pseudo = internet_sum(std::span(frame).subspan(kIpAt + 12, 8), 6) + 120;
  store_big16(frame, kTcpAt + 16, internet_checksum(internet_sum(std::span(frame).subspan(kTcpAt), pseudo)));
  EXPECT_EQ(flags(frame), kDataValid);
}

TEST_P(VirtioNetTest, LetsInWhatTheDriverWants) {
  start_card();
  const auto hears = [&](const Bytes& frame) {
    offer_buffer(2000);
    take_frame(frame);
    return !finished(kReceiveQueue).empty();
  };
  EXPECT_TRUE(hears(make_frame(kStranger))) << "everything, until the driver says otherwise";
  EXPECT_EQ(command({kModeClass, kPromiscuous, 0}), 0);
  EXPECT_FALSE(hears(make_frame(kStranger)));
  EXPECT_TRUE(hears(make_frame(kCardAddress)));
  EXPECT_TRUE(hears(make_frame(kBroadcast)));
  EXPECT_FALSE(hears(make_frame(kGroup)));
  Bytes tables{kAddressClass, kSetTable, 1, 0, 0, 0};
  tables.insert(tables.end(), kStranger.begin(), kStranger.end());
  tables.insert(tables.end(), {1, 0, 0, 0});
  tables.insert(tables.end(), kGroup.begin(), kGroup.end());
  EXPECT_EQ(command(tables), 0);
  EXPECT_TRUE(hears(make_frame(kStranger)));
  EXPECT_TRUE(hears(make_frame(kGroup)));
  EXPECT_EQ(command({kModeClass, kNoMulticast, 1}), 0);
  EXPECT_EQ(command({kModeClass, kNoBroadcast, 1}), 0);
  EXPECT_FALSE(hears(make_frame(kGroup)));
  EXPECT_FALSE(hears(make_frame(kBroadcast)));
  Bytes tagged = make_frame(kCardAddress);
  tagged[12] = 0x81, tagged[13] = 0x00, tagged[14] = 0x01, tagged[15] = 0x02;
  EXPECT_FALSE(hears(tagged));
  EXPECT_EQ(command({kVlanClass, kAddVlan, 0x02, 0x01}), 0);
  EXPECT_TRUE(hears(tagged));
  EXPECT_EQ(command({kVlanClass, kRemoveVlan, 0x02, 0x01}), 0);
  EXPECT_FALSE(hears(tagged));
  Bytes address{kAddressClass, kSetAddress};
  address.insert(address.end(), {2, 2, 2, 2, 2, 2});
  EXPECT_EQ(command(address), 0);
  EXPECT_TRUE(hears(make_frame({2, 2, 2, 2, 2, 2})));
  EXPECT_EQ(device_config(0, 4), 0x02020202u);
}

TEST_P(VirtioNetTest, RefusesCommandsThatMakeNoSense) {
  start_card();
  EXPECT_EQ(command({kModeClass, 9, 1}), 1);
  EXPECT_EQ(command({kModeClass, 0}), 1);
  EXPECT_EQ(command({kAddressClass, kSetTable, 0xFF, 0xFF, 0xFF, 0xFF}), 1);
  EXPECT_EQ(command({kAddressClass, kSetTable, 0, 0, 0, 0}), 1) << "one table of two";
  EXPECT_EQ(command({kAddressClass, kSetAddress, 1, 2, 3}), 1);
  EXPECT_EQ(command({kVlanClass, kAddVlan, 0xFF, 0xFF}), 1);
  EXPECT_EQ(command({77, 0}), 1);
}

// iPXE's ROM names the device without the legacy interface; firmware would not run it on the other one.
TEST(VirtioNetRom, NamesTheDevice) {
  CardBoard board;
  Bytes rom(512);
  rom[0] = 0x55, rom[1] = 0xAA, rom[2] = 1, rom[0x18] = 0x1C;
  const Bytes data{'P', 'C', 'I', 'R', 0xF4, 0x1A, 0x41, 0x10};
  std::copy(data.begin(), data.end(), rom.begin() + 0x1C);
  u8 sum = 0;
  for (const u8 byte : rom) sum = static_cast<u8>(sum + byte);
  rom[6] = static_cast<u8>(-sum);
  VirtioNet card("card.0", {}, board.link, kCardAddress);
  card.set_option_rom(rom);
  ASSERT_TRUE(board.pci.add(card, 3).ok());
  ASSERT_TRUE(card.attach(board.attachment).ok());
  card.reset(ResetKind::PowerOn);
  board.set_config(3, 0, 0x30, 4, 0xFEB80001);
  board.set_config(3, 0, 0x04, 2, 2);
  const Bytes seen = board.memory_at(0xFEB80000, 512);
  EXPECT_EQ(seen[0x22] | seen[0x23] << 8, 0x1000);
  sum = 0;
  for (const u8 byte : seen) sum = static_cast<u8>(sum + byte);
  EXPECT_EQ(sum, 0);
}

TEST_P(VirtioNetTest, StateIsKept) {
  start_card();
  command({kModeClass, kPromiscuous, 0});
  offer_buffer(100);
  take_frame(make_frame(kCardAddress));
  expect_state_kept(*card);
}

TEST_P(VirtioNetTest, BrokenBuffersStopTheCard) {
  start_card();
  write_descriptor(rings[kReceiveQueue].descriptors, 0, u64{1} << 40, 2000, virtio::kDescriptorWritable, 0);
  offer_head(kReceiveQueue, 0);
  EXPECT_TRUE(take_frame(make_frame(kCardAddress)));
  EXPECT_FALSE(link.receiver->listening());
  start_card();
  offer(kReceiveQueue, {room(4)});
  EXPECT_TRUE(take_frame(make_frame(kCardAddress)));
  start_card();
  offer(kTransmitQueue, {reads({1, 2, 3})});
  notify(kTransmitQueue);
  EXPECT_FALSE(link.receiver->listening());
  start_card();
  const Bytes frame = make_frame(kStranger);
  send({}, frame);
  ASSERT_FALSE(link.sent.empty());
  EXPECT_EQ(link.sent.back(), frame);
}

INSTANTIATE_TEST_SUITE_P(Interfaces, VirtioNetTest, testing::Values(Interface::Legacy, Interface::Modern),
                         interface_name);

}  // namespace
}  // namespace relic86
