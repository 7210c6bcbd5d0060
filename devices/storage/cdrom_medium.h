// A CD or DVD image: one data track of 2048-byte sectors, or the tracks of a compact disc. Sector addresses, TOC, raw
// sectors.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "block/block_device.h"
#include "block/compact_disc.h"

namespace relic86 {

class CdromMedium {
 public:
  static constexpr u32 kSector = 2048;
  static constexpr u32 kRawSector = 2352;

  explicit CdromMedium(std::unique_ptr<BlockDevice> image);

  u32 sectors() const { return sectors_; }  // a last partial one counts; never more than FFFFFFFFh
  bool is_dvd() const;                      // larger than any CD
  // User data of a sector; what the image lacks at its end reads as zeros.
  Result<> read(u32 lba, std::span<u8> into);
  // All 2352 bytes of a mode 1 sector: sync, header, user data, EDC and ECC (ECMA-130, clause 14); or of sound.
  Result<> read_raw(u32 lba, std::span<u8> into);

  BlockDevice& image() { return *image_; }
  const std::vector<DiscTrack>& tracks() const { return tracks_; }
  const DiscTrack& track_at(u32 lba) const;  // beyond the disc: the last one
  // All these sectors are sound, or all are data; nothing: some of each.
  std::optional<bool> audio(u32 lba, u64 count) const;
  bool has_audio() const;

  // READ TOC/PMA/ATIP responses with their header (MMC-3, 6.26); format 0, 1 or 2. Empty: no such track.
  std::vector<u8> toc(unsigned format, unsigned first, bool msf) const;

 private:
  std::unique_ptr<BlockDevice> image_;
  u32 sectors_;
  std::vector<DiscTrack> tracks_{DiscTrack{}};
};

// Minute, second, frame of a sector: 75 frames a second, sector 0 at 00:02:00.
std::array<u8, 3> cdrom_msf(u32 lba);
// The same of a length.
std::array<u8, 3> cdrom_duration(u64 sectors);
// The reverse; sectors before 00:02:00 give a number beyond every medium.
u32 cdrom_lba(u8 minute, u8 second, u8 frame);

}  // namespace relic86
