#include "block/vhdx_image.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/byte_order.h"
#include "block/vhdx_log.h"

namespace relic86 {

namespace {

constexpr u64 kMegabyte = 1 << 20;
constexpr u64 kStateMask = 7, kOffsetMask = ~(kMegabyte - 1);
constexpr u64 kPresent = 6, kPartlyPresent = 7;  // states of an entry; all others read as zeros
constexpr std::size_t kFileGuidAt = 16, kDataGuidAt = 32, kGuidSize = 16;

}  // namespace

Result<std::unique_ptr<VhdxImage>> VhdxImage::open(std::unique_ptr<ImageFile> file, const Neighbours&) {
  std::unique_ptr<VhdxImage> image(new VhdxImage(std::move(file)));
  auto header = read_vhdx_header(*image->file_);
  if (!header) return header.error();
  image->header_ = header.value();
  if (image->header_.log_guid != VhdxGuid{}) {
    if (image->read_only()) {
      return Error{
          fmt::format("{}: was not closed well, and its log must be carried out first; open it once for writing "
                      "(without readonly=on or snapshot=on), or mend it with 'qemu-img check -r all'",
                      image->file_->path())};
    }
    if (auto replayed = replay_vhdx_log(*image->file_, image->header_); !replayed) return replayed.error();
  }
  auto layout = read_vhdx_layout(*image->file_);
  if (!layout) return layout.error();
  image->layout_ = layout.value();
  image->size_ = image->layout_.disk_size;
  image->block_size_ = image->layout_.block_size;
  if (auto read = image->read_table(); !read) return read.error();
  return image;
}

Result<> VhdxImage::read_table() {
  const u64 blocks = (size_ + block_size_ - 1) / block_size_;
  std::vector<u8> bytes(blocks == 0 ? 0 : (entry_of(blocks - 1) + 1) * 8);
  if (auto read = file_->read(layout_.table_offset, bytes); !read) return read;
  table_.resize(bytes.size() / 8);
  std::vector<u64> places;
  for (std::size_t i = 0; i < table_.size(); i++) table_[i] = load_le<u64>(bytes, i * 8);
  for (u64 block = 0; block < blocks; block++) {
    const u64 entry = table_[entry_of(block)];
    if ((entry & kStateMask) != kPresent && (entry & kStateMask) != kPartlyPresent) continue;
    const u64 place = entry & kOffsetMask;
    if (place < kMegabyte || place >= file_->size_bytes())
      return damaged(fmt::format("block {} is beyond the file", block));
    places.push_back(place);
  }
  std::sort(places.begin(), places.end());
  for (std::size_t i = 1; i < places.size(); i++) {
    if (places[i] - places[i - 1] < block_size_) return damaged("two blocks lie on one another");
  }
  end_ = std::max(file_->size_bytes(), places.empty() ? 0 : places.back() + block_size_);
  end_ = (end_ + kMegabyte - 1) / kMegabyte * kMegabyte;
  return {};
}

Result<SparseImage::Range> VhdxImage::find(u64 offset) {
  const u64 entry = table_[entry_of(offset / block_size_)], within = offset % block_size_;
  Range range{.kind = Range::Kind::Zero, .length = block_size_ - within};
  if ((entry & kStateMask) == kPartlyPresent) return damaged("a block is there in part, in an image without a parent");
  if ((entry & kStateMask) != kPresent) return range;
  range.kind = Range::Kind::Data;
  range.host = (entry & kOffsetMask) + within;
  return range;
}

// The file's and the content's identity change with its first change, so that nobody takes it for what it was.
Result<> VhdxImage::begin_changes() {
  for (const std::size_t at : {kFileGuidAt, kDataGuidAt}) {
    for (std::size_t i = 0; i < kGuidSize; i++)
      header_.bytes[at + i] = static_cast<u8>(header_.bytes[at + i] * 5 + 17 + header_.sequence + i);
  }
  return write_vhdx_header(*file_, header_);
}

Result<u64> VhdxImage::new_place(u64) { return end_; }

Result<> VhdxImage::enter(u64 block, u64 host) {
  const std::size_t index = entry_of(block);
  table_[index] = host | kPresent;
  end_ = host + block_size_;
  first_dirty_ = std::min(first_dirty_, index);
  last_dirty_ = std::max(last_dirty_, index);
  return {};
}

Result<> VhdxImage::write_tables() {
  std::vector<u8> bytes((last_dirty_ - first_dirty_ + 1) * 8);
  for (std::size_t i = 0; i < bytes.size() / 8; i++) store_le(std::span(bytes), i * 8, table_[first_dirty_ + i]);
  if (auto written = file_->write(layout_.table_offset + first_dirty_ * 8, bytes); !written) return written;
  first_dirty_ = ~std::size_t{0};
  last_dirty_ = 0;
  return {};
}

}  // namespace relic86
