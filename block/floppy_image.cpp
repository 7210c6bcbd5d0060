#include "block/floppy_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "block/fat_volume.h"
#include "block/host_file.h"

namespace relic86 {

Result<> create_floppy_image(const std::string& path, u64 kilobytes) {
  const auto floppies = FatVolume::floppies();
  const auto format =
      std::find_if(floppies.begin(), floppies.end(), [&](const FatVolume& f) { return f.kilobytes() == kilobytes; });
  if (format == floppies.end())
    return Error{
        fmt::format("{}: there are no floppies of {} KiB; 360, 720, 1200, 1440 and 2880 exist", path, kilobytes)};
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) {
    const int failure = errno;
    return Error{fmt::format("{}: cannot be made: {}; {}", path, std::strerror(failure),
                             failure == EEXIST ? "choose another name" : "check the folder and its permissions")};
  }
  const TransferProgress written = write_all(file, 0, format->make_disk());
  ::close(file);
  if (written.error == 0) return {};
  ::unlink(path.c_str());
  return Error{fmt::format("{}: cannot be written: {}; make room on the disk", path, std::strerror(written.error))};
}

}  // namespace relic86
