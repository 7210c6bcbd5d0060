#include "machine/recording.h"

#include <gtest/gtest.h>

namespace relic86 {
namespace {

std::vector<GuestInput> one_of_each() {
  return {input::Key{KeyCode::Delete, true},
          input::Key{KeyCode::A, false},
          input::AllKeysUp{},
          input::Move{-3, 40, 0},
          input::Place{17u, std::nullopt},
          input::Buttons{5},
          input::Joystick{1, {true, -32768, 32767, 3}},
          input::Byte{16, 0xFF},
          input::Frame{1, 0, {0x00, 0x7F, 0xFF}},
          input::Link{"net 0%", false},
          input::Reset{},
          input::PowerButton{},
          input::Wake{},
          input::Nmi{},
          input::Medium{"floppy0", {.file = "a b/\n%41.img", .format = "raw", .read_only = true, .node = "n"}},
          input::Medium{"ide1-cd0", {.file = "", .force = true}},
          input::Tray{"ide1-cd0", true, true},
          input::Tray{"ide1-cd0", false, false}};
}

TEST(Recording, WhatIsWrittenIsRead) {
  std::string text = recording_head(0x0123456789ABCDEF);
  std::vector<RecordedInput> inputs;
  for (const GuestInput& input : one_of_each()) {
    const u64 number = inputs.size();
    inputs.push_back({{number * 1000, static_cast<GuestTime>(number) * 8000, number % 3}, 0xFFFFFFF0u + 1, input});
    text += recording_line(inputs.back());
  }
  const input::Frame answer{2, 9, {0x12}};
  text += recording_line(answer);
  const RecordedEnd end{{99'999, 1'000'000, 2}, 0xFEDC};
  text += recording_line(end);
  const auto read = Recording::parse(text);
  ASSERT_TRUE(read) << read.message();
  EXPECT_EQ(read.value().machine, 0x0123456789ABCDEFu);
  EXPECT_EQ(read.value().inputs, inputs);
  EXPECT_EQ(read.value().answers, std::vector<input::Frame>{answer});
  EXPECT_EQ(read.value().end, end);
}

TEST(Recording, ALineThatWasCutOffIsLeftOut) {
  const std::string whole = recording_head(1) + recording_line(RecordedInput{{1, 8, 0}, 0, input::Reset{}});
  const std::string next = recording_line(RecordedInput{{2, 16, 0}, 0, input::Byte{0, 65}});
  for (std::size_t kept = 0; kept < next.size(); kept++) {
    const auto read = Recording::parse(whole + next.substr(0, kept));
    ASSERT_TRUE(read) << read.message();
    EXPECT_EQ(read.value().inputs.size(), 1u);
    EXPECT_FALSE(read.value().end);
  }
}

TEST(Recording, WhatIsWrongIsToldByItsLine) {
  const std::string head = recording_head(1);
  const struct {
    std::string text, line;
  } cases[] = {
      {"relic86 recording 2\n", "line 1"},
      {"relic86 recording 1\nmachine x\n", "line 2"},
      {"relic86 recording 1\n@ 1 2 3 0 reset\n", "line 2"},
      {head + "@ 1 2 3 0\n", "line 3"},
      {head + "@ 1 2 3 0 explode\n", "line 3"},
      {head + "@ 1 2 0 reset\n", "line 3"},
      {head + "@ 1 2 3 0 reset now\n", "line 3"},
      {head + "@ 1 2 3 0 byte 0 256\n", "line 3"},
      {head + "@ 1 2 3 0 key nokey up\n", "line 3"},
      {head + "@ 1 2 3 0 key a sideways\n", "line 3"},
      {head + "@ 1 2 3 0 frame 0 abc\n", "line 3"},
      {head + "@ 99999999999999999999 2 3 0 reset\n", "line 3"},
      {head + "@ 5 2 3 0 reset\n@ 4 2 3 0 reset\n", "line 4"},
      {head + "> 0 0 aa\n", "line 3"},
      {head + "> 2 0 aa\n> 1 0 aa\n", "line 4"},
      {head + "end 1 2 3 0\n@ 2 2 3 0 reset\n", "line 4"},
      {head + "what\n", "line 3"},
  };
  for (const auto& [text, line] : cases) {
    const auto read = Recording::parse(text);
    ASSERT_FALSE(read) << text;
    EXPECT_TRUE(read.message().starts_with(line)) << text << read.message();
  }
}

}  // namespace
}  // namespace relic86
