#include "devices/storage/cdrom_medium.h"

#include <algorithm>

#include "base/assert.h"

namespace relic86 {

namespace {

constexpr u32 kLeadInFrames = 150;
constexpr u32 kMostCdSectors = 90 * 60 * 75;

// Error detection code: CRC over x^32+x^31+x^16+x^15+x^4+x^3+x+1, least significant bit first (ECMA-130, 14.3).
u32 error_detection(std::span<const u8> bytes) {
  u32 crc = 0;
  for (const u8 byte : bytes) {
    crc ^= byte;
    for (unsigned i = 0; i < 8; i++) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xD8018001u : 0);
  }
  return crc;
}

// Multiplication by the primitive element of GF(2^8) over x^8+x^4+x^3+x^2+1 (ECMA-130, annex A).
u8 times_alpha(u8 value) { return static_cast<u8>(value << 1 ^ ((value & 0x80) != 0 ? 0x1D : 0)); }

// Division by alpha + 1, by search: 256 steps for each of 138 code words is nothing next to a disc read.
u8 divide_by_alpha_plus_one(u8 value) {
  for (unsigned candidate = 0; candidate < 256; candidate++) {
    const auto byte = static_cast<u8>(candidate);
    if ((times_alpha(byte) ^ byte) == value) return byte;
  }
  return 0;
}

// Two parity bytes a code word, so that both the plain and the alpha-weighted sum of the word are zero. bytes: from the
// header on. P: 86 words of 24 bytes; Q: 52 words of 43 bytes along diagonals.
void add_parity(std::span<u8> bytes, u32 words, u32 length, u32 word_step, u32 byte_step, u32 parity_at) {
  const u32 size = words * length;
  for (u32 word = 0; word < words; word++) {
    u32 at = (word >> 1) * word_step + (word & 1);
    u8 weighted = 0, plain = 0;
    for (u32 i = 0; i < length; i++) {
      const u8 byte = bytes[at];
      weighted = times_alpha(static_cast<u8>(weighted ^ byte));
      plain ^= byte;
      at += byte_step;
      if (at >= size) at -= size;
    }
    // word + a*x + b = 0 for the weighted sum with the two parity bytes at the end of the word.
    const u8 first = divide_by_alpha_plus_one(static_cast<u8>(times_alpha(weighted) ^ plain));
    bytes[parity_at + word] = first;
    bytes[parity_at + words + word] = static_cast<u8>(first ^ plain);
  }
}

}  // namespace

std::array<u8, 3> cdrom_msf(u32 lba) { return cdrom_duration(u64{lba} + kLeadInFrames); }

std::array<u8, 3> cdrom_duration(u64 frames) {
  return {static_cast<u8>(std::min<u64>(frames / (75 * 60), 255)), static_cast<u8>(frames / 75 % 60),
          static_cast<u8>(frames % 75)};
}

u32 cdrom_lba(u8 minute, u8 second, u8 frame) { return (minute * 60u + second) * 75u + frame - kLeadInFrames; }

CdromMedium::CdromMedium(std::unique_ptr<BlockDevice> image) : image_(std::move(image)) {
  sectors_ = static_cast<u32>(std::min<u64>((image_->size_bytes() + kSector - 1) / kSector, 0xFFFFFFFF));
  if (CompactDisc* const disc = image_->disc(); disc != nullptr && !disc->tracks().empty()) tracks_ = disc->tracks();
}

bool CdromMedium::is_dvd() const { return sectors_ > kMostCdSectors; }

Result<> CdromMedium::read(u32 lba, std::span<u8> into) {
  const u64 offset = u64{lba} * kSector;
  const u64 present = offset < image_->size_bytes() ? image_->size_bytes() - offset : 0;
  const auto part = into.first(std::min<u64>(into.size(), present));
  std::fill(into.begin() + static_cast<std::ptrdiff_t>(part.size()), into.end(), u8{0});
  return image_->read(offset, part);
}

Result<> CdromMedium::read_raw(u32 lba, std::span<u8> into) {
  if (track_at(lba).audio) {
    CompactDisc* const disc = image_->disc();
    RELIC86_ASSERT(disc != nullptr);
    return disc->read_audio(lba, into);
  }
  constexpr u32 kHeader = 12, kUser = 16, kDetection = kUser + kSector, kIntermediate = kDetection + 4;
  std::fill(into.begin(), into.end(), u8{0});
  std::fill_n(into.begin() + 1, 10, u8{0xFF});
  const auto bcd = [](u8 value) { return static_cast<u8>(value / 10 << 4 | value % 10); };
  const auto msf = cdrom_msf(lba);
  for (u32 i = 0; i < msf.size(); i++) into[kHeader + i] = bcd(msf[i]);
  into[kHeader + 3] = 1;  // mode 1
  if (auto result = read(lba, into.subspan(kUser, kSector)); !result) return result;
  const u32 crc = error_detection(into.first(kDetection));
  for (u32 i = 0; i < 4; i++) into[kDetection + i] = static_cast<u8>(crc >> (i * 8));
  static_assert(kIntermediate + 8 + 172 + 104 == kRawSector);
  const auto coded = into.subspan(kHeader);
  add_parity(coded, 86, 24, 2, 86, 2064);
  add_parity(coded, 52, 43, 86, 88, 2236);
  return {};
}

const DiscTrack& CdromMedium::track_at(u32 lba) const {
  const auto after = std::upper_bound(tracks_.begin(), tracks_.end(), lba,
                                      [](u32 wanted, const DiscTrack& track) { return wanted < track.first; });
  return after == tracks_.begin() ? tracks_.front() : *std::prev(after);
}

std::optional<bool> CdromMedium::audio(u32 lba, u64 count) const {
  const DiscTrack& first = track_at(lba);
  for (const DiscTrack& track : tracks_) {
    if (track.first > lba && track.first < lba + count && track.audio != first.audio) return std::nullopt;
  }
  return first.audio;
}

bool CdromMedium::has_audio() const {
  return std::any_of(tracks_.begin(), tracks_.end(), [](const DiscTrack& track) { return track.audio; });
}

std::vector<u8> CdromMedium::toc(unsigned format, unsigned first, bool msf) const {
  constexpr u8 kLeadOut = 0xAA, kDataTrack = 0x14, kAudioTrack = 0x10;
  const auto control = [](const DiscTrack& track) { return track.audio ? kAudioTrack : kDataTrack; };
  // length, first and last track (or session)
  std::vector<u8> response = {0, 0, tracks_.front().number, tracks_.back().number};
  const auto address = [&](u32 lba) {
    const auto time = cdrom_msf(lba);
    if (msf) return response.insert(response.end(), {0, time[0], time[1], time[2]}), void();
    for (int shift = 24; shift >= 0; shift -= 8) response.push_back(static_cast<u8>(lba >> shift));
  };
  switch (format) {
    case 0:
      if (first > tracks_.back().number && first != kLeadOut) return {};
      for (const DiscTrack& track : tracks_) {
        if (track.number < first) continue;
        response.insert(response.end(), {0, control(track), track.number, 0});
        address(track.first);
      }
      response.insert(response.end(), {0, control(tracks_.back()), kLeadOut, 0});
      address(sectors_);
      break;
    case 1:  // first track of the last session
      response[2] = response[3] = 1;
      response.insert(response.end(), {0, control(tracks_.front()), tracks_.front().number, 0});
      address(tracks_.front().first);
      break;
    case 2: {  // as in the lead-in: points A0h first track, A1h last track, A2h lead-out, then the tracks
      response[2] = response[3] = 1;
      const auto entry = [&](const DiscTrack& track, u8 point, std::array<u8, 3> time) {
        response.insert(response.end(), {1, control(track), 0, point, 0, 0, 0, 0, time[0], time[1], time[2]});
      };
      entry(tracks_.front(), 0xA0, {tracks_.front().number, 0, 0});
      entry(tracks_.back(), 0xA1, {tracks_.back().number, 0, 0});
      entry(tracks_.back(), 0xA2, cdrom_msf(sectors_));
      for (const DiscTrack& track : tracks_) entry(track, track.number, cdrom_msf(track.first));
      break;
    }
    default: return {};
  }
  const std::size_t length = response.size() - 2;
  response[0] = static_cast<u8>(length >> 8);
  response[1] = static_cast<u8>(length);
  return response;
}

}  // namespace relic86
