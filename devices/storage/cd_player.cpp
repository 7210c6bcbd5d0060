#include "devices/storage/cd_player.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr u64 kPiece = 588;  // frames made at once
constexpr u8 kChannelBits = 0x0F;
}  // namespace

void CdPlayer::insert(CdromMedium* medium) {
  medium_ = medium;
  status_ = Status::Nothing;
  first_ = end_ = 0;
  loaded_ = ~u32{0};
}

void CdPlayer::play(GuestTime now, u32 first, u32 end) {
  produce(now);
  first_ = first;
  end_ = std::max(first, end);
  began_ = now;
  made_ = 0;
  status_ = Status::Playing;
}

void CdPlayer::pause(GuestTime now) {
  if (status(now) != Status::Playing) return;
  const u32 here = position(now);
  produce(now);
  first_ = here;
  status_ = Status::Paused;
}

void CdPlayer::resume(GuestTime now) {
  if (status_ == Status::Paused) play(now, first_, end_);
}

void CdPlayer::stop(GuestTime now) {
  if (!active(now)) return;
  const u32 here = position(now);
  produce(now);
  first_ = end_ = here;
  status_ = Status::Nothing;
}

CdPlayer::Status CdPlayer::status(GuestTime now) const {
  const bool over = status_ == Status::Playing && kSectors.frames_in(now - began_) >= end_ - first_;
  return over ? Status::Completed : status_;
}

CdPlayer::Status CdPlayer::tell_status(GuestTime now) {
  const Status told = status(now);
  if (told == Status::Completed) {
    produce(now);
    first_ = end_ = position(now);
    status_ = Status::Nothing;
  }
  return told;
}

u32 CdPlayer::position(GuestTime now) const {
  if (status_ != Status::Playing) return first_;
  const u64 passed = kSectors.frames_in(now - began_);
  const u32 last = end_ > first_ ? end_ - 1 : first_;
  return passed < end_ - first_ ? first_ + static_cast<u32>(passed) : last;
}

void CdPlayer::set_ports(GuestTime now, const Ports& ports) {
  produce(now);
  ports_ = ports;
  for (Port& port : ports_) port.channels &= kChannelBits;
}

void CdPlayer::set_gain(GuestTime at, StereoFrame gain) {
  produce(at);
  gain_ = gain;
}

void CdPlayer::reset() {
  status_ = Status::Nothing;
  ports_ = kStereo;
}

void CdPlayer::state(StateArchive& archive, GuestTime now) {
  archive.field("status", status_);
  archive.field("first", first_);
  archive.field("end", end_);
  archive.field("began", began_);
  for (unsigned i = 0; i < ports_.size(); i++) {
    archive.group(i == 0 ? "port0" : "port1", [&] {
      archive.field("channels", ports_[i].channels);
      archive.field("volume", ports_[i].volume);
    });
  }
  if (!archive.loading()) return;
  const bool sound = (status_ == Status::Playing || status_ == Status::Paused || status_ == Status::Nothing) &&
                     first_ <= end_ && began_ >= 0 && began_ <= now;
  if (!sound || medium_ == nullptr) {
    status_ = Status::Nothing;
    began_ = 0;
    end_ = first_;
  }
  for (Port& port : ports_) port.channels &= kChannelBits;
  made_ = kRate.frames_in(now - began_);
}

// --- Sound ---

void CdPlayer::load_sector(u32 sector) {
  if (loaded_ == sector) return;
  loaded_ = sector;
  const bool sound = sector < medium_->sectors() && medium_->track_at(sector).audio;
  if (!sound || !medium_->read_raw(sector, sector_)) sector_ = {};
}

StereoFrame CdPlayer::frame(u64 index) {
  load_sector(first_ + static_cast<u32>(index / kSamples));
  const u8* const at = &sector_[index % kSamples * 4];
  const auto sample = [&](unsigned channel) {
    return static_cast<float>(static_cast<i16>(at[channel * 2] | at[channel * 2 + 1] << 8)) / 32768.0f;
  };
  const auto output = [&](const Port& port) {
    const float sum = ((port.channels & 1) != 0 ? sample(0) : 0) + ((port.channels & 2) != 0 ? sample(1) : 0);
    return sum * static_cast<float>(port.volume) / 255.0f;
  };
  return {output(ports_[0]) * gain_.left, output(ports_[1]) * gain_.right};
}

void CdPlayer::produce(GuestTime until) {
  if (sink_ == nullptr || medium_ == nullptr || status_ != Status::Playing || until < began_) return;
  const u64 end = std::min(length(), kRate.frames_in(until - began_));
  // Nobody has listened for long: what nobody hears need not be read.
  if (end > made_ + kRate.numerator) made_ = end;
  while (made_ < end) {
    frames_.resize(static_cast<std::size_t>(std::min(end - made_, kPiece)));
    const u64 first = made_;
    for (StereoFrame& made : frames_) made = frame(made_++);
    sink_->play(began_ + kRate.time_of(first), kRate, frames_);
  }
}

}  // namespace relic86
