#include "block/vdi_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/byte_order.h"

namespace relic86 {

namespace {

constexpr u32 kSignature = 0xBEDA107F, kVersion = 0x00010001;
constexpr u32 kDynamic = 1, kStatic = 2;
constexpr u32 kAbsent = ~u32{0}, kZero = ~u32{1};  // in the map: never written; reads as zeros
constexpr u64 kHeaderSize = 512;
constexpr u64 kMostBeforeMap = 1 << 20, kLeastBlock = 4096, kMostBlock = 64 << 20;
// Where the header's fields stand.
constexpr std::size_t kSignatureAt = 0x40, kVersionAt = 0x44, kTypeAt = 0x4C, kMapAt = 0x154, kDataAt = 0x158,
                      kSectorAt = 0x168, kDiskAt = 0x170, kBlockSizeAt = 0x178, kBlockExtraAt = 0x17C,
                      kBlocksAt = 0x180, kBlocksUsedAt = 0x184, kLinkAt = 0x1A8, kParentAt = 0x1B8, kUuid = 16;

}  // namespace

Result<std::unique_ptr<VdiImage>> VdiImage::open(std::unique_ptr<ImageFile> file, const Neighbours&) {
  std::unique_ptr<VdiImage> image(new VdiImage(std::move(file)));
  if (auto read = image->read_header(); !read) return read.error();
  if (auto read = image->read_map(); !read) return read.error();
  return image;
}

Result<> VdiImage::read_header() {
  header_.resize(kHeaderSize);
  if (!fits(0, kHeaderSize)) return damaged("the VDI header is cut short");
  if (auto read = file_->read(0, header_); !read) return read;
  if (load_le<u32>(header_, kSignatureAt) != kSignature)
    return Error{fmt::format("{}: is not a VDI image", file_->path())};
  const u32 version = load_le<u32>(header_, kVersionAt), type = load_le<u32>(header_, kTypeAt);
  const auto unsupported = [&](std::string_view what) {
    return Error{fmt::format("{}: {}; make a copy that stands alone (qemu-img convert, VBoxManage clonemedium)",
                             file_->path(), what)};
  };
  if (version != kVersion) return unsupported(fmt::format("is a VDI image of version {:#x}; 1.1 is known", version));
  if (type != kDynamic && type != kStatic)
    return unsupported(fmt::format("is a VDI image of type {}; dynamic and static ones are known", type));
  const auto set = [&](std::size_t at) {
    return std::any_of(header_.begin() + static_cast<std::ptrdiff_t>(at),
                       header_.begin() + static_cast<std::ptrdiff_t>(at + kUuid), [](u8 byte) { return byte != 0; });
  };
  if (set(kLinkAt) || set(kParentAt)) return unsupported("holds the differences to another VDI image only");
  if (load_le<u32>(header_, kSectorAt) != 512 || load_le<u32>(header_, kBlockExtraAt) != 0)
    return unsupported("has sectors or blocks with more than their data");
  size_ = load_le<u64>(header_, kDiskAt);
  block_size_ = load_le<u32>(header_, kBlockSizeAt);
  data_offset_ = load_le<u32>(header_, kDataAt);
  blocks_used_ = load_le<u32>(header_, kBlocksUsedAt);
  if (block_size_ < kLeastBlock || block_size_ > kMostBlock || (block_size_ & (block_size_ - 1)) != 0)
    return damaged(fmt::format("blocks of {} bytes", block_size_));
  return {};
}

Result<> VdiImage::read_map() {
  const u64 map_offset = load_le<u32>(header_, kMapAt);
  const u64 blocks = load_le<u32>(header_, kBlocksAt);
  if (size_ > blocks * block_size_) return damaged("the map has fewer blocks than the disk");
  if (map_offset < kHeaderSize || map_offset > kMostBeforeMap || !fits(map_offset, blocks * 4) ||
      data_offset_ < map_offset + blocks * 4)
    return damaged("the map of blocks is not within the file");
  header_.resize(static_cast<std::size_t>(map_offset));
  if (auto read = file_->read(0, header_); !read) return read;
  std::vector<u8> bytes(static_cast<std::size_t>(blocks * 4));
  if (auto read = file_->read(map_offset, bytes); !read) return read;
  map_.resize(static_cast<std::size_t>(blocks));
  std::unordered_set<u32> seen;
  for (std::size_t i = 0; i < map_.size(); i++) {
    map_[i] = load_le<u32>(bytes, i * 4);
    if (map_[i] == kAbsent || map_[i] == kZero) continue;
    if (map_[i] >= blocks_used_) return damaged(fmt::format("block {} is mapped to one that is not in use", i));
    if (!seen.insert(map_[i]).second) return damaged(fmt::format("block {} is mapped where another is", i));
  }
  return {};
}

Result<SparseImage::Range> VdiImage::find(u64 offset) {
  const u32 entry = map_[static_cast<std::size_t>(offset / block_size_)];
  const u64 within = offset % block_size_;
  Range range{.kind = Range::Kind::Zero, .length = block_size_ - within};
  if (entry == kAbsent || entry == kZero) return range;
  range.kind = Range::Kind::Data;
  range.host = data_offset_ + entry * block_size_ + within;
  if (range.host >= file_->size_bytes()) return damaged(fmt::format("the file ends before {:#x}", range.host));
  return range;
}

Result<u64> VdiImage::new_place(u64) { return data_offset_ + u64{blocks_used_} * block_size_; }

Result<> VdiImage::enter(u64 block, u64) {
  map_[static_cast<std::size_t>(block)] = blocks_used_++;
  last_dirty_ = std::max(last_dirty_, block);
  return {};
}

// The number of blocks in use and the map go together in one write: each alone is not sound.
Result<> VdiImage::write_tables() {
  store_le(std::span(header_), kBlocksUsedAt, blocks_used_);
  std::vector<u8> bytes(header_);
  const std::size_t map_at = bytes.size();
  bytes.resize(map_at + static_cast<std::size_t>(last_dirty_ + 1) * 4);
  for (std::size_t i = 0; i <= last_dirty_; i++) store_le(std::span(bytes), map_at + i * 4, map_[i]);
  if (auto written = file_->write(0, bytes); !written) return written;
  last_dirty_ = 0;
  return {};
}

}  // namespace relic86
