// What the DSP does between commands: it moves samples by DMA and plays them.
#include <algorithm>
#include <cstring>

#include "devices/sound/driver_reaction.h"
#include "devices/sound/pcm_frames.h"
#include "devices/sound/sb16.h"

namespace relic86 {

namespace {

constexpr GuestTime kRetry = 500'000;  // the DMA controller is not programmed yet: it is asked again
constexpr u8 kSilent8 = 0x80;

}  // namespace

void Sb16::begin(const Transfer& transfer) {
  transfer_ = transfer;
  transfer_.left = transfer_.block;
  rest_count_ = 0;
  restart_run();
}

void Sb16::stop() {
  transfer_ = Transfer{};
  scheduler_->cancel(timer_);
}

void Sb16::pause(bool paused) {
  if (transfer_.kind == Transfer::Kind::None || transfer_.paused == paused) return;
  transfer_.paused = paused;
  if (!paused) return restart_run();
  scheduler_->cancel(timer_);
}

void Sb16::restart_run() {
  transfer_.run.begin(scheduler_->now(), transfer_.rate);
  if (transfer_.kind == Transfer::Kind::None || transfer_.paused) return scheduler_->cancel(timer_);
  scheduler_->schedule_at(timer_, scheduler_->now());
}

void Sb16::event(u32, GuestTime late) {
  if (transfer_.kind == Transfer::Kind::None || transfer_.paused) return;
  transfer_.run.resume(scheduler_->now(), late, transfer_.rate);
  if (transfer_.block_over) {
    transfer_.block_over = false;
    transfer_.left = transfer_.block;
    const auto source = transfer_.words ? Ct1745::kDma16 : Ct1745::kDma8;
    if (!transfer_.automatic) stop();
    interrupt(source);
    if (transfer_.kind != Transfer::Kind::None) scheduler_->schedule_at(timer_, after_reaction(transfer_.run));
    return;
  }
  if (transfer_.kind != Transfer::Kind::None) move_piece();
}

void Sb16::move_piece() {
  const u32 channels = transfer_.stereo ? 2 : 1;
  const u32 wanted = std::min(transfer_.left, transfer_.run.piece() * channels);
  u32 moved = 0;
  switch (transfer_.kind) {
    case Transfer::Kind::Output: moved = move_output(wanted); break;
    case Transfer::Kind::Input: moved = move_input(wanted); break;
    case Transfer::Kind::Silence: moved = wanted; break;
    case Transfer::Kind::None: return;
  }
  transfer_.left -= moved;
  transfer_.block_over = transfer_.left == 0;
  if (moved == 0) {
    // The line DRQ stays up until the controller answers; the samples sound from then on.
    transfer_.run.begin(scheduler_->now() + kRetry, transfer_.rate);
    return scheduler_->schedule_at(timer_, transfer_.run.next());
  }
  if (transfer_.kind != Transfer::Kind::Output) transfer_.run.moved((moved + channels - 1) / channels);
  scheduler_->schedule_at(timer_, transfer_.run.next());
}

u32 Sb16::move_output(u32 samples) {
  const u32 width = transfer_.words ? 2 : 1;
  const unsigned channel = transfer_.words ? mixer_.dma16() : mixer_.dma8();
  bytes_.resize(rest_count_ + samples * width);
  std::memcpy(bytes_.data(), rest_.data(), rest_count_);
  const auto moved = dma_.from_memory(channel, std::span(bytes_).subspan(rest_count_));
  bytes_.resize(rest_count_ + moved.count);
  if (moved.count != 0) play(bytes_);
  return moved.count / width;
}

// Nothing is plugged into the card's inputs.
u32 Sb16::move_input(u32 samples) {
  const u32 width = transfer_.words ? 2 : 1;
  const unsigned channel = transfer_.words ? mixer_.dma16() : mixer_.dma8();
  bytes_.assign(samples * width, transfer_.is_signed ? u8{0} : kSilent8);
  if (transfer_.words && !transfer_.is_signed) {
    for (std::size_t i = 0; i < bytes_.size(); i += 2) bytes_[i] = 0;
  }
  return dma_.to_memory(channel, bytes_).count / width;
}

void Sb16::play(std::span<const u8> bytes) {
  unpacked_.clear();
  if (transfer_.packed) {
    for (const u8 byte : bytes) adpcm_.decode(byte, unpacked_);
    bytes = unpacked_;
  }
  const PcmLayout layout = pcm_layout(transfer_.stereo ? PcmChannels::Stereo : PcmChannels::Mono,
                                      transfer_.words ? 2 : 1, transfer_.is_signed);
  const std::size_t count = bytes.size() / layout.frame_bytes();
  rest_count_ = static_cast<u8>(bytes.size() - count * layout.frame_bytes());
  std::copy(bytes.end() - rest_count_, bytes.end(), rest_.begin());
  if (samples_ != nullptr) {
    decode_pcm(bytes, layout, mixer_.voice_gain(), frames_);
    samples_->play(transfer_.run.next(), transfer_.run.rate(), frames_);
  }
  transfer_.run.moved(count);
}

}  // namespace relic86
