// What plays the audio tracks of a disc: a CD-ROM drive has a converter and a cable to the sound card of its own, so
// that the computer only says from where to where. Where it is, is computed from guest time; whether somebody listens
// changes nothing of that.
#pragma once

#include <array>
#include <vector>

#include "base/state_archive.h"
#include "devices/sound_sinks.h"
#include "devices/storage/cdrom_medium.h"

namespace relic86 {

class CdPlayer final : public SoundSource, public SoundInput {
 public:
  // As READ SUB-CHANNEL tells it (MMC-3, table 237).
  enum class Status : u8 { Playing = 0x11, Paused = 0x12, Completed = 0x13, Nothing = 0x15 };
  // Of the CD audio control page: for each output which channels of the disc it plays (bit 0 the first, bit 1 the
  // second), and how loud, up to 255.
  struct Port {
    u8 channels = 0, volume = 0xFF;
  };
  using Ports = std::array<Port, 2>;
  static constexpr Ports kStereo{Port{1, 0xFF}, Port{2, 0xFF}};

  void connect(SoundHost& host) { sink_ = &host.add_voice(this); }
  // Playing ends. medium: null: none.
  void insert(CdromMedium* medium);

  void play(GuestTime now, u32 first, u32 end);  // sectors [first, end) of the medium
  void pause(GuestTime now);
  void resume(GuestTime now);
  void stop(GuestTime now);
  bool active(GuestTime now) const { return status(now) == Status::Playing || status(now) == Status::Paused; }
  Status status(GuestTime now) const;
  // The same for a command that tells it: that playing has been completed is told once.
  Status tell_status(GuestTime now);
  u32 position(GuestTime now) const;  // the sector that is played, or was the last one

  const Ports& ports() const { return ports_; }
  void set_ports(GuestTime now, const Ports& ports);
  void set_gain(GuestTime at, StereoFrame gain) override;

  void reset();
  void state(StateArchive& archive, GuestTime now);

  void produce(GuestTime until) override;
  bool sounding() const override { return status_ == Status::Playing; }

 private:
  static constexpr u32 kSamples = kCdFrameBytes / 4;  // of each channel, in a sector
  static constexpr SampleRate kRate{kSamples * kCdFramesPerSecond, 1};
  static constexpr SampleRate kSectors{kCdFramesPerSecond, 1};

  u64 length() const { return u64{end_ - first_} * kSamples; }
  StereoFrame frame(u64 index);
  void load_sector(u32 sector);

  CdromMedium* medium_ = nullptr;
  Status status_ = Status::Nothing;
  u32 first_ = 0, end_ = 0;  // sectors; after a pause from there on
  GuestTime began_ = 0;      // the moment of first_
  Ports ports_ = kStereo;

  // The sound: nothing of it is seen by the guest.
  SoundSink* sink_ = nullptr;
  StereoFrame gain_{1, 1};
  u64 made_ = 0;  // frames since began_
  std::array<u8, kCdFrameBytes> sector_{};
  u32 loaded_ = ~u32{0};  // which one is in sector_
  std::vector<StereoFrame> frames_;
};

}  // namespace relic86
