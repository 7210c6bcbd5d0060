#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/devices/usb/uhci_board.h"

namespace relic86 {
namespace {

using test::Bytes;
using test::UhciBoard;
using namespace uhci;

TEST(Uhci, IsAFunctionOfThePiix3) {
  UhciBoard board;
  EXPECT_EQ(board.config(1, 2, 0x00, 4), 0x70208086u);
  EXPECT_EQ(board.config(1, 2, 0x08, 4), 0x0C030001u);
  EXPECT_EQ(board.config(1, 2, 0x3D, 1), 4u);
  EXPECT_EQ(board.config(1, 2, 0x60, 1), 0x10u);
  EXPECT_EQ(board.config(1, 2, 0xC0, 2), 0x2000u);
  EXPECT_EQ(board.config(1, 2, 0x20, 4), u32{UhciBoard::kPorts} | 1);
}

TEST(Uhci, RegistersAfterResetAndTheirWidths) {
  UhciBoard board;
  EXPECT_EQ(board.reg(kCommand), 0);
  EXPECT_EQ(board.reg(kStatus), kHalted);
  EXPECT_EQ(board.in(UhciBoard::kPorts + kStartOfFrame, 1), 0x40u);
  EXPECT_EQ(board.in(UhciBoard::kPorts, 4), u32{kHalted} << 16);
  board.set_reg(kListBase, 0x12345FFF, 4);
  EXPECT_EQ(board.in(UhciBoard::kPorts + kListBase, 4), 0x12345000u);
  board.out(UhciBoard::kPorts + kListBase + 3, 0x56);
  EXPECT_EQ(board.in(UhciBoard::kPorts + kListBase, 4), 0x56345000u);
  board.set_reg(kFrameNumber, 0xFFFF);
  EXPECT_EQ(board.reg(kFrameNumber), 0x7FF);
  board.set_reg(kInterruptEnable, 0xFFFF);
  EXPECT_EQ(board.reg(kInterruptEnable), 0xF);
  board.set_reg(kCommand, kHostReset);
  EXPECT_EQ(board.reg(kInterruptEnable), 0);
  EXPECT_EQ(board.reg(kCommand), 0);
}

TEST(Uhci, PortsSeeWhatIsPluggedIn) {
  UhciBoard board;
  EXPECT_EQ(board.reg(kPort0), kConnected | kConnectChanged | kAlwaysOne | kLinePlus);
  EXPECT_EQ(board.reg(kPort0 + 2), kAlwaysOne);
  EXPECT_EQ(board.reg(kPort0 + 4) & kAlwaysOne, 0);  // there is no third one
  board.set_reg(kPort0 + 2, kEnabled);
  EXPECT_EQ(board.reg(kPort0 + 2), kAlwaysOne);
  board.set_reg(kPort0, kEnabled | kPortReset);
  EXPECT_EQ(board.reg(kPort0) & (kEnabled | kPortReset), kPortReset);  // not while it is reset
  board.set_reg(kPort0, kEnabled);
  EXPECT_EQ(board.reg(kPort0) & (kEnabled | kPortReset | kConnectChanged), kEnabled | kConnectChanged);
  // The upper byte alone changes nothing below.
  board.out(UhciBoard::kPorts + kPort0 + 1, kPortSuspend >> 8);
  EXPECT_EQ(board.reg(kPort0) & (kEnabled | kConnectChanged | kPortSuspend), kEnabled | kConnectChanged | kPortSuspend);
  board.set_reg(kPort0, kEnabled | kConnectChanged);
  EXPECT_EQ(board.reg(kPort0) & (kEnabled | kConnectChanged | kPortSuspend), kEnabled);
  board.set_reg(kCommand, kGlobalReset);
  EXPECT_EQ(board.reg(kPort0) & kEnabled, 0);
  EXPECT_EQ(board.reg(kCommand), kGlobalReset);
}

TEST(Uhci, CountsFramesOnlyWhileItRuns) {
  UhciBoard board;
  EXPECT_EQ(board.scheduler.next_deadline(), Scheduler::kNever);
  board.set_reg(kFrameNumber, 0x7FE);
  board.start();
  board.frames(5);
  EXPECT_EQ(board.reg(kFrameNumber), 3);
  board.set_reg(kFrameNumber, 100);  // not now
  EXPECT_EQ(board.reg(kFrameNumber), 3);
  EXPECT_EQ(board.reg(kStatus) & kHalted, 0);
  board.pass(1'000 * kFrame);  // the machine was stopped: frames are left out, the count goes on
  EXPECT_EQ(board.reg(kFrameNumber), 1003 & 0x7FF);
  board.set_reg(kCommand, 0xC0);
  EXPECT_EQ(board.reg(kStatus) & kHalted, kHalted);
  EXPECT_EQ(board.scheduler.next_deadline(), Scheduler::kNever);
}

TEST(Uhci, NobodyAnswers) {
  UhciBoard board;
  board.start();
  board.set_reg(kInterruptEnable, kFailureEnable);
  board.make(0, UhciBoard::kIn, 77, 0, 8);
  board.queue(0);
  board.frames(1);
  EXPECT_EQ(board.control_of(0) & (kActive | kTimeout | kErrorCount), kActive | kTimeout | 2u << 27);
  EXPECT_FALSE(board.interrupted());
  board.frames(2);
  EXPECT_EQ(board.control_of(0) & (kActive | kTimeout | kStalled | kErrorCount), kTimeout | kStalled);
  EXPECT_EQ(board.reg(kStatus), kTransferFailed);
  EXPECT_TRUE(board.interrupted());
  board.set_reg(kStatus, kTransferFailed);
  EXPECT_FALSE(board.interrupted());
  EXPECT_EQ(board.get32(UhciBoard::kQueue + 4), UhciBoard::descriptor(0));  // the queue stands
  // Without a limit it is tried for ever.
  board.make(1, UhciBoard::kIn, 77, 0, 8, UhciBoard::kNoErrorLimit);
  board.queue(1);
  board.frames(50);
  EXPECT_NE(board.control_of(1) & kActive, 0u);
}

TEST(Uhci, InterruptsOnCompletionAndShortPackets) {
  UhciBoard board;
  board.configure();
  board.set_reg(kStatus, 0x3F);
  for (const bool enabled : {false, true}) {
    board.set_reg(kInterruptEnable, enabled ? kCompletionEnable : kShortEnable);
    board.tablet->buttons(enabled ? 1 : 0), board.tablet->point(enabled ? 1 : 2, 3);
    board.make(0, UhciBoard::kIn, 5, 1, 6, kInterruptOnComplete | kShortDetect);
    board.queue(0);
    board.frames(1);
    EXPECT_EQ(board.reg(kStatus), kTransferDone);
    EXPECT_EQ(board.interrupted(), enabled);
    board.set_reg(kStatus, kTransferDone);
    EXPECT_FALSE(board.interrupted());
  }
  // The report is shorter than its packet may be: with SPD the queue waits for its driver.
  board.set_reg(kInterruptEnable, kShortEnable);
  for (const u32 detect : {u32{0}, kShortDetect}) {
    board.tablet->point(100, detect == 0 ? 1 : 2);
    board.make(0, UhciBoard::kIn, 5, 1, 8, detect);
    board.queue(0);
    board.frames(1);
    EXPECT_EQ(board.actual(0), 6u);
    EXPECT_EQ(board.interrupted(), detect != 0);
    EXPECT_EQ(board.get32(UhciBoard::kQueue + 4), detect != 0 ? UhciBoard::descriptor(0) : kTerminate);
  }
  // The chipset lets the interrupt out, or not.
  EXPECT_TRUE(board.interrupted());
  board.set_config(1, 2, 0xC0, 2, 0);
  EXPECT_FALSE(board.interrupted());
}

TEST(Uhci, AFrameHasTimeForAFrame) {
  UhciBoard board;
  board.configure();
  // A ring of one queue: a long answer's packets go in one frame as long as there is time, the rest later.
  board.put32(UhciBoard::kQueue, UhciBoard::kQueue | kQueueHead);
  constexpr unsigned kPackets = 200;
  for (unsigned i = 0; i < kPackets; i++) {
    board.make(i, UhciBoard::kIn, 5, 1, 8, kIsochronous);  // over whatever answers
    if (i + 1 < kPackets) board.put32(UhciBoard::descriptor(i), UhciBoard::descriptor(i + 1));
  }
  const auto left = [&] {
    unsigned active = 0;
    for (unsigned i = 0; i < kPackets; i++) active += (board.control_of(i) & kActive) != 0 ? 1 : 0;
    return active;
  };
  board.queue(0);
  board.frames(1);
  EXPECT_LT(left(), kPackets - 30);  // bulk transfers are that fast
  EXPECT_GT(left(), kPackets - 100);
  board.frames(10);
  EXPECT_EQ(left(), 0u);
}

TEST(Uhci, BrokenSchedulesAreContained) {
  UhciBoard board;
  board.configure();
  const auto everywhere = [&](u32 link) {
    for (u32 frame = 0; frame < 1024; frame++) board.put32(UhciBoard::kList + frame * 4, link);
  };
  // A descriptor that links to itself, done and to be done.
  for (const u32 active : {u32{0}, kActive}) {
    board.make(0, UhciBoard::kIn, 5, 1, 8);
    board.put32(UhciBoard::descriptor(0), UhciBoard::descriptor(0));
    board.put32(UhciBoard::descriptor(0) + 4, active);
    everywhere(UhciBoard::descriptor(0));
    board.frames(3);
  }
  // Queues in a ring; a queue that is its own element; lists where there is no memory.
  board.put32(UhciBoard::kQueue, (UhciBoard::kQueue + 16) | kQueueHead);
  board.put32(UhciBoard::kQueue + 16, UhciBoard::kQueue | kQueueHead);
  board.put32(UhciBoard::kQueue + 20, kTerminate);
  for (const u32 element : {kTerminate, UhciBoard::kQueue | kQueueHead, 0xFFFFFFF0u, 0xFFFFFFF0u | kQueueHead}) {
    board.put32(UhciBoard::kQueue + 4, element);
    everywhere(UhciBoard::kQueue | kQueueHead);
    board.frames(3);
  }
  board.set_reg(kCommand, 0xC1);  // what stands where there is no memory had stopped it
  board.set_reg(kListBase, 0xFFFFF000, 4);
  board.frames(3);
  board.set_reg(kListBase, UhciBoard::kList, 4);
  EXPECT_NE(board.reg(kCommand) & kRun, 0);
  // A packet of no kind, or of more bytes than there are: the controller stops.
  for (const bool kind : {false, true}) {
    board.start();
    board.make(0, kind ? 0x55 : UhciBoard::kIn, 5, 1, kind ? 8 : 1500);
    board.queue(0);
    board.frames(1);
    EXPECT_EQ(board.reg(kStatus) & (kProcessError | kHalted), kProcessError | kHalted);
    EXPECT_TRUE(board.interrupted());
    EXPECT_EQ(board.scheduler.next_deadline(), Scheduler::kNever);
    board.set_reg(kStatus, kProcessError);
    EXPECT_FALSE(board.interrupted());
  }
}

TEST(Uhci, RandomSchedulesAreContained) {
  std::mt19937 random(1);
  for (unsigned round = 0; round < 300; round++) {
    UhciBoard board;
    board.configure();
    // Structures of a few places that refer to each other.
    const auto place = [&] { return u32{0x20000} + static_cast<u32>(random() % 64) * 16; };
    for (u32 at = 0x20000; at < 0x20400; at += 4) {
      u32 value = static_cast<u32>(random());
      if (random() % 4 != 0) value = place() | static_cast<u32>(random() % 8);
      if (random() % 4 == 0) {
        constexpr u8 kPids[] = {UhciBoard::kIn, UhciBoard::kOut, UhciBoard::kSetup};
        value =
            static_cast<u32>(random() % 64) << 21 | static_cast<u32>(random() % 2) << 15 | 5 << 8 | kPids[random() % 3];
      }
      board.put32(at, value);
    }
    for (u32 frame = 0; frame < 1024; frame++) board.put32(UhciBoard::kList + frame * 4, place() | random() % 8);
    for (unsigned i = 0; i < 40; i++) {
      board.frames(1);
      if (random() % 4 == 0) board.tablet->point(static_cast<unsigned>(random() % 32768), 1);
      if ((board.reg(kCommand) & kRun) == 0) board.set_reg(kCommand, 0xC1);
    }
  }
}

TEST(Uhci, NoBusMasterNoTransfers) {
  UhciBoard board;
  board.configure();
  board.set_config(1, 2, 4, 2, 1);
  board.tablet->point(1, 2);
  EXPECT_FALSE(board.poll());
  EXPECT_EQ(board.control_of(0) & (kNak | kTimeout), 0u);
  board.set_config(1, 2, 4, 2, 5);
  board.frames(1);
  EXPECT_EQ(board.control_of(0) & kActive, 0u);
}

TEST(Uhci, SavedInTheMiddleOfATransfer) {
  UhciBoard board, other;
  board.configure();
  board.poll();
  board.tablet->buttons(1), board.tablet->point(5, 6), board.tablet->buttons(0);
  // Half of a descriptor has come.
  board.make(0, UhciBoard::kSetup, 5, 0, 8);
  board.put(UhciBoard::buffer(0), {0x80, 6, 0, 1, 0, 0, 18, 0});
  board.make(1, UhciBoard::kIn, 5, 0, 8);
  board.put32(UhciBoard::descriptor(0), UhciBoard::descriptor(1));
  board.queue(0);
  board.frames(2);
  const auto state = test::saved(board.uhci);
  other.start();
  ASSERT_TRUE(test::load(other.uhci, state));
  EXPECT_EQ(test::saved(other.uhci), state);
  EXPECT_TRUE(other.tablet->listened_to());
  for (UhciBoard* both : {&board, &other}) {
    both->make(0, UhciBoard::kIn, 5, 0, 8);
    both->queue(0);
    both->frames(1);
    EXPECT_EQ(both->get(UhciBoard::buffer(0), 4), (Bytes{0x27, 0x06, 0x01, 0x00}));  // from byte 8 on
    EXPECT_EQ(both->poll(), (Bytes{1, 5, 0, 6, 0, 0}));
    EXPECT_EQ(both->poll(), (Bytes{0, 5, 0, 6, 0, 0}));
  }
}

// Where the bytes of the fields of a saved state are (u16 length of the name, name, u32 size, content).
std::vector<std::size_t> content_of(const Bytes& state) {
  std::vector<std::size_t> places;
  for (std::size_t at = 0; at < state.size();) {
    at += 2u + (state[at] | state[at + 1] << 8);
    const std::size_t size = state[at] | state[at + 1] << 8;
    at += 4;
    for (std::size_t end = at + size; at < end; at++) places.push_back(at);
  }
  return places;
}

// Bytes of a saved state that somebody changed: what loads is a controller that works.
TEST(Uhci, TamperedStatesAreContained) {
  UhciBoard board;
  board.configure();
  board.tablet->buttons(1), board.tablet->point(5, 6), board.tablet->buttons(0);
  const auto state = test::saved(board.uhci);
  const auto places = content_of(state);
  std::mt19937 random(2);
  unsigned taken = 0;
  for (unsigned round = 0; round < 3000; round++) {
    auto bytes = state;
    for (unsigned i = 0; i < 3; i++) bytes[places[random() % places.size()]] = static_cast<u8>(random());
    if (!test::load(board.uhci, bytes)) continue;
    taken++;
    const auto again = test::saved(board.uhci);
    ASSERT_TRUE(test::load(board.uhci, again));
    EXPECT_EQ(test::saved(board.uhci), again);
    board.set_reg(kCommand, 0xC1);
    board.poll();
    board.control(0, 0x80, 6, 0x0100, 0, Bytes(18));
  }
  EXPECT_GT(taken, 2000u);
  ASSERT_TRUE(test::load(board.uhci, state));
  board.set_reg(kCommand, 0xC1);
  EXPECT_EQ(board.poll(), (Bytes{1, 5, 0, 6, 0, 0}));
}

}  // namespace
}  // namespace relic86
