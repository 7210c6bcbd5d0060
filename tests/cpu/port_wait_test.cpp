// Which loops do nothing but wait for a port.
#include "cpu/port_wait.h"

#include <gtest/gtest.h>

#include <random>

#include "cpu/control_bits.h"
#include "tests/cpu/cpu_test_machine.h"

namespace relic86 {

namespace {

constexpr u16 kPort = 0x3DA;
constexpr u32 kLoop = 0x1010;

class PortWaitTest : public testing::TestWithParam<bool> {
 protected:
  PortWaitTest() {
    if (GetParam()) {
      m_.flat32(kLoop, 0x8000);
    } else {
      m_.real_mode(0, kLoop);
    }
    m_.reg(kEdx) = kPort;
  }
  // Of the loop at kLoop, with the processor at an offset in it.
  std::optional<PortWait> wait(std::vector<u8> code, u32 offset = 0) {
    code.resize(code.size() + 8, 0xF4);
    m_.write(kLoop, code);
    m_.state().rip = kLoop + offset;
    return PortWait::at(m_.cpu());
  }
  void expect_none(const std::vector<u8>& code, const char* what, u32 offset = 0) {
    EXPECT_FALSE(wait(code, offset)) << what;
  }

  CpuTestMachine m_;
};

TEST_P(PortWaitTest, GoesRoundUntilTheBitIsSet) {
  const std::vector<u8> code{0xEC, 0xA8, 0x08, 0x74, 0xFB};  // in al, dx; test al, 8; jz
  for (const u32 offset : {0u, 1u, 3u}) {
    if (offset == 3) m_.state().flags.set_eflags(kZF);
    const auto found = wait(code, offset);
    ASSERT_TRUE(found) << offset;
    EXPECT_EQ(found->port(), kPort);
    EXPECT_TRUE(found->goes_on_with(0));
    EXPECT_TRUE(found->goes_on_with(1));
    EXPECT_FALSE(found->goes_on_with(8));
    EXPECT_FALSE(found->goes_on_with(9));
  }
}

TEST_P(PortWaitTest, TakesTheFormsThatProgramsHave) {
  // jnz; and al; a jump over the exit; PAUSE; CMP; OR AL, AL with JS
  struct Form {
    std::vector<u8> code;
    u8 waits, ends;
  };
  const std::vector<Form> forms{{{0xEC, 0xA8, 0x08, 0x75, 0xFB}, 9, 1},
                                {{0xEC, 0x24, 0x08, 0x74, 0xFB}, 1, 9},
                                {{0xEC, 0xA8, 0x08, 0x75, 0x02, 0xEB, 0xF9}, 0, 8},
                                {{0xF3, 0x90, 0xEC, 0x90, 0xA8, 0x01, 0x74, 0xF8}, 8, 1},
                                {{0xEC, 0x3C, 0x08, 0x72, 0xFB}, 7, 8},
                                {{0xEC, 0x08, 0xC0, 0x78, 0xFB}, 0x80, 0x7F},
                                {{0xEC, 0xA8, 0x08, 0x0F, 0x84, 0xF7, 0xFF, 0xFF, 0xFF}, 0, 8}};
  for (std::size_t i = 0; i < forms.size(); ++i) {
    std::vector<u8> code = forms[i].code;
    if (i + 1 == forms.size() && !GetParam()) code = {0xEC, 0xA8, 0x08, 0x0F, 0x84, 0xF9, 0xFF};
    const auto found = wait(code);
    ASSERT_TRUE(found) << i;
    EXPECT_TRUE(found->goes_on_with(forms[i].waits)) << i;
    EXPECT_FALSE(found->goes_on_with(forms[i].ends)) << i;
  }
  std::vector<u8> loads{0xBA, 0xDA, 0x03};  // mov dx, 3DAh
  if (GetParam()) loads.insert(loads.end(), {0, 0});
  loads.insert(loads.end(), {0xEC, 0xA8, 0x08, 0x74});
  loads.push_back(static_cast<u8>(0x100 - loads.size() - 1));
  const auto found = wait(loads);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->goes_on_with(0));
}

// What a loop leaves behind besides AL and the flags depends on how often it has gone round.
TEST_P(PortWaitTest, NoLoopThatDoesMore) {
  const auto stays = [&](const std::vector<u8>& code) {
    const auto found = wait(code);
    return found && found->goes_on_with(0);
  };
  EXPECT_FALSE(stays({0xEC, 0x43, 0xA8, 0x08, 0x74, 0xFA})) << "inc ebx";
  EXPECT_FALSE(stays({0xEC, 0xA8, 0x08, 0xE1, 0xFB})) << "loopz";
  EXPECT_FALSE(stays({0xEC, 0xA8, 0x08, 0x74, 0xFB - 1})) << "back into the middle of something else";
  EXPECT_FALSE(stays({0xEC, 0xAA, 0xA8, 0x08, 0x74, 0xFA})) << "stosb";
  EXPECT_FALSE(stays({0xEC, 0xEE, 0xA8, 0x08, 0x74, 0xFA})) << "out dx, al";
  EXPECT_FALSE(stays({0xED, 0xA8, 0x08, 0x74, 0xFB})) << "in eax, dx";
  EXPECT_FALSE(stays({0xBA, 0xDB, 0x03, 0, 0, 0xEC, 0xA8, 0x08, 0x74, 0xF6})) << "another port";
  EXPECT_FALSE(stays({0xEC, 0x75, 0xFD})) << "jnz by what was before";
  EXPECT_FALSE(stays({0xEB, 0xFE})) << "no port";
  EXPECT_FALSE(stays({0xEC, 0xA8, 0x08, 0x7A, 0xFB})) << "jp";
}

TEST_P(PortWaitTest, NoLoopThatSomebodyWatches) {
  const std::vector<u8> code{0xEC, 0xA8, 0x08, 0x74, 0xFB};
  m_.state().dr[7] = 1;
  expect_none(code, "DR7");
  m_.state().dr[7] = 0;
  m_.state().system_flags |= kTF;
  expect_none(code, "TF");
}

// Whatever stands there: no look takes long, or goes beyond the code that was read.
TEST_P(PortWaitTest, AnyCode) {
  constexpr u8 kLikely[] = {0xEC, 0xA8, 0x08, 0x74, 0x75, 0xFB, 0xEB, 0xF9, 0x0F, 0x84, 0x24, 0xFE, 0x80};
  std::mt19937 random(1);
  unsigned found = 0;
  for (unsigned i = 0; i < 20'000; ++i) {
    std::vector<u8> code(1 + random() % 24);
    for (u8& each : code) each = random() % 4 == 0 ? static_cast<u8>(random()) : kLikely[random() % std::size(kLikely)];
    const auto wait = this->wait(code, random() % code.size());
    if (wait && wait->goes_on_with(static_cast<u8>(random()))) ++found;
  }
  EXPECT_GT(found, 0u);
}

TEST_P(PortWaitTest, TheWindowEndsWithThePage) {
  constexpr u32 kEnd = 0x2000 - 3;
  const std::vector<u8> code{0xEC, 0xA8, 0x08, 0x74, 0xFB};
  m_.write(kEnd, code);
  m_.state().rip = kEnd;
  const auto found = PortWait::at(m_.cpu());
  EXPECT_FALSE(found && found->goes_on_with(0));
}

INSTANTIATE_TEST_SUITE_P(CodeSize, PortWaitTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& size) { return size.param ? "Bits32" : "Bits16"; });

}  // namespace

}  // namespace relic86
