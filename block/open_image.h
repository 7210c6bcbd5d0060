// Opens disk images of any format, with all that lies below them.
#pragma once

#include <memory>
#include <string>

#include "block/disk_image.h"
#include "block/host_file.h"
#include "block/image_format.h"

namespace relic86 {

class Interruption;

struct ImageSource {
  std::string file;
  ImageFormat format = ImageFormat::Probe;
  // What the user says lies below it, instead of what the image itself says.
  enum class Below : u8 { AsItSays, Nothing, Given };
  Below below = Below::AsItSays;
  std::shared_ptr<const ImageSource> given{};
  // Another program still writes to the file: it is not locked, and is there to tell its size.
  bool unlocked = false;
  // Of an image that a server has: for so long a lost connection is taken up again before what is asked of it fails.
  unsigned reconnect_seconds = 0;
  // By which a request ends that waits for that server; null: by nobody's wish.
  std::shared_ptr<Interruption> interruption{};
};

// The error message is "FILE: cause; mend": the caller puts the option's name before it.
Result<std::unique_ptr<DiskImage>> open_image(const ImageSource& source, HostFile::Access access);

}  // namespace relic86
