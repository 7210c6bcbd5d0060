#include "devices/sound/midi_port.h"

#include "devices/sound/mpu401_card.h"
#include "tests/devices/sound/sound_board.h"

namespace relic86 {
namespace {

using test::HeardInstrument;
using Message = std::vector<u8>;

struct Midi : testing::Test {
  Midi() { port.reset(0); }
  void put(const Message& bytes) {
    for (const u8 byte : bytes) port.put(++now, byte);
  }
  // What an instrument hears of which nothing is known when this state is loaded.
  std::vector<Message> after_loading() {
    StateWriter writer;
    port.state(writer, now);
    auto reader = StateReader::parse(writer.data());
    EXPECT_TRUE(reader.ok());
    HeardInstrument fresh;
    MidiPort other(&fresh);
    other.reset(0);
    other.state(reader.value(), now);
    EXPECT_EQ(reader.value().complaint(), "");
    EXPECT_EQ(fresh.resets, 2u);
    StateWriter again;
    other.state(again, now);
    EXPECT_EQ(again.data(), writer.data());
    return fresh.messages;
  }

  HeardInstrument heard;
  MidiPort port{&heard};
  GuestTime now = 0;
};

TEST_F(Midi, MessagesAreWhole) {
  put({0x91, 60});
  EXPECT_TRUE(heard.messages.empty());
  put({100});
  EXPECT_EQ(heard.messages, (std::vector<Message>{{0x91, 60, 100}}));
  EXPECT_EQ(heard.last, 3);
  put({0xC2, 5, 0xD3, 6, 0xE4, 7, 8});
  EXPECT_EQ(heard.messages.size(), 4u);
  EXPECT_EQ(heard.messages[3], (Message{0xE4, 7, 8}));
}

TEST_F(Midi, RunningStatusGoesOnOverRealTime) {
  put({0x90, 60, 100, 62, 0xF8, 100, 0xFE, 64, 100});
  EXPECT_EQ(heard.messages, (std::vector<Message>{{0x90, 60, 100}, {0x90, 62, 100}, {0x90, 64, 100}}));
  put({0xF3, 1, 60, 100});  // a system message ends it
  EXPECT_EQ(heard.messages.size(), 3u);
}

TEST_F(Midi, SystemExclusive) {
  put({0xF0, 0x7D, 1, 0xF8, 2, 0xF7});
  EXPECT_EQ(heard.messages, (std::vector<Message>{{0xF0, 0x7D, 1, 2, 0xF7}}));
  put({0xF0, 0x7D, 1, 0x90, 60, 100});  // broken off
  EXPECT_EQ(heard.messages.back(), (Message{0x90, 60, 100}));
  Message endless(5000, 1);
  endless.front() = 0xF0;
  put(endless);
  put({0xF7});
  EXPECT_EQ(heard.messages.size(), 2u);
  put({0xF7, 1, 2, 3, 0x80, 60, 0});
  EXPECT_EQ(heard.messages.size(), 3u);
}

TEST_F(Midi, SavedMachineGoesOnWithItsVoices) {
  put({0xB0, 0, 1, 0xC0, 20, 0xB0, 101, 0, 100, 0, 6, 12, 7, 90, 0xE0, 0, 96, 0x90, 60, 100, 64, 101, 60, 0});
  const std::vector<Message> wanted{{0xB0, 0, 1},  {0xC0, 20},    {0xB0, 100, 0}, {0xB0, 101, 0},
                                    {0xB0, 6, 12}, {0xB0, 7, 90}, {0xE0, 0, 96},  {0x90, 64, 101}};
  EXPECT_EQ(after_loading(), wanted);
  put({0xB0, 121, 0, 0xB0, 123, 0});
  EXPECT_EQ(after_loading(), (std::vector<Message>{{0xB0, 0, 1}, {0xC0, 20}, {0xB0, 7, 90}}));
  put({0xF0, 0x7E, 0x7F, 0x09, 0x01, 0xF7});
  EXPECT_TRUE(after_loading().empty());
}

TEST_F(Midi, StateOfRandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; round++) {
    Message bytes(random() % 40);
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    put(bytes);
    after_loading();
  }
}

TEST(Mpu401Card, PlaysInUartModeAlone) {
  test::SoundBoard board;
  HeardInstrument heard;
  Mpu401Card card({.port = 0x330, .irq = 9}, &heard);
  ASSERT_TRUE(card.attach(board.attachment).ok());
  card.reset(ResetKind::PowerOn);
  const auto play = [&] {
    for (const u8 byte : {0x90, 69, 127}) board.out(0x330, byte);
  };
  play();
  EXPECT_TRUE(heard.messages.empty());
  board.out(0x331, 0xFF);
  EXPECT_TRUE(board.irqs.levels[9]);
  EXPECT_EQ(board.in(0x330), 0xFEu);
  EXPECT_FALSE(board.irqs.levels[9]);
  board.out(0x331, 0x3F);
  EXPECT_EQ(board.in(0x330), 0xFEu);
  play();
  EXPECT_EQ(heard.messages, (std::vector<Message>{{0x90, 69, 127}}));
  const auto state = test::saved(card);
  Mpu401Card other({.port = 0x300, .irq = 9}, nullptr);
  ASSERT_TRUE(other.attach(board.attachment).ok());
  other.reset(ResetKind::PowerOn);
  EXPECT_TRUE(test::load(other, state));
  EXPECT_EQ(test::saved(other), state);
}

}  // namespace
}  // namespace relic86
