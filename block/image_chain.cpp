#include "block/image_chain.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace relic86 {

Result<std::shared_ptr<DiskImage>> open_layer(ImageSource source, HostFile::Access access) {
  source.below = ImageSource::Below::Nothing;
  source.given = nullptr;
  auto opened = open_image(source, access);
  if (!opened) return opened.error();
  return std::shared_ptr<DiskImage>(std::move(opened).value());
}

ImageSource layer_source(const DiskImage& image) {
  const ImageInfo info = image.info();
  return {.file = info.file,
          .format = image_format(info.format).value_or(ImageFormat::Raw),
          .below = ImageSource::Below::Nothing};
}

Result<std::shared_ptr<DiskImage>> reopen_below(DiskImage& above, HostFile::Access access) {
  // Formats that cannot do it say so before anything has changed.
  if (auto can = above.stand_on(above.below()); !can) return can.error();
  const auto before = above.below()->read_only() ? HostFile::Access::ReadOnly : HostFile::Access::ReadWrite;
  const ImageSource source = layer_source(*above.below());
  const std::shared_ptr<DiskImage> rest = above.below()->below();
  // Its locks would be in the way of its own.
  if (auto left = above.stand_on(nullptr); !left) return left.error();
  const auto put = [&](HostFile::Access how) {
    auto opened = open_layer(source, how);
    if (!opened) return opened;
    if (rest) (void)opened.value()->stand_on(rest);  // as it did
    (void)above.stand_on(opened.value());
    return opened;
  };
  auto opened = put(access);
  if (opened) return opened;
  if (auto again = put(before); !again) log::warning("what the disk holds cannot be read any more: " + again.message());
  return opened;
}

Result<DiskImage::Extent> chain_extent(DiskImage& top, const DiskImage* end, u64 offset, u64 length) {
  DiskImage::Extent found{false, length};
  std::shared_ptr<DiskImage> next;
  for (DiskImage* image = &top; image != nullptr && image != end; next = image->below(), image = next.get()) {
    const u64 size = image->size_bytes();
    // Zeros, whatever lies below.
    if (offset >= size) return found;
    auto extent = image->extent(offset, std::min(found.length, size - offset));
    if (!extent || extent.value().here) return extent;
    found.length = extent.value().length;
  }
  return found;
}

ChainPlace chain_place(const std::shared_ptr<DiskImage>& top, std::size_t index) {
  ChainPlace place{nullptr, top};
  for (; index > 0 && place.image; index--) {
    place.over = place.image.get();
    place.image = place.image->below();
  }
  return place;
}

}  // namespace relic86
