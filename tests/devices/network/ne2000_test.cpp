#include "devices/network/ne2000.h"

#include "tests/devices/network/card_board.h"

namespace relic86 {
namespace {

using namespace test;

// What drivers set up: the ring from page 46h to 80h, transmit buffer at 40h.
class Ne2000Test : public ::testing::Test, protected CardBoard {
 protected:
  static constexpr u8 kRingBegin = 0x46, kRingEnd = 0x80, kTransmitPage = 0x40;
  static constexpr u16 kData = kPorts + 0x10;

  Ne2000Test() { plug(card_); }

  void reg(unsigned offset, u8 value) { out(static_cast<u16>(kPorts + offset), value); }
  u8 reg(unsigned offset) { return static_cast<u8>(in(static_cast<u16>(kPorts + offset))); }

  void start(u8 receive_configuration = 0x04) {
    reg(0, 0x21);
    reg(14, 0x49);
    reg(12, receive_configuration);
    reg(13, 0);
    reg(1, kRingBegin), reg(2, kRingEnd), reg(3, kRingBegin), reg(4, kTransmitPage);
    reg(7, 0xFF), reg(15, 0x7F);
    reg(0, 0x61);
    for (unsigned i = 0; i < 6; i++) reg(1 + i, kCardAddress[i]);
    for (unsigned i = 0; i < 8; i++) reg(8 + i, 0);
    reg(7, kRingBegin + 1);
    reg(0, 0x22);
  }
  void set_remote(u16 address, u16 bytes) {
    reg(8, static_cast<u8>(address)), reg(9, static_cast<u8>(address >> 8));
    reg(10, static_cast<u8>(bytes)), reg(11, static_cast<u8>(bytes >> 8));
  }
  Bytes read_remote(u16 address, u16 bytes, unsigned width) {
    set_remote(address, bytes);
    reg(0, 0x0A);
    Bytes result;
    while (result.size() < bytes) {
      const u32 value = in(kData, width);
      for (unsigned i = 0; i < width; i++) result.push_back(static_cast<u8>(value >> (i * 8)));
    }
    return result;
  }
  u8 current() {
    reg(0, 0x62);
    const u8 page = reg(7);
    reg(0, 0x22);
    return page;
  }

  std::unique_ptr<Rtl8029> card_;
};

TEST_F(Ne2000Test, IsKnownByItsIdentityAndItsProm) {
  EXPECT_EQ(config(kSlot, 0, 0, 4), 0x802910ECu);
  start();
  EXPECT_EQ(reg(10), 'P');
  EXPECT_EQ(reg(11), 'C');
  reg(14, 0x48);
  const Bytes prom = read_remote(0, 32, 1);
  for (unsigned i = 0; i < 6; i++) {
    EXPECT_EQ(prom[i * 2], kCardAddress[i]);
    EXPECT_EQ(prom[i * 2 + 1], kCardAddress[i]);
  }
  EXPECT_EQ(prom[28], 0x57);
  EXPECT_EQ(prom[31], 0x57);
  // Words, of which a byte access gives one half: so Linux's ne2k-pci reads it.
  reg(14, 0x49);
  const Bytes halves = read_remote(0, 32, 1);
  EXPECT_TRUE(std::equal(kCardAddress.begin(), kCardAddress.end(), halves.begin()));
  EXPECT_EQ(halves[15], 0x57);
}

TEST_F(Ne2000Test, AResetIsSeenInTheInterruptStatus) {
  start();
  reg(7, 0xFF);
  in(kPorts + 0x1F);
  EXPECT_NE(reg(7) & 0x80, 0);
  EXPECT_EQ(reg(0) & 1, 1);
}

TEST_F(Ne2000Test, SendsWhatRemoteDmaHasWritten) {
  start();
  const Bytes frame = make_frame(kStranger, 61);
  for (const unsigned width : {2u, 4u}) {
    set_remote(kTransmitPage << 8, 64);
    reg(0, 0x12);
    for (unsigned i = 0; i < 64; i += width) {
      u32 value = 0;
      for (unsigned b = 0; b < width; b++) value |= u32{i + b < frame.size() ? frame[i + b] : u8{0}} << (b * 8);
      out(kData, value, width);
    }
    EXPECT_NE(reg(7) & 0x40, 0) << "remote DMA complete";
    reg(5, 61), reg(6, 0), reg(4, kTransmitPage);
    reg(0, 0x26);
    ASSERT_FALSE(link.sent.empty());
    EXPECT_EQ(link.sent.back(), frame);
    EXPECT_EQ(reg(0) & 4, 0);
    EXPECT_EQ(reg(4), 1);
    EXPECT_EQ(reg(7) & 2, 2);
    reg(7, 0xFF);
  }
  EXPECT_EQ(link.sent.size(), 2u);
}

TEST_F(Ne2000Test, ReceivesIntoTheRingAndInterrupts) {
  start();
  const Bytes frame = make_frame(kCardAddress, 300);
  ASSERT_TRUE(offer(frame));
  EXPECT_EQ(reg(7) & 1, 1);
  EXPECT_NE(config(kSlot, 0, 6, 2) & 8, 0u) << "INTA# is low";
  EXPECT_EQ(current(), kRingBegin + 3);
  const Bytes header = read_remote((kRingBegin + 1) << 8, 4, 2);
  EXPECT_EQ(header, (Bytes{0x01, kRingBegin + 3, 304 & 0xFF, 304 >> 8}));
  EXPECT_EQ(read_remote(((kRingBegin + 1) << 8) + 4, 300, 2), frame);
  reg(7, 0x41);  // reading it was remote DMA, which is complete, too
  EXPECT_EQ(config(kSlot, 0, 6, 2) & 8, 0u);
}

TEST_F(Ne2000Test, LetsInWhatTheFilterSays) {
  const auto taken = [&](const MacAddress& to) {
    const u8 before = current();
    EXPECT_TRUE(offer(make_frame(to)));
    const u8 after = current();
    reg(3, static_cast<u8>(after - 1 < kRingBegin ? kRingEnd - 1 : after - 1));
    return after != before;
  };
  start(0);
  EXPECT_TRUE(taken(kCardAddress));
  EXPECT_FALSE(taken(kStranger));
  EXPECT_FALSE(taken(kBroadcast));
  EXPECT_FALSE(taken(kGroup));
  start(0x04);
  EXPECT_TRUE(taken(kBroadcast));
  EXPECT_FALSE(taken(kGroup));
  start(0x08);
  EXPECT_FALSE(taken(kGroup)) << "its hash is not set";
  const u32 hash = ethernet_crc(kGroup) >> 26;
  reg(0, 0x62);
  reg(8 + (hash >> 3), static_cast<u8>(1 << (hash & 7)));
  reg(0, 0x22);
  EXPECT_TRUE(taken(kGroup));
  start(0x10);
  EXPECT_TRUE(taken(kStranger));
}

TEST_F(Ne2000Test, TheRingGoesRound) {
  start();
  // Frames of two pages, with the boundary following, for more than a round.
  for (unsigned i = 0; i < 64; i++) {
    const u8 page = current();
    const Bytes frame = make_frame(kCardAddress, 400, static_cast<u8>(i));
    ASSERT_TRUE(offer(frame)) << i;
    const Bytes header = read_remote(static_cast<u16>(page << 8), 4, 2);
    EXPECT_EQ(read_remote(static_cast<u16>((page << 8) + 4), 400, 2), frame) << i;
    EXPECT_EQ(header[1], current());
    // As Linux: the page before the next one, even where that is outside of the ring.
    reg(3, static_cast<u8>(header[1] - 1));
  }
}

TEST_F(Ne2000Test, AFullRingHoldsFramesBackAndMissesThoseThatComeEvenSo) {
  start();
  unsigned taken = 0;
  while (offer(make_frame(kCardAddress, 1500))) taken++;
  EXPECT_EQ(taken, 9u) << "of 58 pages, 6 for each, and the one at the boundary stays free";
  reg(7, 0xFF);
  EXPECT_EQ(reg(7) & 1, 1) << "a full ring stays announced";
  const unsigned asked = link.ready;
  for (unsigned i = 0; i < 2; i++) link.receiver->receive(make_frame(kCardAddress, 1500));
  EXPECT_EQ(reg(7) & 0x10, 0x10) << "overwrite warning";
  EXPECT_EQ(reg(15), 2);
  EXPECT_EQ(reg(15), 0) << "reading clears";
  reg(3, kRingBegin + 12);
  reg(7, 0xFF);
  EXPECT_EQ(reg(7) & 1, 0);
  EXPECT_GT(link.ready, asked);
  EXPECT_TRUE(offer(make_frame(kCardAddress, 1500)));
}

TEST_F(Ne2000Test, AStoppedReceiverHearsNothing) {
  EXPECT_FALSE(link.receiver->listening());
  start();
  EXPECT_TRUE(link.receiver->listening());
  reg(0, 0x21);
  EXPECT_FALSE(link.receiver->listening());
  start();
  reg(13, 2);
  EXPECT_FALSE(link.receiver->listening()) << "loopback";
}

TEST_F(Ne2000Test, KeepsItsState) {
  start();
  offer(make_frame(kCardAddress, 300));
  expect_state_kept(*card_);
}

TEST(Ne2000Isa, InterruptsOnItsLine) {
  CardBoard board;
  Ne2000Isa card("ne2k_isa.0", board.link, kCardAddress, 0x300, 9);
  ASSERT_TRUE(card.attach(board.attachment).ok());
  card.reset(ResetKind::PowerOn);
  board.out(0x30F, 0x40);
  board.out(0x30A, 0), board.out(0x30B, 0);
  EXPECT_FALSE(board.irqs.levels[9]);
  board.out(0x300, 0x0A);  // a remote read of no bytes is done at once
  EXPECT_TRUE(board.irqs.levels[9]);
  board.out(0x307, 0x40);
  EXPECT_FALSE(board.irqs.levels[9]);
}

}  // namespace
}  // namespace relic86
