// A floppy disk: an image with the format that its size, or its boot sector, tells.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "block/block_device.h"

namespace relic86 {

// Drive kinds as the CMOS (byte 10h) numbers them.
enum class FloppyDriveType : u8 { None = 0, K360 = 1, M1_2 = 2, K720 = 3, M1_44 = 4, M2_88 = 5 };

enum class FloppyDensity : u8 { Double, High, Extra };

struct FloppyFormat {
  std::string_view name;  // "1.44M"
  u16 cylinders = 0;
  u8 heads = 0;
  u8 sectors = 0;  // of 512 bytes, per track
  FloppyDensity density = FloppyDensity::Double;
  FloppyDriveType drive = FloppyDriveType::None;  // the drive to have for it (720K disks: 1.44 MB, which takes both)

  u32 total_sectors() const { return u32{cylinders} * heads * sectors; }
};

inline constexpr u32 kFloppySectorSize = 512;

// The format with exactly this size in bytes; else the one that a valid BIOS parameter block in the boot sector names;
// else the smallest usual one that holds the image. nullopt: empty, or larger than 2.88 MB.
std::optional<FloppyFormat> guess_floppy_format(u64 size_bytes, std::span<const u8> boot_sector);

class FloppyImage {
 public:
  // file: for the message. write_protected: the user says so; read-only images are always.
  static Result<FloppyImage> open(std::unique_ptr<BlockDevice> content, std::string_view file,
                                  bool write_protected = false);

  const FloppyFormat& format() const { return format_; }
  bool write_protected() const { return write_protected_ || content_->read_only(); }
  // sector: 0 to total_sectors() - 1 (asserted). What an image cut short lacks reads as zeros; writing there fails.
  Result<> read(u32 sector, std::span<u8> into);
  Result<> write(u32 sector, std::span<const u8> from);
  Result<> flush() { return content_->flush(); }

 private:
  FloppyImage(std::unique_ptr<BlockDevice> content, const FloppyFormat& format, bool write_protected)
      : content_(std::move(content)), format_(format), write_protected_(write_protected) {}

  std::unique_ptr<BlockDevice> content_;
  FloppyFormat format_;
  bool write_protected_ = false;
};

}  // namespace relic86
