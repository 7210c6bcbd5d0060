// Registers (YM3812 Application Manual, YMF262 datasheet):
//
//   port  R/W  register
//   388h  R    status: 7 IRQ, 6 timer 1, 5 timer 2, 2:1 are 11 in an OPL2 and 00 in an OPL3
//   388h  W    address, first array
//   389h  W    data
//   38Ah  W    address, second array (OPL3)
//   38Bh  W    data (OPL3)
//
// At a Sound Blaster's base port the same four, and the first two again at base + 8. Chip registers with a meaning
// here:
//
//   02h  timer 1: counts up every 80 us; overflows beyond FFh
//   03h  timer 2: the same every 320 us
//   04h  7 reset the flags (alone), 6 mask timer 1, 5 mask timer 2, 1 start timer 2, 0 start timer 1
//
// Both timers are computed when the guest looks: no card leads the chip's IRQ to the bus.
#include "devices/sound/opl.h"

#include <algorithm>
#include <cmath>

namespace relic86 {

namespace {

enum Region : RegionId { kChip };
constexpr u16 kAdlibPort = 0x388;
constexpr u16 kSecondArray = 0x100;
constexpr u16 kTimer1 = 2, kTimer2 = 3, kTimerControl = 4;
constexpr u8 kResetFlags = 0x80;
constexpr GuestTime kTick[2] = {80'000, 320'000};
constexpr std::size_t kPiece = 512;  // frames made at once
// A channel that is over still swings by its lowest bit.
constexpr float kInaudible = 18 / 32768.0f;

}  // namespace

Opl::Opl(const OplConfig& config, SoundHost* host) : config_(config) {
  if (host != nullptr) sink_ = &host->add_voice(this);
}

Result<> Opl::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  // Without a second array the ports after these are not the card's: programs take two chips there for a dual OPL2.
  const u32 ports = config_.model == OplConfig::Model::Opl3 ? 4 : 2;
  if (auto done = board.ports(*this, kChip, kAdlibPort, ports); !done) return done;
  if (!config_.card) return {};
  if (auto done = board.ports(*this, kChip, *config_.card, 4); !done) return done;
  return board.ports(*this, kChip, static_cast<u16>(*config_.card + 8), 2);
}

void Opl::reset(ResetKind) {
  produce(scheduler_->now());
  address_ = 0;
  registers_ = {};
  timers_ = {};
  chip_.reset();
}

void Opl::state(StateArchive& archive) {
  archive.field("address", address_);
  archive.bytes("registers", registers_);
  for (unsigned i = 0; i < timers_.size(); i++) {
    archive.group(i == 0 ? "timer1" : "timer2", [&] {
      archive.field("count", timers_[i].count);
      archive.field("running", timers_[i].running);
      archive.field("masked", timers_[i].masked);
      archive.field("start", timers_[i].start);
    });
  }
  if (!archive.loading()) return;
  address_ %= Opl3Chip::kRegisters;
  for (Timer& timer : timers_) timer.start = std::clamp<GuestTime>(timer.start, 0, scheduler_->now());
  // The chip's inside is not saved: notes that sound begin anew. 105h comes first, because it opens the second array.
  chip_.reset();
  chip_.write(kSecondArray + 5, registers_[kSecondArray + 5]);
  for (u16 index = 0; index < Opl3Chip::kRegisters; index++) chip_.write(index, registers_[index]);
  next_frame_ = Opl3Chip::kRate.frames_in(scheduler_->now());
  quiet_frames_ = 0;
}

u64 Opl::read(RegionId, u64 offset, unsigned) { return offset % 2 == 0 ? status() : 0xFF; }

void Opl::write(RegionId, u64 offset, unsigned, u64 value) {
  const u8 byte = static_cast<u8>(value);
  const bool second = (offset & 2) != 0;
  if (offset % 2 == 0)
    address_ = static_cast<u16>(byte | (second ? kSecondArray : 0));
  else
    write_register(address_, byte);
}

void Opl::write_register(u16 index, u8 value) {
  switch (index) {
    case kTimer1:
    case kTimer2: timers_[index - kTimer1].count = value; break;
    case kTimerControl: write_timer_control(value); break;
    default: break;
  }
  registers_[index] = value;
  if (sink_ == nullptr) return;
  if (!sounding()) next_frame_ = Opl3Chip::kRate.frames_in(scheduler_->now());
  produce(scheduler_->now());
  chip_.write(index, value);
  quiet_frames_ = 0;
}

// --- Timers ---

GuestTime Opl::period(const Timer& timer, unsigned index) { return (0x100 - timer.count) * kTick[index]; }

bool Opl::overflowed(unsigned index) const {
  const Timer& timer = timers_[index];
  return timer.running && !timer.masked && scheduler_->now() - timer.start >= period(timer, index);
}

u8 Opl::status() const {
  const u8 flags = static_cast<u8>((overflowed(0) ? 0x40 : 0) | (overflowed(1) ? 0x20 : 0));
  const u8 model = config_.model == OplConfig::Model::Opl2 ? 6 : 0;
  return static_cast<u8>((flags != 0 ? 0x80 : 0) | flags | model);
}

void Opl::write_timer_control(u8 value) {
  const GuestTime now = scheduler_->now();
  for (unsigned i = 0; i < timers_.size(); i++) {
    Timer& timer = timers_[i];
    if ((value & kResetFlags) != 0) {  // the count goes on
      if (timer.running) timer.start += (now - timer.start) / period(timer, i) * period(timer, i);
      continue;
    }
    const bool run = (value >> i & 1) != 0;
    if (run && !timer.running) timer.start = now;
    timer.running = run;
    timer.masked = (value & (0x40 >> i)) != 0;
  }
}

// --- Sound ---

void Opl::set_gain(StereoFrame gain) {
  produce(scheduler_->now());
  gain_ = gain;
}

void Opl::produce(GuestTime until) {
  if (sink_ == nullptr) return;
  const u64 end = Opl3Chip::kRate.frames_in(until);
  if (!sounding()) next_frame_ = std::max(next_frame_, end);
  while (next_frame_ < end) {
    frames_.resize(std::min<u64>(end - next_frame_, kPiece));
    chip_.generate(frames_);
    for (StereoFrame& frame : frames_) {
      const bool quiet = std::abs(frame.left) <= kInaudible && std::abs(frame.right) <= kInaudible;
      quiet_frames_ = quiet ? std::min(quiet_frames_ + 1, kQuiet) : 0;
      frame = {frame.left * gain_.left, frame.right * gain_.right};
    }
    sink_->play(Opl3Chip::kRate.time_of(next_frame_), Opl3Chip::kRate, frames_);
    next_frame_ += frames_.size();
  }
}

}  // namespace relic86
