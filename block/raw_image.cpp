#include "block/raw_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "block/image_format.h"

namespace relic86 {

namespace {

constexpr u64 kSector = 512;

}  // namespace

RawImage::RawImage(std::unique_ptr<ImageFile> file, Origin origin)
    : file_(std::move(file)), origin_(origin), size_((file_->size_bytes() + kSector - 1) / kSector * kSector) {}

Result<std::unique_ptr<RawImage>> RawImage::open(const std::string& path, Access access) {
  auto file = HostFile::open(path, access);
  if (!file) return file.error();
  return std::make_unique<RawImage>(std::move(file).value(), Origin::Said);
}

Result<> RawImage::read(u64 offset, std::span<u8> bytes) {
  if (offset > size_ || bytes.size() > size_ - offset) {
    return Error{fmt::format("{}: read beyond the end of the image", file_->path())};
  }
  return read_padded(*file_, offset, bytes);
}

Result<> RawImage::check_first_sector(u64 offset, std::span<const u8> bytes) {
  if (origin_ == Origin::Said || offset >= kImageProbeSize) return {};
  std::array<u8, kImageProbeSize> head{};
  if (auto read = read_padded(*file_, 0, head); !read) return read;
  const std::size_t count = std::min<std::size_t>(bytes.size(), kImageProbeSize - static_cast<std::size_t>(offset));
  std::copy_n(bytes.begin(), count, head.begin() + static_cast<std::ptrdiff_t>(offset));
  const auto name = image_format_name(head, {});
  if (name.empty()) return {};
  return Error{
      fmt::format("{}: the guest writes the signature of a {} file into a disk that was only guessed to be raw; say "
                  "format=raw to allow it",
                  file_->path(), name)};
}

Result<> RawImage::write(u64 offset, std::span<const u8> bytes) {
  if (read_only()) return Error{fmt::format("{}: was opened read-only", file_->path())};
  if (offset > size_ || bytes.size() > size_ - offset) {
    return Error{fmt::format("{}: write beyond the end of the image", file_->path())};
  }
  if (auto checked = check_first_sector(offset, bytes); !checked) return checked;
  // Zeros beyond the end of a file of odd size are there already: the file keeps its size.
  const u64 file_size = file_->size_bytes();
  while (!bytes.empty() && offset + bytes.size() > file_size && bytes.back() == 0)
    bytes = bytes.first(bytes.size() - 1);
  return file_->write(offset, bytes);
}

Result<> RawImage::discard(u64 offset, u64 length) {
  if (read_only()) return Error{fmt::format("{}: was opened read-only", file_->path())};
  if (offset > size_ || length > size_ - offset) {
    return Error{fmt::format("{}: discard beyond the end of the image", file_->path())};
  }
  (void)file_->punch_hole(offset, length);  // a wish
  return {};
}

Result<> RawImage::write_zeroes(u64 offset, u64 length) {
  const bool inside = offset <= file_->size_bytes() && length <= file_->size_bytes() - offset;
  // A first sector of zeros has no signature.
  if (!read_only() && inside && file_->write_zeroes(offset, length)) return {};
  return DiskImage::write_zeroes(offset, length);
}

Result<DiskImage::Extent> RawImage::extent(u64 offset, u64 length) {
  const ImageFile::Run run = file_->run_at(offset, length);
  return Extent{run.data, run.length};
}

Result<> RawImage::resize(u64 size) {
  if (size % kSector != 0) return Error{fmt::format("{}: {} is no multiple of 512 bytes", file_->path(), size)};
  if (size == size_) return {};
  if (auto resized = file_->resize(size); !resized) return resized;
  size_ = size;
  return {};
}

ImageInfo RawImage::info() const {
  ImageInfo info;
  info.file = file_->path();
  info.format = "raw";
  info.virtual_size = size_;
  info.actual_size = file_->allocated_bytes();
  return info;
}

}  // namespace relic86
