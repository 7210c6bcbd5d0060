// Sound cards on a test board: RAM, and a host that keeps what it hears.
#pragma once

#include <gtest/gtest.h>

#include <deque>

#include "devices/sound_sinks.h"
#include "tests/devices/test_board.h"

namespace relic86::test {

struct HeardVoice final : SoundSink {
  void play(GuestTime at, SampleRate played, std::span<const StereoFrame> piece) override {
    if (frames.empty()) start = at;
    // What continues begins where the piece before ended.
    if (!frames.empty() && std::abs(at - end) > 1000) breaks++;
    rate = played;
    frames.insert(frames.end(), piece.begin(), piece.end());
    end = at + played.time_of(piece.size());
  }
  std::vector<StereoFrame> frames;
  SampleRate rate;
  GuestTime start = 0, end = 0;
  unsigned breaks = 0;
};

struct HeardLevel final : LevelSink {
  void level(GuestTime at, StereoFrame level) override { levels.emplace_back(at, level); }
  std::vector<std::pair<GuestTime, StereoFrame>> levels;
};

struct HearingHost final : SoundHost {
  SoundSink& add_voice(SoundSource*) override { return voices.emplace_back(); }
  LevelSink& add_level(SoundSource*) override { return levels.emplace_back(); }
  std::deque<HeardVoice> voices;
  std::deque<HeardLevel> levels;
};

struct HeardInstrument final : MidiInstrument {
  void play(GuestTime at, std::span<const u8> message) override {
    messages.emplace_back(message.begin(), message.end());
    last = at;
  }
  void reset(GuestTime) override {
    messages.clear();
    resets++;
  }
  void set_gain(GuestTime, StereoFrame now) override { gain = now; }
  std::vector<std::vector<u8>> messages;
  GuestTime last = 0;
  unsigned resets = 0;
  StereoFrame gain;
};

struct SoundBoard : TestBoard {
  static constexpr u64 kRam = u64{1} << 20;
  SoundBoard() : TestBoard(kRam, 0) {
    EXPECT_TRUE(memory.map_fixed(memory.new_key(), ram_range("ram", PhysAddr(0), kRam, BackingOffset(0))).ok());
  }
  void store(u32 at, const std::vector<u8>& bytes) { memory.write_block(PhysAddr(at), bytes); }
  // Until this much later, each event at its time.
  void run(GuestTime span) {
    const GuestTime until = clock.time + span;
    while (scheduler.next_deadline() <= until) {
      clock.time = std::max(clock.time, scheduler.next_deadline());
      scheduler.run_due();
    }
    clock.time = until;
  }
  HearingHost host;
};

inline constexpr GuestTime kMillisecond = 1'000'000;

}  // namespace relic86::test
