// Bus master registers (Intel 82801AA (ICH) datasheet 290655, 13.2), at BAR 1; PCM in at 00h, PCM out at 10h,
// microphone at 20h:
//
//   +0   RW   BDBAR: list of 32 descriptors: address; 31 interrupt on completion, 15:0 length in samples
//   +4   R    CIV: current descriptor
//   +5   RW   LVI: last valid descriptor
//   +6   RW   SR: 0 halted, 1 current is last, 2 last buffer done*, 3 buffer done with interrupt*, 4 FIFO error*
//             (* cleared by writing ones)
//   +8   R    PICB: samples left in the current buffer
//   +A   R    PIV: next descriptor
//   +B   RW   CR: 0 run, 1 reset, 2 interrupt on the last buffer, 3 on FIFO errors, 4 on completion
//   2Ch  RW   GLOB_CNT: 1 cold reset#, 2 warm reset
//   30h  R    GLOB_STA: 8 codec ready, 7 microphone, 6 PCM out and 5 PCM in interrupt
//   34h  R    CAS: 1 the codec's registers are in use; reading 0 takes them
//
// The codec's registers are at BAR 0 (ac97_codec.cpp). A master moves at most a millisecond of samples at once, when
// the first of them sounds.
#include "devices/sound/ac97.h"

#include <algorithm>

#include "devices/sound/driver_reaction.h"
#include "devices/sound/pcm_frames.h"

namespace relic86 {

namespace {

constexpr u32 kMixerSize = 1024, kBusMasterSize = 256;
constexpr unsigned kGlobalControl = 0x2C, kGlobalStatus = 0x30, kSemaphore = 0x34, kMasterSize = 0x10;
constexpr unsigned kDescriptors = 32;
constexpr u16 kHalted = 1, kAtLast = 2, kLastDone = 4, kDone = 8, kFifoError = 16;
constexpr u8 kRun = 1, kReset = 2, kLastInterrupt = 4, kDoneInterrupt = 16, kControlBits = 0x1D;
constexpr u32 kInterruptOnCompletion = 1u << 31, kLengthMask = 0xFFFF;
constexpr u32 kColdResetOff = 2, kWarmReset = 4, kGlobalControlBits = 0x3F;
constexpr u32 kCodecReady = 1u << 8;
constexpr u32 kInterruptBit[] = {1u << 5, 1u << 6, 1u << 7};
constexpr u32 kLeastRate = 4000, kMostRate = 48000;
constexpr std::size_t kFrameBytes = 4;  // of PCM out

PciIdentity ac97_identity() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x2415;
  identity.revision = 1;
  identity.class_code = 0x040100;
  identity.subsystem_vendor = 0x8086;
  identity.subsystem = 0;
  identity.interrupt_pin = 1;
  return identity;
}

}  // namespace

Ac97::Ac97(SoundHost* host) : PciDevice(ac97_identity()) {
  declare_io_bar(0, kMixerSize, kMixerRegisters, 2);
  declare_io_bar(1, kBusMasterSize, kBusMasterRegisters, 4);
  if (host != nullptr) sink_ = &host->add_voice(nullptr);
}

Result<> Ac97::attach_function(Attachment& board) {
  scheduler_ = &board.scheduler();
  memory_ = &board.memory();
  static constexpr const char* kNames[kChannels] = {"pcm_in", "pcm_out", "microphone"};
  for (unsigned i = 0; i < kChannels; i++) timers_[i] = board.timer(*this, kNames[i], i);
  return {};
}

void Ac97::reset_function(ResetKind) {
  global_control_ = 0;
  semaphore_ = false;
  reset_codec();
  for (unsigned i = 0; i < kChannels; i++) reset_channel(i);
}

void Ac97::state_function(StateArchive& archive) {
  archive.bytes("codec", codec_);
  archive.field("global_control", global_control_);
  archive.field("semaphore", semaphore_);
  static constexpr const char* kNames[kChannels] = {"pcm_in", "pcm_out", "microphone"};
  for (unsigned i = 0; i < kChannels; i++) {
    archive.group(kNames[i], [&] {
      BusMaster& master = masters_[i];
      archive.field("list", master.list);
      archive.field("current", master.current);
      archive.field("last_valid", master.last_valid);
      archive.field("prefetched", master.prefetched);
      archive.field("status", master.status);
      archive.field("control", master.control);
      archive.field("left", master.left);
      archive.field("address", master.address);
      archive.field("descriptor", master.descriptor);
      master.run.state(archive, kLeastRate, kMostRate);
      if (!archive.loading()) return;
      master.current %= kDescriptors;
      master.last_valid %= kDescriptors;
      master.prefetched %= kDescriptors;
      master.status &= kHalted | kAtLast | kLastDone | kDone | kFifoError;
      master.control &= kControlBits;
    });
  }
  if (!archive.loading()) return;
  update_interrupt();
  update_cd();
}

u64 Ac97::read(RegionId region, u64 offset, unsigned width) {
  if (region == kMixerRegisters) {
    semaphore_ = false;
    return width == 2 ? read_codec(static_cast<unsigned>(offset)) : 0xFF;
  }
  u64 value = 0;
  for (unsigned i = 0; i < width; i++) value |= u64{read_byte(static_cast<unsigned>(offset) + i)} << (8 * i);
  return value;
}

void Ac97::write(RegionId region, u64 offset, unsigned width, u64 value) {
  if (region == kMixerRegisters) {
    semaphore_ = false;
    if (width == 2) write_codec(static_cast<unsigned>(offset), static_cast<u16>(value));
    return;
  }
  for (unsigned i = 0; i < width; i++) write_byte(static_cast<unsigned>(offset) + i, static_cast<u8>(value >> (8 * i)));
}

u8 Ac97::read_byte(unsigned offset) {
  const auto byte_of = [&](u32 value) { return static_cast<u8>(value >> (offset % 4 * 8)); };
  if (offset / kMasterSize < kChannels && offset < kGlobalControl) {
    const unsigned channel = offset / kMasterSize;
    const BusMaster& master = masters_[channel];
    switch (offset % kMasterSize) {
      case 0:
      case 1:
      case 2:
      case 3: return byte_of(master.list);
      case 4: return master.current;
      case 5: return master.last_valid;
      case 6: return static_cast<u8>(master.status);
      case 8: return static_cast<u8>(samples_left(channel));
      case 9: return static_cast<u8>(samples_left(channel) >> 8);
      case 10: return master.prefetched;
      case 11: return master.control;
      default: return 0;
    }
  }
  if (offset >= kGlobalControl && offset < kGlobalControl + 4) return byte_of(global_control_);
  if (offset >= kGlobalStatus && offset < kGlobalStatus + 4) {
    u32 status = kCodecReady;
    for (unsigned i = 0; i < kChannels; i++) {
      const BusMaster& master = masters_[i];
      const bool interrupts = ((master.status & kLastDone) != 0 && (master.control & kLastInterrupt) != 0) ||
                              ((master.status & kDone) != 0 && (master.control & kDoneInterrupt) != 0);
      if (interrupts) status |= kInterruptBit[i];
    }
    return byte_of(status);
  }
  if (offset != kSemaphore) return 0;
  const u8 taken = semaphore_ ? 1 : 0;
  semaphore_ = true;
  return taken;
}

void Ac97::write_byte(unsigned offset, u8 value) {
  const unsigned shift = offset % 4 * 8;
  if (offset / kMasterSize < kChannels && offset < kGlobalControl) {
    const unsigned channel = offset / kMasterSize;
    BusMaster& master = masters_[channel];
    switch (offset % kMasterSize) {
      case 0:
      case 1:
      case 2:
      case 3: master.list = (master.list & ~(0xFFu << shift) & ~7u) | (u32{value} << shift & ~7u); break;
      case 5:
        master.last_valid = value % kDescriptors;
        if ((master.control & kRun) != 0 && (master.status & kHalted) != 0) {
          master.status &= static_cast<u16>(~(kHalted | kAtLast));
          next_buffer(channel);
          restart_run(channel);
        }
        break;
      case 6:
        master.status &= static_cast<u16>(~(value & (kLastDone | kDone | kFifoError)));
        update_interrupt();
        break;
      case 11: write_control(channel, value); break;
      default: break;
    }
    return;
  }
  if (offset >= kGlobalControl && offset < kGlobalControl + 4) {
    const u32 before = global_control_;
    global_control_ =
        ((global_control_ & ~(0xFFu << shift)) | u32{value} << shift) & (kGlobalControlBits & ~kWarmReset);
    if ((before & kColdResetOff) != 0 && (global_control_ & kColdResetOff) == 0) {
      reset_codec();
      for (unsigned i = 0; i < kChannels; i++) reset_channel(i);
    }
  }
}

void Ac97::write_control(unsigned channel, u8 value) {
  BusMaster& master = masters_[channel];
  if ((value & kReset) != 0) return reset_channel(channel);
  const bool ran = (master.control & kRun) != 0;
  master.control = value & kControlBits;
  if ((value & kRun) == 0) {
    master.status |= kHalted;
    scheduler_->cancel(timers_[channel]);
  } else if (!ran) {
    master.status &= static_cast<u16>(~kHalted);
    // After a pause in the middle of a buffer the rest of it comes first.
    if (master.left == 0) next_buffer(channel);
    restart_run(channel);
  }
  update_interrupt();
}

void Ac97::reset_channel(unsigned channel) {
  masters_[channel] = BusMaster{};
  scheduler_->cancel(timers_[channel]);
  update_interrupt();
}

void Ac97::update_interrupt() {
  u32 status = 0;
  for (unsigned i = 0; i < 4; i++) status |= u32{read_byte(kGlobalStatus + i)} << (8 * i);
  set_interrupt((status & (kInterruptBit[kPcmIn] | kInterruptBit[kPcmOut] | kInterruptBit[kMicrophone])) != 0);
}

// --- Buffers ---

// A driver that measures the codec's clock looks at it twice, 50 ms apart: steps of a millisecond would be too coarse.
u16 Ac97::samples_left(unsigned channel) const {
  const BusMaster& master = masters_[channel];
  const GuestTime sounding = master.run.next() - scheduler_->now();
  if ((master.control & kRun) == 0 || (master.status & kHalted) != 0 || sounding <= 0) return master.left;
  const u64 samples = std::min<u64>(master.run.rate().frames_in(sounding), master.run.piece()) * frame_samples(channel);
  return static_cast<u16>(std::min<u64>(master.left + samples, kLengthMask));
}

void Ac97::fetch(BusMaster& master) {
  std::array<u8, 8> bytes{};
  memory_->read_block(PhysAddr(master.list + u32{master.current} * 8), bytes);
  const auto word = [&](unsigned at) {
    return bytes[at] | u32{bytes[at + 1]} << 8 | u32{bytes[at + 2]} << 16 | u32{bytes[at + 3]} << 24;
  };
  master.address = word(0) & ~1u;
  master.descriptor = word(4);
  master.left = static_cast<u16>(master.descriptor & kLengthMask);
}

void Ac97::next_buffer(unsigned channel) {
  BusMaster& master = masters_[channel];
  master.current = master.prefetched;
  master.prefetched = static_cast<u8>((master.prefetched + 1) % kDescriptors);
  if (master.current == master.last_valid)
    master.status |= kAtLast;
  else
    master.status &= static_cast<u16>(~kAtLast);
  fetch(master);
}

// The next sample sounds now.
void Ac97::restart_run(unsigned channel) {
  masters_[channel].run.begin(scheduler_->now(), rate_of(channel));
  scheduler_->schedule_at(timers_[channel], scheduler_->now());
}

void Ac97::event(u32 channel, GuestTime late) {
  BusMaster& master = masters_[channel];
  if ((master.control & kRun) == 0 || (master.status & kHalted) != 0) return;
  master.run.resume(scheduler_->now(), late, rate_of(channel));
  // The buffer is over when its last sample has sounded.
  if (master.left == 0) {
    const bool interrupts = (master.descriptor & kInterruptOnCompletion) != 0;
    end_buffer(channel);
    if ((master.status & kHalted) != 0) return;
    if (interrupts && master.left != 0) return scheduler_->schedule_at(timers_[channel], after_reaction(master.run));
  }
  move_piece(channel);
}

void Ac97::end_buffer(unsigned channel) {
  BusMaster& master = masters_[channel];
  if ((master.descriptor & kInterruptOnCompletion) != 0) master.status |= kDone;
  if (master.current == master.last_valid) {
    master.status |= kLastDone | kHalted | kAtLast;
  } else {
    next_buffer(channel);
  }
  update_interrupt();
}

void Ac97::move_piece(unsigned channel) {
  BusMaster& master = masters_[channel];
  const unsigned frame = frame_samples(channel);
  const u32 samples = std::min<u32>(master.left, master.run.piece() * frame);
  if (bus_master_enabled() && samples != 0) {
    bytes_.assign(samples * 2, 0);
    if (channel == kPcmOut) {
      memory_->read_block(PhysAddr(master.address), bytes_);
      play(master, samples / frame);
    } else {
      memory_->write_block(PhysAddr(master.address), bytes_);
    }
  }
  master.left = static_cast<u16>(master.left - samples);
  master.address += samples * 2;
  master.run.moved(std::max<u32>(1, samples / frame));  // an empty buffer takes a moment, too
  scheduler_->schedule_at(timers_[channel], master.run.next());
}

void Ac97::play(const BusMaster& master, u32 count) {
  if (sink_ == nullptr) return;
  decode_pcm(std::span(bytes_).first(std::size_t{count} * kFrameBytes), {}, gain(), frames_);
  sink_->play(master.run.next(), master.run.rate(), frames_);
}

}  // namespace relic86
