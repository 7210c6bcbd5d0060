// Ensoniq AudioPCI (ES1370) with its AK4531 codec: two DACs and an ADC by PCI bus mastering. Input is silence.
#pragma once

#include <array>
#include <vector>

#include "devices/pci_device.h"
#include "devices/sound/sample_run.h"
#include "devices/sound_sinks.h"

namespace relic86 {

class Es1370 final : public PciDevice {
 public:
  // host: null: nothing is heard.
  explicit Es1370(SoundHost* host);

  // Cables of CD-ROM drives, which must outlive the card.
  void connect_cd(SoundInput& cable) { cd_.push_back(&cable); }

  std::string_view name() const override { return "es1370"; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned, unsigned) override {}

 private:
  enum ChannelId : unsigned { kDac1, kDac2, kAdc, kChannels };

  struct Channel {
    u32 address = 0;    // of the frame, that is the buffer
    u32 size = 0;       // 31:16 dwords moved, 15:0 dwords of the buffer less one
    u32 count = 0;      // 31:16 samples left to the interrupt, 15:0 samples less one
    u8 byte = 0;        // moved of the current dword
    bool over = false;  // the last frame of the count sounds
    SampleRun run{44100};
  };

  u32 read_register(unsigned index);
  void write_register(unsigned index, u32 value, u32 changed);
  u32* paged_register(unsigned index);
  void write_control(u32 value);
  void write_serial(u32 value);
  void write_codec(u32 value);

  bool runs(unsigned channel) const;
  u32 rate_of(unsigned channel) const;
  unsigned frame_bytes(unsigned channel) const;
  StereoFrame gain(unsigned channel) const;
  StereoFrame input_gain(unsigned input) const;  // of an input: the register of its left volume
  void update_cd();
  void restart_run(unsigned channel);
  void start_and_stop(u32 ran);
  u32 running() const;  // bit n: channel n
  void move_piece(unsigned channel);
  void move_bytes(unsigned channel, std::span<u8> bytes);
  void play(unsigned channel);
  void update_interrupt();

  std::array<SoundSink*, 2> sinks_{};
  std::vector<SoundInput*> cd_;
  Scheduler* scheduler_ = nullptr;
  PhysicalBus* memory_ = nullptr;
  std::array<TimerId, kChannels> timers_{};
  std::array<Channel, kChannels> channels_;
  u32 control_ = 0;
  u32 status_ = 0;
  u32 page_ = 0;
  u32 serial_ = 0;
  u32 phantom_address_ = 0, phantom_count_ = 0;
  std::array<u8, 32> codec_{};
  std::vector<u8> bytes_;
  std::vector<StereoFrame> frames_;
};

}  // namespace relic86
