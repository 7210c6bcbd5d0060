#include "devices/storage/floppy_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace relic86 {

namespace {

using Density = FloppyDensity;
using Drive = FloppyDriveType;

// By size. The usual ones, which images cut short are taken for, come from IBM's and Microsoft's formats; the others
// are what formatting tools made of the same drives.
struct Row {
  FloppyFormat format;
  bool usual;
};
constexpr auto kFormats = std::to_array<Row>({
    {{"160K", 40, 1, 8, Density::Double, Drive::K360}, true},
    {{"180K", 40, 1, 9, Density::Double, Drive::K360}, true},
    {{"320K", 40, 2, 8, Density::Double, Drive::K360}, true},
    {{"360K", 40, 2, 9, Density::Double, Drive::K360}, true},
    {{"400K", 40, 2, 10, Density::Double, Drive::K360}, false},
    {{"410K", 41, 2, 10, Density::Double, Drive::K360}, false},
    {{"420K", 42, 2, 10, Density::Double, Drive::K360}, false},
    {{"640K", 80, 2, 8, Density::Double, Drive::M1_44}, false},
    {{"720K", 80, 2, 9, Density::Double, Drive::M1_44}, true},
    {{"800K", 80, 2, 10, Density::Double, Drive::M1_44}, false},
    {{"820K", 82, 2, 10, Density::Double, Drive::M1_44}, false},
    {{"830K", 83, 2, 10, Density::Double, Drive::M1_44}, false},
    {{"1.2M", 80, 2, 15, Density::High, Drive::M1_2}, true},
    {{"1.36M", 80, 2, 17, Density::High, Drive::M1_2}, false},
    {{"1.44M", 80, 2, 18, Density::High, Drive::M1_44}, true},
    {{"1.48M", 82, 2, 18, Density::High, Drive::M1_44}, false},
    {{"1.5M", 83, 2, 18, Density::High, Drive::M1_44}, false},
    {{"1.52M", 80, 2, 19, Density::High, Drive::M1_44}, false},
    {{"1.6M", 80, 2, 20, Density::High, Drive::M1_44}, false},
    {{"1.64M", 82, 2, 20, Density::High, Drive::M1_44}, false},
    {{"1.68M (DMF)", 80, 2, 21, Density::High, Drive::M1_44}, false},
    {{"1.72M", 82, 2, 21, Density::High, Drive::M1_44}, false},
    {{"1.74M", 83, 2, 21, Density::High, Drive::M1_44}, false},
    {{"2.88M", 80, 2, 36, Density::Extra, Drive::M2_88}, true},
});

u64 bytes_of(const FloppyFormat& format) { return u64{format.total_sectors()} * kFloppySectorSize; }

// A BIOS parameter block (DOS 2.0 and later): offset 0Bh bytes per sector, 13h total sectors, 18h sectors per track,
// 1Ah heads.
std::optional<FloppyFormat> format_of_boot_sector(u64 size_bytes, std::span<const u8> boot) {
  if (boot.size() < kFloppySectorSize) return std::nullopt;
  const auto word = [&](std::size_t at) { return static_cast<u32>(boot[at] | boot[at + 1] << 8); };
  const u32 total = word(0x13), sectors = word(0x18), heads = word(0x1A);
  if (word(0x0B) != kFloppySectorSize) return std::nullopt;
  for (const Row& row : kFormats) {
    const FloppyFormat& format = row.format;
    if (format.sectors == sectors && format.heads == heads && format.total_sectors() == total &&
        size_bytes <= bytes_of(format)) {
      return format;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<FloppyFormat> guess_floppy_format(u64 size_bytes, std::span<const u8> boot_sector) {
  if (size_bytes == 0) return std::nullopt;
  for (const Row& row : kFormats) {
    if (bytes_of(row.format) == size_bytes) return row.format;
  }
  if (const auto named = format_of_boot_sector(size_bytes, boot_sector)) return named;
  for (const Row& row : kFormats) {
    if (row.usual && bytes_of(row.format) >= size_bytes) return row.format;
  }
  return std::nullopt;
}

Result<FloppyImage> FloppyImage::open(std::unique_ptr<BlockDevice> content, std::string_view file,
                                      bool write_protected) {
  const u64 size = content->size_bytes();
  std::array<u8, kFloppySectorSize> boot{};
  if (auto done = content->read(0, std::span(boot).first(std::min<u64>(size, boot.size()))); !done) return done.error();
  const auto format = guess_floppy_format(size, boot);
  if (!format) {
    return Error{
        fmt::format("{}: {} bytes is not a floppy disk's size; 160K to 2.88M images are accepted", file, size)};
  }
  return FloppyImage(std::move(content), *format, write_protected);
}

Result<> FloppyImage::read(u32 sector, std::span<u8> into) {
  RELIC86_ASSERT(sector < format_.total_sectors() && into.size() == kFloppySectorSize);
  const u64 offset = u64{sector} * kFloppySectorSize;
  const u64 size = content_->size_bytes();
  const u64 there = offset >= size ? 0 : std::min<u64>(size - offset, into.size());
  std::fill(into.begin() + static_cast<std::ptrdiff_t>(there), into.end(), u8{0});
  if (there == 0) return {};
  return content_->read(offset, into.first(there));
}

Result<> FloppyImage::write(u32 sector, std::span<const u8> from) {
  RELIC86_ASSERT(sector < format_.total_sectors() && from.size() == kFloppySectorSize);
  const u64 offset = u64{sector} * kFloppySectorSize;
  if (offset + from.size() > content_->size_bytes()) {
    return Error{"floppy image: cut short, the sector is not in the file"};
  }
  return content_->write(offset, from);
}

}  // namespace relic86
