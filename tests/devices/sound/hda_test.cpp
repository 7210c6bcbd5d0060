// The High Definition Audio controller and its codecs, as drivers use them and as none should.
#include <cstring>

#include "devices/sound/intel_hda.h"
#include "tests/devices/sound/pci_sound_board.h"

namespace relic86 {
namespace {

using test::kMillisecond;
constexpr u32 kBase = 0xFE000000;
constexpr u32 kCorb = 0x1000, kRirb = 0x2000, kList = 0x3000, kPositions = 0x4000, kBuffer = 0x20000;
constexpr u32 kGctl = 0x08, kStatests = 0x0E, kIntctl = 0x20, kIntsts = 0x24;
// The first input and the first output stream.
constexpr unsigned kInput = 0, kOutput = 4;
constexpr u32 kRun = 2, kInterrupts = 0x1C, kSixteenBitStereo = 0x0011;

struct HdaBoard : test::PciSoundBoard<IntelHda> {
  explicit HdaBoard(HdaCodec::Model model = HdaCodec::Model::Duplex, IntelHda::Model controller = IntelHda::Model::Ich6)
      : PciSoundBoard(controller) {
    card.add_codec(0, model, &host);
    place(0, kBase);
  }
  u32 get(u32 offset, unsigned width) { return static_cast<u32>(memory.read(PhysAddr(kBase + offset), width)); }
  void set(u32 offset, unsigned width, u32 value) { memory.write(PhysAddr(kBase + offset), width, value); }
  void store_word(u32 at, u32 value) { memory.write(PhysAddr(at), 4, value); }
  u32 word(u32 at) { return static_cast<u32>(memory.read(PhysAddr(at), 4)); }

  void leave_reset() {
    set(kGctl, 4, 1);
    set(kStatests, 2, 0x7FFF);
  }
  // Codec 0 by the immediate command's registers.
  u32 ask(u32 node, u32 verb, u32 payload = 0) {
    set(0x68, 2, 2);
    set(0x60, 4, node << 20 | (verb > 0xF ? verb << 8 : verb << 16) | payload);
    set(0x68, 2, 1);
    EXPECT_EQ(get(0x68, 2), 2u);
    return get(0x64, 4);
  }
  u32 parameter(u32 node, u32 number) { return ask(node, 0xF00, number); }

  void start_rings(u32 count) {
    set(0x40, 4, kCorb);
    set(0x50, 4, kRirb);
    set(0x4A, 2, 0x8000);
    set(0x4A, 2, 0);
    set(0x58, 2, 0x8000);
    set(0x5A, 2, count);
    set(0x4C, 1, 2);
    set(0x5C, 1, 3);
  }
  static u32 stream(unsigned number) { return 0x80 + number * 0x20; }
  void entry(unsigned n, u32 address, u32 bytes, bool interrupts) {
    const u32 words[] = {address, 0, bytes, interrupts ? 1u : 0u};
    for (unsigned i = 0; i < 4; i++) store_word(kList + n * 16 + i * 4, words[i]);
  }
  // Resets the stream and sets it up over the list's first entries; number: on the link.
  void prepare(unsigned stream_index, u32 entries, u32 bytes, u32 format = kSixteenBitStereo, u32 number = 1) {
    const u32 base = stream(stream_index);
    set(base, 1, 1);
    EXPECT_EQ(get(base, 1), 1u);
    set(base, 1, 0);
    set(base + 0x02, 1, number << 4);
    set(base + 0x08, 4, bytes);
    set(base + 0x0C, 2, entries - 1);
    set(base + 0x12, 2, format);
    set(base + 0x18, 4, kList);
    set(kIntctl, 4, 0xC00000FF);
  }
  void go(unsigned stream_index) { set(stream(stream_index), 1, kRun | kInterrupts); }
  u32 position(unsigned stream_index) { return get(stream(stream_index) + 4, 4); }
  u32 status(unsigned stream_index) { return get(stream(stream_index) + 3, 1); }
  void listen(u32 format = kSixteenBitStereo, u32 stream_and_channel = 0x10) {
    ask(2, 0x2, format);
    ask(2, 0x706, stream_and_channel);
  }
};

TEST(IntelHda, LeavesResetWithItsCodecs) {
  HdaBoard board;
  EXPECT_EQ(board.config(3, 0, 0, 4), 0x26688086u);
  EXPECT_EQ(board.config(3, 0, 0x0A, 2), 0x0403u);
  EXPECT_EQ(HdaBoard(HdaCodec::Model::Output, IntelHda::Model::Ich9).config(3, 0, 0, 4), 0x293E8086u);
  EXPECT_EQ(board.get(0, 4), 0x01004401u);
  EXPECT_EQ(board.get(kStatests, 2), 0u);
  board.set(0x40, 4, kCorb);
  EXPECT_EQ(board.get(0x40, 4), 0u) << "in reset";
  board.set(0x0C, 2, 1);
  board.set(kGctl, 4, 1);
  EXPECT_EQ(board.get(kGctl, 4), 1u);
  EXPECT_EQ(board.get(kStatests, 2), 1u);
  board.set(kIntctl, 4, 0xC0000000);
  EXPECT_TRUE(board.pirqs.any());
  EXPECT_EQ(board.get(kIntsts, 4), 0xC0000000u);
  board.set(kStatests, 2, 1);
  EXPECT_FALSE(board.pirqs.any());
  board.set(0x40, 4, kCorb | 0x7F);
  EXPECT_EQ(board.get(0x40, 4), kCorb);
  board.run(kMillisecond);
  EXPECT_EQ(board.get(0x30, 4), 24000u);
  EXPECT_EQ(board.get(0x2030, 4), 24000u);
  board.set(kGctl, 4, 0);
  EXPECT_EQ(board.get(0x40, 4), 0u);
  EXPECT_EQ(board.get(0x0C, 2), 1u) << "survives the link's reset";
}

// A controller with MSI; what it sends, and whatever is written to the addresses of its own registers.
struct MessageBoard : HdaBoard {
  static constexpr u8 kMsi = 0x60;
  using Messages = std::vector<std::pair<u64, u32>>;

  MessageBoard() {
    card.offer_messages([this](u64 address, u32 data) {
      messages.emplace_back(address, data);
      if (address < 0xFEE00000) memory.write(PhysAddr(address), 4, data);
    });
    card.reset(ResetKind::PowerOn);
    place(0, kBase);
    set_config(3, 0, kPciCommand, 2, 6);
  }
  void enable_messages(u64 address = 0xFEE01000, u32 data = 0x4041) {
    set_config(3, 0, kMsi + 4, 4, static_cast<u32>(address));
    set_config(3, 0, kMsi + 8, 4, static_cast<u32>(address >> 32));
    set_config(3, 0, kMsi + 12, 2, data);
    set_config(3, 0, kMsi + 2, 2, 1);
  }
  Messages take() { return std::exchange(messages, {}); }

  Messages messages;
};
const MessageBoard::Messages kOne{{0xFEE01000, 0x4041}}, kNoMessage;

TEST(IntelHda, HasMsiWhereItIsOffered) {
  EXPECT_EQ(HdaBoard().config(3, 0, 0x34, 1), 0u);
  EXPECT_EQ(HdaBoard().config(3, 0, 6, 2) & 0x10, 0u);
  MessageBoard board;
  EXPECT_EQ(board.config(3, 0, 6, 2) & 0x10, 0x10u);
  EXPECT_EQ(board.config(3, 0, 0x34, 1), 0x60u);
  EXPECT_EQ(board.config(3, 0, 0x60, 4), 0x00800005u) << "one message, 64 bits, no masks";
  board.set_config(3, 0, 0x60, 4, 0xFFFFFFFE);
  EXPECT_EQ(board.config(3, 0, 0x60, 4), 0x00F10005u);
  board.set_config(3, 0, 0x64, 4, 0xFFFFFFFF);
  EXPECT_EQ(board.config(3, 0, 0x64, 4), 0xFFFFFFFCu);
  board.set_config(3, 0, 0x6C, 4, 0xFFFFFFFF);
  EXPECT_EQ(board.config(3, 0, 0x6C, 4), 0xFFFFu);
}

TEST(IntelHda, SendsAMessageForEachCause) {
  MessageBoard board;
  board.set(0x0C, 2, 1);  // a codec wakes it
  board.set(kIntctl, 4, 0xC00000FF);
  board.set(kGctl, 4, 1);
  board.set(0x0C, 2, 1);
  board.set(kIntctl, 4, 0xC00000FF);
  EXPECT_TRUE(board.pirqs.any());
  EXPECT_EQ(board.take(), kNoMessage);
  board.enable_messages();
  EXPECT_FALSE(board.pirqs.any()) << "a function that sends messages leaves its pin alone (PCI 3.0, 6.8.3.3)";
  EXPECT_EQ(board.take(), kOne) << "what waited is told of";
  board.set(kIntctl, 4, 0xC00000FF);
  EXPECT_EQ(board.take(), kNoMessage);
  // A second cause, and what is left when the first has been dealt with.
  board.entry(0, kBuffer, 480 * 4, true);
  board.prepare(kOutput, 1, 480 * 4);
  board.listen();
  board.go(kOutput);
  board.run(11 * kMillisecond);
  EXPECT_EQ(board.take(), kOne);
  board.set(kStatests, 2, 0x7FFF);
  EXPECT_EQ(board.take(), kOne);
  board.set(HdaBoard::stream(kOutput) + 3, 1, 0x1C);
  EXPECT_EQ(board.take(), kNoMessage);
  EXPECT_EQ(board.get(kIntsts, 4), 0u);
  board.run(10 * kMillisecond);
  EXPECT_EQ(board.take(), kOne);
  EXPECT_FALSE(board.pirqs.any());
  // A machine that is loaded has told of it before, and goes on with messages.
  const auto state = test::saved(board.card);
  board.reset_but_timers([&] { board.card.reset(ResetKind::PowerOn); });
  ASSERT_TRUE(test::load(board.card, state));
  EXPECT_EQ(test::saved(board.card), state);
  EXPECT_EQ(board.take(), kNoMessage);
  EXPECT_FALSE(board.pirqs.any());
  board.set(HdaBoard::stream(kOutput) + 3, 1, 0x1C);
  board.run(10 * kMillisecond);
  EXPECT_EQ(board.take(), kOne);
  // Without messages it is the pin again.
  board.set_config(3, 0, MessageBoard::kMsi + 2, 2, 0);
  EXPECT_TRUE(board.pirqs.any());
}

TEST(IntelHda, SendsNothingThatItMayNot) {
  MessageBoard board;
  board.set(kGctl, 4, 1);
  board.set(0x0C, 2, 1);
  board.enable_messages();
  board.set_config(3, 0, kPciCommand, 2, 2);  // no bus master
  board.set(kIntctl, 4, 0xC0000000);
  EXPECT_EQ(board.take(), kNoMessage);
  EXPECT_FALSE(board.pirqs.any());
  // A message to its own registers, of a reset: it takes nothing from itself.
  board.set_config(3, 0, kPciCommand, 2, 6);
  board.set(kIntctl, 4, 0);
  board.enable_messages(kBase + kGctl, 0);
  board.set(kIntctl, 4, 0xC0000000);
  EXPECT_EQ(board.take(), (MessageBoard::Messages{{kBase + kGctl, 0}}));
  EXPECT_EQ(board.get(kGctl, 4), 1u);
}

TEST(IntelHda, TakesCommandsFromItsRing) {
  HdaBoard board;
  board.leave_reset();
  board.set(kIntctl, 4, 0xC0000000);
  board.start_rings(2);
  const u32 commands[] = {0x000F0000, 0x000F0004, 0x300F0000, 0x001F0004};  // the third is to a codec that is not there
  for (u32 i = 0; i < 4; i++) board.store_word(kCorb + (i + 1) * 4, commands[i]);
  board.set(0x48, 2, 4);
  EXPECT_EQ(board.get(0x58, 2), 0u) << "a command takes a frame of the link";
  board.run(45'000);
  EXPECT_EQ(board.get(0x58, 2), 2u);
  EXPECT_EQ(board.get(0x5D, 1), 1u);
  EXPECT_TRUE(board.pirqs.any());
  board.set(0x5D, 1, 1);
  EXPECT_FALSE(board.pirqs.any());
  board.run(45'000);
  EXPECT_EQ(board.get(0x4A, 2), 4u);
  EXPECT_EQ(board.get(0x58, 2), 3u);
  EXPECT_TRUE(board.pirqs.any()) << "nothing more is coming";
  EXPECT_EQ(board.word(kRirb + 8), 0x1AF40022u);
  EXPECT_EQ(board.word(kRirb + 12), 0u);
  EXPECT_EQ(board.word(kRirb + 16), 0x00010001u);
  EXPECT_EQ(board.word(kRirb + 24), 0x00020004u);
  // The ring's end leads to its beginning.
  board.store_word(kCorb, 0x000F0002);
  for (u32 i = 5; i < 256; i++) board.store_word(kCorb + i * 4, 0x000F0000);
  board.set(0x48, 2, 0);
  board.run(10 * kMillisecond);
  EXPECT_EQ(board.get(0x4A, 2), 0u);
  EXPECT_EQ(board.get(0x58, 2), 255u);
  EXPECT_EQ(board.word(kRirb + 255 * 8), 0x00100101u);
  board.set(0x58, 2, 0x8000);
  EXPECT_EQ(board.get(0x58, 2), 0u);
}

TEST(IntelHda, WaitsForTheBus) {
  HdaBoard board;
  board.leave_reset();
  board.set_config(3, 0, 4, 2, 2);
  board.start_rings(1);
  board.store_word(kCorb + 4, 0x000F0000);
  board.set(0x48, 2, 1);
  board.run(kMillisecond);
  EXPECT_EQ(board.get(0x58, 2), 0u);
  board.set_config(3, 0, 4, 2, 6);
  board.run(kMillisecond);
  EXPECT_EQ(board.get(0x58, 2), 1u);
}

TEST(HdaCodec, DescribesItself) {
  for (const auto model : {HdaCodec::Model::Output, HdaCodec::Model::Duplex, HdaCodec::Model::Micro}) {
    HdaBoard board(model);
    board.leave_reset();
    const bool input = model != HdaCodec::Model::Output;
    EXPECT_EQ(board.parameter(1, 0x04), input ? 0x00020004u : 0x00020002u);
    EXPECT_EQ(board.parameter(1, 0x05), 1u);
    EXPECT_EQ(board.parameter(2, 0x09) >> 20, 0u);
    EXPECT_EQ(board.parameter(3, 0x09) >> 20, 4u);
    EXPECT_EQ(board.parameter(4, 0x09) >> 20, input ? 1u : 0u);
    EXPECT_EQ(board.parameter(3, 0x0E), 1u);
    EXPECT_EQ(board.ask(3, 0xF02), 2u);
    EXPECT_EQ(board.parameter(2, 0x0A), 0x001E01FFu);
    EXPECT_EQ(board.parameter(2, 0x12), 0x80033F3Fu);
    EXPECT_EQ(board.ask(3, 0xF1C) >> 20 & 0xF, model == HdaCodec::Model::Micro ? 1u : 0u);
    EXPECT_EQ(board.parameter(9, 0x09), 0u) << "no such node";
    EXPECT_EQ(board.ask(9, 0xF07), 0u);
    EXPECT_EQ(board.ask(0x7F, 0x3, 0xF07F), 0u);
  }
}

TEST(HdaCodec, KeepsWhatItIsSetTo) {
  HdaBoard board;
  board.leave_reset();
  board.ask(2, 0x3, 0xA000 | 0x20);
  board.ask(2, 0x3, 0x9000 | 0x80 | 0x7F);  // beyond the highest step
  EXPECT_EQ(board.ask(2, 0xB, 0xA000), 0x20u);
  EXPECT_EQ(board.ask(2, 0xB, 0x8000), 0xBFu);
  EXPECT_EQ(board.ask(2, 0xB, 0x0000), 0u) << "it has no input amplifier";
  board.ask(4, 0x3, 0x7000 | 0x11);
  EXPECT_EQ(board.ask(4, 0xB, 0x2000), 0x11u);
  board.ask(2, 0x2, 0x4031);
  EXPECT_EQ(board.ask(2, 0xA), 0x4031u);
  board.ask(2, 0x706, 0x52);
  EXPECT_EQ(board.ask(2, 0xF06), 0x52u);
  board.ask(3, 0x71F, 0x40);
  EXPECT_EQ(board.ask(3, 0xF1C), 0x40014110u);
  board.ask(1, 0x705, 3);
  EXPECT_EQ(board.ask(1, 0xF05), 0x33u);
  board.ask(1, 0x721, 0xAB);
  EXPECT_EQ(board.ask(1, 0xF20), 0x1AF4AB22u);
  board.ask(1, 0x7FF);
  EXPECT_EQ(board.ask(2, 0xF06), 0u);
  EXPECT_EQ(board.ask(2, 0xB, 0xA000), 0x3Fu);
  EXPECT_EQ(board.ask(1, 0xF05), 0u);
}

TEST(IntelHda, PlaysItsListAndInterrupts) {
  HdaBoard board;
  board.leave_reset();
  board.listen();
  board.store(kBuffer, test::words({16384, -16384, 8192, 0}));
  board.entry(0, kBuffer, 480 * 4, false);
  board.entry(1, kBuffer, 480 * 4, true);
  board.prepare(kOutput, 2, 960 * 4);
  board.set(0x70, 4, kPositions | 1);
  board.go(kOutput);
  EXPECT_EQ(board.status(kOutput), 0x20u);
  board.run(5 * kMillisecond);
  EXPECT_NEAR(board.position(kOutput), 240 * 4, 48 * 4);
  EXPECT_EQ(board.word(kPositions + kOutput * 8), board.position(kOutput));
  board.run(14 * kMillisecond);
  EXPECT_FALSE(board.pirqs.any());
  board.run(2 * kMillisecond);
  EXPECT_TRUE(board.pirqs.any());
  EXPECT_EQ(board.status(kOutput), 0x24u);
  EXPECT_EQ(board.get(kIntsts, 4), 0x80000010u);
  board.set(HdaBoard::stream(kOutput) + 3, 1, 4);
  EXPECT_FALSE(board.pirqs.any());
  EXPECT_LT(board.position(kOutput), 480u) << "from the beginning again";
  board.run(80 * kMillisecond);
  EXPECT_EQ(board.voice().breaks, 0u);
  EXPECT_EQ(board.voice().rate, SampleRate{48000});
  EXPECT_EQ(board.voice().frames[0], (StereoFrame{0.5f, -0.5f}));
  EXPECT_EQ(board.voice().frames[1], (StereoFrame{0.25f, 0.0f}));
  EXPECT_EQ(board.voice().frames[960], (StereoFrame{0.5f, -0.5f}));
  // A pause goes on where it was.
  board.set(HdaBoard::stream(kOutput), 1, kInterrupts);
  const std::size_t played = board.voice().frames.size();
  const u32 position = board.position(kOutput);
  board.run(20 * kMillisecond);
  EXPECT_EQ(board.voice().frames.size(), played);
  EXPECT_EQ(board.position(kOutput), position);
  board.go(kOutput);
  board.run(kMillisecond / 2);
  EXPECT_EQ(board.position(kOutput), position + 48 * 4);
}

// A driver that stops the stream at an interrupt finds that nothing of the next buffer has been played.
TEST(IntelHda, StopsWhereItInterrupts) {
  HdaBoard board;
  board.leave_reset();
  board.listen();
  board.entry(0, kBuffer, 480 * 4, true);
  board.prepare(kOutput, 1, 480 * 4);
  board.go(kOutput);
  while (!board.pirqs.any()) board.run(kMillisecond / 100);
  board.set(HdaBoard::stream(kOutput), 1, 0);
  board.run(10 * kMillisecond);
  EXPECT_EQ(board.voice().frames.size(), 480u);
}

TEST(IntelHda, StreamsStartTogether) {
  HdaBoard board;
  board.leave_reset();
  board.listen();
  board.entry(0, kBuffer, 4096, true);
  board.prepare(kOutput, 1, 4096);
  board.set(0x34, 4, 0x10);  // the ICH6's place
  EXPECT_EQ(board.get(0x38, 4), 0x10u);
  board.go(kOutput);
  EXPECT_EQ(board.status(kOutput), 0x20u) << "ready";
  board.run(10 * kMillisecond);
  EXPECT_EQ(board.position(kOutput), 0u);
  board.set(0x38, 4, 0);
  board.run(10 * kMillisecond);
  EXPECT_NE(board.position(kOutput), 0u);
}

struct FormatCase {
  u32 format;
  u32 rate;
  unsigned frame_bytes;
};

TEST(IntelHda, PlaysEachFormat) {
  for (const FormatCase& wanted : {FormatCase{0x0511, 8000, 4},
                                   {0x4311, 11025, 4},
                                   {0x4011, 44100, 4},
                                   {0x0811, 96000, 4},
                                   {0x1811, 192000, 4},
                                   {0x0031, 48000, 8},
                                   {0x0041, 48000, 8},
                                   {0x0010, 48000, 2},
                                   {0x0001, 48000, 2},
                                   {0x0013, 48000, 8}}) {
    SCOPED_TRACE(wanted.format);
    HdaBoard board;
    board.leave_reset();
    board.listen(wanted.format);
    std::vector<u8> frame(wanted.frame_bytes);
    const unsigned sample = wanted.format == 1 ? 1 : (wanted.format & 0x60) != 0 ? 4 : 2;
    frame[sample - 1] = sample == 1 ? 0xC0 : 0x40;  // half of full scale on the left, nothing on the right
    if (sample == 1) frame[1] = 0x80;
    std::vector<u8> bytes;
    for (unsigned i = 0; i < 400; i++) bytes.insert(bytes.end(), frame.begin(), frame.end());
    board.store(kBuffer, bytes);
    board.entry(0, kBuffer, static_cast<u32>(bytes.size()), true);
    board.prepare(kOutput, 1, static_cast<u32>(bytes.size()), wanted.format);
    board.go(kOutput);
    board.run(20 * kMillisecond);
    EXPECT_EQ(board.voice().rate, SampleRate{wanted.rate});
    EXPECT_NEAR(static_cast<double>(board.voice().frames.size()), wanted.rate / 50.0, wanted.rate / 500.0);
    const bool mono = (wanted.format & 15) == 0;
    EXPECT_EQ(board.voice().frames[3], (StereoFrame{0.5f, mono ? 0.5f : 0.0f}));
  }
}

TEST(IntelHda, CodecTakesItsChannelsOfItsStream) {
  HdaBoard board;
  board.leave_reset();
  board.listen(0x0013, 0x32);  // channels 2 and 3 of stream 3
  board.store(kBuffer, test::words({100, 200, 16384, -8192}));
  board.entry(0, kBuffer, 8, false);
  board.prepare(kOutput, 1, 8, 0x0013, 2);
  board.go(kOutput);
  board.run(5 * kMillisecond);
  EXPECT_TRUE(board.voice().frames.empty()) << "another stream";
  board.prepare(kOutput, 1, 8, 0x0013, 3);
  board.go(kOutput);
  board.run(5 * kMillisecond);
  EXPECT_EQ(board.voice().frames.at(0), (StereoFrame{0.5f, -0.25f}));
}

TEST(IntelHda, AmplifierPinAndPowerAreHeard) {
  const auto heard = [](u32 node, u32 verb, u32 payload) {
    HdaBoard board;
    board.leave_reset();
    board.listen();
    board.ask(node, verb, payload);
    board.store(kBuffer, test::words({16384, 16384}));
    board.entry(0, kBuffer, 4, false);
    board.prepare(kOutput, 1, 4);
    board.go(kOutput);
    board.run(2 * kMillisecond);
    return board.voice().frames.at(0);
  };
  EXPECT_EQ(heard(2, 0xF06, 0), (StereoFrame{0.5f, 0.5f}));
  EXPECT_NEAR(heard(2, 0x3, 0xA000 | (63 - 20)).left, 0.05f, 1e-6f);
  EXPECT_EQ(heard(2, 0x3, 0xA000 | (63 - 20)).right, 0.5f);
  EXPECT_EQ(heard(2, 0x3, 0x9000 | 0xBF), (StereoFrame{0.5f, 0.0f}));
  EXPECT_EQ(heard(3, 0x707, 0), StereoFrame{});
  EXPECT_EQ(heard(1, 0x705, 3), StereoFrame{});
}

TEST(IntelHda, RecordsSilence) {
  HdaBoard board;
  board.leave_reset();
  board.store(kBuffer, std::vector<u8>(100, 0x55));
  board.entry(0, kBuffer, 80, true);
  board.prepare(kInput, 1, 80);
  board.go(kInput);
  board.run(2 * kMillisecond);
  std::vector<u8> got(100);
  board.memory.read_block(PhysAddr(kBuffer), got);
  for (unsigned i = 0; i < 100; i++) EXPECT_EQ(got[i], i < 80 ? 0 : 0x55) << i;
  EXPECT_EQ(board.get(kIntsts, 4), 0x80000001u);
}

// --- What no driver should do ---

TEST(IntelHda, ListOfNothingStopsTheStream) {
  HdaBoard board;
  board.leave_reset();
  board.listen();
  for (unsigned i = 0; i < 256; i++) board.entry(i, kBuffer, 0, true);
  board.prepare(kOutput, 256, 4096);
  board.go(kOutput);
  board.run(kMillisecond);
  EXPECT_EQ(board.status(kOutput), 0x10u);
  EXPECT_EQ(board.get(HdaBoard::stream(kOutput), 1) & kRun, 0u);
  EXPECT_TRUE(board.pirqs.any());
  EXPECT_TRUE(board.voice().frames.empty());
}

TEST(IntelHda, ShortBuffersInterruptFourTimesAMillisecondAtMost) {
  HdaBoard board;
  board.leave_reset();
  board.listen();
  for (unsigned i = 0; i < 256; i++) board.entry(i, kBuffer, 4, true);
  board.prepare(kOutput, 256, 1024);
  board.go(kOutput);
  unsigned events = 0;
  for (const GuestTime end = board.clock.time + 100 * kMillisecond; board.scheduler.next_deadline() < end; events++) {
    board.clock.time = board.scheduler.next_deadline();
    board.scheduler.run_due();
    board.set(HdaBoard::stream(kOutput) + 3, 1, 4);
  }
  EXPECT_LE(events, 402u);
  EXPECT_GE(board.pirqs.rises, 300u);
  EXPECT_EQ(board.voice().breaks, 0u);
}

TEST(IntelHda, ItsOwnRegistersAreOutOfReachForIt) {
  HdaBoard board;
  board.leave_reset();
  board.entry(0, kBase, 0x1000, true);
  board.prepare(kInput, 1, 0x1000);
  board.set(0x70, 4, kBase | 0x101);
  board.go(kInput);
  const u32 control = board.get(HdaBoard::stream(kInput), 4);
  board.run(5 * kMillisecond);
  EXPECT_EQ(board.get(HdaBoard::stream(kInput), 1), control & 0xFF);
  EXPECT_EQ(board.get(kGctl, 4), 1u);
  // Commands and responses, too.
  board.set(0x40, 4, kBase);
  board.set(0x50, 4, kBase);
  board.set(0x4C, 1, 2);
  board.set(0x5C, 1, 3);
  board.set(0x48, 2, 200);
  board.run(10 * kMillisecond);
  EXPECT_EQ(board.get(kGctl, 4), 1u);
  EXPECT_EQ(board.get(0x4A, 2), 200u);
}

TEST(IntelHda, FramesMayLieAcrossBuffers) {
  HdaBoard board;
  board.leave_reset();
  board.listen();
  board.store(kBuffer, test::words({16384, -16384}));
  board.entry(0, kBuffer, 3, true);
  board.entry(1, kBuffer + 3, 1, false);
  board.prepare(kOutput, 2, 4);
  board.go(kOutput);
  board.run(3 * kMillisecond);
  ASSERT_GT(board.voice().frames.size(), 100u);
  for (const StereoFrame& frame : board.voice().frames) EXPECT_EQ(frame, (StereoFrame{0.5f, -0.5f}));
}

TEST(IntelHda, RandomAccessesAndSavedStates) {
  std::mt19937 random(1);
  for (int round = 0; round < 20; round++) {
    HdaBoard board;
    board.leave_reset();
    for (unsigned i = 0; i < 16; i++) board.entry(i, kBuffer, static_cast<u32>(random() % 2048), random() % 2 == 0);
    for (int i = 0; i < 4000; i++) {
      const unsigned width = 1u << random() % 3;
      const u32 offset = static_cast<u32>(random() % (random() % 8 == 0 ? 0x4000 : 0x180)) & ~(width - 1);
      if (random() % 3 == 0)
        board.get(offset, width);
      else
        board.set(offset, width, random() % 2 == 0 ? 1u << random() % 32 : static_cast<u32>(random()));
      if (random() % 64 == 0) {
        board.leave_reset();
        board.prepare(static_cast<unsigned>(random() % 8), 16, 8192);
        board.go(static_cast<unsigned>(random() % 8));
      }
      if (i % 16 == 0) board.run(static_cast<GuestTime>(random() % 3'000'000));
    }
    HdaBoard other;
    other.clock.time = board.clock.time;
    const auto state = test::saved(board.card);
    EXPECT_TRUE(test::load(other.card, state));
    EXPECT_EQ(test::saved(other.card), state);
  }
}

}  // namespace
}  // namespace relic86
