#include "block/image_chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "block/absent_image.h"
#include "block/nbd_file.h"

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
  auto below = above.below();
  // Formats that cannot do it say so before anything has changed.
  if (auto can = above.stand_on(below); !can) return can.error();
  const ImageSource source = layer_source(*below);
  constexpr long kHolders = 2;  // this function and `above`; the locks of another one's would be in the way
  if (below.use_count() > kHolders)
    return Error{fmt::format("{}: a job or another image uses it; wait for its end, or cancel it", source.file)};
  // Closing can only warn of what it cannot write.
  if (!below->read_only()) {
    if (auto flushed = below->flush(); !flushed) return flushed.error();
  }
  const auto before = below->read_only() ? HostFile::Access::ReadOnly : HostFile::Access::ReadWrite;
  const std::shared_ptr<DiskImage> rest = below->below();
  // Its locks would be in the way of its own. Until it is open again, whoever reads there gets an error.
  auto absent =
      std::make_shared<AbsentImage>(*below, "cannot be opened again; mend that, and reopen it (blockdev-reopen)", rest);
  if (auto left = above.stand_on(std::move(absent)); !left) return left.error();
  below.reset();
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

std::string backing_name(const DiskImage& image) {
  const std::string file = image.info().file;
  if (names_nbd(file)) return file;
  std::error_code failure;
  const auto path = std::filesystem::absolute(file, failure);
  return failure ? file : path.string();
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
