// AC97 and ES1370, as Linux's drivers use them.
#include <cstring>
#include <functional>

#include "devices/sound/ac97.h"
#include "devices/sound/es1370.h"
#include "tests/devices/sound/pci_sound_board.h"

namespace relic86 {
namespace {

using test::kMillisecond;
constexpr u16 kBase0 = 0xC000, kBase1 = 0xD000;
constexpr u32 kList = 0x1000, kBuffer = 0x20000;

template <class Card>
struct PortSoundBoard : test::PciSoundBoard<Card> {
  PortSoundBoard() {
    this->place(0, kBase0);
    this->place(1, kBase1);
  }
  std::vector<u8> words(std::initializer_list<i16> values) { return test::words(values); }
};

struct Ac97Board : PortSoundBoard<Ac97> {
  void mixer(u16 index, u32 value) { out(static_cast<u16>(kBase0 + index), value, 2); }
  void descriptor(unsigned n, u32 address, u32 samples, bool interrupts) {
    std::vector<u8> bytes(8);
    const u32 words[2] = {address, samples | (interrupts ? 0x80000000u : 0)};
    std::memcpy(bytes.data(), words, 8);
    store(kList + n * 8, bytes);
  }
  u32 status() { return in(kBase1 + 0x16, 2); }
  void start(u32 last) {
    out(kBase1 + 0x10, kList, 4);
    out(kBase1 + 0x15, last);
    out(kBase1 + 0x1B, 0x1D);
  }
};

TEST(Ac97, CodecAnswers) {
  Ac97Board board;
  EXPECT_EQ(board.config(3, 0, 0, 4), 0x24158086u);
  EXPECT_EQ(board.in(kBase0 + 0x7C, 2), 0x8384u);
  EXPECT_EQ(board.in(kBase0 + 0x26, 2) & 0xF, 0xFu);
  EXPECT_NE(board.in(kBase1 + 0x30, 4) & 0x100, 0u);
  // The rate is fixed until variable rates are switched on.
  board.mixer(0x2A, 0);
  board.mixer(0x2C, 22050);
  EXPECT_EQ(board.in(kBase0 + 0x2C, 2), 48000u);
  board.mixer(0x2A, 1);
  board.mixer(0x2C, 22050);
  EXPECT_EQ(board.in(kBase0 + 0x2C, 2), 22050u);
  EXPECT_EQ(board.in(kBase1 + 0x34), 0u);
  EXPECT_EQ(board.in(kBase1 + 0x34), 1u) << "taken";
  board.mixer(0, 0);
  EXPECT_EQ(board.in(kBase1 + 0x34), 0u);
  EXPECT_EQ(board.in(kBase0 + 0x02, 2), 0x8000u);
}

TEST(Ac97, PlaysItsListAndInterrupts) {
  Ac97Board board;
  board.mixer(2, 0);
  board.mixer(0x18, 0x0808);
  board.store(kBuffer, board.words({16384, -16384, 8192, 0}));
  for (unsigned i = 0; i < 32; i++) board.descriptor(i, kBuffer, 960, i % 2 == 1);  // 10 ms
  board.start(3);
  board.run(5 * kMillisecond);
  EXPECT_EQ(board.status() & 1, 0u);
  EXPECT_EQ(board.in(kBase1 + 0x14), 0u);
  EXPECT_NEAR(board.in(kBase1 + 0x18, 2), 480, 97);
  board.run(10 * kMillisecond);
  EXPECT_EQ(board.in(kBase1 + 0x14), 1u);
  EXPECT_FALSE(board.pirqs.any());
  board.run(6 * kMillisecond);
  EXPECT_TRUE(board.pirqs.any());
  EXPECT_EQ(board.status(), 8u);
  EXPECT_NE(board.in(kBase1 + 0x30, 4) & 0x40, 0u);
  board.out(kBase1 + 0x16, 0x1C, 2);
  EXPECT_FALSE(board.pirqs.any());
  board.run(25 * kMillisecond);
  EXPECT_EQ(board.status(), 0xFu) << "halted at the last one";
  EXPECT_TRUE(board.pirqs.any());
  ASSERT_EQ(board.voice().frames.size(), 4u * 480);
  EXPECT_EQ(board.voice().frames[0], (StereoFrame{0.5f, -0.5f}));
  EXPECT_EQ(board.voice().frames[1], (StereoFrame{0.25f, 0.0f}));
  // More buffers: it goes on.
  board.out(kBase1 + 0x16, 0x1C, 2);
  board.out(kBase1 + 0x15, 5);
  EXPECT_EQ(board.status() & 1, 0u);
  board.run(12 * kMillisecond);
  EXPECT_EQ(board.in(kBase1 + 0x14), 5u);
  board.run(20 * kMillisecond);
  EXPECT_EQ(board.voice().frames.size(), 6u * 480);
  // A pause in the middle of a buffer goes on there.
  board.out(kBase1 + 0x15, 20);
  board.run(5 * kMillisecond);
  board.out(kBase1 + 0x1B, 0x1C);
  const u32 left = board.in(kBase1 + 0x18, 2);
  EXPECT_GT(left, 0u);
  board.run(20 * kMillisecond);
  EXPECT_EQ(board.in(kBase1 + 0x18, 2), left);
  board.out(kBase1 + 0x1B, 0x1D);
  board.run(2 * kMillisecond);
  EXPECT_LT(board.in(kBase1 + 0x18, 2), left);
  board.out(kBase1 + 0x1B, 2);
  EXPECT_EQ(board.in(kBase1 + 0x1B), 0u);
  EXPECT_EQ(board.status(), 1u);
}

// What drivers measure the codec's clock by.
TEST(Ac97, PositionMovesSampleBySample) {
  Ac97Board board;
  for (unsigned i = 0; i < 32; i++) board.descriptor(i, kBuffer, 9600, true);
  board.start(31);
  u32 left = board.in(kBase1 + 0x18, 2);
  for (int step = 0; step < 400; step++) {
    board.run(kMillisecond / 5);
    const u32 now = board.in(kBase1 + 0x18, 2);
    // Where a buffer begins it counts from the top again.
    if (now < left) {
      EXPECT_NEAR(left - now, 2 * 48000 / 5000.0, 2.5) << step;
    }
    left = now;
  }
}

// A driver that stops the card at an interrupt finds that nothing of the next buffer has been played.
template <class Board>
void expect_nothing_beyond(Board& board, unsigned voice, std::size_t frames, const std::function<void()>& stop) {
  while (!board.pirqs.any()) board.run(kMillisecond / 100);
  stop();
  board.run(10 * kMillisecond);
  EXPECT_EQ(board.voice(voice).frames.size(), frames);
}

TEST(Ac97, StopsWhereItInterrupts) {
  Ac97Board board;
  for (unsigned i = 0; i < 32; i++) board.descriptor(i, kBuffer, 960, true);
  board.start(31);
  expect_nothing_beyond(board, 0, 480, [&] { board.out(kBase1 + 0x1B, 0); });
}

TEST(Ac97, RecordsSilence) {
  Ac97Board board;
  board.store(kBuffer, std::vector<u8>(100, 0x55));
  board.descriptor(0, kBuffer, 40, true);
  board.out(kBase1 + 0x00, kList, 4);
  board.out(kBase1 + 0x0B, 0x1D);
  board.run(20 * kMillisecond);
  std::vector<u8> got(100);
  board.memory.read_block(PhysAddr(kBuffer), got);
  for (unsigned i = 0; i < 100; i++) EXPECT_EQ(got[i], i < 80 ? 0 : 0x55) << i;
  EXPECT_NE(board.in(kBase1 + 0x30, 4) & 0x20, 0u);
}

struct Es1370Board : PortSoundBoard<Es1370> {
  void codec(u32 index, u32 value) { out(kBase0 + 0x10, index << 8 | value, 2); }
  void buffer(unsigned channel, u32 address, u32 dwords) {
    out(kBase0 + 0x0C, channel == 2 ? 0xD : 0xC, 4);
    out(static_cast<u16>(kBase0 + (channel == 1 ? 0x38 : 0x30)), address, 4);
    out(static_cast<u16>(kBase0 + (channel == 1 ? 0x3C : 0x34)), dwords - 1, 4);
  }
  void unmute() {
    for (const u32 index : {0u, 1u}) codec(index, 0);
    for (const u32 index : {2u, 3u, 4u, 5u}) codec(index, 6);
  }
};

TEST(Es1370, Dac2PlaysItsBufferRoundAndRound) {
  Es1370Board board;
  EXPECT_EQ(board.config(3, 0, 0, 4), 0x50001274u);
  board.unmute();
  board.store(kBuffer, board.words({16384, -16384, 8192, 0}));
  board.buffer(1, kBuffer, 441);  // 10 ms
  board.out(kBase0 + 0x28, 441 * 2 - 1, 4);
  board.out(kBase0 + 0x20, 0x20Cu, 4);            // 16 bits, stereo, interrupt
  board.out(kBase0 + 0x00, 30u << 16 | 0x20, 4);  // 44100 Hz
  board.run(19 * kMillisecond);
  EXPECT_FALSE(board.pirqs.any());
  board.run(2 * kMillisecond);
  EXPECT_TRUE(board.pirqs.any());
  EXPECT_EQ(board.in(kBase0 + 4, 4) & 0x80000007u, 0x80000002u);
  board.out(kBase0 + 0x20, 0x00Cu, 4);
  EXPECT_FALSE(board.pirqs.any());
  board.out(kBase0 + 0x20, 0x20Cu, 4);
  board.run(20 * kMillisecond);
  EXPECT_TRUE(board.pirqs.any());
  EXPECT_EQ(board.voice(1).breaks, 0u);
  EXPECT_EQ(board.voice(1).frames[441], (StereoFrame{0.5f, -0.5f}));
  // Where it is: in dwords of the buffer.
  board.out(kBase0 + 0x0C, 0xC, 4);
  EXPECT_LT(board.in(kBase0 + 0x3C, 4) >> 16, 441u);
  board.out(kBase0 + 0x20, 0x120Cu, 4);  // paused
  const std::size_t played = board.voice(1).frames.size();
  board.run(50 * kMillisecond);
  EXPECT_EQ(board.voice(1).frames.size(), played);
}

TEST(Es1370, Dac1HasFixedRatesAndPlaysOnce) {
  Es1370Board board;
  board.unmute();
  board.store(kBuffer, {0x80, 0xC0, 0x40, 0xFF});
  board.buffer(0, kBuffer, 100);
  board.out(kBase0 + 0x24, 399, 4);
  board.out(kBase0 + 0x20, 0x2100u, 4);  // 8 bits, mono, once, interrupt
  board.out(kBase0 + 0x00, 2u << 12 | 0x40, 4);
  board.run(100 * kMillisecond);
  EXPECT_TRUE(board.pirqs.any());
  EXPECT_EQ(board.voice(0).rate, SampleRate{22050});
  ASSERT_EQ(board.voice(0).frames.size(), 400u);
  EXPECT_EQ(board.voice(0).frames[1], (StereoFrame{0.5f, 0.5f}));
  EXPECT_EQ(board.in(kBase0, 4) & 0x40, 0u);
}

TEST(Es1370, StopsWhereItInterrupts) {
  Es1370Board board;
  board.buffer(1, kBuffer, 441);
  board.out(kBase0 + 0x28, 441 - 1, 4);
  board.out(kBase0 + 0x20, 0x20Cu, 4);
  board.out(kBase0 + 0x00, 30u << 16 | 0x20, 4);
  expect_nothing_beyond(board, 1, 441, [&] { board.out(kBase0, 0, 4); });
}

TEST(Es1370, RecordsSilence) {
  Es1370Board board;
  board.store(kBuffer, std::vector<u8>(400, 1));
  board.buffer(2, kBuffer, 100);
  board.out(kBase0 + 0x2C, 199, 4);
  board.out(kBase0 + 0x20, 0x420u, 4);  // 16 bits, mono
  board.out(kBase0 + 0x00, 30u << 16 | 0x10, 4);
  board.run(20 * kMillisecond);
  std::vector<u8> got(400);
  board.memory.read_block(PhysAddr(kBuffer), got);
  EXPECT_EQ(got, std::vector<u8>(400, 0));
  EXPECT_EQ(board.in(kBase0 + 4, 4) & 7, 1u);
}

template <class Board>
void exercise(u32 seed) {
  std::mt19937 random(seed);
  for (int round = 0; round < 20; round++) {
    Board board;
    for (int i = 0; i < 4000; i++) {
      const u16 base = random() % 2 == 0 ? kBase0 : kBase1;
      const u16 port = static_cast<u16>(base + random() % 0x80);
      const unsigned width = 1u << random() % 3;
      if (random() % 3 == 0)
        board.in(port, width);
      else
        board.out(port, random() % 2 == 0 ? 1u << random() % 32 : random(), width);
      if (i % 16 == 0) board.run(static_cast<GuestTime>(random() % 3'000'000));
    }
    Board other;
    other.clock.time = board.clock.time;
    const auto state = test::saved(board.card);
    EXPECT_TRUE(test::load(other.card, state));
    EXPECT_EQ(test::saved(other.card), state);
  }
}

TEST(Ac97, RandomAccessesAndSavedStates) { exercise<Ac97Board>(1); }
TEST(Es1370, RandomAccessesAndSavedStates) { exercise<Es1370Board>(2); }

}  // namespace
}  // namespace relic86
