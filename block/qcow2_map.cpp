#include "block/qcow2_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/byte_order.h"
#include "block/qcow2_refcounts.h"

namespace relic86 {

namespace {

constexpr u64 kMostTableMemory = u64{32} << 20;

}  // namespace

Result<Qcow2Map> Qcow2Map::load(ImageFile& file, const Qcow2Header& header, u64 l1_offset, u32 l1_entries) {
  Qcow2Map map(file, header);
  map.l1_offset_ = l1_offset;
  std::vector<u8> bytes(std::size_t{l1_entries} * 8);
  if (auto read = file.read(l1_offset, bytes); !read) return read.error();
  map.l1_.resize(l1_entries);
  for (std::size_t i = 0; i < map.l1_.size(); i++) map.l1_[i] = load_be<u64>(bytes, i * 8);
  return map;
}

Error Qcow2Map::damaged(u64 guest_offset, u64 entry) const {
  return Error{
      fmt::format("{}: is damaged: what holds the disk's byte {:#x} is said to be at {:#x}, which is not a cluster of "
                  "the file; 'qemu-img check' tells more",
                  file_->path(), guest_offset, entry & kQcow2OffsetMask)};
}

// A subcluster is a 32nd of a cluster. Bit n of the bitmap: subcluster n has data; bit 32 + n: it reads as zeros.
Result<Qcow2Range> Qcow2Map::extended_range(u64 guest_offset, u64 entry, u64 bitmap) const {
  constexpr u64 kSubclusters = 32;
  const u64 size = header_.cluster_size() / kSubclusters;
  const u64 within = guest_offset % header_.cluster_size();
  const u64 index = within / size;
  const bool data = (bitmap >> index & 1) != 0, zero = (bitmap >> (kSubclusters + index) & 1) != 0;
  if (data && (zero || (entry & kQcow2OffsetMask) == 0)) return damaged(guest_offset, entry);
  Qcow2Range range{.length = size - within % size, .entry = entry};
  if (zero) range.kind = Qcow2Range::Kind::Zero;
  if (!data) return range;
  range.kind = Qcow2Range::Kind::Data;
  range.host = (entry & kQcow2OffsetMask) + within;
  return range;
}

Result<Qcow2Range> Qcow2Map::find(u64 guest_offset) {
  const u64 cluster = header_.cluster_size(), within = guest_offset % cluster;
  const u64 number = guest_offset / cluster;
  const u64 table_number = number / header_.l2_entries();
  Qcow2Range range{.length = cluster - within};
  if (table_number >= l1_.size()) return range;
  const u64 table_offset = l1_[static_cast<std::size_t>(table_number)] & kQcow2OffsetMask;
  if (table_offset == 0) return range;
  const auto table = l2_.get(table_offset);
  if (!table) return table.error();
  const auto at = static_cast<std::size_t>(number % header_.l2_entries() * header_.l2_entry_size());
  range.entry = load_be<u64>(table.value(), at);
  if ((range.entry & kQcow2Compressed) != 0) {
    range.kind = Qcow2Range::Kind::Compressed;
    return range;
  }
  const u64 host = range.entry & kQcow2OffsetMask;
  if (host % cluster != 0 || (host != 0 && host >= file_->size_bytes())) return damaged(guest_offset, range.entry);
  if (header_.extended_l2()) return extended_range(guest_offset, range.entry, load_be<u64>(table.value(), at + 8));
  if (header_.version >= 3 && (range.entry & kQcow2Zero) != 0) {
    range.kind = Qcow2Range::Kind::Zero;
    range.host = host;
  } else if (host != 0) {
    range.kind = Qcow2Range::Kind::Data;
    range.host = host + within;
  }
  return range;
}

Result<u64> Qcow2Map::own_table(u64 guest_offset, Qcow2Refcounts& refcounts) {
  const auto number = static_cast<std::size_t>(guest_offset / header_.cluster_size() / header_.l2_entries());
  RELIC86_ASSERT(number < l1_.size());
  const u64 old_entry = l1_[number], old_offset = old_entry & kQcow2OffsetMask;
  if (old_offset != 0 && (old_entry & kQcow2Copied) != 0) {
    if (auto old = l2_.get(old_offset); !old) return old.error();
    return old_offset;
  }
  std::vector<u8> content;
  if (old_offset != 0) {
    // A snapshot has this table, too.
    const auto old = l2_.get(old_offset);
    if (!old) return old.error();
    content.assign(old.value().begin(), old.value().end());
  }
  const auto offset = refcounts.allocate();
  if (!offset) return offset;
  const auto table = l2_.make(offset.value());
  std::copy(content.begin(), content.end(), table.begin());
  refcounts.protect(offset.value(), 1);
  if (old_offset != 0) refcounts.release_later(old_offset);
  l1_[number] = offset.value() | kQcow2Copied;
  l1_first_dirty_ = std::min(l1_first_dirty_, number);
  l1_last_dirty_ = std::max(l1_last_dirty_, number);
  return offset;
}

Result<> Qcow2Map::set(u64 guest_offset, u64 entry, Qcow2Refcounts& refcounts) {
  const auto offset = own_table(guest_offset, refcounts);
  if (!offset) return offset.error();
  const auto table = l2_.get(offset.value());
  if (!table) return table.error();
  const u64 index = guest_offset / header_.cluster_size() % header_.l2_entries();
  store_be(table.value(), static_cast<std::size_t>(index * header_.l2_entry_size()), entry);
  l2_.mark_dirty(offset.value());
  return {};
}

Result<> Qcow2Map::grow_l1(std::size_t entries) {
  const std::size_t before = l1_.size();
  const std::vector<u8> zeros((entries - before) * 8);
  if (auto written = file_->write(l1_offset_ + before * 8, zeros); !written) return written;
  l1_.resize(entries);
  return {};
}

Result<> Qcow2Map::write_back_l1() {
  if (!l1_dirty()) return {};
  std::vector<u8> bytes((l1_last_dirty_ - l1_first_dirty_ + 1) * 8);
  for (std::size_t i = 0; i < bytes.size() / 8; i++) store_be(std::span(bytes), i * 8, l1_[l1_first_dirty_ + i]);
  if (auto written = file_->write(l1_offset_ + l1_first_dirty_ * 8, bytes); !written) return written;
  l1_first_dirty_ = ~std::size_t{0};
  l1_last_dirty_ = 0;
  return {};
}

void Qcow2Map::trim() { l2_.trim(kMostTableMemory); }

}  // namespace relic86
