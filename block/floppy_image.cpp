#include "block/floppy_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace relic86 {

namespace {

constexpr u64 kSector = 512;

// What DOS's FORMAT makes of each size (Microsoft: FAT: General Overview of On-Disk Format, 1.03, "FAT Volume
// Initialization"; media descriptors: ECMA-107).
struct Format {
  u64 kilobytes;
  u8 sectors_per_cluster, media;
  u16 root_entries, fat_sectors, track_sectors;
};
constexpr Format kFormats[] = {
    {360, 2, 0xFD, 112, 2, 9},   {720, 2, 0xF9, 112, 3, 9},   {1200, 1, 0xF9, 224, 7, 15},
    {1440, 1, 0xF0, 224, 9, 18}, {2880, 2, 0xF0, 240, 9, 36},
};

std::vector<u8> format_floppy(const Format& format) {
  std::vector<u8> image(format.kilobytes * 1024);
  const auto put16 = [&](std::size_t at, u64 value) {
    image[at] = static_cast<u8>(value);
    image[at + 1] = static_cast<u8>(value >> 8);
  };
  // A jump over the parameters, then INT 18h ("no bootable device") and a loop.
  constexpr u8 kCode = 0x3E;
  const u8 jump[] = {0xEB, kCode - 2, 0x90};
  const u8 code[] = {0xCD, 0x18, 0xEB, 0xFE};
  std::copy(std::begin(jump), std::end(jump), image.begin());
  std::copy(std::begin(code), std::end(code), image.begin() + kCode);
  std::memcpy(&image[3], "RELIC86 ", 8);
  put16(11, kSector);
  image[13] = format.sectors_per_cluster;
  put16(14, 1);   // the boot sector alone is reserved
  image[16] = 2;  // FATs
  put16(17, format.root_entries);
  put16(19, format.kilobytes * 1024 / kSector);
  image[21] = format.media;
  put16(22, format.fat_sectors);
  put16(24, format.track_sectors);
  put16(26, 2);      // heads
  image[38] = 0x29;  // a serial number, a label and a name of the file system follow
  std::memcpy(&image[43], "NO NAME    FAT12   ", 19);
  put16(510, 0xAA55);
  for (u64 fat = 0; fat < 2; fat++) {
    u8* const first = &image[kSector * (1 + fat * format.fat_sectors)];
    first[0] = format.media;
    first[1] = first[2] = 0xFF;
  }
  return image;
}

}  // namespace

Result<> create_floppy_image(const std::string& path, u64 kilobytes) {
  const auto* format =
      std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& f) { return f.kilobytes == kilobytes; });
  if (format == std::end(kFormats))
    return Error{
        fmt::format("{}: there are no floppies of {} KiB; 360, 720, 1200, 1440 and 2880 exist", path, kilobytes)};
  const std::vector<u8> image = format_floppy(*format);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) {
    const int failure = errno;
    return Error{fmt::format("{}: cannot be made: {}; {}", path, std::strerror(failure),
                             failure == EEXIST ? "choose another name" : "check the folder and its permissions")};
  }
  const bool written = ::write(file, image.data(), image.size()) == static_cast<ssize_t>(image.size());
  const int failure = written ? 0 : errno;
  ::close(file);
  if (written) return {};
  ::unlink(path.c_str());
  return Error{fmt::format("{}: cannot be written: {}; make room on the disk", path, std::strerror(failure))};
}

}  // namespace relic86
