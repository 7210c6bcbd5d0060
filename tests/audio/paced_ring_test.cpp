// The ring between guest time and the clock of sound hardware, with both clocks simulated.
#include "audio/paced_ring.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/audio/recording.h"

namespace relic86 {
namespace {

constexpr u32 kRate = 44100, kPeriod = 256, kPiece = 220;
constexpr PacedRing::Settings kSettings{600, 1200};

// A guest that plays a sine wave of 500 Hz in pieces of 5 ms, its clock `guest_pace` times the host's, for so many host
// seconds; stalled(host time) says that it stands.
struct Session {
  template <class Stalled>
  void run(double seconds, double guest_pace, Stalled stalled) {
    double made = 0;
    for (u64 taken = 0; static_cast<double>(taken) < seconds * kRate; taken += kPeriod) {
      const double now = static_cast<double>(taken) / kRate;
      if (!stalled(now)) made += kPeriod * guest_pace;
      for (; made >= kPiece; made -= kPiece) {
        std::vector<StereoFrame> piece;
        for (u32 i = 0; i < kPiece; i++, frame++) {
          const auto value =
              static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * 500 * static_cast<double>(frame) / kRate));
          piece.push_back({value, value});
        }
        ring.write(piece);
      }
      std::vector<StereoFrame> period(kPeriod);
      ring.read(period);
      most_waiting = std::max(most_waiting, ring.waiting());
      for (const StereoFrame& one : period) {
        heard.left.push_back(one.left);
        heard.right.push_back(one.right);
      }
    }
  }
  void run(double seconds, double guest_pace) {
    run(seconds, guest_pace, [](double) { return false; });
  }

  PacedRing ring{kSettings};
  test::Recording heard{kRate, {}, {}};
  u64 frame = 0;
  u32 most_waiting = 0;
};

TEST(PacedRing, ClocksThatDifferALittleAreNotHeard) {
  for (const double pace : {1.0, 1.001, 0.999}) {
    SCOPED_TRACE(pace);
    Session session;
    session.run(20, pace);
    EXPECT_EQ(session.ring.underruns(), 0u);
    EXPECT_LE(session.most_waiting, kSettings.most);
    const auto tones = test::tones(session.heard, session.heard.left);
    ASSERT_EQ(tones.size(), 1u);
    EXPECT_NEAR(tones[0].frequency, 500 * pace, 0.3);
    EXPECT_NEAR(tones[0].level, 0.5 / std::sqrt(2), 0.01);
    EXPECT_LT(tones[0].longest_gap, 0.002);
  }
}

TEST(PacedRing, AGuestThatIsTooSlowIsCounted) {
  Session session;
  session.run(10, 0.9);
  EXPECT_GT(session.ring.underruns(), 10u);
}

// A guest that makes up for lost time all at once does not stay late for it.
TEST(PacedRing, AStallCostsItsOwnTimeOnly) {
  Session session;
  session.run(2, 1, [](double now) { return now > 1 && now < 1.2; });
  const u64 after_stall = session.ring.underruns();
  EXPECT_EQ(after_stall, 1u);
  const std::vector<StereoFrame> burst(20'000, StereoFrame{0.1f, 0.1f});
  session.ring.write(burst);
  EXPECT_LE(session.ring.waiting(), kSettings.most);
  session.run(2, 1);
  EXPECT_EQ(session.ring.underruns(), after_stall);
}

TEST(PacedRing, SilenceIsNoUnderrun) {
  PacedRing ring(kSettings);
  std::vector<StereoFrame> period(kPeriod);
  for (int i = 0; i < 100; i++) ring.read(period);
  EXPECT_EQ(ring.underruns(), 0u);
  // A sound that is shorter than the ring's target is heard, too.
  ring.silence(u64{kRate} * 3600);
  ring.write(std::vector<StereoFrame>(300, StereoFrame{0.5f, 0.5f}));
  ring.rest();
  float loudest = 0;
  for (int i = 0; i < 10; i++) {
    ring.read(period);
    for (const StereoFrame& frame : period) loudest = std::max(loudest, frame.left);
  }
  EXPECT_FLOAT_EQ(loudest, 0.5f);
  EXPECT_EQ(ring.underruns(), 0u);
  for (const StereoFrame& frame : period) EXPECT_LT(std::abs(frame.left), 0.01f);
}

}  // namespace
}  // namespace relic86
