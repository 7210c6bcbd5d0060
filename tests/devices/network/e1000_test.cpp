#include "devices/network/e1000.h"

#include "tests/devices/network/card_board.h"

namespace relic86 {
namespace {

using namespace test;
using namespace e1000;

class E1000Test : public ::testing::Test, protected CardBoard {
 protected:
  static constexpr u32 kTxRing = 0x10000, kRxRing = 0x11000, kTxBuffer = 0x20000, kRxBuffers = 0x40000;
  static constexpr u32 kCount = 8;

  E1000Test() {
    plug(card_);
    write(kTdbal, kTxRing), write(kTdlen, kCount * 16);
    write(kRdbal, kRxRing), write(kRdlen, kCount * 16);
    for (u32 i = 0; i < kCount; i++) {
      put32(kRxRing + i * 16, kRxBuffers + i * 0x1000);
      for (u32 at = 4; at < 16; at += 4) put32(kRxRing + i * 16 + at, 0);
    }
    write(kTctl, kTctlEnable);
    write(kRctl, kRctlEnable | kRctlBroadcast);
    write(kRdt, kCount - 1);
  }

  u32 read(u32 offset) { return static_cast<u32>(memory.read(PhysAddr(kMemory + offset), 4)); }
  void write(u32 offset, u32 value) { memory.write(PhysAddr(kMemory + offset), 4, value); }

  // One descriptor at the tail; the ring's tail moves only with submit().
  void descriptor(u64 low, u64 high) {
    const u32 at = kTxRing + tail_ * 16;
    put32(at, static_cast<u32>(low)), put32(at + 4, static_cast<u32>(low >> 32));
    put32(at + 8, static_cast<u32>(high)), put32(at + 12, static_cast<u32>(high >> 32));
    tail_ = (tail_ + 1) % kCount;
  }
  void submit() { write(kTdt, tail_); }
  void legacy(const Bytes& frame, u8 command, u32 buffer = kTxBuffer) {
    put(buffer, frame);
    descriptor(buffer, frame.size() | u64{command} << 24);
  }
  // The received descriptor n, and its buffer's first bytes.
  u8 status(u32 n) { return memory_at(kRxRing + n * 16 + 12, 1)[0]; }
  u8 errors(u32 n) { return memory_at(kRxRing + n * 16 + 13, 1)[0]; }
  u32 length(u32 n) { return get32(kRxRing + n * 16 + 8) & 0xFFFF; }
  bool interrupts() { return (config(kSlot, 0, 6, 2) & 8) != 0; }

  std::unique_ptr<E1000> card_;
  u32 tail_ = 0;
};

TEST_F(E1000Test, EepromHoldsTheAddressAndTheRightSum) {
  u16 sum = 0;
  for (u32 word = 0; word < 64; word++) {
    write(kEerd, word << 8 | kEerdStart);
    const u32 answer = read(kEerd);
    ASSERT_EQ(answer & kEerdDone, kEerdDone);
    const auto value = static_cast<u16>(answer >> 16);
    if (word < 3) {
      EXPECT_EQ(value, kCardAddress[word * 2] | kCardAddress[word * 2 + 1] << 8);
    }
    sum = static_cast<u16>(sum + value);
  }
  EXPECT_EQ(sum, 0xBABA);
  EXPECT_EQ(read(kRa), 0x12005452u);
  EXPECT_EQ(read(kRa + 4), 0x80005634u);
}

TEST_F(E1000Test, EepromIsReadOverItsWires) {
  write(kEecd, kEecdRequest);
  EXPECT_EQ(read(kEecd) & kEecdGrant, kEecdGrant);
  const auto pulse = [&](u32 data) {
    write(kEecd, kEecdRequest | kEecdSelect | data);
    write(kEecd, kEecdRequest | kEecdSelect | data | kEecdClock);
    const bool out = (read(kEecd) & kEecdDataOut) != 0;
    write(kEecd, kEecdRequest | kEecdSelect | data);
    return out;
  };
  write(kEecd, kEecdRequest | kEecdSelect);
  constexpr u32 kCommand = 6u << 6 | 1;  // start bit, READ, word 1
  for (unsigned bit = 9; bit-- > 0;) pulse((kCommand >> bit & 1) != 0 ? kEecdDataIn : 0);
  u32 value = 0;
  for (unsigned bit = 0; bit < 16; bit++) value = value << 1 | (pulse(0) ? 1 : 0);
  EXPECT_EQ(value, 0x1200u);
}

TEST_F(E1000Test, PhyIsThereAndHasALink) {
  const auto phy = [&](u32 reg) {
    write(kMdic, 2u << 26 | 1u << 21 | reg << 16);
    EXPECT_EQ(read(kMdic) >> 28, 1u);
    return read(kMdic) & 0xFFFF;
  };
  EXPECT_EQ(phy(2), 0x0141u);
  EXPECT_EQ(phy(3), 0x0C20u);
  EXPECT_EQ(phy(1) & 0x24, 0x24u);
  EXPECT_EQ(read(kStatus) & 3, 3u);
  link.plugged = false;
  link.receiver->link_changed(false);
  EXPECT_EQ(phy(1) & 0x24, 0u);
  EXPECT_EQ(read(kStatus) & 2, 0u);
  EXPECT_EQ(read(kIcr) & kLsc, kLsc);
  write(kMdic, 2u << 26 | 7u << 21 | 2u << 16);
  EXPECT_EQ(read(kMdic) >> 30 & 1, 1u) << "there is no PHY 7";
}

TEST_F(E1000Test, SendsALegacyFrameAndReportsIt) {
  const Bytes frame = make_frame(kStranger, 77);
  write(kIms, kTxdw);
  legacy(frame, kTxEnd | kTxReport);
  submit();
  ASSERT_EQ(link.sent.size(), 1u);
  EXPECT_EQ(link.sent[0], frame);
  EXPECT_EQ(get32(kTxRing + 12) & 1, 1u);
  EXPECT_EQ(read(kTdh), 1u);
  EXPECT_TRUE(interrupts());
  EXPECT_EQ(read(kIcr) & kTxdw, kTxdw);
  EXPECT_FALSE(interrupts());
  EXPECT_EQ(read(0x4080), 1u) << "good packets transmitted";
  EXPECT_EQ(read(0x4080), 0u);
}

TEST_F(E1000Test, GathersAFrameFromSeveralDescriptorsAndGoesRound) {
  for (unsigned i = 0; i < 3 * kCount; i++) {
    const Bytes frame = make_frame(kStranger, 90, static_cast<u8>(i));
    legacy(Bytes(frame.begin(), frame.begin() + 30), 0);
    legacy(Bytes(frame.begin() + 30, frame.end()), kTxEnd, kTxBuffer + 0x800);
    submit();
    ASSERT_EQ(link.sent.size(), i + 1);
    EXPECT_EQ(link.sent.back(), frame);
  }
}

TEST_F(E1000Test, InsertsChecksums) {
  Bytes frame = make_tcp_frame(100);
  // As a driver: the pseudo header's sum without the length stands in the checksum field; here with it, no
  // segmentation.
  const u32 pseudo = internet_sum(std::span(frame).subspan(kIpAt + 12, 8), 6) + 120;
  store_big16(frame, kTcpAt + 16, (pseudo & 0xFFFF) + (pseudo >> 16));
  put(kTxBuffer, frame);
  // Context: IPCSS 14, IPCSO 24, IPCSE 33; TUCSS 34, TUCSO 50, TUCSE 0.
  descriptor(14 | 24 << 8 | u64{33} << 16 | u64{34} << 32 | u64{50} << 40, u64{kTxExtended} << 24);
  descriptor(kTxBuffer, frame.size() | u64{1} << 20 | u64{kTxExtended | kTxEnd} << 24 | u64{3} << 40);
  submit();
  ASSERT_EQ(link.sent.size(), 1u);
  EXPECT_TRUE(checksums_right(link.sent[0]));
  EXPECT_EQ(Bytes(link.sent[0].begin() + kTcpDataAt, link.sent[0].end()),
            Bytes(frame.begin() + kTcpDataAt, frame.end()));
}

TEST_F(E1000Test, CutsALongPacketIntoSegments) {
  constexpr std::size_t kData = 3500, kMss = 1460;
  Bytes frame = make_tcp_frame(kData);
  const u32 pseudo = internet_sum(std::span(frame).subspan(kIpAt + 12, 8), 6);  // without the length
  store_big16(frame, kTcpAt + 16, (pseudo & 0xFFFF) + (pseudo >> 16));
  put(kTxBuffer, frame);
  const u8 context = kTxExtended | kTxSegment | kTxContextIpv4 | kTxContextTcp;
  descriptor(14 | 24 << 8 | u64{33} << 16 | u64{34} << 32 | u64{50} << 40,
             (frame.size() - kTcpDataAt) | u64{context} << 24 | u64{kTcpDataAt} << 40 | u64{kMss} << 48);
  descriptor(kTxBuffer, frame.size() | u64{1} << 20 | u64{kTxExtended | kTxEnd | kTxSegment} << 24 | u64{3} << 40);
  submit();
  ASSERT_EQ(link.sent.size(), 3u);
  Bytes data;
  for (std::size_t i = 0; i < 3; i++) {
    const Bytes& segment = link.sent[i];
    EXPECT_TRUE(checksums_right(segment)) << i;
    EXPECT_EQ(load_big32(segment, kTcpAt + 4), 0x11223344 + i * kMss);
    EXPECT_EQ(load_big16(segment, kIpAt + 4), 0x1234 + i);
    EXPECT_EQ(segment[kTcpAt + 13], i == 2 ? 0x18 : 0x10) << "PSH in the last one alone";
    data.insert(data.end(), segment.begin() + kTcpDataAt, segment.end());
  }
  EXPECT_EQ(data, Bytes(frame.begin() + kTcpDataAt, frame.end()));
}

TEST_F(E1000Test, ReceivesAndInterrupts) {
  write(kIms, kRxt0);
  const Bytes frame = make_frame(kCardAddress, 200);
  ASSERT_TRUE(offer(frame));
  EXPECT_EQ(status(0) & 3, 3);
  EXPECT_EQ(length(0), 204u);
  EXPECT_EQ(memory_at(kRxBuffers, 200), frame);
  EXPECT_EQ(read(kRdh), 1u);
  EXPECT_TRUE(interrupts());
  EXPECT_EQ(read(kIcr) & kRxt0, kRxt0);
  write(kRctl, kRctlEnable | kRctlStripCrc);
  ASSERT_TRUE(offer(frame));
  EXPECT_EQ(length(1), 200u);
}

TEST_F(E1000Test, AFrameMayTakeSeveralBuffers) {
  write(kRctl, kRctlEnable | 3u << 16);  // 256 bytes each
  const Bytes frame = make_frame(kCardAddress, 600);
  ASSERT_TRUE(offer(frame));
  EXPECT_EQ(status(0) & 3, 1);
  EXPECT_EQ(status(1) & 3, 1);
  EXPECT_EQ(status(2) & 3, 3);
  EXPECT_EQ(length(2), 604u - 512);
  EXPECT_EQ(memory_at(kRxBuffers + 0x1000, 256), Bytes(frame.begin() + 256, frame.begin() + 512));
}

TEST_F(E1000Test, LetsInWhatTheFiltersSay) {
  const auto taken = [&](const MacAddress& to) {
    const u32 before = read(kRdh);
    EXPECT_TRUE(offer(make_frame(to)));
    const u32 after = read(kRdh);
    write(kRdt, (after + kCount - 1) % kCount);
    return before != after;
  };
  EXPECT_TRUE(taken(kCardAddress));
  EXPECT_TRUE(taken(kBroadcast));
  EXPECT_FALSE(taken(kStranger));
  EXPECT_FALSE(taken(kGroup));
  write(kRctl, kRctlEnable);
  EXPECT_FALSE(taken(kBroadcast));
  write(kRctl, kRctlEnable | kRctlUnicast);
  EXPECT_TRUE(taken(kStranger));
  write(kRctl, kRctlEnable | kRctlMulticast);
  EXPECT_TRUE(taken(kGroup));
  write(kRctl, kRctlEnable);
  const u32 index = ((u32{kGroup[4]} | u32{kGroup[5]} << 8) >> 4) & 0xFFF;
  write(kMta + index / 32 * 4, 1u << (index % 32));
  EXPECT_TRUE(taken(kGroup));
  write(kRa + 8, 0x00000002), write(kRa + 12, 0x80000900);
  EXPECT_TRUE(taken(kStranger)) << "a second address";
}

TEST_F(E1000Test, ChecksReceivedChecksums) {
  write(kRxcsum, kRxcsumIp | kRxcsumTransport);
  write(kRctl, kRctlEnable | kRctlUnicast);
  Bytes frame = make_tcp_frame(64);
  store_big16(frame, kIpAt + 10, sum_of(std::span(frame).subspan(kIpAt, 20)));
  const u32 pseudo = internet_sum(std::span(frame).subspan(kIpAt + 12, 8), 6) + 84;
  store_big16(frame, kTcpAt + 16, internet_checksum(internet_sum(std::span(frame).subspan(kTcpAt), pseudo)));
  ASSERT_TRUE(offer(frame));
  EXPECT_EQ(status(0) & 0x64, 0x60);
  EXPECT_EQ(errors(0), 0);
  frame.back() ^= 1;
  ASSERT_TRUE(offer(frame));
  EXPECT_EQ(errors(1), kRxTransportError);
  ASSERT_TRUE(offer(make_frame(kCardAddress)));
  EXPECT_EQ(status(2) & 0x64, 4) << "no IP: nothing was checked";
}

TEST_F(E1000Test, VlanTagsAreFilteredStrippedAndInserted) {
  Bytes tagged = make_frame(kCardAddress, 104);
  tagged[12] = 0x81, tagged[13] = 0x00, tagged[14] = 0x20, tagged[15] = 0x05;  // VLAN 5
  write(kRctl, kRctlEnable | kRctlVlanFilter);
  const u32 before = read(kRdh);
  ASSERT_TRUE(offer(tagged));
  EXPECT_EQ(read(kRdh), before) << "VLAN 5 is not let in";
  write(kVfta, 1u << 5);
  write(kCtrl, read(kCtrl) | kCtrlVlanMode);
  ASSERT_TRUE(offer(tagged));
  EXPECT_EQ(status(0) & kRxVlan, kRxVlan);
  EXPECT_EQ(get32(kRxRing + 12) >> 16, 0x2005u);
  EXPECT_EQ(length(0), 104u);
  put(kTxBuffer, make_frame(kStranger, 80));
  descriptor(kTxBuffer, 80 | u64{kTxEnd | kTxVlan} << 24 | u64{0x2005} << 48);
  submit();
  ASSERT_EQ(link.sent.size(), 1u);
  EXPECT_EQ(link.sent[0].size(), 84u);
  EXPECT_EQ(Bytes(link.sent[0].begin() + 12, link.sent[0].begin() + 16), (Bytes{0x81, 0x00, 0x20, 0x05}));
}

TEST_F(E1000Test, WithoutBuffersFramesWaitAndThoseThatComeAreCounted) {
  unsigned taken = 0;
  while (offer(make_frame(kCardAddress))) taken++;
  EXPECT_EQ(taken, kCount - 1);
  read(kIcr);
  link.receiver->receive(make_frame(kCardAddress));
  EXPECT_EQ(read(kIcr) & kRxo, kRxo);
  EXPECT_EQ(read(0x4010), 1u) << "missed packets";
  const unsigned asked = link.ready;
  write(kRdt, 3);
  EXPECT_GT(link.ready, asked);
  EXPECT_TRUE(offer(make_frame(kCardAddress)));
}

// Intel's packet driver for DOS has two buffers in a ring of eight, and hands them over again by moving the tail to the
// beginning of the ring and then behind them, where it was before.
TEST_F(E1000Test, DescriptorsAreFetchedWhereverTheTailGoes) {
  write(kRctl, 0);
  for (u32 i = 2; i < kCount; i++) put32(kRxRing + i * 16, 0);
  write(kRdh, 0), write(kRdt, 2);
  write(kRctl, kRctlEnable | kRctlStripCrc);
  for (unsigned round = 0; round < 3; round++) {
    for (u32 n = 0; n < 2; n++) {
      const Bytes frame = make_frame(kCardAddress, 100 + 10 * round + n);
      ASSERT_TRUE(offer(frame)) << "round " << round;
      EXPECT_EQ(status(n) & 3, 3) << "round " << round;
      EXPECT_EQ(length(n), frame.size());
      EXPECT_EQ(memory_at(kRxBuffers + n * 0x1000, frame.size()), frame);
      put32(kRxRing + n * 16 + 12, 0);
    }
    if (round > 0) {
      EXPECT_EQ(status(7), 1) << "descriptors without a buffer are done, and no more";
    }
    EXPECT_EQ(read(kRdh), 2u);
    EXPECT_FALSE(offer(make_frame(kCardAddress)));
    write(kRdt, 0), write(kRdt, 2);
  }
}

TEST_F(E1000Test, AFrameWithoutABufferIsLost) {
  for (u32 i = 1; i < kCount; i++) put32(kRxRing + i * 16, 0);
  ASSERT_TRUE(offer(make_frame(kCardAddress)));
  put32(kRxRing, 0);
  read(kIcr);
  offer(make_frame(kCardAddress));
  EXPECT_EQ(read(kIcr) & (kRxo | kRxt0), kRxo);
  EXPECT_EQ(read(kRdh), kCount - 1);
}

TEST_F(E1000Test, SettingARingUpAgainTakesNothingOver) {
  ASSERT_TRUE(offer(make_frame(kCardAddress)));
  write(kRctl, 0);
  write(kRdt, 0), write(kRdh, 0);
  write(kRctl, kRctlEnable);
  EXPECT_FALSE(offer(make_frame(kCardAddress)));
  write(kRdt, 2);
  EXPECT_TRUE(offer(make_frame(kCardAddress)));
  EXPECT_TRUE(offer(make_frame(kCardAddress)));
  EXPECT_FALSE(offer(make_frame(kCardAddress)));
}

TEST_F(E1000Test, InterruptsAreThrottled) {
  write(kItr, 1000);  // 256 us
  write(kIms, kRxt0);
  clock.time = 1'000'000;
  ASSERT_TRUE(offer(make_frame(kCardAddress)));
  EXPECT_TRUE(interrupts());
  read(kIcr);
  ASSERT_TRUE(offer(make_frame(kCardAddress)));
  EXPECT_FALSE(interrupts());
  pass(255'999);
  EXPECT_FALSE(interrupts());
  pass(1);
  EXPECT_TRUE(interrupts());
}

TEST_F(E1000Test, AReceiveDelayGathersFramesUpToItsLimit) {
  write(kRdtr, 100), write(kRadv, 150);
  write(kIms, kRxt0);
  ASSERT_TRUE(offer(make_frame(kCardAddress)));
  pass(60 * 1024);
  ASSERT_TRUE(offer(make_frame(kCardAddress)));
  pass(60 * 1024);
  EXPECT_FALSE(interrupts());
  pass(30 * 1024);
  EXPECT_TRUE(interrupts()) << "the absolute limit";
  read(kIcr);
  ASSERT_TRUE(offer(make_frame(kCardAddress)));
  write(kRdtr, 100 | kFlushPartial);
  EXPECT_TRUE(interrupts());
}

TEST_F(E1000Test, NothingMovesWithoutBusMastering) {
  set_config(kSlot, 0, 4, 2, 3);
  EXPECT_FALSE(link.receiver->listening());
  legacy(make_frame(kStranger), kTxEnd);
  submit();
  EXPECT_TRUE(link.sent.empty());
}

TEST_F(E1000Test, RegistersAreReachedThroughPorts) {
  out(kPorts, kRctl, 4);
  EXPECT_EQ(in(kPorts + 4, 4), read(kRctl));
  out(kPorts + 4, kRctlEnable, 4);
  EXPECT_EQ(read(kRctl), kRctlEnable);
}

TEST_F(E1000Test, RingsThatLeadNowhereAreContained) {
  // Descriptors and buffers in the card's own registers, a tail beyond the ring, a ring without a length.
  write(kTdbal, kMemory + kTdbal), write(kTdt, 5);
  write(kTdt, 0xFFFF);
  write(kTdlen, 0), write(kTdt, 1);
  write(kRdbal, kMemory), write(kRdlen, 0xFFF80), write(kRdt, 0xFFFF);
  offer(make_frame(kCardAddress));
  write(kRdt, 100);
  offer(make_frame(kCardAddress));
  write(kRctl, kRctlEnable | kRctlLoopback | kRctlUnicast);
  put32(kTxRing, kMemory + kTdt);
  write(kTdbal, kTxRing), write(kTdlen, kCount * 16), write(kTdh, 0);
  legacy(make_frame(kCardAddress), kTxEnd | kTxReport);
  submit();
  SUCCEED();
}

TEST_F(E1000Test, LoopbackComesBack) {
  write(kRctl, kRctlEnable | kRctlLoopback);
  const Bytes frame = make_frame(kCardAddress, 64);
  legacy(frame, kTxEnd);
  submit();
  EXPECT_TRUE(link.sent.empty());
  EXPECT_EQ(memory_at(kRxBuffers, 64), frame);
}

TEST_F(E1000Test, KeepsItsState) {
  legacy(make_frame(kStranger), 0);  // half a packet
  submit();
  offer(make_frame(kCardAddress));
  expect_state_kept(*card_);
}

TEST_F(E1000Test, ResetsByCtrl) {
  write(kIms, 0xFF);
  write(kRa, 0x12345678);
  write(kCtrl, kCtrlReset);
  EXPECT_EQ(read(kIms), 0u);
  EXPECT_EQ(read(kRa), 0x12005452u);
  EXPECT_EQ(read(kTctl), 0u);
  EXPECT_EQ(read(kCtrl) & kCtrlReset, 0u);
}

}  // namespace
}  // namespace relic86
