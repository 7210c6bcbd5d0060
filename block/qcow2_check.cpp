#include "block/qcow2_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "base/byte_order.h"
#include "block/qcow2_bitmaps.h"
#include "block/qcow2_entry.h"
#include "block/qcow2_refcounts.h"

namespace relic86 {

namespace {

constexpr u64 kMostClusters = u64{1} << 28;

class Counter {
 public:
  Counter(ImageFile& file, const Qcow2Header& header) : file_(file), header_(header), cluster_(header.cluster_size()) {}

  // How often each cluster of the file is referred to.
  Result<std::vector<u32>> count(const Qcow2SnapshotTable& snapshots);

 private:
  Error damaged(u64 offset) const {
    return Error{
        fmt::format("{}: is damaged: it refers to {:#x}, which it does not have, or refers to it twice; mend "
                    "it with 'qemu-img check -r all'",
                    file_.path(), offset)};
  }
  // The last cluster may lie in part beyond the file's end.
  Result<> add(u64 offset, u64 bytes) {
    if (bytes == 0) return {};
    for (u64 number = offset / cluster_; number <= (offset + bytes - 1) / cluster_; number++) {
      if (number >= counts_.size()) return damaged(offset);
      counts_[static_cast<std::size_t>(number)]++;
    }
    return {};
  }
  Result<> count_table(u64 offset);
  Result<> count_l1(u64 offset, u32 entries);
  Result<> count_refcounts();
  Result<> count_bitmaps();

  ImageFile& file_;
  const Qcow2Header& header_;
  u64 cluster_;
  std::vector<u32> counts_;
};

Result<> Counter::count_table(u64 offset) {
  std::vector<u8> table(static_cast<std::size_t>(cluster_));
  if (offset % cluster_ != 0 || offset > file_.size_bytes() || cluster_ > file_.size_bytes() - offset)
    return damaged(offset);
  if (auto read = file_.read(offset, table); !read) return read;
  for (std::size_t at = 0; at < table.size(); at += static_cast<std::size_t>(header_.l2_entry_size())) {
    const u64 entry = load_be<u64>(table, at);
    if ((entry & kQcow2Compressed) != 0) {
      const Qcow2CompressedRange range = qcow2_compressed_range(entry, header_.cluster_bits);
      if (auto added = add(range.offset, range.length); !added) return added;
    } else if (const u64 host = entry & kQcow2OffsetMask; host != 0) {
      if (host % cluster_ != 0) return damaged(host);
      if (auto added = add(host, cluster_); !added) return added;
    }
  }
  return {};
}

Result<> Counter::count_l1(u64 offset, u32 entries) {
  std::vector<u8> l1(std::size_t{entries} * 8);
  if (auto read = file_.read(offset, l1); !read) return read;
  if (auto added = add(offset, l1.size()); !added) return added;
  std::unordered_set<u64> seen;
  for (std::size_t at = 0; at < l1.size(); at += 8) {
    const u64 table = load_be<u64>(l1, at) & kQcow2OffsetMask;
    if (table == 0) continue;
    if (!seen.insert(table).second) return damaged(table);
    if (auto added = add(table, cluster_); !added) return added;
    if (auto counted = count_table(table); !counted) return counted;
  }
  return {};
}

Result<> Counter::count_refcounts() {
  std::vector<u8> table(static_cast<std::size_t>(header_.refcount_table_clusters * cluster_));
  if (auto read = file_.read(header_.refcount_table_offset, table); !read) return read;
  if (auto added = add(header_.refcount_table_offset, table.size()); !added) return added;
  for (std::size_t at = 0; at < table.size(); at += 8) {
    const u64 block = load_be<u64>(table, at) & kQcow2OffsetMask;
    if (block == 0) continue;
    if (block % cluster_ != 0) return damaged(block);
    if (auto added = add(block, cluster_); !added) return added;
  }
  return {};
}

Result<> Counter::count_bitmaps() {
  if (header_.bitmap_count == 0) return {};
  if (auto added = add(header_.bitmap_directory_offset, header_.bitmap_directory_size); !added) return added;
  const auto bitmaps = read_qcow2_bitmaps(file_, header_);
  if (!bitmaps) return bitmaps.error();
  for (const Qcow2Bitmap& bitmap : bitmaps.value()) {
    if (auto added = add(bitmap.table_offset, u64{bitmap.table_entries} * 8); !added) return added;
    std::vector<u8> table(std::size_t{bitmap.table_entries} * 8);
    if (auto read = file_.read(bitmap.table_offset, table); !read) return read;
    for (std::size_t at = 0; at < table.size(); at += 8) {
      const u64 host = load_be<u64>(table, at) & kQcow2OffsetMask;
      if (host == 0) continue;
      if (auto added = add(host, cluster_); !added) return added;
    }
  }
  return {};
}

Result<std::vector<u32>> Counter::count(const Qcow2SnapshotTable& snapshots) {
  const u64 clusters = (file_.size_bytes() + cluster_ - 1) / cluster_;
  if (clusters > kMostClusters) {
    return Error{fmt::format("{}: has too many clusters to count them here; mend it with 'qemu-img check -r all'",
                             file_.path())};
  }
  counts_.assign(static_cast<std::size_t>(clusters), 0);
  auto result = add(0, cluster_);
  if (result) result = count_l1(header_.l1_offset, header_.l1_entries);
  if (result) result = count_refcounts();
  if (result) result = add(header_.snapshots_offset, snapshots.bytes);
  for (const Qcow2Snapshot& snapshot : snapshots.snapshots) {
    if (result) result = count_l1(snapshot.l1_offset, snapshot.l1_entries);
  }
  if (result) result = count_bitmaps();
  if (!result) return result.error();
  return std::move(counts_);
}

// Visits the entries of the active tables that say whether they are the only reference; true: the entry is changed.
using FlagVisitor = std::function<bool(u64& entry)>;
Result<> visit_flags(ImageFile& file, const Qcow2Header& header, const FlagVisitor& visitor) {
  const auto visit = [&](u64 offset, u64 bytes, u64 step, const std::function<Result<>(u64)>& each) -> Result<> {
    std::vector<u8> table(static_cast<std::size_t>(bytes));
    if (auto read = file.read(offset, table); !read) return read;
    bool changed = false;
    for (std::size_t at = 0; at < table.size(); at += static_cast<std::size_t>(step)) {
      u64 entry = load_be<u64>(table, at);
      if ((entry & kQcow2OffsetMask) == 0 || (each == nullptr && (entry & kQcow2Compressed) != 0)) continue;
      if (each) {
        if (auto below = each(entry & kQcow2OffsetMask); !below) return below;
      }
      if (!visitor(entry)) continue;
      store_be(std::span(table), at, entry);
      changed = true;
    }
    return changed ? file.write(offset, table) : Result<>();
  };
  return visit(header.l1_offset, u64{header.l1_entries} * 8, 8,
               [&](u64 table) { return visit(table, header.cluster_size(), header.l2_entry_size(), nullptr); });
}

bool flag_is_wrong(u64 entry, const std::vector<u32>& counts, const Qcow2Header& header) {
  const u64 cluster = (entry & kQcow2OffsetMask) >> header.cluster_bits;
  return ((entry & kQcow2Copied) != 0) != (counts[static_cast<std::size_t>(cluster)] == 1);
}

}  // namespace

Result<Qcow2Findings> check_qcow2(ImageFile& file, const Qcow2Header& header, const Qcow2SnapshotTable& snapshots) {
  const auto counted = Counter(file, header).count(snapshots);
  if (!counted) return counted.error();
  auto refcounts = Qcow2Refcounts::load(file, header);
  if (!refcounts) return refcounts.error();
  Qcow2Findings findings;
  const std::vector<u32>& counts = counted.value();
  for (std::size_t cluster = 0; cluster < counts.size(); cluster++) {
    const auto stored = refcounts.value().get(cluster);
    if (!stored) return stored.error();
    if (stored.value() > counts[cluster]) findings.leaked++;
    if (stored.value() < counts[cluster]) findings.missing++;
  }
  auto visited = visit_flags(file, header, [&](u64& entry) {
    if (flag_is_wrong(entry, counts, header)) findings.flags++;
    return false;
  });
  if (!visited) return visited.error();
  return findings;
}

Result<> mend_qcow2_refcounts(ImageFile& file, const Qcow2Header& header, const Qcow2SnapshotTable& snapshots) {
  auto counted = Counter(file, header).count(snapshots);
  if (!counted) return counted.error();
  auto loaded = Qcow2Refcounts::load(file, header);
  if (!loaded) return loaded.error();
  std::vector<u32> counts = std::move(counted).value();
  Qcow2Refcounts& refcounts = loaded.value();
  if (auto added = refcounts.add_missing_blocks(counts); !added) return added;
  for (std::size_t cluster = 0; cluster < counts.size(); cluster++) {
    const auto stored = refcounts.get(cluster);
    if (!stored) return stored.error();
    if (stored.value() == counts[cluster]) continue;
    if (auto set = refcounts.set(cluster, counts[cluster]); !set) return set;
  }
  if (auto written = refcounts.write_back(); !written) return written;
  auto visited = visit_flags(file, header, [&](u64& entry) {
    if (!flag_is_wrong(entry, counts, header)) return false;
    entry ^= kQcow2Copied;
    return true;
  });
  if (!visited) return visited;
  return file.flush();
}

}  // namespace relic86
