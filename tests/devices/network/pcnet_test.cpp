#include "devices/network/pcnet.h"

#include "devices/network/pcnet_registers.h"
#include "tests/devices/network/card_board.h"

namespace relic86 {
namespace {

using namespace test;
using namespace pcnet;

// Each test runs with both forms of structures: 16 bits (style 0) and 32 bits (2 and 3).
class PcnetTest : public ::testing::TestWithParam<unsigned>, protected CardBoard {
 protected:
  static constexpr u32 kBlock = 0x1000, kRxRing = 0x2000, kTxRing = 0x3000, kBuffers = 0x40000, kTxBuffer = 0x20000;
  static constexpr u32 kCount = 4, kBufferBytes = 1544;

  PcnetTest() { plug(card_); }

  u16 csr(unsigned index) {
    out(kPorts + 0x12, index, 2);
    return static_cast<u16>(in(kPorts + 0x10, 2));
  }
  void csr(unsigned index, u16 value) {
    out(kPorts + 0x12, index, 2);
    out(kPorts + 0x10, value, 2);
  }
  u16 bcr(unsigned index) {
    out(kPorts + 0x12, index, 2);
    return static_cast<u16>(in(kPorts + 0x16, 2));
  }
  void bcr(unsigned index, u16 value) {
    out(kPorts + 0x12, index, 2);
    out(kPorts + 0x16, value, 2);
  }
  bool wide() const { return GetParam() != 0; }
  u32 step() const { return wide() ? 16 : 8; }
  bool interrupts() { return (config(kSlot, 0, 6, 2) & 8) != 0; }

  void write_descriptor(u32 ring, u32 index, u32 buffer, u32 bytes, u16 flags) {
    const u32 at = ring + index * step(), count = (0x10000 - bytes) & 0xFFFF;
    if (!wide()) {
      put32(at, buffer | u32{flags} << 16);
      put32(at + 4, count);
      return;
    }
    const bool reordered = GetParam() == 3;
    put32(at + (reordered ? 8 : 0), buffer);
    put32(at + 4, count | u32{flags} << 16);
    put32(at + (reordered ? 0 : 8), 0);
  }
  u16 flags_of(u32 ring, u32 index) {
    const u32 word = get32(ring + index * step() + (wide() ? 4 : 0));
    return static_cast<u16>(word >> 16 & 0xFF00);
  }
  u32 count_of(u32 index) {
    const u32 at = kRxRing + index * step();
    return (wide() ? get32(at + (GetParam() == 3 ? 0 : 8)) : get32(at + 4) >> 16) & 0xFFF;
  }
  void give_back(u32 index) { write_descriptor(kRxRing, index, kBuffers + index * 0x1000, kBufferBytes, kOwn); }

  void start(u16 mode = 0, std::array<u16, 4> filter = {}) {
    in(kPorts + 0x14, 2);
    bcr(20, static_cast<u16>(GetParam()));
    Bytes block{static_cast<u8>(mode), static_cast<u8>(mode >> 8)};
    if (wide()) block.insert(block.end(), {2 << 4, 2 << 4});
    block.insert(block.end(), kCardAddress.begin(), kCardAddress.end());
    if (wide()) block.insert(block.end(), {0, 0});
    for (const u16 word : filter) block.insert(block.end(), {static_cast<u8>(word), static_cast<u8>(word >> 8)});
    put(kBlock, block);
    const auto rings = kBlock + static_cast<u32>(block.size());
    const u32 length = wide() ? 0 : 2u << 29;
    put32(rings, kRxRing | length), put32(rings + 4, kTxRing | length);
    for (u32 i = 0; i < kCount; i++) {
      give_back(i);
      write_descriptor(kTxRing, i, 0, 0, 0);
    }
    csr(1, kBlock), csr(2, 0);
    csr(0, kInit);
    EXPECT_EQ(csr(0) & kInitDone, kInitDone);
    csr(0, kInitDone | kStart | kInterruptEnable);
    EXPECT_EQ(csr(0) & (kTransmitOn | kReceiveOn), kTransmitOn | kReceiveOn);
  }

  std::unique_ptr<Pcnet> card_;
};

TEST_P(PcnetTest, IsKnownByItsIdentity) {
  EXPECT_EQ(config(kSlot, 0, 0, 4), 0x20001022u);
  EXPECT_EQ(csr(88) & 0xFFF, 3);
  EXPECT_EQ(csr(88) >> 12 | csr(89) << 4, 0x2621);
  u32 sum = 0;
  for (u16 i = 0; i < 16; i++) {
    const u32 byte = in(static_cast<u16>(kPorts + i));
    if (i < 6) {
      EXPECT_EQ(byte, kCardAddress[i]);
    }
    if (i != 12 && i != 13) sum += byte;
  }
  EXPECT_EQ(in(kPorts + 12, 2), sum);
  EXPECT_EQ(bcr(4) & 0x8000, 0x8000);
  link.plugged = false;
  EXPECT_EQ(bcr(4), 0xC0);
}

TEST_P(PcnetTest, SendsPacketsOfSeveralDescriptors) {
  start();
  for (u32 i = 0; i < 3 * kCount; i += 2) {
    const Bytes frame = make_frame(kStranger, 100, static_cast<u8>(i));
    put(kTxBuffer, frame);
    write_descriptor(kTxRing, (i + 1) % kCount, kTxBuffer + 40, 60, kOwn | kEndOfPacket);
    write_descriptor(kTxRing, i % kCount, kTxBuffer, 40, kOwn | kStartOfPacket);
    csr(0, kDemand | kInterruptEnable);
    ASSERT_EQ(link.sent.size(), i / 2 + 1);
    EXPECT_EQ(link.sent.back(), frame);
    EXPECT_EQ(flags_of(kTxRing, i % kCount) & kOwn, 0);
  }
  EXPECT_TRUE(interrupts());
  csr(0, kTransmitted | kInterruptEnable);
  EXPECT_FALSE(interrupts());
}

TEST_P(PcnetTest, ReceivesIntoTheRing) {
  start();
  for (u32 i = 0; i < 2 * kCount; i++) {
    const Bytes frame = make_frame(kCardAddress, 500, static_cast<u8>(i));
    ASSERT_TRUE(offer(frame)) << i;
    EXPECT_EQ(flags_of(kRxRing, i % kCount), kStartOfPacket | kEndOfPacket);
    EXPECT_EQ(count_of(i % kCount), 504u);
    EXPECT_EQ(memory_at(kBuffers + i % kCount * 0x1000, 500), frame);
    EXPECT_TRUE(interrupts());
    csr(0, kReceived | kInterruptEnable);
    EXPECT_FALSE(interrupts());
    give_back(i % kCount);
  }
}

TEST_P(PcnetTest, AFrameMayTakeSeveralBuffers) {
  start();
  for (u32 i = 0; i < kCount; i++) write_descriptor(kRxRing, i, kBuffers + i * 0x1000, 512, kOwn);
  const Bytes frame = make_frame(kCardAddress, 1000);
  ASSERT_TRUE(offer(frame));
  EXPECT_EQ(flags_of(kRxRing, 0), kStartOfPacket);
  EXPECT_EQ(flags_of(kRxRing, 1), kEndOfPacket);
  EXPECT_EQ(count_of(1), 1004u);
  EXPECT_EQ(memory_at(kBuffers + 0x1000, 488), Bytes(frame.begin() + 512, frame.end()));
  // The third frame finds one buffer of the two that it needs.
  link.receiver->receive(frame);
  EXPECT_EQ(flags_of(kRxRing, 3), kEndOfPacket);
  write_descriptor(kRxRing, 0, kBuffers, 512, kOwn);
  link.receiver->receive(frame);
  EXPECT_EQ(flags_of(kRxRing, 0) & (kError | kBufferError), kError | kBufferError);
}

TEST_P(PcnetTest, WithoutBuffersFramesWaitAndThoseThatComeAreMissed) {
  start();
  unsigned taken = 0;
  while (offer(make_frame(kCardAddress))) taken++;
  EXPECT_EQ(taken, kCount);
  link.receiver->receive(make_frame(kCardAddress));
  EXPECT_EQ(csr(0) & kMissed, kMissed);
  EXPECT_EQ(csr(112), 1);
  const unsigned asked = link.ready;
  give_back(0);
  csr(0, kReceived | kMissed | kInterruptEnable);
  EXPECT_GT(link.ready, asked);
  EXPECT_TRUE(offer(make_frame(kCardAddress)));
}

TEST_P(PcnetTest, LetsInWhatTheFilterSays) {
  const auto taken = [&](u16 mode, const MacAddress& to, std::array<u16, 4> filter = {}) {
    start(mode, filter);
    EXPECT_TRUE(offer(make_frame(to)));
    return (flags_of(kRxRing, 0) & kOwn) == 0;
  };
  EXPECT_TRUE(taken(0, kCardAddress));
  EXPECT_TRUE(taken(0, kBroadcast));
  EXPECT_FALSE(taken(0, kStranger));
  EXPECT_FALSE(taken(0, kGroup));
  EXPECT_FALSE(taken(kNoBroadcast, kBroadcast));
  EXPECT_FALSE(taken(kNoPhysical, kCardAddress));
  EXPECT_TRUE(taken(kPromiscuous, kStranger));
  EXPECT_TRUE(taken(0, kGroup, {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}));
  // The bit of this group alone: the CRC of its address, least significant bit first, has the upper six bits 2.
  u32 crc = ~0u;
  for (const u8 byte : kGroup) {
    for (unsigned bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (((crc ^ (byte >> bit)) & 1) != 0 ? 0xEDB88320 : 0);
  }
  std::array<u16, 4> one{};
  one[crc >> 30] = static_cast<u16>(1u << (crc >> 26 & 15));
  EXPECT_TRUE(taken(0, kGroup, one));
  for (u16& word : one) word = static_cast<u16>(~word);
  EXPECT_FALSE(taken(0, kGroup, one));
}

TEST_P(PcnetTest, MaskedCausesDoNotInterrupt) {
  start();
  csr(3, kReceived);
  ASSERT_TRUE(offer(make_frame(kCardAddress)));
  EXPECT_FALSE(interrupts());
  csr(3, 0);
  EXPECT_TRUE(interrupts());
  csr(0, 0);
  EXPECT_FALSE(interrupts());
}

TEST_P(PcnetTest, StopsAndStartsAgain) {
  start();
  csr(0, kStop);
  EXPECT_EQ(csr(0), kStop);
  EXPECT_FALSE(link.receiver->listening());
  start();
  EXPECT_TRUE(link.receiver->listening());
}

TEST_P(PcnetTest, DwordsAreTakenAfterTheFirstOne) {
  out(kPorts + 0x10, 0, 4);
  out(kPorts + 0x14, 88, 4);
  EXPECT_EQ(in(kPorts + 0x14, 4), 88u);
  EXPECT_EQ(in(kPorts + 0x10, 4) & 0xFFF, 3u);
}

TEST_P(PcnetTest, LoopbackComesBack) {
  start(kLoop);
  const Bytes frame = make_frame(kCardAddress, 64);
  put(kTxBuffer, frame);
  write_descriptor(kTxRing, 0, kTxBuffer, 64, kOwn | kStartOfPacket | kEndOfPacket);
  csr(0, kDemand | kInterruptEnable);
  EXPECT_TRUE(link.sent.empty());
  EXPECT_EQ(memory_at(kBuffers, 64), frame);
}

TEST_P(PcnetTest, RingsThatLeadNowhereAreContained) {
  start();
  csr(24, kMemory & 0xFFFF), csr(25, kMemory >> 16);
  offer(make_frame(kCardAddress));
  csr(30, kMemory & 0xFFFF), csr(31, kMemory >> 16);
  csr(0, kDemand);
  // A ring of the greatest length in which every descriptor is ours and none ends a packet.
  csr(30, 0), csr(31, 8), csr(78, 0);
  put(0x80000, Bytes(0x80000, 0xF0));
  csr(0, kDemand);
  pass(100'000);
  SUCCEED();
}

TEST_P(PcnetTest, KeepsItsState) {
  start();
  put(kTxBuffer, Bytes(40));
  write_descriptor(kTxRing, 0, kTxBuffer, 40, kOwn | kStartOfPacket);
  csr(0, kDemand);
  offer(make_frame(kCardAddress));
  expect_state_kept(*card_);
}

INSTANTIATE_TEST_SUITE_P(Styles, PcnetTest, ::testing::Values(0u, 2u, 3u));

}  // namespace
}  // namespace relic86
