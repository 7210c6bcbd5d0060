#include "devices/network/rtl8139.h"

#include "devices/network/rtl8139_registers.h"
#include "tests/devices/network/card_board.h"

namespace relic86 {
namespace {

using namespace test;
using namespace rtl8139;

class Rtl8139Test : public ::testing::Test, protected CardBoard {
 protected:
  static constexpr u32 kRing = 0x40000, kBuffer = 0x20000, kTxTable = 0x10000, kRxTable = 0x11000, kCount = 4;

  Rtl8139Test() { plug(card_); }

  u32 get(unsigned offset, unsigned width) { return in(static_cast<u16>(kPorts + offset), width); }
  void set(unsigned offset, unsigned width, u32 value) { out(static_cast<u16>(kPorts + offset), value, width); }
  bool interrupts() { return (config(kSlot, 0, 6, 2) & 8) != 0; }

  void start_legacy(u32 receive_configuration = 0x0A) {
    set(kCr, 1, kResetChip);
    set(kRbstart, 4, kRing);
    set(kRcr, 4, receive_configuration);
    set(kImr, 2, 0xFFFF);
    set(kCr, 1, kReceiveEnable | kTransmitEnable);
  }
  void start_enhanced(u16 more = 0) {
    set(kCr, 1, kResetChip);
    set(kCpcr, 2, kCpTransmit | kCpReceive | more);
    set(kTsad, 4, kTxTable), set(kTsad + 4, 4, 0);
    set(kRdsar, 4, kRxTable), set(kRdsar + 4, 4, 0);
    set(kRcr, 4, 0x0A);
    set(kImr, 2, 0xFFFF);
    set(kCr, 1, kReceiveEnable | kTransmitEnable);
    for (u32 i = 0; i < kCount; i++) give_back(i);
  }
  void give_back(u32 i) {
    put32(kRxTable + i * 16, kDescriptorOwn | (i == kCount - 1 ? kDescriptorEnd : 0) | 1536);
    put32(kRxTable + i * 16 + 8, kRing + i * 0x800), put32(kRxTable + i * 16 + 12, 0);
  }
  void send_descriptor(u32 i, u32 bits, const Bytes& bytes, u32 tag = 0) {
    put(kBuffer + i * 0x4000, bytes);
    put32(kTxTable + i * 16 + 4, tag);
    put32(kTxTable + i * 16 + 8, kBuffer + i * 0x4000), put32(kTxTable + i * 16 + 12, 0);
    put32(kTxTable + i * 16,
          bits | kDescriptorOwn | (i == kCount - 1 ? kDescriptorEnd : 0) | static_cast<u32>(bytes.size()));
  }

  std::unique_ptr<Rtl8139> card_;
};

TEST_F(Rtl8139Test, IsKnownByItsIdentity) {
  EXPECT_EQ(config(kSlot, 0, 0, 4), 0x813910ECu);
  EXPECT_EQ(config(kSlot, 0, 8, 1), 0x20u);
  for (unsigned i = 0; i < 6; i++) EXPECT_EQ(get(kIdr + i, 1), kCardAddress[i]);
  EXPECT_EQ(get(kTcr, 4) & 0x7CC00000, 0x74800000u);
  EXPECT_EQ(get(kBmsr, 2) & 0x24, 0x24u);
  link.plugged = false;
  EXPECT_EQ(get(kBmsr, 2) & 4, 0u);
  EXPECT_EQ(get(kMsr, 1) & 4, 4u);
}

TEST_F(Rtl8139Test, SendsFromItsFourDescriptors) {
  start_legacy();
  for (unsigned i = 0; i < 9; i++) {
    const Bytes frame = make_frame(kStranger, 60 + i);
    put(kBuffer, frame);
    set(kTsad + i % 4 * 4, 4, kBuffer);
    set(kTsd + i % 4 * 4, 4, static_cast<u32>(frame.size()));
    ASSERT_EQ(link.sent.size(), i + 1);
    EXPECT_EQ(link.sent.back(), frame);
    EXPECT_EQ(get(kTsd + i % 4 * 4, 4) & (kOwn | kSent), kOwn | kSent);
  }
  EXPECT_TRUE(interrupts());
  EXPECT_EQ(get(kIsr, 2), kTransmitOk);
  set(kIsr, 2, kTransmitOk);
  EXPECT_FALSE(interrupts());
}

TEST_F(Rtl8139Test, ReceivesIntoARingThatGoesRound) {
  start_legacy();
  EXPECT_EQ(get(kCr, 1) & kBufferEmpty, kBufferEmpty);
  u32 at = 0;
  for (unsigned i = 0; i < 40; i++) {
    const Bytes frame = make_frame(kCardAddress, 701, static_cast<u8>(i));
    ASSERT_TRUE(offer(frame)) << i;
    EXPECT_EQ(get(kCr, 1) & kBufferEmpty, 0u);
    Bytes got;
    for (u32 b = 0; b < 4 + 701; b++) got.push_back(memory_at(kRing + (at + b) % 8192, 1)[0]);
    EXPECT_EQ(got[0] & 1, 1);
    EXPECT_EQ(got[1] & 0x40, 0x40) << "our address";
    EXPECT_EQ(got[2] | got[3] << 8, 705);
    EXPECT_EQ(Bytes(got.begin() + 4, got.end()), frame) << i;
    at = (at + 4 + 705 + 3) / 4 * 4 % 8192;
    EXPECT_EQ(get(kCbr, 2), at);
    set(kCapr, 2, (at - 16) & 0xFFFF);
    EXPECT_EQ(get(kCr, 1) & kBufferEmpty, kBufferEmpty);
  }
}

TEST_F(Rtl8139Test, WithWrapAFrameGoesOnBehindTheRing) {
  start_legacy(0x0A | kWrap);
  Bytes frame;
  for (unsigned i = 0; i < 6; i++) {  // the sixth begins at 7540
    frame = make_frame(kCardAddress, 1500, static_cast<u8>(i));
    const u32 at = get(kCbr, 2);
    ASSERT_TRUE(offer(frame));
    EXPECT_EQ(memory_at(kRing + at + 4, 1500), frame);
    set(kCapr, 2, (get(kCbr, 2) - 16) & 0xFFFF);
  }
  EXPECT_LT(get(kCbr, 2), 7540u);
}

TEST_F(Rtl8139Test, AFullRingHoldsFramesBackAndCountsThoseThatComeEvenSo) {
  start_legacy();
  while (offer(make_frame(kCardAddress, 1500))) {
  }
  set(kIsr, 2, 0xFFFF);
  for (unsigned i = 0; i < 5; i++) link.receiver->receive(make_frame(kCardAddress, 1500));
  EXPECT_EQ(get(kIsr, 2) & kReceiveOverflow, kReceiveOverflow);
  EXPECT_GE(get(kMpc, 4), 4u);
  const unsigned asked = link.ready;
  set(kCapr, 2, (get(kCbr, 2) - 16) & 0xFFFF);
  EXPECT_GT(link.ready, asked);
  EXPECT_TRUE(offer(make_frame(kCardAddress, 1500)));
}

TEST_F(Rtl8139Test, LetsInWhatTheFilterSays) {
  const auto taken = [&](u32 filter, const MacAddress& to) {
    start_legacy(filter);
    EXPECT_TRUE(offer(make_frame(to)));
    return get(kCbr, 2) != 0;
  };
  EXPECT_TRUE(taken(kAcceptMatch, kCardAddress));
  EXPECT_FALSE(taken(kAcceptMatch, kStranger));
  EXPECT_FALSE(taken(kAcceptMatch, kBroadcast));
  EXPECT_TRUE(taken(kAcceptBroadcast, kBroadcast));
  EXPECT_TRUE(taken(kAcceptAll, kStranger));
  EXPECT_FALSE(taken(kAcceptMulticast, kGroup));
  const u32 hash = ethernet_crc(kGroup) >> 26;
  set(kMar + (hash >> 3), 1, 1u << (hash & 7));
  EXPECT_TRUE(taken(kAcceptMulticast, kGroup));
  EXPECT_FALSE(taken(kAcceptMatch, kGroup));
}

TEST_F(Rtl8139Test, EnhancedModeSendsPacketsOfSeveralDescriptors) {
  start_enhanced();
  for (u32 i = 0; i < 3 * kCount; i += 2) {
    const Bytes frame = make_frame(kStranger, 100, static_cast<u8>(i));
    send_descriptor(i % kCount, kFirst, Bytes(frame.begin(), frame.begin() + 40));
    send_descriptor((i + 1) % kCount, kLast, Bytes(frame.begin() + 40, frame.end()));
    set(kTppoll, 1, 0x40);
    ASSERT_EQ(link.sent.size(), i / 2 + 1);
    EXPECT_EQ(link.sent.back(), frame);
    EXPECT_EQ(get32(kTxTable + i % kCount * 16) & kDescriptorOwn, 0u);
  }
  EXPECT_EQ(get(kIsr, 2) & kTransmitOk, kTransmitOk);
}

TEST_F(Rtl8139Test, EnhancedModeInsertsChecksumsAndCutsSegments) {
  start_enhanced();
  send_descriptor(0, kFirst | kLast | 1u << 18 | 1u << 16, make_tcp_frame(50));
  set(kTppoll, 1, 0x40);
  ASSERT_EQ(link.sent.size(), 1u);
  EXPECT_TRUE(checksums_right(link.sent[0]));
  const Bytes packet = make_tcp_frame(3000);
  send_descriptor(1, kFirst | kLast | kLargeSend | 1460u << 16, packet);
  set(kTppoll, 1, 0x40);
  ASSERT_EQ(link.sent.size(), 4u);
  Bytes data;
  for (std::size_t i = 1; i < 4; i++) {
    EXPECT_TRUE(checksums_right(link.sent[i])) << i;
    data.insert(data.end(), link.sent[i].begin() + kTcpDataAt, link.sent[i].end());
  }
  EXPECT_EQ(data, Bytes(packet.begin() + kTcpDataAt, packet.end()));
}

TEST_F(Rtl8139Test, EnhancedModeReceivesIntoATable) {
  start_enhanced(kCpChecksums);
  for (u32 i = 0; i < 2 * kCount; i++) {
    const Bytes frame = make_frame(kCardAddress, 300, static_cast<u8>(i));
    ASSERT_TRUE(offer(frame)) << i;
    const u32 status = get32(kRxTable + i % kCount * 16);
    EXPECT_EQ(status & (kDescriptorOwn | kFirst | kLast | 0x1FFF), kFirst | kLast | 304);
    EXPECT_EQ((status & kDescriptorEnd) != 0, i % kCount == kCount - 1);
    EXPECT_EQ(memory_at(kRing + i % kCount * 0x800, 300), frame);
    give_back(i % kCount);
  }
  for (u32 i = 0; i < kCount; i++) ASSERT_TRUE(offer(make_frame(kCardAddress)));
  EXPECT_FALSE(offer(make_frame(kCardAddress)));
  link.receiver->receive(make_frame(kCardAddress));
  EXPECT_EQ(get(kIsr, 2) & kReceiveOverflow, kReceiveOverflow);
}

TEST_F(Rtl8139Test, TheTimerInterruptsAtItsLimit) {
  start_legacy();
  set(kTimerInt, 4, 33'000);  // a millisecond
  set(kTctr, 4, 0);
  pass(999'000);
  EXPECT_FALSE(interrupts());
  pass(2'000);
  EXPECT_TRUE(interrupts());
  EXPECT_EQ(get(kIsr, 2), kTimeOut);
}

TEST_F(Rtl8139Test, EepromIsReadOverItsWires) {
  const auto pulse = [&](bool data) {
    const u8 base = static_cast<u8>(0x88 | (data ? 2 : 0));
    set(k9346cr, 1, base);
    set(k9346cr, 1, base | 4u);
    const bool out = (get(k9346cr, 1) & 1) != 0;
    set(k9346cr, 1, base);
    return out;
  };
  set(k9346cr, 1, 0x80);
  set(k9346cr, 1, 0x88);
  constexpr u32 kCommand = 6u << 6 | 7;
  for (unsigned bit = 9; bit-- > 0;) pulse((kCommand >> bit & 1) != 0);
  u32 value = 0;
  for (unsigned bit = 0; bit < 16; bit++) value = value << 1 | (pulse(false) ? 1 : 0);
  EXPECT_EQ(value, 0x5452u);
}

TEST_F(Rtl8139Test, TablesThatLeadNowhereAreContained) {
  start_enhanced();
  set(kTsad, 4, kMemory), set(kRdsar, 4, kMemory);
  set(kTppoll, 1, 0x40);
  offer(make_frame(kCardAddress));
  set(kTsad, 4, 0xFFFFFF00), set(kTsad + 4, 4, 0xFFFFFFFF);
  set(kTppoll, 1, 0x40);
  // A table in which every descriptor is ours for ever, with itself as the buffer.
  set(kTsad, 4, kTxTable), set(kTsad + 4, 4, 0);
  for (u32 i = 0; i < 64; i++) put32(kTxTable + i * 16, kDescriptorOwn | 0xFFFF);
  set(kTppoll, 1, 0x40);
  pass(1'000'000);
  SUCCEED();
}

TEST_F(Rtl8139Test, KeepsItsState) {
  start_enhanced();
  send_descriptor(0, kFirst, Bytes(100));
  set(kTppoll, 1, 0x40);
  offer(make_frame(kCardAddress));
  expect_state_kept(*card_);
}

}  // namespace
}  // namespace relic86
