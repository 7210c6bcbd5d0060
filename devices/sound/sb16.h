// A Sound Blaster 16: the digital sound processor (DSP) with its DMA, the CT1745 mixer and an MPU-401 in UART mode. Its
// FM synthesizer is a device of its own (Opl).
#pragma once

#include <array>
#include <vector>

#include "devices/attachment.h"
#include "devices/byte_queue.h"
#include "devices/device.h"
#include "devices/dma.h"
#include "devices/sound/creative_adpcm.h"
#include "devices/sound/ct1745.h"
#include "devices/sound/mpu401.h"
#include "devices/sound/sample_run.h"
#include "devices/sound_sinks.h"

namespace relic86 {

class Opl;

struct Sb16Config {
  u16 port = 0x220;
  u16 midi_port = 0x330;
  Ct1745::Wiring wiring;
  u16 version = 0x405;  // major in the high byte
};

class Sb16 final : public Device {
 public:
  // opl: the chip whose volume the card's mixer sets. host: null: nothing is heard. instrument: what the MPU-401 plays;
  // null: nothing.
  Sb16(const Sb16Config& config, DmaController& dma, Opl& opl, SoundHost* host, MidiInstrument* instrument);

  // Cables of CD-ROM drives, which must outlive the card.
  void connect_cd(SoundInput& cable) { cd_.push_back(&cable); }

  std::string_view name() const override { return "sb16"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 private:
  enum Region : RegionId { kMixerPorts, kDspPorts, kDspPorts2, kMpuPorts };
  static constexpr u32 kLowestRate = 4000, kHighestRate = 50'000, kDefaultRate = 22050;  // frames a second

  // One run of DMA: what a command began. It moves pieces of at most a millisecond, each at the moment when its first
  // sample sounds, and interrupts when the last sample of a block has sounded.
  struct Transfer {
    enum class Kind : u8 { None, Output, Input, Silence } kind = Kind::None;
    bool words = false;  // samples of 16 bits
    bool is_signed = false;
    bool stereo = false;
    bool packed = false;     // ADPCM
    bool automatic = false;  // the next block begins by itself
    bool paused = false;
    bool block_over = false;  // the piece that sounds is its block's last
    u32 block = 1;            // samples (bytes or words) of a block
    u32 left = 0;             // of this block, not moved yet
    u32 rate = kDefaultRate;  // frames a second
    SampleRun run{kDefaultRate};
  };

  // DSP ports
  u8 read_dsp(u64 offset);
  void write_dsp(u64 offset, u8 value);
  void reset_dsp();

  // Commands (sb16_commands.cpp)
  static unsigned argument_count(u8 command);
  void take_command_byte(u8 value);
  void execute(u8 command);
  void execute_old_dma(u8 command);
  void execute_dma(u8 command);
  void execute_inquiry(u8 command);
  u32 argument_word(unsigned first) const;  // low byte first
  void answer(u8 value);

  // Transfers (sb16_transfer.cpp)
  void begin(const Transfer& transfer);
  void pause(bool paused);
  void stop();
  void move_piece();
  u32 move_output(u32 samples);
  u32 move_input(u32 samples);
  void play(std::span<const u8> bytes);
  void restart_run();  // the next sample sounds now

  void interrupt(Ct1745::InterruptStatus source);
  void acknowledge(Ct1745::InterruptStatus source);
  void drive_irq();
  void write_direct(u8 sample);
  void update_gain();

  Sb16Config config_;
  DmaController& dma_;
  Opl& opl_;
  SoundSink* samples_ = nullptr;
  LevelSink* direct_ = nullptr;
  std::vector<SoundInput*> cd_;
  Scheduler* scheduler_ = nullptr;
  TimerId timer_ = 0;
  std::array<IrqLine, 4> irqs_;  // 2 (which is 9), 5, 7, 10

  Ct1745 mixer_;
  Mpu401 mpu_;
  Transfer transfer_;
  CreativeAdpcm adpcm_;
  u8 command_ = 0;  // that still waits for arguments
  std::array<u8, 3> arguments_{};
  u8 arguments_taken_ = 0;
  ByteQueue<64> answers_;
  u8 last_answer_ = 0xFF;
  bool reset_held_ = false;
  bool midi_mode_ = false;  // bytes for the DSP are MIDI's until its reset
  bool speaker_on_ = false;
  u8 test_register_ = 0;
  u8 direct_sample_ = 0x80;
  u32 old_block_ = 0;               // command 48h: samples of a block of the older commands
  u32 output_rate_ = kDefaultRate;  // frames a second, as programmed
  std::array<u8, 4> rest_{};        // bytes of a frame that is not whole yet
  u8 rest_count_ = 0;

  std::vector<u8> bytes_;  // of the piece that is moved
  std::vector<u8> unpacked_;
  std::vector<StereoFrame> frames_;
};

}  // namespace relic86
