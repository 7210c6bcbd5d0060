#include "block/sparse_image.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace relic86 {

Error SparseImage::damaged(std::string_view what) const {
  return Error{
      fmt::format("{}: is damaged: {}; take a copy of it that is not, or mend it with the program that made it",
                  file_->path(), what)};
}

Result<> SparseImage::check_range(std::string_view what, u64 offset, u64 length) const {
  if (offset <= size_ && length <= size_ - offset) return {};
  return Error{fmt::format("{}: {} beyond the end of the image", file_->path(), what)};
}

Result<> SparseImage::read_packed(u64, std::span<u8>) { return damaged("a block is compressed"); }

// The image below may be shorter.
Result<> SparseImage::read_below(u64 offset, std::span<u8> bytes) {
  const u64 size = below_ ? below_->size_bytes() : 0;
  const auto there = static_cast<std::size_t>(offset < size ? std::min<u64>(bytes.size(), size - offset) : 0);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(there), bytes.end(), u8{0});
  return there == 0 ? Result<>() : below_->read(offset, bytes.first(there));
}

Result<> SparseImage::read(u64 offset, std::span<u8> bytes) {
  if (auto checked = check_range("read", offset, bytes.size()); !checked) return checked;
  while (!bytes.empty()) {
    const auto found = find(offset);
    if (!found) return found.error();
    const Range& range = found.value();
    const auto piece = bytes.first(static_cast<std::size_t>(std::min<u64>(range.length, bytes.size())));
    Result<> read;
    switch (range.kind) {
      case Range::Kind::Below: read = read_below(offset, piece); break;
      case Range::Kind::Zero: std::fill(piece.begin(), piece.end(), u8{0}); break;
      case Range::Kind::Data: read = read_padded(*file_, range.host, piece); break;
      case Range::Kind::Packed: read = read_packed(offset, piece); break;
    }
    if (!read) return read;
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

Result<> SparseImage::write_new_block(u64 offset, std::span<const u8> bytes) {
  const u64 block = offset / block_size_, first = block * block_size_;
  std::vector<u8> whole(static_cast<std::size_t>(block_size_));
  const auto there = static_cast<std::size_t>(std::min(block_size_, size_ - first));
  if (bytes.size() < there) {
    if (auto result = read(first, std::span(whole).first(there)); !result) return result;
  }
  std::copy(bytes.begin(), bytes.end(), whole.begin() + static_cast<std::ptrdiff_t>(offset - first));
  const auto place = new_place(block);
  if (!place) return place.error();
  if (auto written = file_->write(place.value(), whole); !written) return written;
  tables_dirty_ = true;
  return enter(block, place.value());
}

Result<> SparseImage::write(u64 offset, std::span<const u8> bytes) {
  if (auto checked = check_range("write", offset, bytes.size()); !checked) return checked;
  if (read_only()) return Error{fmt::format("{}: was opened read-only", file_->path())};
  if (!changed_) {
    if (auto begun = begin_changes(); !begun) return begun;
    changed_ = true;
  }
  while (!bytes.empty()) {
    const auto found = find(offset);
    if (!found) return found.error();
    const Range& range = found.value();
    const bool here = range.kind == Range::Kind::Data;
    const u64 most = here ? range.length : block_size_ - offset % block_size_;
    const auto piece = bytes.first(static_cast<std::size_t>(std::min<u64>(most, bytes.size())));
    auto written = here ? file_->write(range.host, piece) : write_new_block(offset, piece);
    if (!written) return written;
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

Result<> SparseImage::flush() {
  if (read_only() || !changed_) return {};
  if (auto flushed = file_->flush(); !flushed || !tables_dirty_) return flushed;
  if (auto written = write_tables(); !written) return written;
  tables_dirty_ = false;
  return file_->flush();
}

void SparseImage::flush_at_end() {
  if (auto flushed = flush(); !flushed) log::warning(flushed.message());
}

ImageInfo SparseImage::common_info(std::string_view format) const {
  ImageInfo info;
  info.file = file_->path();
  info.format = format;
  info.virtual_size = size_;
  info.actual_size = file_->allocated_bytes();
  info.cluster_size = block_size_;
  info.backing_file = below_name_;
  if (below_) info.backing = std::make_shared<const ImageInfo>(below_->info());
  return info;
}

}  // namespace relic86
