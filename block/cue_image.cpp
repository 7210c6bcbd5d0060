#include "block/cue_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace relic86 {

namespace {

constexpr u64 kLongestSheet = 1u << 20;
constexpr u32 kMostSectors = 100 * 60 * kCdFramesPerSecond;

// Where the 2048 bytes of user data lie in a sector of the file (ECMA-130, clause 14; form 1 of CD-ROM XA).
u32 user_data_offset(CueTrack::Mode mode, u32 sector_bytes) {
  constexpr u32 kSyncAndHeader = 16, kSubheader = 8;
  switch (sector_bytes) {
    case 2352: return mode == CueTrack::Mode::Mode2 ? kSyncAndHeader + kSubheader : kSyncAndHeader;
    case 2336: return kSubheader;
    default: return 0;
  }
}

u32 little32(std::span<const u8> bytes) {
  return bytes[0] | u32{bytes[1]} << 8 | u32{bytes[2]} << 16 | u32{bytes[3]} << 24;
}

}  // namespace

Error CueImage::wrong(const std::string& what) const { return {fmt::format("{}: {}", sheet_->path(), what)}; }

Result<std::unique_ptr<CueImage>> CueImage::open(std::unique_ptr<ImageFile> sheet, const OpenFile& open) {
  std::unique_ptr<CueImage> image(new CueImage(std::move(sheet)));
  const u64 size = image->sheet_->size_bytes();
  if (size > kLongestSheet) return image->wrong("is far too long for a cue sheet; name the .cue file, not the image");
  std::vector<u8> text(static_cast<std::size_t>(size));
  if (auto read = image->sheet_->read(0, text); !read) return read.error();
  const auto files = parse_cue_sheet({reinterpret_cast<const char*>(text.data()), text.size()});
  if (!files) return image->wrong(files.message());
  for (const CueFile& file : files.value()) {
    if (auto added = image->add(file, open); !added) return added.error();
  }
  return image;
}

// RIFF WAVE (Microsoft, Multimedia Programming Interface and Data Specifications 1.0): the samples of the "data" chunk.
Result<> CueImage::find_samples(Source& source) const {
  constexpr u64 kHeader = 12, kChunkHeader = 8;
  constexpr u32 kFormatBytes = 16, kRate = 44100;
  const auto complain = [&] {
    return wrong(fmt::format("{} is no WAVE file of 44100 Hz, 16 bits and two channels", source.file->path()));
  };
  const u64 size = source.file->size_bytes();
  std::array<u8, kHeader> head{};
  if (auto read = read_padded(*source.file, 0, head); !read) return read;
  if (std::memcmp(head.data(), "RIFF", 4) != 0 || std::memcmp(&head[8], "WAVE", 4) != 0) return complain();
  bool fits = false;
  for (u64 at = kHeader; at + kChunkHeader <= size;) {
    std::array<u8, kChunkHeader + kFormatBytes> chunk{};
    if (auto read = read_padded(*source.file, at, chunk); !read) return read;
    const u64 length = little32(std::span(chunk).subspan(4));
    at += kChunkHeader;
    if (std::memcmp(chunk.data(), "fmt ", 4) == 0) {
      // PCM, two channels; the rate; 16 bits.
      fits = little32(std::span(chunk).subspan(8)) == 0x00020001 && little32(std::span(chunk).subspan(12)) == kRate &&
             chunk[22] == 16;
    } else if (std::memcmp(chunk.data(), "data", 4) == 0) {
      source.begin = at;
      source.end = std::min(size, at + length);
      return fits ? Result<>() : Result<>(complain());
    }
    at += length + length % 2;
  }
  return complain();
}

Result<> CueImage::add(const CueFile& described, const OpenFile& open) {
  auto file = open(described.name);
  if (!file) return wrong(file.message());
  Source source{std::move(file).value(), described.kind, 0, 0};
  source.end = source.file->size_bytes();
  if (described.kind == CueFile::Kind::Wave) {
    if (auto found = find_samples(source); !found) return found;
  }
  u64 offset = source.begin;  // of the file's sector that `reached` counts
  u32 reached = 0;
  for (std::size_t i = 0; i < described.tracks.size(); i++) {
    const CueTrack& track = described.tracks[i];
    const CueTrack* const next = i + 1 < described.tracks.size() ? &described.tracks[i + 1] : nullptr;
    // What lies before the first index of a file is the first track's, too.
    const u32 begin = i == 0 ? 0 : track.index0.value_or(track.index1);
    const u64 left = offset < source.end ? (source.end - offset) / track.sector_bytes : 0;
    // Sound may end within a sector: the rest is silence.
    const bool part = next == nullptr && track.mode == CueTrack::Mode::Audio && offset < source.end &&
                      (source.end - offset) % track.sector_bytes != 0;
    const u64 count = next != nullptr ? next->index0.value_or(next->index1) - begin : left + (part ? 1 : 0);
    if (begin != reached || count == 0 || track.index1 - begin >= count || (next != nullptr && count > left))
      return wrong(fmt::format("{} is too short for track {}", source.file->path(), track.number));
    // The pause before the first track lies before sector 0.
    const u32 pause = track.index1 - begin, skipped = extents_.empty() ? pause : 0;
    if (!extents_.empty()) sectors_ += track.pregap;
    if (count > kMostSectors || sectors_ + count > kMostSectors) return wrong("is longer than any compact disc");
    const u32 there = static_cast<u32>(count) - skipped;
    extents_.push_back(
        {sectors_, there, sources_.size(), offset + u64{skipped} * track.sector_bytes, track.sector_bytes, track.mode});
    tracks_.push_back({track.number, track.mode == CueTrack::Mode::Audio, sectors_ + pause - skipped});
    sectors_ += there;
    reached += static_cast<u32>(count);
    offset += count * track.sector_bytes;
  }
  sources_.push_back(std::move(source));
  return {};
}

const CueImage::Extent* CueImage::find(u32 sector) const {
  const auto after = std::upper_bound(extents_.begin(), extents_.end(), sector,
                                      [](u32 wanted, const Extent& extent) { return wanted < extent.first; });
  if (after == extents_.begin()) return nullptr;
  const Extent& extent = *std::prev(after);
  return sector - extent.first < extent.count ? &extent : nullptr;
}

Result<> CueImage::read(u64 offset, std::span<u8> bytes) {
  if (offset > size_bytes() || bytes.size() > size_bytes() - offset)
    return Error{fmt::format("{}: read beyond the end of the disc", sheet_->path())};
  while (!bytes.empty()) {
    const u32 skip = static_cast<u32>(offset % kUserBytes);
    const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), kUserBytes - skip));
    if (auto read = read_sector(static_cast<u32>(offset / kUserBytes), skip, piece); !read) return read;
    bytes = bytes.subspan(piece.size());
    offset += piece.size();
  }
  return {};
}

Result<> CueImage::read_sector(u32 sector, u32 skip, std::span<u8> into) {
  const Extent* const extent = find(sector);
  if (extent == nullptr || extent->mode == CueTrack::Mode::Audio) {
    std::fill(into.begin(), into.end(), u8{0});
    return {};
  }
  const u64 at = extent->offset + u64{sector - extent->first} * extent->sector_bytes;
  return sources_[extent->source].file->read(at + user_data_offset(extent->mode, extent->sector_bytes) + skip, into);
}

Result<> CueImage::read_audio(u32 sector, std::span<u8> into) {
  std::fill(into.begin(), into.end(), u8{0});
  const Extent* const extent = find(sector);
  if (extent == nullptr || extent->mode != CueTrack::Mode::Audio || into.size() != kCdFrameBytes) return {};
  Source& source = sources_[extent->source];
  const u64 at = extent->offset + u64{sector - extent->first} * kCdFrameBytes;
  const auto there = static_cast<std::size_t>(std::min<u64>(kCdFrameBytes, source.end - at));
  if (auto read = source.file->read(at, into.first(there)); !read) return read;
  if (source.kind == CueFile::Kind::BigEndian) {
    for (std::size_t i = 0; i + 1 < into.size(); i += 2) std::swap(into[i], into[i + 1]);
  }
  return {};
}

Result<> CueImage::write(u64, std::span<const u8>) {
  return Error{fmt::format("{}: a compact disc cannot be written", sheet_->path())};
}

ImageInfo CueImage::info() const {
  ImageInfo info;
  info.file = sheet_->path();
  info.format = "cue";
  info.virtual_size = size_bytes();
  for (const Source& source : sources_) info.actual_size += source.file->allocated_bytes();
  return info;
}

i64 CueImage::modified_ns() const {
  i64 latest = sheet_->modified_ns();
  for (const Source& source : sources_) latest = std::max(latest, source.file->modified_ns());
  return latest;
}

}  // namespace relic86
