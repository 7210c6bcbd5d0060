// The other files that an image names: what it is made of, and what lies below it. Names are as they stand in the
// image; relative ones count from its folder.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "block/disk_image.h"
#include "block/image_file.h"

namespace relic86 {

struct Neighbours {
  // The image below, for reading. format: QEMU's name of its format; empty: the image does not say. The error names
  // the file.
  std::function<Result<std::unique_ptr<DiskImage>>(const std::string& name, const std::string& format)> open_backing;
  // A file with a part of the image's data, opened as the image is.
  std::function<Result<std::unique_ptr<ImageFile>>(const std::string& name)> open_part;
};

}  // namespace relic86
