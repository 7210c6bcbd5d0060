// What changes a qcow2 image.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/byte_order.h"
#include "base/log.h"
#include "block/qcow2_bitmaps.h"
#include "block/qcow2_check.h"
#include "block/qcow2_image.h"

namespace relic86 {

namespace {

using Kind = Qcow2Range::Kind;

constexpr u64 kMostUnwritten = u64{16} << 20;  // bytes of tables that wait for a flush

Result<> write_number(ImageFile& file, u64 at, u64 number) {
  std::array<u8, 8> bytes{};
  store_be(std::span(bytes), 0, number);
  return file.write(at, bytes);
}

}  // namespace

Result<> Qcow2Image::prepare_for_writing() {
  if ((header_.incompatible & Qcow2Header::kCorrupt) != 0) {
    return Error{
        fmt::format("{}: is marked as corrupt; mend it with 'qemu-img check -r all', or use readonly=on or "
                    "snapshot=on",
                    file_->path())};
  }
  if (header_.extended_l2()) {
    return Error{
        fmt::format("{}: images with subclusters (extended_l2) are only read here; use readonly=on or "
                    "snapshot=on, or convert it (qemu-img convert -O qcow2)",
                    file_->path())};
  }
  if ((header_.incompatible & Qcow2Header::kDirty) != 0) {
    log::warning(fmt::format("{}: was not closed well; its refcounts are computed again", file_->path()));
    if (auto mended = mend_qcow2_refcounts(*file_, header_, snapshots_); !mended) return mended;
    header_.incompatible &= ~Qcow2Header::kDirty;
    if (auto put = write_number(*file_, Qcow2Header::kIncompatibleAt, header_.incompatible); !put) return put;
    if (auto flushed = file_->flush(); !flushed) return flushed;
    // The flags of the tables may have been mended, too.
    auto map = Qcow2Map::load(*file_, header_, header_.l1_offset, header_.l1_entries);
    if (!map) return map.error();
    map_ = std::move(map).value();
  }
  auto refcounts = Qcow2Refcounts::load(*file_, header_);
  if (!refcounts) return refcounts.error();
  refcounts_ = std::make_unique<Qcow2Refcounts>(std::move(refcounts).value());
  refcounts_->protect(header_.l1_offset, u64{header_.l1_entries} * 8);
  for (const u64 entry : map_.l1()) {
    if ((entry & kQcow2OffsetMask) != 0) refcounts_->protect(entry & kQcow2OffsetMask, 1);
  }
  if (snapshots_.bytes != 0) refcounts_->protect(header_.snapshots_offset, snapshots_.bytes);
  for (const Qcow2Snapshot& snapshot : snapshots_.snapshots)
    refcounts_->protect(snapshot.l1_offset, u64{snapshot.l1_entries} * 8);
  return {};
}

Qcow2Image::~Qcow2Image() {
  if (!refcounts_ || !changed_) return;
  if (auto closed = close(); !closed) log::warning(closed.message());
}

// Whatever fails leaves the bitmaps marked as in use, which other programs do not rely on.
Result<> Qcow2Image::close() {
  if (!refcounts_) return {};
  if (auto flushed = flush(); !flushed) return flushed;
  if (changed_ && header_.bitmap_count != 0) {
    if (auto stored = bitmaps_.store(*file_, header_, *refcounts_); !stored) return stored;
    if (auto flushed = flush(); !flushed) return flushed;
    if (auto published = bitmaps_.publish(*file_); !published) return published;
  }
  changed_ = false;
  return {};
}

// Features that a program clears which writes without keeping them up.
Result<> Qcow2Image::begin_changes() {
  if (read_only()) return Error{fmt::format("{}: was opened read-only", file_->path())};
  if (changed_) return {};
  if (header_.bitmap_count != 0) {
    if (auto begun = bitmaps_.begin(*file_, header_); !begun) return begun;
  }
  const u64 kept = header_.autoclear & Qcow2Header::kBitmapsConsistent;
  if (header_.version >= 3 && header_.autoclear != kept) {
    if (auto put = write_number(*file_, Qcow2Header::kAutoclearAt, kept); !put) return put;
    header_.autoclear = kept;
  }
  changed_ = true;
  return {};
}

// A damaged image may say that a table is the guest's data.
Result<> Qcow2Image::check_place(u64 host, u64 length) const {
  for (u64 at = host / header_.cluster_size() * header_.cluster_size(); at < host + length;
       at += header_.cluster_size()) {
    if (!refcounts_->is_protected(at)) continue;
    return Error{
        fmt::format("{}: is damaged: a table at {:#x} is in use as the disk's content; mend it with 'qemu-img "
                    "check -r all'",
                    file_->path(), at)};
  }
  return {};
}

void Qcow2Image::release(const Qcow2Range& range) {
  if (range.kind == Kind::Compressed) {
    const Qcow2CompressedRange packed = qcow2_compressed_range(range.entry, header_.cluster_bits);
    const u64 cluster = header_.cluster_size();
    for (u64 at = packed.offset / cluster * cluster; at < packed.offset + packed.length; at += cluster)
      refcounts_->release_later(at);
    return;
  }
  if ((range.entry & kQcow2OffsetMask) != 0) refcounts_->release_later(range.entry & kQcow2OffsetMask);
}

Result<> Qcow2Image::write_new_cluster(u64 offset, std::span<const u8> bytes, const Qcow2Range& range) {
  const u64 cluster = header_.cluster_size();
  const u64 first = offset / cluster * cluster, within = offset - first;
  // Zeros with a host cluster of their own: it is used. Until the tables are written the file says zeros still.
  const bool reused = range.kind == Kind::Zero && range.host != 0 && range.in_place();
  u64 host = range.host;
  if (!reused) {
    const auto allocated = refcounts_->allocate();
    if (!allocated) return allocated.error();
    host = allocated.value();
  }
  if (auto checked = check_place(host, cluster); !checked) return checked;
  const auto put = [&]() -> Result<> {
    const bool zero_rest = range.kind == Kind::Zero || (range.kind == Kind::Unallocated && !backing_);
    // A file that ends before the cluster has zeros around what is written.
    if (bytes.size() == cluster || (zero_rest && host >= file_->size_bytes()))
      return file_->write(host + within, bytes);
    std::vector<u8> whole(static_cast<std::size_t>(cluster));
    if (!zero_rest) {
      const auto there = static_cast<std::size_t>(std::min(cluster, header_.size - first));
      if (auto result = read(first, std::span(whole).first(there)); !result) return result;
    }
    std::copy(bytes.begin(), bytes.end(), whole.begin() + static_cast<std::ptrdiff_t>(within));
    return file_->write(host, whole);
  };
  auto result = put();
  if (result) result = map_.set(first, host | kQcow2Copied, *refcounts_);
  if (!result) {
    if (!reused) (void)refcounts_->take_back(host);
    return result;
  }
  if (!reused) release(range);
  return {};
}

Result<> Qcow2Image::write(u64 offset, std::span<const u8> bytes) {
  if (auto checked = check_range("write", offset, bytes.size()); !checked) return checked;
  if (auto begun = begin_changes(); !begun) return begun;
  bitmaps_.note(offset, bytes.size());
  while (!bytes.empty()) {
    const auto found = map_.find(offset);
    if (!found) return found.error();
    const Qcow2Range& range = found.value();
    u64 length = std::min<u64>(range.length, bytes.size());
    Result<> written;
    if (range.kind == Kind::Data && range.in_place()) {
      while (length < bytes.size()) {
        const auto next = map_.find(offset + length);
        if (!next || next.value().kind != Kind::Data || !next.value().in_place() ||
            next.value().host != range.host + length)
          break;
        length += std::min<u64>(next.value().length, bytes.size() - length);
      }
      written = check_place(range.host, length);
      if (written) written = file_->write(range.host, bytes.first(static_cast<std::size_t>(length)));
    } else {
      written = write_new_cluster(offset, bytes.first(static_cast<std::size_t>(length)), range);
    }
    if (!written) return written;
    offset += length;
    bytes = bytes.subspan(static_cast<std::size_t>(length));
  }
  return limit_memory();
}

// Clusters that lie wholly within the range; the rest is written as zeros, or left alone if it is only discarded.
Result<> Qcow2Image::empty_clusters(u64 offset, u64 length, Emptied how) {
  const u64 cluster = header_.cluster_size();
  const u64 end = offset + length;
  // The disk's end ends its last cluster, too.
  const u64 last = end == header_.size ? (end + cluster - 1) / cluster * cluster : end / cluster * cluster;
  const u64 first = (offset + cluster - 1) / cluster * cluster;
  if (first >= last) return how == Emptied::Zeroes ? BlockDevice::write_zeroes(offset, length) : Result<>();
  if (how == Emptied::Zeroes) {
    if (auto head = BlockDevice::write_zeroes(offset, first - offset); !head) return head;
    if (last < end) {
      if (auto tail = BlockDevice::write_zeroes(last, end - last); !tail) return tail;
    }
  }
  for (u64 at = first; at < last; at += cluster) {
    const auto found = map_.find(at);
    if (!found) return found.error();
    const Qcow2Range& range = found.value();
    if (range.kind == Kind::Unallocated && (!backing_ || how == Emptied::Discarded)) continue;
    if (range.kind == Kind::Zero && range.host == 0) continue;
    // Without the flag for zeros, an entry that is empty reads as what lies below.
    if (header_.version < 3 && backing_) {
      if (how == Emptied::Discarded) continue;
      const u64 count = std::min(cluster, header_.size - at);
      if (auto put = BlockDevice::write_zeroes(at, count); !put) return put;
      continue;
    }
    if (auto set = map_.set(at, header_.version >= 3 ? kQcow2Zero : 0, *refcounts_); !set) return set;
    release(range);
  }
  return limit_memory();
}

Result<> Qcow2Image::write_zeroes(u64 offset, u64 length) {
  if (auto checked = check_range("write", offset, length); !checked) return checked;
  if (auto begun = begin_changes(); !begun) return begun;
  bitmaps_.note(offset, length);
  return empty_clusters(offset, length, Emptied::Zeroes);
}

Result<> Qcow2Image::discard(u64 offset, u64 length) {
  if (auto checked = check_range("discard", offset, length); !checked) return checked;
  if (auto begun = begin_changes(); !begun) return begun;
  bitmaps_.note(offset, length);
  return empty_clusters(offset, length, Emptied::Discarded);
}

Result<> Qcow2Image::commit() {
  if (refcounts_->end() > file_->size_bytes()) {
    if (auto longer = file_->resize(refcounts_->end()); !longer) return longer;
  }
  if (auto written = refcounts_->write_back(); !written) return written;
  // Data of new clusters and their counts, then what refers to them.
  if (auto flushed = file_->flush(); !flushed) return flushed;
  if (auto written = map_.write_back_tables(); !written) return written;
  if (map_.l1_dirty()) {
    if (auto flushed = file_->flush(); !flushed) return flushed;
    if (auto written = map_.write_back_l1(); !written) return written;
  }
  if (auto flushed = file_->flush(); !flushed) return flushed;
  if (!refcounts_->has_released()) return {};
  const auto free = refcounts_->apply_released();
  if (!free) return free.error();
  if (auto written = refcounts_->write_back(); !written) return written;
  for (std::size_t i = 0; i < free.value().size();) {
    const u64 first = free.value()[i];
    u64 end = first;
    while (i < free.value().size() && free.value()[i] == end) {
      end += header_.cluster_size();
      i++;
    }
    (void)file_->punch_hole(first, end - first);
  }
  return {};
}

Result<> Qcow2Image::flush() {
  if (!refcounts_) return {};
  if (!refcounts_->dirty() && !map_.tables_dirty() && !map_.l1_dirty() && !refcounts_->has_released())
    return file_->flush();
  return commit();
}

Result<> Qcow2Image::limit_memory() {
  if (refcounts_->dirty_bytes() + map_.dirty_bytes() > kMostUnwritten) {
    if (auto committed = commit(); !committed) return committed;
  }
  map_.trim();
  refcounts_->trim();
  return {};
}

}  // namespace relic86
