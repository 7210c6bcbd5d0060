// The image of a compact disc that a cue sheet describes: to the drive, 2048 bytes of data a sector, and the sound of
// its audio tracks. It is read-only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "block/compact_disc.h"
#include "block/cue_sheet.h"
#include "block/disk_image.h"
#include "block/image_file.h"

namespace relic86 {

class CueImage final : public DiskImage, public CompactDisc {
 public:
  using OpenFile = std::function<Result<std::unique_ptr<ImageFile>>(const std::string& name)>;
  // sheet: the file with the text; open: the files beside it.
  static Result<std::unique_ptr<CueImage>> open(std::unique_ptr<ImageFile> sheet, const OpenFile& open);

  u64 size_bytes() const override { return u64{sectors_} * kUserBytes; }
  bool read_only() const override { return true; }
  // What is read of an audio track is zeros.
  Result<> read(u64 offset, std::span<u8> bytes) override;
  Result<> write(u64 offset, std::span<const u8> bytes) override;
  Result<> flush() override { return {}; }
  CompactDisc* disc() override { return this; }

  ImageInfo info() const override;
  i64 modified_ns() const override;

  const std::vector<DiscTrack>& tracks() const override { return tracks_; }
  Result<> read_audio(u32 sector, std::span<u8> into) override;

 private:
  static constexpr u32 kUserBytes = 2048;

  struct Source {
    std::unique_ptr<ImageFile> file;
    CueFile::Kind kind = CueFile::Kind::LittleEndian;
    u64 begin = 0, end = 0;  // of what is there for tracks
  };
  // Sectors that lie one after the other in a file.
  struct Extent {
    u32 first = 0, count = 0;
    std::size_t source = 0;
    u64 offset = 0;
    u32 sector_bytes = 0;
    CueTrack::Mode mode = CueTrack::Mode::Audio;
  };

  explicit CueImage(std::unique_ptr<ImageFile> sheet) : sheet_(std::move(sheet)) {}
  Result<> add(const CueFile& described, const OpenFile& open);
  Result<> find_samples(Source& source) const;
  Error wrong(const std::string& what) const;
  const Extent* find(u32 sector) const;  // null: a pause that is in no file
  Result<> read_sector(u32 sector, u32 skip, std::span<u8> into);

  std::unique_ptr<ImageFile> sheet_;
  std::vector<Source> sources_;
  std::vector<Extent> extents_;  // in the order of their sectors
  std::vector<DiscTrack> tracks_;
  u32 sectors_ = 0;
};

}  // namespace relic86
