// Intel 82801AA AC '97 controller with its codec: 16-bit stereo by PCI bus mastering. Input is silence.
#pragma once

#include <array>
#include <vector>

#include "devices/pci_device.h"
#include "devices/sound/sample_run.h"
#include "devices/sound_sinks.h"

namespace relic86 {

class Ac97 final : public PciDevice {
 public:
  // host: null: nothing is heard.
  explicit Ac97(SoundHost* host);

  // Cables of CD-ROM drives, which must outlive the card.
  void connect_cd(SoundInput& cable) { cd_.push_back(&cable); }

  std::string_view name() const override { return "ac97"; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned, unsigned) override {}

 private:
  enum Region : RegionId { kMixerRegisters, kBusMasterRegisters };
  enum Channel : unsigned { kPcmIn, kPcmOut, kMicrophone, kChannels };

  // A bus master with its list of 32 buffer descriptors.
  struct BusMaster {
    u32 list = 0;        // BDBAR
    u8 current = 0;      // CIV
    u8 last_valid = 0;   // LVI
    u8 prefetched = 0;   // PIV
    u16 status = 1;      // SR
    u8 control = 0;      // CR
    u16 left = 0;        // PICB: samples of the current buffer
    u32 address = 0;     // of the next sample
    u32 descriptor = 0;  // its flags and length
    SampleRun run{48000};
  };

  // The codec (ac97_codec.cpp)
  void reset_codec();
  u16 read_codec(unsigned offset) const;
  void write_codec(unsigned offset, u16 value);
  u32 rate_of(unsigned channel) const;
  StereoFrame gain() const;                       // of what the bus master plays
  StereoFrame input_gain(unsigned volume) const;  // of an input: the offset of its volume
  void update_cd();

  u8 read_byte(unsigned offset);
  void write_byte(unsigned offset, u8 value);
  void write_control(unsigned channel, u8 value);
  void reset_channel(unsigned channel);
  u16 samples_left(unsigned channel) const;  // PICB, which counts while a piece sounds
  void fetch(BusMaster& master);
  void next_buffer(unsigned channel);
  void restart_run(unsigned channel);
  void end_buffer(unsigned channel);
  void move_piece(unsigned channel);
  void play(const BusMaster& master, u32 bytes);
  void update_interrupt();
  static unsigned frame_samples(unsigned channel) { return channel == kMicrophone ? 1 : 2; }

  SoundSink* sink_ = nullptr;
  std::vector<SoundInput*> cd_;
  Scheduler* scheduler_ = nullptr;
  PhysicalBus* memory_ = nullptr;
  std::array<TimerId, kChannels> timers_{};
  std::array<BusMaster, kChannels> masters_;
  std::array<u16, 64> codec_{};
  u32 global_control_ = 0;
  bool semaphore_ = false;  // CAS
  std::vector<u8> bytes_;
  std::vector<StereoFrame> frames_;
};

}  // namespace relic86
