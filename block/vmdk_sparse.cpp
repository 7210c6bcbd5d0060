#include "block/vmdk_sparse.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/byte_order.h"
#include "block/decompress.h"

namespace relic86 {

namespace {

constexpr u64 kSector = 512;
constexpr u32 kMagic = 0x564D444B;                                                       // "KDMV"
constexpr u32 kSecondDirectory = 1 << 1, kZeroedGrains = 1 << 2, kCompressed = 1 << 16;  // flags
constexpr u64 kDirectoryAtEnd = ~u64{0};
constexpr u64 kFooterBeforeEnd = 1024;
constexpr u32 kZeroGrain = 1;
constexpr u64 kMostGrain = 64 << 20, kMostTableEntries = 4096, kMostDirectory = 1 << 22, kMostDescriptor = 1 << 20;
constexpr u64 kMostSectors = u64{1} << 50;
constexpr u64 kGrainMarker = 12;  // u64 sector of the disk, u32 bytes of compressed data
// Where the header's fields stand.
constexpr std::size_t kVersionAt = 4, kFlagsAt = 8, kCapacityAt = 12, kGrainAt = 20, kDescriptorAt = 28,
                      kDescriptorSizeAt = 36, kEntriesAt = 44, kSecondAt = 48, kDirectoryAt = 56, kCompressionAt = 77;

}  // namespace

Result<std::unique_ptr<VmdkSparse>> VmdkSparse::open(std::unique_ptr<ImageFile> file) {
  std::unique_ptr<VmdkSparse> image(new VmdkSparse(std::move(file)));
  if (auto read = image->read_header(); !read) return read.error();
  if (auto read = image->read_directory(); !read) return read.error();
  return image;
}

Result<> VmdkSparse::read_header() {
  std::array<u8, kSector> header{};
  if (!fits(0, header.size())) return damaged("the VMDK header is cut short");
  if (auto read = file_->read(0, header); !read) return read;
  if (load_le<u32>(header, 0) != kMagic) return Error{fmt::format("{}: is not a sparse VMDK image", file_->path())};
  // A stream has its header again at the end, when it is known where the directory is.
  if (load_le<u64>(header, kDirectoryAt) == kDirectoryAtEnd) {
    if (!fits(0, kFooterBeforeEnd)) return damaged("the VMDK footer is cut short");
    if (auto read = file_->read(file_->size_bytes() - kFooterBeforeEnd, header); !read) return read;
    if (load_le<u32>(header, 0) != kMagic) return damaged("the VMDK footer is missing");
  }
  return read_fields(header);
}

Result<> VmdkSparse::read_fields(std::span<const u8> header) {
  const u32 version = load_le<u32>(header, kVersionAt), flags = load_le<u32>(header, kFlagsAt);
  if (version < 1 || version > 3)
    return Error{fmt::format("{}: is a VMDK image of version {}; 1 to 3 are known", file_->path(), version)};
  zeroed_grains_ = (flags & kZeroedGrains) != 0;
  compressed_ = (flags & kCompressed) != 0;
  if (compressed_ && load_le<u16>(header, kCompressionAt) != 1)
    return Error{fmt::format("{}: is compressed in a way that is not known", file_->path())};
  const u64 sectors = load_le<u64>(header, kCapacityAt), grain = load_le<u64>(header, kGrainAt);
  if (sectors > kMostSectors) return damaged(fmt::format("a disk of {} sectors", sectors));
  if (grain == 0 || grain > kMostGrain / kSector || (grain & (grain - 1)) != 0)
    return damaged(fmt::format("grains of {} sectors", grain));
  size_ = sectors * kSector;
  block_size_ = grain * kSector;
  entries_per_table_ = load_le<u32>(header, kEntriesAt);
  if (entries_per_table_ == 0 || entries_per_table_ > kMostTableEntries)
    return damaged(fmt::format("grain tables of {} entries", entries_per_table_));
  const u64 descriptor = load_le<u64>(header, kDescriptorAt), descriptor_size = load_le<u64>(header, kDescriptorSizeAt);
  const u64 directory = load_le<u64>(header, kDirectoryAt), second = load_le<u64>(header, kSecondAt);
  for (const u64 number : {descriptor, descriptor_size, directory, second}) {
    if (number > kMostSectors && !(number == second && (flags & kSecondDirectory) == 0))
      return damaged("the header points far beyond the file");
  }
  descriptor_offset_ = descriptor * kSector;
  descriptor_size_ = std::min(descriptor_size * kSector, kMostDescriptor);
  directory_offset_ = directory * kSector;
  if ((flags & kSecondDirectory) != 0) second_offset_ = second * kSector;
  return {};
}

Result<> VmdkSparse::read_directory() {
  const u64 reach = entries_per_table_ * block_size_;
  const u64 count = size_ / reach + (size_ % reach != 0 ? 1 : 0);
  if (count > kMostDirectory) return damaged("the grain directory is too long");
  const auto read = [&](u64 offset, std::vector<u32>& into) -> Result<> {
    std::vector<u8> bytes(static_cast<std::size_t>(count * 4));
    if (!fits(offset, bytes.size())) return damaged("the grain directory is not within the file");
    if (auto result = file_->read(offset, bytes); !result) return result;
    into.resize(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < into.size(); i++) into[i] = load_le<u32>(bytes, i * 4);
    return {};
  };
  if (auto first = read(directory_offset_, directory_); !first) return first;
  return second_offset_ == 0 ? Result<>() : read(second_offset_, second_);
}

Result<std::string> VmdkSparse::descriptor_text() {
  if (descriptor_offset_ == 0) return std::string();
  if (!fits(descriptor_offset_, descriptor_size_)) return damaged("the descriptor is not within the file");
  std::vector<u8> bytes(static_cast<std::size_t>(descriptor_size_));
  if (auto read = file_->read(descriptor_offset_, bytes); !read) return read.error();
  return std::string(bytes.begin(), bytes.end());
}

Result<VmdkSparse::Table*> VmdkSparse::table_for(u64 block) {
  const u64 number = block / entries_per_table_;
  if (const auto known = tables_.find(number); known != tables_.end()) return &known->second;
  const u64 offset = directory_[static_cast<std::size_t>(number)] * kSector;
  if (offset == 0) return static_cast<Table*>(nullptr);
  std::vector<u8> bytes(static_cast<std::size_t>(entries_per_table_ * 4));
  if (!fits(offset, bytes.size())) return damaged(fmt::format("a grain table lies at {:#x}, beyond the file", offset));
  if (auto read = file_->read(offset, bytes); !read) return read.error();
  Table& table = tables_[number];
  table.resize(static_cast<std::size_t>(entries_per_table_));
  for (std::size_t i = 0; i < table.size(); i++) table[i] = load_le<u32>(bytes, i * 4);
  return &table;
}

Result<SparseImage::Range> VmdkSparse::find(u64 offset) {
  const u64 block = offset / block_size_, within = offset % block_size_;
  Range range{.length = block_size_ - within};
  const auto table = table_for(block);
  if (!table) return table.error();
  if (table.value() == nullptr) return range;
  const u32 sector = (*table.value())[static_cast<std::size_t>(block % entries_per_table_)];
  if (sector == 0) return range;
  if (sector == kZeroGrain && zeroed_grains_) {
    range.kind = Range::Kind::Zero;
    return range;
  }
  range.host = sector * kSector;
  if (range.host >= file_->size_bytes())
    return damaged(fmt::format("a grain lies at {:#x}, beyond the file", range.host));
  range.kind = compressed_ ? Range::Kind::Packed : Range::Kind::Data;
  if (!compressed_) range.host += within;
  return range;
}

Result<> VmdkSparse::read_packed(u64 offset, std::span<u8> bytes) {
  const auto found = find(offset);
  if (!found) return found.error();
  const u64 host = found.value().host;
  if (unpacked_sector_ != host / kSector) {
    std::array<u8, kGrainMarker> marker{};
    if (!fits(host, marker.size())) return damaged("a compressed grain is cut short");
    if (auto read = file_->read(host, marker); !read) return read;
    const u64 length = load_le<u32>(marker, 8);
    if (!fits(host + marker.size(), length)) return damaged("a compressed grain is cut short");
    std::vector<u8> packed(static_cast<std::size_t>(length));
    if (auto read = file_->read(host + marker.size(), packed); !read) return read;
    unpacked_sector_ = 0;
    // The last grain may hold no more than the disk has.
    const u64 first = offset / block_size_ * block_size_;
    unpacked_.assign(static_cast<std::size_t>(block_size_), 0);
    const auto there = static_cast<std::size_t>(std::min(block_size_, size_ - first));
    if (!expand_zlib(packed, unpacked_) && !expand_zlib(packed, std::span(unpacked_).first(there)))
      return damaged(fmt::format("the grain at {:#x} cannot be expanded", host));
    unpacked_sector_ = host / kSector;
  }
  std::copy_n(unpacked_.begin() + static_cast<std::ptrdiff_t>(offset % block_size_), bytes.size(), bytes.begin());
  return {};
}

Result<u64> VmdkSparse::new_place(u64 block) {
  const auto end = [&] { return (file_->size_bytes() + kSector - 1) / kSector * kSector; };
  const auto table = table_for(block);
  if (!table) return table.error();
  if (table.value() == nullptr) {
    const u64 number = block / entries_per_table_;
    const std::vector<u8> zeros(static_cast<std::size_t>(entries_per_table_ * 4));
    for (std::vector<u32>* const directory : {&directory_, &second_}) {
      if (directory->empty()) continue;
      const u64 place = end();
      if (auto written = file_->write(place, zeros); !written) return written.error();
      (*directory)[static_cast<std::size_t>(number)] = static_cast<u32>(place / kSector);
    }
    tables_[number].assign(static_cast<std::size_t>(entries_per_table_), 0);
    directory_dirty_ = true;
  }
  const u64 place = end();
  if (place / kSector > ~u32{0}) {
    return Error{
        fmt::format("{}: its file cannot grow any more; convert it (qemu-img convert -O qcow2)", file_->path())};
  }
  return place;
}

Result<> VmdkSparse::enter(u64 block, u64 host) {
  const auto table = table_for(block);
  if (!table) return table.error();
  (*table.value())[static_cast<std::size_t>(block % entries_per_table_)] = static_cast<u32>(host / kSector);
  const u64 number = block / entries_per_table_;
  if (std::find(dirty_tables_.begin(), dirty_tables_.end(), number) == dirty_tables_.end())
    dirty_tables_.push_back(number);
  return {};
}

Result<> VmdkSparse::write_numbers(u64 offset, std::span<const u32> numbers) {
  std::vector<u8> bytes(numbers.size() * 4);
  for (std::size_t i = 0; i < numbers.size(); i++) store_le(std::span(bytes), i * 4, numbers[i]);
  return file_->write(offset, bytes);
}

Result<> VmdkSparse::write_tables() {
  for (const u64 number : dirty_tables_) {
    for (const std::vector<u32>* const directory : {&directory_, &second_}) {
      const u64 sector = directory->empty() ? 0 : (*directory)[static_cast<std::size_t>(number)];
      if (sector == 0) continue;
      if (auto written = write_numbers(sector * kSector, tables_.at(number)); !written) return written;
    }
  }
  dirty_tables_.clear();
  if (!directory_dirty_) return {};
  if (auto flushed = file_->flush(); !flushed) return flushed;
  if (auto written = write_numbers(directory_offset_, directory_); !written) return written;
  if (!second_.empty()) {
    if (auto written = write_numbers(second_offset_, second_); !written) return written;
  }
  directory_dirty_ = false;
  return {};
}

}  // namespace relic86
