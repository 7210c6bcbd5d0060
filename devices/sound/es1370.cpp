// Registers (Ensoniq ES1370 AudioPCI specification, 1997), in a BAR of 256 ports:
//
//   00h            RW  control: 31 ADC stop, 28:16 divider of DAC 2 and ADC, 13:12 rate of DAC 1,
//                      6 DAC 1 on, 5 DAC 2 on, 4 ADC on
//   04h            R   status: 31 interrupt, 9 codec busy, 2 DAC 1, 1 DAC 2, 0 ADC
//   0Ch            RW  page of 30h-3Fh
//   10h            W   codec: 15:8 register, 7:0 value
//   20h            RW  serial: 15, 14, 13 play once (ADC, DAC 2, DAC 1), 12, 11 pause (DAC 2, DAC 1),
//                      10, 9, 8 interrupt (ADC, DAC 2, DAC 1),
//                      5:4, 3:2, 1:0 format (ADC, DAC 2, DAC 1): 16 bits, stereo
//   24h, 28h, 2Ch  RW  sample counts of DAC 1, DAC 2, ADC: 31:16 left, 15:0 between interrupts, less one
//   30h, 34h       RW  page 0Ch: address and size of DAC 1's buffer, 38h, 3Ch DAC 2's;  page 0Dh: the ADC's
//
// The size: 31:16 dwords moved, 15:0 dwords less one. Codec (AKM AK4531 datasheet): 00h, 01h master left and right,
// 02h, 03h DAC 2, 04h, 05h DAC 1, 06h, 07h CD: 7 mute, 4:0 in 2 dB down; 0 dB is 0 for the master and 6 for the others.
#include "devices/sound/es1370.h"

#include <algorithm>
#include <cmath>

#include "devices/sound/driver_reaction.h"
#include "devices/sound/pcm_frames.h"

namespace relic86 {

namespace {

constexpr u32 kPorts = 256;
constexpr unsigned kDac2Volume = 2, kDac1Volume = 4, kCdVolume = 6;  // in the codec, left; right is the next
constexpr unsigned kControl = 0x00, kStatus = 0x04, kPage = 0x0C, kCodec = 0x10, kSerial = 0x20, kFirstCount = 0x24,
                   kLastCount = 0x2C, kPaged = 0x30, kEnd = 0x40;
constexpr u32 kAdcStop = 1u << 31, kInterrupt = 1u << 31;
constexpr u32 kEnable[] = {1u << 6, 1u << 5, 1u << 4};
constexpr u32 kPause[] = {1u << 11, 1u << 12, 0};
constexpr u32 kPlayOnce[] = {1u << 13, 1u << 14, 1u << 15};
constexpr u32 kInterruptEnable[] = {1u << 8, 1u << 9, 1u << 10};
constexpr u32 kPending[] = {1u << 2, 1u << 1, 1u << 0};
constexpr unsigned kFormatShift[] = {0, 2, 4};
constexpr u32 kStereo = 1, kWords = 2;
constexpr u32 kSerialBits = 0x7FFFFF, kPageBits = 0xF;
constexpr u32 kDacPage = 0xC, kAdcPage = 0xD;
constexpr u32 kDividedClock = 1411200;  // Hz
constexpr u32 kFixedRates[] = {5512, 11025, 22050, 44100};
constexpr u32 kLeastRate = 4000, kMostRate = 48000;

PciIdentity es1370_identity() {
  PciIdentity identity;
  identity.vendor = 0x1274;
  identity.device = 0x5000;
  identity.class_code = 0x040100;
  identity.subsystem_vendor = 0x4942;
  identity.subsystem = 0x4C4C;
  identity.interrupt_pin = 1;
  return identity;
}

}  // namespace

Es1370::Es1370(SoundHost* host) : PciDevice(es1370_identity()) {
  declare_io_bar(0, kPorts, 0, 4);
  if (host == nullptr) return;
  for (SoundSink*& sink : sinks_) sink = &host->add_voice(nullptr);
}

Result<> Es1370::attach_function(Attachment& board) {
  scheduler_ = &board.scheduler();
  memory_ = &board.memory();
  static constexpr const char* kNames[kChannels] = {"dac1", "dac2", "adc"};
  for (unsigned i = 0; i < kChannels; i++) timers_[i] = board.timer(*this, kNames[i], i);
  return {};
}

void Es1370::reset_function(ResetKind) {
  control_ = 1;
  status_ = 0x60;
  page_ = serial_ = phantom_address_ = phantom_count_ = 0;
  channels_ = {};
  codec_ = {};
  for (unsigned i = 0; i < 8; i++) codec_[i] = i < 2 ? 0x80 : 0x86;  // silent, DACs and CD at 0 dB
  update_cd();
  for (const TimerId timer : timers_) scheduler_->cancel(timer);
  update_interrupt();
}

void Es1370::state_function(StateArchive& archive) {
  archive.field("control", control_);
  archive.field("status", status_);
  archive.field("page", page_);
  archive.field("serial", serial_);
  archive.field("phantom_address", phantom_address_);
  archive.field("phantom_count", phantom_count_);
  archive.bytes("codec", codec_);
  static constexpr const char* kNames[kChannels] = {"dac1", "dac2", "adc"};
  for (unsigned i = 0; i < kChannels; i++) {
    archive.group(kNames[i], [&] {
      Channel& channel = channels_[i];
      archive.field("address", channel.address);
      archive.field("size", channel.size);
      archive.field("count", channel.count);
      archive.field("byte", channel.byte);
      archive.field("over", channel.over);
      channel.run.state(archive, kLeastRate, kMostRate);
      channel.byte &= 3;
    });
  }
  if (!archive.loading()) return;
  update_interrupt();
  update_cd();
}

// Registers are dwords; narrower accesses see their part.
u64 Es1370::read(RegionId, u64 offset, unsigned) {
  const unsigned index = static_cast<unsigned>(offset) & ~3u;
  return read_register(index) >> (offset % 4 * 8);
}

void Es1370::write(RegionId, u64 offset, unsigned width, u64 value) {
  const unsigned index = static_cast<unsigned>(offset) & ~3u;
  const unsigned shift = static_cast<unsigned>(offset % 4) * 8;
  const u32 changed = static_cast<u32>(all_ones(width)) << shift;
  const u32 placed = static_cast<u32>(value) << shift & changed;
  write_register(index, index == kCodec ? placed : (read_register(index) & ~changed) | placed, changed);
}

u32* Es1370::paged_register(unsigned index) {
  if (page_ == kDacPage) {
    Channel& channel = channels_[index < kPaged + 8 ? kDac1 : kDac2];
    return index % 8 == 0 ? &channel.address : &channel.size;
  }
  if (page_ != kAdcPage) return nullptr;
  if (index >= kPaged + 8) return index % 8 == 0 ? &phantom_address_ : &phantom_count_;
  return index % 8 == 0 ? &channels_[kAdc].address : &channels_[kAdc].size;
}

u32 Es1370::read_register(unsigned index) {
  switch (index) {
    case kControl: return control_;
    case kStatus: return status_;
    case kPage: return page_;
    case kSerial: return serial_;
    default: break;
  }
  if (index >= kFirstCount && index <= kLastCount) return channels_[(index - kFirstCount) / 4].count;
  if (index < kPaged || index >= kEnd) return 0;
  const u32* paged = paged_register(index);
  return paged == nullptr ? 0 : *paged;
}

void Es1370::write_register(unsigned index, u32 value, u32 changed) {
  switch (index) {
    case kControl: return write_control(value);
    case kPage: page_ = value & kPageBits; return;
    case kCodec: return write_codec(value);
    case kSerial: return write_serial(value);
    default: break;
  }
  if (index >= kFirstCount && index <= kLastCount) {
    // A new count begins at once; the upper half alone cannot be written.
    if ((changed & 0xFFFF) != 0) channels_[(index - kFirstCount) / 4].count = (value & 0xFFFF) << 16 | (value & 0xFFFF);
    return;
  }
  if (index < kPaged || index >= kEnd) return;
  if (u32* paged = paged_register(index); paged != nullptr) {
    *paged = value;
    for (Channel& channel : channels_) {
      if (paged == &channel.address) channel.byte = 0;
    }
  }
}

void Es1370::write_control(u32 value) {
  const u32 ran = running();
  control_ = value;
  start_and_stop(ran);
}

void Es1370::write_serial(u32 value) {
  const u32 ran = running();
  serial_ = value & kSerialBits;
  // Switching a channel's interrupt off acknowledges it.
  for (unsigned i = 0; i < kChannels; i++) {
    if ((serial_ & kInterruptEnable[i]) == 0) status_ &= ~kPending[i];
  }
  update_interrupt();
  start_and_stop(ran);
}

void Es1370::write_codec(u32 value) {
  const u32 index = value >> 8 & 0xFF;
  constexpr u32 kReset = 0x16;
  if (index == kReset) return;
  if (index < codec_.size()) codec_[index] = static_cast<u8>(value);
  update_cd();
}

void Es1370::update_interrupt() {
  const bool pending = (status_ & (kPending[kDac1] | kPending[kDac2] | kPending[kAdc])) != 0;
  status_ = pending ? status_ | kInterrupt : status_ & ~kInterrupt;
  set_interrupt(pending);
}

// --- Channels ---

bool Es1370::runs(unsigned channel) const {
  if (channel == kAdc && (control_ & kAdcStop) != 0) return false;
  return (control_ & kEnable[channel]) != 0 && (serial_ & kPause[channel]) == 0;
}

u32 Es1370::running() const {
  u32 bits = 0;
  for (unsigned i = 0; i < kChannels; i++) bits |= (runs(i) ? 1u : 0u) << i;
  return bits;
}

void Es1370::start_and_stop(u32 ran) {
  const u32 now = running();
  for (unsigned i = 0; i < kChannels; i++) {
    if ((now >> i & 1) == 0) {
      scheduler_->cancel(timers_[i]);
    } else if ((ran >> i & 1) == 0) {
      restart_run(i);
    }
  }
}

u32 Es1370::rate_of(unsigned channel) const {
  if (channel == kDac1) return kFixedRates[control_ >> 12 & 3];
  return std::clamp(kDividedClock / ((control_ >> 16 & 0x1FFF) + 2), kLeastRate, kMostRate);
}

unsigned Es1370::frame_bytes(unsigned channel) const {
  const u32 format = serial_ >> kFormatShift[channel];
  return ((format & kWords) != 0 ? 2u : 1u) * ((format & kStereo) != 0 ? 2u : 1u);
}

// The next frame sounds now.
void Es1370::restart_run(unsigned index) {
  channels_[index].run.begin(scheduler_->now(), rate_of(index));
  scheduler_->schedule_at(timers_[index], scheduler_->now());
}

void Es1370::event(u32 index, GuestTime late) {
  Channel& channel = channels_[index];
  if (!runs(index)) return;
  channel.run.resume(scheduler_->now(), late, rate_of(index));
  // What was moved last has sounded: if it was the last of a count, the driver is told.
  if (channel.over) {
    channel.over = false;
    if ((serial_ & kInterruptEnable[index]) != 0) status_ |= kPending[index];
    update_interrupt();
    if ((serial_ & kPlayOnce[index]) != 0) {
      control_ &= ~kEnable[index];
      return;
    }
    return scheduler_->schedule_at(timers_[index], after_reaction(channel.run));
  }
  move_piece(index);
}

void Es1370::move_piece(unsigned index) {
  Channel& channel = channels_[index];
  const u32 left = (channel.count >> 16) + 1;
  const u32 frames = std::min(left, channel.run.piece());
  bytes_.assign(frames * frame_bytes(index), 0);
  if (bus_master_enabled()) {
    if (index == kAdc && (serial_ >> kFormatShift[kAdc] & kWords) == 0)
      std::fill(bytes_.begin(), bytes_.end(), u8{0x80});
    move_bytes(index, bytes_);
    if (index != kAdc) play(index);
  }
  channel.over = frames == left;
  const u32 next = channel.over ? channel.count & 0xFFFF : left - 1 - frames;
  channel.count = next << 16 | (channel.count & 0xFFFF);
  channel.run.moved(frames);
  scheduler_->schedule_at(timers_[index], channel.run.next());
}

// Through the buffer, round and round.
void Es1370::move_bytes(unsigned index, std::span<u8> bytes) {
  Channel& channel = channels_[index];
  while (!bytes.empty()) {
    const u32 dwords = (channel.size & 0xFFFF) + 1;
    u32 at = channel.size >> 16;
    if (at >= dwords) at = 0;
    const u32 offset = at * 4 + channel.byte;
    const std::size_t count = std::min<std::size_t>(bytes.size(), dwords * 4 - offset);
    const auto piece = bytes.first(count);
    if (index == kAdc)
      memory_->write_block(PhysAddr(u64{channel.address} + offset), piece);
    else
      memory_->read_block(PhysAddr(u64{channel.address} + offset), piece);
    const u32 end = offset + static_cast<u32>(count);
    channel.byte = static_cast<u8>(end % 4);
    channel.size = (end / 4 >= dwords ? 0 : end / 4) << 16 | (channel.size & 0xFFFF);
    bytes = bytes.subspan(count);
  }
}

StereoFrame Es1370::gain(unsigned channel) const { return input_gain(channel == kDac1 ? kDac1Volume : kDac2Volume); }

void Es1370::update_cd() {
  for (SoundInput* cable : cd_) cable->set_gain(scheduler_->now(), input_gain(kCdVolume));
}

StereoFrame Es1370::input_gain(unsigned input) const {
  const auto side = [&](unsigned right) {
    constexpr u8 kMute = 0x80;
    const u8 master = codec_[right], own = codec_[input + right];
    if (((master | own) & kMute) != 0) return 0.0f;
    constexpr int kUnity = 6;
    return static_cast<float>(std::pow(10.0, -2.0 * ((master & 31) + (own & 31) - kUnity) / 20));
  };
  return {side(0), side(1)};
}

void Es1370::play(unsigned index) {
  SoundSink* sink = sinks_[index];
  if (sink == nullptr) return;
  const Channel& channel = channels_[index];
  const u32 format = serial_ >> kFormatShift[index];
  const bool words = (format & kWords) != 0;
  const auto channels = (format & kStereo) != 0 ? PcmChannels::Stereo : PcmChannels::Mono;
  decode_pcm(bytes_, pcm_layout(channels, words ? 2 : 1, words), gain(index), frames_);
  sink->play(channel.run.next(), channel.run.rate(), frames_);
}

}  // namespace relic86
