#include "block/vhd_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include "base/byte_order.h"

namespace relic86 {

namespace {

constexpr u64 kSector = 512;
constexpr u32 kAbsent = ~u32{0};
constexpr u64 kNoHeader = ~u64{0};
constexpr std::size_t kHeaderSize = 1024;
constexpr u64 kLeastBlock = 4096, kMostBlock = 64 << 20;
constexpr u64 kMostEntries = 1 << 26;
constexpr std::string_view kFooterCookie = "conectix", kHeaderCookie = "cxsparse";
// Where fields of the footer stand.
constexpr std::size_t kHeaderOffsetAt = 16, kCreatorAt = 28, kCurrentSizeAt = 48, kGeometryAt = 56, kTypeAt = 60,
                      kChecksumAt = 64;
// And of the dynamic header.
constexpr std::size_t kTableOffsetAt = 16, kEntriesAt = 28, kBlockSizeAt = 32, kHeaderChecksumAt = 36,
                      kLocatorsAt = 576, kLocatorSize = 24, kLocators = 8;

bool starts_with(std::span<const u8> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

// The sum of all bytes but the checksum's own, inverted.
bool checksum_holds(std::span<const u8> bytes, std::size_t at) {
  u32 sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i++) sum += i >= at && i < at + 4 ? 0u : bytes[i];
  return ~sum == load_be<u32>(bytes, at);
}

// Programs that took the size from the geometry wrote no better one; the others mean the exact size.
bool sized_by_geometry(std::span<const u8> footer) {
  constexpr u16 kMostCylinders = 65535;
  constexpr std::string_view kExact[] = {"win ", "qem2", "d2v ", "vbox", "wa"};
  const auto creator = footer.subspan(kCreatorAt, 4);
  return std::none_of(std::begin(kExact), std::end(kExact),
                      [&](std::string_view name) { return starts_with(creator, name); }) &&
         !starts_with(creator, std::string_view("tap\0", 4)) && load_be<u16>(footer, kGeometryAt) != kMostCylinders;
}

// A name in UTF-16, little-endian as Windows writes it, with Windows' separators.
std::string path_from(std::span<const u8> utf16) {
  std::string path;
  for (std::size_t i = 0; i + 1 < utf16.size(); i += 2) {
    const u16 unit = load_le<u16>(utf16, i);
    if (unit == 0) break;
    if (unit < 0x80) {
      path += unit == '\\' ? '/' : static_cast<char>(unit);
    } else if (unit < 0x800) {
      path += static_cast<char>(0xC0 | unit >> 6);
      path += static_cast<char>(0x80 | (unit & 0x3F));
    } else {
      path += static_cast<char>(0xE0 | unit >> 12);
      path += static_cast<char>(0x80 | (unit >> 6 & 0x3F));
      path += static_cast<char>(0x80 | (unit & 0x3F));
    }
  }
  return path;
}

}  // namespace

bool is_vhd_footer(std::span<const u8> footer) {
  return footer.size() == 512 && starts_with(footer, kFooterCookie) && checksum_holds(footer, kChecksumAt);
}

Result<std::unique_ptr<VhdImage>> VhdImage::open(std::unique_ptr<ImageFile> file, const Neighbours& neighbours) {
  std::unique_ptr<VhdImage> image(new VhdImage(std::move(file)));
  if (auto read = image->read_footer(); !read) return read.error();
  if (image->type_ == Type::Fixed) return image;
  if (auto read = image->read_dynamic_header(neighbours); !read) return read.error();
  if (image->type_ == Type::Differencing && !image->read_only()) {
    return Error{
        fmt::format("{}: differencing VHD images are only read here; use readonly=on or snapshot=on, or convert "
                    "it (qemu-img convert -O qcow2)",
                    image->file_->path())};
  }
  return image;
}

// The copy at the start stands in for a footer at the end that is damaged; fixed images have none.
Result<> VhdImage::read_footer() {
  const u64 size = file_->size_bytes();
  if (size < kFooterSize) return damaged("the VHD footer is cut short");
  if (auto read = file_->read(size - kFooterSize, footer_); !read) return read;
  if (!is_vhd_footer(footer_)) {
    if (auto read = file_->read(0, footer_); !read) return read;
    if (!starts_with(footer_, kFooterCookie)) return Error{fmt::format("{}: is not a VHD image", file_->path())};
    if (!checksum_holds(footer_, kChecksumAt)) return damaged("the checksum of the VHD footer does not hold");
  }
  const u32 type = load_be<u32>(footer_, kTypeAt);
  if (type < 2 || type > 4)
    return Error{fmt::format("{}: is a VHD image of type {}; fixed, dynamic and differencing ones are known",
                             file_->path(), type)};
  type_ = static_cast<Type>(type);
  size_ = load_be<u64>(footer_, kCurrentSizeAt) / kSector * kSector;
  if (sized_by_geometry(footer_))
    size_ = u64{load_be<u16>(footer_, kGeometryAt)} * footer_[kGeometryAt + 2] * footer_[kGeometryAt + 3] * kSector;
  header_offset_ = load_be<u64>(footer_, kHeaderOffsetAt);
  if (type_ != Type::Fixed) return {};
  if (size_ > size - kFooterSize) return damaged("the file is shorter than the disk");
  block_size_ = std::max<u64>(size_, kSector);
  return {};
}

Result<> VhdImage::read_dynamic_header(const Neighbours& neighbours) {
  std::array<u8, kHeaderSize> header{};
  if (header_offset_ == kNoHeader || !fits(header_offset_, header.size()))
    return damaged("the dynamic header is not within the file");
  if (auto read = file_->read(header_offset_, header); !read) return read;
  if (!starts_with(header, kHeaderCookie) || !checksum_holds(header, kHeaderChecksumAt))
    return damaged("the dynamic header is not sound");
  block_size_ = load_be<u32>(header, kBlockSizeAt);
  if (block_size_ < kLeastBlock || block_size_ > kMostBlock || (block_size_ & (block_size_ - 1)) != 0)
    return damaged(fmt::format("blocks of {} bytes", block_size_));
  bitmap_size_ = (block_size_ / kSector / 8 + kSector - 1) / kSector * kSector;
  if (auto read = read_table(load_be<u64>(header, kTableOffsetAt), load_be<u32>(header, kEntriesAt)); !read)
    return read;
  return type_ == Type::Differencing ? open_parent(header, neighbours) : Result<>();
}

Result<> VhdImage::read_table(u64 offset, u32 entries) {
  if (entries > kMostEntries || !fits(offset, u64{entries} * 4))
    return damaged("the block allocation table is not within the file");
  if (size_ > entries * block_size_) return damaged("the block allocation table is too short for the disk");
  table_offset_ = offset;
  std::vector<u8> bytes(std::size_t{entries} * 4);
  if (auto read = file_->read(offset, bytes); !read) return read;
  table_.resize(entries);
  // New blocks go where the footer is, or after everything else if there is none.
  end_ = std::max(offset + (bytes.size() + kSector - 1) / kSector * kSector, header_offset_ + kHeaderSize);
  std::unordered_set<u32> seen;
  for (std::size_t i = 0; i < table_.size(); i++) {
    table_[i] = load_be<u32>(bytes, i * 4);
    if (table_[i] == kAbsent) continue;
    if (!seen.insert(table_[i]).second) return damaged(fmt::format("block {} is where another is", i));
    end_ = std::max(end_, table_[i] * kSector + bitmap_size_ + block_size_);
  }
  return {};
}

// The parent's name stands in up to eight locators; one relative to this image's folder is the best.
Result<> VhdImage::open_parent(std::span<const u8> header, const Neighbours& neighbours) {
  constexpr u32 kRelative = 0x57327275, kAbsolute = 0x57326B75;  // "W2ru", "W2ku"
  constexpr u32 kLongestName = 4096;
  std::string absolute;
  for (std::size_t i = 0; i < kLocators; i++) {
    const std::size_t at = kLocatorsAt + i * kLocatorSize;
    const u32 code = load_be<u32>(header, at), length = load_be<u32>(header, at + 8);
    const u64 offset = load_be<u64>(header, at + 16);
    if ((code != kRelative && code != kAbsolute) || length > kLongestName || !fits(offset, length)) continue;
    std::vector<u8> name(length);
    if (auto read = file_->read(offset, name); !read) return read;
    (code == kRelative ? below_name_ : absolute) = path_from(name);
  }
  if (below_name_.empty()) below_name_ = absolute;
  if (below_name_.empty()) return damaged("it does not say which image it holds the differences to");
  auto below = neighbours.open_backing(below_name_, "vpc");
  if (!below) return Error{fmt::format("{}: its parent {}", file_->path(), below.message())};
  below_ = std::move(below).value();
  return {};
}

Result<SparseImage::Range> VhdImage::find(u64 offset) {
  if (type_ == Type::Fixed) return Range{.kind = Range::Kind::Data, .length = size_ - offset, .host = offset};
  const u32 sector = table_[static_cast<std::size_t>(offset / block_size_)];
  const u64 within = offset % block_size_;
  if (sector == kAbsent) return Range{.length = block_size_ - within};
  const u64 bitmap = sector * kSector, data = bitmap + bitmap_size_;
  if (data + within >= file_->size_bytes()) return damaged(fmt::format("the file ends before {:#x}", data + within));
  if (type_ == Type::Differencing) return differing_range(offset, bitmap, data);
  return Range{.kind = Range::Kind::Data, .length = block_size_ - within, .host = data + within};
}

// A bit says whether a sector is here or below.
Result<SparseImage::Range> VhdImage::differing_range(u64 offset, u64 bitmap_offset, u64 data_offset) {
  std::vector<u8> bitmap(static_cast<std::size_t>(bitmap_size_));
  if (auto read = file_->read(bitmap_offset, bitmap); !read) return read.error();
  const auto here = [&](u64 sector) {
    return (bitmap[static_cast<std::size_t>(sector / 8)] >> (7 - sector % 8) & 1) != 0;
  };
  const u64 within = offset % block_size_, first = within / kSector;
  u64 end = first + 1;
  while (end < block_size_ / kSector && here(end) == here(first)) end++;
  Range range{.length = end * kSector - within};
  if (!here(first)) return range;
  range.kind = Range::Kind::Data;
  range.host = data_offset + within;
  return range;
}

// The footer moves to the new end first, so that there always is one; then the block takes its old place.
Result<u64> VhdImage::new_place(u64) {
  const u64 place = end_;
  if ((place + bitmap_size_ + block_size_) / kSector >= kAbsent) {
    return Error{fmt::format("{}: a VHD file cannot be longer than 2 TiB; convert it (qemu-img convert -O vhdx)",
                             file_->path())};
  }
  if (auto written = file_->write(place + bitmap_size_ + block_size_, footer_); !written) return written.error();
  if (auto written = file_->write(place, std::vector<u8>(static_cast<std::size_t>(bitmap_size_), 0xFF)); !written)
    return written.error();
  return place + bitmap_size_;
}

Result<> VhdImage::enter(u64 block, u64 host) {
  table_[static_cast<std::size_t>(block)] = static_cast<u32>((host - bitmap_size_) / kSector);
  end_ = host + block_size_;
  first_dirty_ = std::min(first_dirty_, block);
  last_dirty_ = std::max(last_dirty_, block);
  return {};
}

Result<> VhdImage::write_tables() {
  std::vector<u8> bytes(static_cast<std::size_t>(last_dirty_ - first_dirty_ + 1) * 4);
  for (std::size_t i = 0; i < bytes.size() / 4; i++)
    store_be(std::span(bytes), i * 4, table_[static_cast<std::size_t>(first_dirty_) + i]);
  if (auto written = file_->write(table_offset_ + first_dirty_ * 4, bytes); !written) return written;
  first_dirty_ = ~u64{0};
  last_dirty_ = 0;
  return {};
}

ImageInfo VhdImage::info() const {
  ImageInfo info = common_info("vpc");
  if (type_ == Type::Fixed) info.cluster_size = 0;
  return info;
}

}  // namespace relic86
