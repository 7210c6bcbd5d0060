// Between the machine's thread, which mixes in guest time, and the host's audio thread, which takes frames by the clock
// of its sound hardware. The two clocks differ a little and the guest's comes in jumps: a few milliseconds wait here,
// and frames are taken slightly faster or slower to keep it so. Its fill never drives guest time.
#pragma once

#include <mutex>
#include <vector>

#include "audio/audio_output.h"

namespace relic86 {

class PacedRing final : public AudioOutput {
 public:
  struct Settings {
    u32 target = 0;  // frames that wait on average when the host asks for more
    u32 most = 0;    // of them; beyond that the oldest are dropped: a guest that makes up for lost time
  };
  explicit PacedRing(const Settings& settings);

  // --- The machine's thread ---
  void write(std::span<const StereoFrame> frames) override;
  void silence(u64 frames) override;
  void rest() override;

  // --- The host's thread: fills all of it, with silence where there is nothing. ---
  void read(std::span<StereoFrame> frames);

  // How often the guest did not make sound fast enough.
  u64 underruns() const;
  u32 waiting() const;

 private:
  void push(StereoFrame frame);
  void pop();
  StereoFrame at(u32 index) const { return ring_[(first_ + index) % ring_.size()]; }
  StereoFrame interpolated() const;
  double pace();

  Settings settings_;
  mutable std::mutex mutex_;  // held for microseconds
  std::vector<StereoFrame> ring_;
  u32 first_ = 0;
  u32 count_ = 0;
  bool playing_ = false;
  bool resting_ = true;  // the guest makes no sound: an empty ring is no underrun
  double position_ = 0;  // between the frames at 0 and 1
  StereoFrame before_;   // the frame that was at 0 before
  StereoFrame last_;     // what the host heard last
  double fill_ = 0;      // mean of count_ when the host asks
  u64 underruns_ = 0;
};

}  // namespace relic86
