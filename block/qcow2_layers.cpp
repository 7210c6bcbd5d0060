// A qcow2 image and what lies below it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/byte_order.h"
#include "block/qcow2_image.h"
#include "block/qcow2_new.h"

namespace relic86 {

Result<> Qcow2Image::stand_on(std::shared_ptr<DiskImage> image) {
  backing_ = std::move(image);
  return {};
}

Result<> Qcow2Image::name_backing(const std::string& file, const std::string& format) {
  if (read_only()) return Error{fmt::format("{}: was opened read-only", file_->path())};
  if (auto flushed = flush(); !flushed) return flushed;
  if (auto written = write_qcow2_backing(*file_, header_, file, format); !written) return written;
  header_.backing_file = file;
  header_.backing_format = file.empty() ? "" : format;
  return {};
}

Result<DiskImage::Extent> Qcow2Image::extent(u64 offset, u64 length) {
  if (auto checked = check_range("look", offset, length); !checked) return checked.error();
  Extent extent;
  while (extent.length < length) {
    const auto found = map_.find(offset + extent.length);
    if (!found) return found.error();
    const bool here = found.value().kind != Qcow2Range::Kind::Unallocated;
    if (extent.length != 0 && here != extent.here) break;
    extent.here = here;
    extent.length += std::min(found.value().length, length - extent.length);
  }
  map_.trim();
  return extent;
}

Result<> Qcow2Image::resize(u64 size) {
  constexpr u64 kSector = 512, kSizeAt = 24, kL1EntriesAt = 36;
  if (size == header_.size) return {};
  if (read_only()) return Error{fmt::format("{}: was opened read-only", file_->path())};
  if (size % kSector != 0) return Error{fmt::format("{}: {} is no multiple of {} bytes", file_->path(), size, kSector)};
  if (size < header_.size)
    return Error{fmt::format("{}: does not become smaller while it is in use; qemu-img resize --shrink does that",
                             file_->path())};
  if (!snapshots_.snapshots.empty() && header_.version < 3)
    return Error{fmt::format("{}: has snapshots; qemu-img snapshot -d deletes them", file_->path())};
  const u64 cluster = header_.cluster_size();
  const u64 covered = cluster * header_.l2_entries();
  const u64 entries = (size + covered - 1) / covered;
  const u64 room = (u64{header_.l1_entries} * 8 + cluster - 1) / cluster * cluster / 8;
  if (entries > room)
    return Error{fmt::format("{}: its tables have room for {} bytes; qemu-img resize makes them larger", file_->path(),
                             room * covered)};
  if (auto begun = begin_changes(); !begun) return begun;
  bitmaps_.give_up();
  if (entries > header_.l1_entries) {
    if (auto grown = map_.grow_l1(static_cast<std::size_t>(entries)); !grown) return grown;
    if (auto flushed = file_->flush(); !flushed) return flushed;  // entries before their number
    std::array<u8, 4> number{};
    store_be(std::span(number), 0, static_cast<u32>(entries));
    if (auto written = file_->write(kL1EntriesAt, number); !written) return written;
    header_.l1_entries = static_cast<u32>(entries);
    refcounts_->protect(header_.l1_offset, entries * 8);
  }
  // What lies beyond the old end in the last cluster may be anything.
  const u64 old_size = header_.size, end = std::min(size, (old_size + cluster - 1) / cluster * cluster);
  header_.size = size;
  const auto extend = [&]() -> Result<> {
    if (end > old_size) {
      if (auto zeros = BlockDevice::write_zeroes(old_size, end - old_size); !zeros) return zeros;
    }
    // Nor may what lies below show through.
    if (backing_ && backing_->size_bytes() > old_size) {
      if (auto zeros = write_zeroes(old_size, std::min(size, backing_->size_bytes()) - old_size); !zeros) return zeros;
    }
    if (auto flushed = flush(); !flushed) return flushed;
    // In the file the size comes last: until then the old end hides what is not zeros yet.
    std::array<u8, 8> number{};
    store_be(std::span(number), 0, size);
    return file_->write(kSizeAt, number);
  };
  if (auto extended = extend(); !extended) {
    header_.size = old_size;
    return extended;
  }
  return file_->flush();
}

}  // namespace relic86
