#include "machine/guest_inputs.h"

#include <gtest/gtest.h>

#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

// A recorded run of two inputs, and a guest whose counters the test sets.
class GuestInputsTest : public testing::Test {
 protected:
  GuestInputsTest() {
    auto inputs = open(RecordReplay::Record);
    EXPECT_TRUE(inputs->begin());
    for (const GuestMoment& moment : kInputs) {
      now = moment;
      EXPECT_TRUE(inputs->enter(input::Byte{0, 'a'}));
    }
    now = kEnd;
    EXPECT_TRUE(inputs->finish());
    applied = 0;
  }
  std::unique_ptr<GuestInputs> open(RecordReplay mode) {
    auto inputs = GuestInputs::create(IcountOption{.record_replay = mode, .record_file = folder_.path("record")},
                                      {[this](const GuestInput&) {
                                         applied++;
                                         return Result<>{};
                                       },
                                       [this] { return now; }, [this] { return registers; }, [] { return u64{7}; }});
    EXPECT_TRUE(inputs) << inputs.message();
    return std::move(inputs).value();
  }
  std::unique_ptr<GuestInputs> replay() {
    now = {};
    auto inputs = open(RecordReplay::Replay);
    EXPECT_TRUE(inputs->begin());
    return inputs;
  }

  static constexpr GuestMoment kInputs[] = {{100, 800, 0}, {200, 1600, 1}}, kEnd{300, 2400, 0};
  GuestMoment now{};
  u32 registers = 5;
  unsigned applied = 0;

 private:
  test::TemporaryFolder folder_;
};

TEST_F(GuestInputsTest, AReplayIsGivenItsInputsAtTheirMoments) {
  const auto inputs = replay();
  for (unsigned i = 0; i < std::size(kInputs); i++) {
    EXPECT_EQ(inputs->next(), kInputs[i]);
    EXPECT_TRUE(inputs->replay_due());
    EXPECT_EQ(applied, i);
    now = kInputs[i];
    EXPECT_TRUE(inputs->replay_due());
    EXPECT_EQ(applied, i + 1);
  }
  EXPECT_EQ(inputs->next(), kEnd);
  EXPECT_FALSE(inputs->at_end());
  now = kEnd;
  EXPECT_TRUE(inputs->replay_due());
  EXPECT_TRUE(inputs->at_end());
}

TEST_F(GuestInputsTest, AReplayThatMissesAnInputEnds) {
  for (const GuestMoment missed : {GuestMoment{101, 800, 0}, GuestMoment{99, 801, 0}, GuestMoment{100, 800, 1}}) {
    const auto inputs = replay();
    now = missed;
    const auto replayed = inputs->replay_due();
    ASSERT_FALSE(replayed);
    EXPECT_NE(replayed.message().find("the moment of an input has passed"), std::string::npos) << replayed.message();
  }
}

TEST_F(GuestInputsTest, AReplayWithOtherRegistersEnds) {
  const auto inputs = replay();
  now = kInputs[0];
  registers++;
  const auto replayed = inputs->replay_due();
  ASSERT_FALSE(replayed);
  EXPECT_NE(replayed.message().find("the registers differ"), std::string::npos) << replayed.message();
}

// It would run for ever: nothing is left that it could be compared with.
TEST_F(GuestInputsTest, AReplayThatMissesTheEndEnds) {
  for (const GuestMoment missed : {GuestMoment{301, 2400, 0}, GuestMoment{299, 2401, 0}}) {
    const auto inputs = replay();
    for (const GuestMoment& moment : kInputs) {
      now = moment;
      EXPECT_TRUE(inputs->replay_due());
    }
    now = missed;
    const auto replayed = inputs->replay_due();
    ASSERT_FALSE(replayed);
    EXPECT_NE(replayed.message().find("the recording's end has passed"), std::string::npos) << replayed.message();
  }
}

}  // namespace
}  // namespace relic86
