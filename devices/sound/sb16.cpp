// Ports (Creative, Sound Blaster Series Hardware Programming Guide), from the base port 220h on:
//
//   port  R/W  register
//   4     RW   mixer address     5   RW  mixer data (ct1745.cpp)
//   6     W    DSP reset: 1, then 0; AAh is the answer
//   A     R    DSP answer
//   C     W    DSP command or argument;  R  7: not ready for one
//   E     R    7: an answer waits; the read acknowledges the interrupt of 8-bit DMA
//   F     R    the read acknowledges the interrupt of 16-bit DMA
//
// 0-3 and 8-9 are the FM synthesizer's (opl.cpp); 330h and 331h the MPU-401's (mpu401.cpp). Commands:
// sb16_commands.cpp. One interrupt line for all: mixer register 82h tells who raised it.
#include "devices/sound/sb16.h"

#include <algorithm>

#include "devices/sound/opl.h"

namespace relic86 {

namespace {

constexpr u64 kMixerAddress = 0;  // in kMixerPorts
constexpr u64 kResetPort = 0, kAnswer = 4, kCommand = 6, kAnswerStatus = 8,
              kAcknowledge16 = 9;  // in kDspPorts, from 6 on
constexpr u8 kAnswerWaits = 0x80, kReady = 0xAA, kUnused = 0x7F;
constexpr unsigned kIrqNumbers[4] = {2, 5, 7, 10};
constexpr unsigned kIrqOf2 = 9;  // on an AT's bus
constexpr u32 kMostBlock = 0x10000;

}  // namespace

Sb16::Sb16(const Sb16Config& config, DmaController& dma, Opl& opl, SoundHost* host, MidiInstrument* instrument)
    : config_(config), dma_(dma), opl_(opl), mpu_(instrument) {
  if (host == nullptr) return;
  samples_ = &host->add_voice(nullptr);
  direct_ = &host->add_level(nullptr);
}

Result<> Sb16::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  timer_ = board.timer(*this, "dma", 0);
  for (std::size_t i = 0; i < irqs_.size(); i++)
    irqs_[i] = board.isa_irq(kIrqNumbers[i] == 2 ? kIrqOf2 : kIrqNumbers[i]);
  if (auto done = board.ports(*this, kMixerPorts, static_cast<u16>(config_.port + 4), 2); !done) return done;
  if (auto done = board.ports(*this, kDspPorts, static_cast<u16>(config_.port + 6), 2); !done) return done;
  if (auto done = board.ports(*this, kDspPorts2, static_cast<u16>(config_.port + 10), 6); !done) return done;
  return board.ports(*this, kMpuPorts, config_.midi_port, 2);
}

void Sb16::reset(ResetKind) {
  mixer_.reset(config_.wiring);
  mpu_.reset(scheduler_->now());
  reset_dsp();
  answers_.clear();
  reset_held_ = false;
  test_register_ = 0;
  update_gain();
  drive_irq();
}

void Sb16::reset_dsp() {
  stop();
  acknowledge(Ct1745::kDma8);
  acknowledge(Ct1745::kDma16);
  command_ = arguments_taken_ = 0;
  answers_.clear();
  speaker_on_ = midi_mode_ = false;
  old_block_ = 0;
  output_rate_ = kDefaultRate;
  write_direct(0x80);
}

void Sb16::state(StateArchive& archive) {
  archive.group("mixer", [&] { mixer_.state(archive); });
  archive.group("mpu", [&] { mpu_.state(archive, scheduler_->now()); });
  archive.group("adpcm", [&] { adpcm_.state(archive); });
  archive.group("transfer", [&] {
    archive.field("kind", transfer_.kind);
    archive.field("words", transfer_.words);
    archive.field("is_signed", transfer_.is_signed);
    archive.field("stereo", transfer_.stereo);
    archive.field("packed", transfer_.packed);
    archive.field("automatic", transfer_.automatic);
    archive.field("paused", transfer_.paused);
    archive.field("block_over", transfer_.block_over);
    archive.field("block", transfer_.block);
    archive.field("left", transfer_.left);
    archive.field("rate", transfer_.rate);
    archive.group("run", [&] { transfer_.run.state(archive, kLowestRate, kHighestRate); });
  });
  archive.field("command", command_);
  archive.bytes("arguments", arguments_);
  archive.field("arguments_taken", arguments_taken_);
  answers_.state(archive, "answers");
  archive.field("last_answer", last_answer_);
  archive.field("reset_held", reset_held_);
  archive.field("midi_mode", midi_mode_);
  archive.field("speaker_on", speaker_on_);
  archive.field("test_register", test_register_);
  archive.field("direct_sample", direct_sample_);
  archive.field("old_block", old_block_);
  archive.field("output_rate", output_rate_);
  archive.bytes("rest", rest_);
  archive.field("rest_count", rest_count_);
  if (!archive.loading()) return;
  Transfer& transfer = transfer_;
  if (transfer.kind > Transfer::Kind::Silence) transfer.kind = Transfer::Kind::None;
  transfer.block = std::clamp<u32>(transfer.block, 1, kMostBlock);
  transfer.left = std::min(transfer.left, transfer.block);
  transfer.rate = std::clamp(transfer.rate, kLowestRate, kHighestRate);
  output_rate_ = std::clamp(output_rate_, kLowestRate, kHighestRate);
  old_block_ = std::min(old_block_, kMostBlock);
  arguments_taken_ = std::min(arguments_taken_, static_cast<u8>(arguments_.size() - 1));
  if (argument_count(command_) <= arguments_taken_) command_ = arguments_taken_ = 0;
  rest_count_ = std::min(rest_count_, static_cast<u8>(rest_.size() - 1));
  update_gain();
  drive_irq();
}

u64 Sb16::read(RegionId region, u64 offset, unsigned) {
  switch (region) {
    case kMixerPorts: return offset == kMixerAddress ? 0xFF : mixer_.read();
    case kMpuPorts: {
      const u8 value = mpu_.read(offset);
      mixer_.set_interrupt(Ct1745::kMpu, mpu_.pending());
      drive_irq();
      return value;
    }
    default: return read_dsp(region == kDspPorts2 ? offset + 4 : offset);
  }
}

void Sb16::write(RegionId region, u64 offset, unsigned, u64 value) {
  const u8 byte = static_cast<u8>(value);
  switch (region) {
    case kMixerPorts:
      if (offset == kMixerAddress) return mixer_.select(byte);
      mixer_.write(byte);
      update_gain();
      return drive_irq();
    case kMpuPorts:
      mpu_.write(scheduler_->now(), offset, byte);
      mixer_.set_interrupt(Ct1745::kMpu, mpu_.pending());
      return drive_irq();
    default: return write_dsp(region == kDspPorts2 ? offset + 4 : offset, byte);
  }
}

u8 Sb16::read_dsp(u64 offset) {
  switch (offset) {
    case kAnswer:
      if (!answers_.empty()) last_answer_ = answers_.pop();
      return last_answer_;
    case kCommand: return kUnused;  // always ready
    case kAnswerStatus:
      acknowledge(Ct1745::kDma8);
      return static_cast<u8>((answers_.empty() ? 0 : kAnswerWaits) | kUnused);
    case kAcknowledge16: acknowledge(Ct1745::kDma16); return 0xFF;
    default: return 0xFF;
  }
}

void Sb16::write_dsp(u64 offset, u8 value) {
  if (offset == kCommand && midi_mode_) return mpu_.midi().put(scheduler_->now(), value);
  if (offset == kCommand) return take_command_byte(value);
  if (offset != kResetPort) return;
  const bool held = (value & 1) != 0;
  if (held) reset_dsp();
  if (!held && reset_held_) answer(kReady);
  reset_held_ = held;
}

void Sb16::answer(u8 value) { answers_.push(value); }

// --- Interrupts and volumes ---

void Sb16::interrupt(Ct1745::InterruptStatus source) {
  mixer_.set_interrupt(source, true);
  drive_irq();
}

void Sb16::acknowledge(Ct1745::InterruptStatus source) {
  mixer_.set_interrupt(source, false);
  drive_irq();
}

void Sb16::drive_irq() {
  for (std::size_t i = 0; i < irqs_.size(); i++) {
    const bool level = mixer_.any_interrupt() && kIrqNumbers[i] == mixer_.irq();
    if (irqs_[i].level() != level) irqs_[i].set(level);
  }
}

void Sb16::update_gain() {
  opl_.set_gain(mixer_.midi_gain());
  mpu_.midi().set_gain(scheduler_->now(), mixer_.midi_gain());
  for (SoundInput* cable : cd_) cable->set_gain(scheduler_->now(), mixer_.cd_gain());
  write_direct(direct_sample_);
}

void Sb16::write_direct(u8 sample) {
  direct_sample_ = sample;
  if (direct_ == nullptr) return;
  const float level = static_cast<float>(sample - 128) / 128.0f;
  const StereoFrame gain = mixer_.voice_gain();
  direct_->level(scheduler_->now(), {level * gain.left, level * gain.right});
}

}  // namespace relic86
