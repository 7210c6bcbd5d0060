// Images that stand one on the other: single ones are opened, looked at, and put in their places.
#pragma once

#include <memory>
#include <string>

#include "block/open_image.h"

namespace relic86 {

// The image without what lies below it.
Result<std::shared_ptr<DiskImage>> open_layer(ImageSource source, HostFile::Access access);
// How to open it so again.
ImageSource layer_source(const DiskImage& image);

// The image below `above`, opened anew; whoever else holds it has let go of it. After an error it is
// there as before, or reading there fails; no other holder: its locks would be in the way.
Result<std::shared_ptr<DiskImage>> reopen_below(DiskImage& above, HostFile::Access access);

// The name by which a header may call it, whatever folder that header's image is in.
std::string backing_name(const DiskImage& image);

// Bytes from an offset on that the images from `top` down to the one over `end` hold, or not. end: null: all of them.
// What an image has no more room for, none below it shows either.
Result<DiskImage::Extent> chain_extent(DiskImage& top, const DiskImage* end, u64 offset, u64 length);

// Null: it is not in the chain. The image over it: null too if it is the top.
struct ChainPlace {
  DiskImage* over = nullptr;
  std::shared_ptr<DiskImage> image{};
};
// index: 0 for the top.
ChainPlace chain_place(const std::shared_ptr<DiskImage>& top, std::size_t index);

}  // namespace relic86
