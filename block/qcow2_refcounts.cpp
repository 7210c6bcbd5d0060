#include "block/qcow2_refcounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/byte_order.h"
#include "block/qcow2_entry.h"

namespace relic86 {

namespace {

constexpr u64 kMostBlockMemory = u64{16} << 20;
constexpr u64 kMostTableBytes = u64{8} << 20;  // as in QEMU

}  // namespace

Qcow2Refcounts::Qcow2Refcounts(ImageFile& file, const Qcow2Header& header)
    : file_(&file),
      cluster_size_(header.cluster_size()),
      per_block_(header.refcounts_per_block()),
      bits_(1u << header.refcount_order),
      table_offset_(header.refcount_table_offset),
      blocks_(file, header.cluster_size()) {}

Result<Qcow2Refcounts> Qcow2Refcounts::load(ImageFile& file, const Qcow2Header& header) {
  Qcow2Refcounts refcounts(file, header);
  std::vector<u8> bytes(static_cast<std::size_t>(header.refcount_table_clusters * header.cluster_size()));
  if (auto read = file.read(header.refcount_table_offset, bytes); !read) return read.error();
  refcounts.table_.resize(bytes.size() / 8);
  for (std::size_t i = 0; i < refcounts.table_.size(); i++)
    refcounts.table_[i] = load_be<u64>(bytes, i * 8) & kQcow2OffsetMask;
  refcounts.protect(0, 1);
  refcounts.protect(header.refcount_table_offset, bytes.size());
  for (const u64 block : refcounts.table_) {
    if (block == 0) continue;
    // Blocks that lie on one another would be searched again and again.
    if (refcounts.is_protected(block)) {
      return Error{fmt::format("{}: is damaged: two of its tables lie at {:#x}; mend it with 'qemu-img check -r all'",
                               file.path(), block)};
    }
    refcounts.protect(block, 1);
  }
  return refcounts;
}

u64 Qcow2Refcounts::count_in(std::span<const u8> block, u64 index) const {
  if (bits_ < 8) {
    const u64 bit = index * bits_;
    return block[static_cast<std::size_t>(bit / 8)] >> (bit % 8) & most();
  }
  u64 count = 0;
  const auto at = static_cast<std::size_t>(index * bits_ / 8);
  for (unsigned i = 0; i < bits_ / 8; i++) count = count << 8 | block[at + i];
  return count;
}

void Qcow2Refcounts::put_in(std::span<u8> block, u64 index, u64 count) const {
  if (bits_ < 8) {
    const u64 bit = index * bits_;
    u8& byte = block[static_cast<std::size_t>(bit / 8)];
    byte = static_cast<u8>((byte & ~(most() << (bit % 8))) | count << (bit % 8));
    return;
  }
  const auto at = static_cast<std::size_t>(index * bits_ / 8);
  for (unsigned i = 0; i < bits_ / 8; i++) block[at + i] = static_cast<u8>(count >> (bits_ - 8 - 8 * i));
}

Result<u64> Qcow2Refcounts::get(u64 cluster) {
  const u64 number = cluster / per_block_;
  if (number >= table_.size() || table_[static_cast<std::size_t>(number)] == 0) return u64{0};
  const auto block = blocks_.get(table_[static_cast<std::size_t>(number)]);
  if (!block) return block.error();
  return count_in(block.value(), cluster % per_block_);
}

Result<> Qcow2Refcounts::set(u64 cluster, u64 count) {
  if (count > most()) {
    return Error{fmt::format("{}: a cluster would be referred to more than {} times; merge some snapshots",
                             file_->path(), most())};
  }
  while (cluster / per_block_ >= table_.size()) {
    if (auto grown = grow_table(); !grown) return grown;
  }
  const auto offset = block_for(cluster / per_block_);
  if (!offset) return offset.error();
  const auto block = blocks_.get(offset.value());
  if (!block) return block.error();
  put_in(block.value(), cluster % per_block_, count);
  blocks_.mark_dirty(offset.value());
  if (count == 0) next_ = std::min(next_, cluster);
  return {};
}

void Qcow2Refcounts::protect(u64 offset, u64 bytes) {
  for (u64 cluster = offset / cluster_size_; cluster <= (offset + std::max<u64>(bytes, 1) - 1) / cluster_size_;
       cluster++)
    protected_.insert(cluster);
}

// A block that is missing says that all of its clusters are free: its own first one takes it, and counts itself.
Result<u64> Qcow2Refcounts::block_for(u64 number) {
  u64& offset = table_[static_cast<std::size_t>(number)];
  if (offset != 0) return offset;
  const u64 cluster = number * per_block_;
  if (protected_.contains(cluster)) {
    return Error{
        fmt::format("{}: is damaged: its refcounts call a table's cluster free; mend it with 'qemu-img check "
                    "-r all'",
                    file_->path())};
  }
  put_in(blocks_.make(cluster * cluster_size_), 0, 1);
  offset = cluster * cluster_size_;
  end_ = std::max(end_, offset + cluster_size_);
  protect(offset, 1);
  table_dirty_ = true;
  return offset;
}

Result<u64> Qcow2Refcounts::allocate() {
  while (true) {
    const u64 number = next_ / per_block_;
    if (number >= table_.size()) {
      if (auto grown = grow_table(); !grown) return grown.error();
      continue;
    }
    const auto block_offset = block_for(number);
    if (!block_offset) return block_offset.error();
    const auto block = blocks_.get(block_offset.value());
    if (!block) return block.error();
    for (u64 index = next_ % per_block_; index < per_block_; index++) {
      if (count_in(block.value(), index) != 0) continue;
      const u64 cluster = number * per_block_ + index;
      if (protected_.contains(cluster)) {
        return Error{
            fmt::format("{}: is damaged: its refcounts call a table's cluster free; mend it with 'qemu-img "
                        "check -r all'",
                        file_->path())};
      }
      put_in(block.value(), index, 1);
      blocks_.mark_dirty(block_offset.value());
      next_ = cluster + 1;
      end_ = std::max(end_, next_ * cluster_size_);
      return cluster * cluster_size_;
    }
    next_ = (number + 1) * per_block_;
  }
}

Result<> Qcow2Refcounts::take_back(u64 offset) { return set(offset / cluster_size_, 0); }

Result<> Qcow2Refcounts::write_table() {
  std::vector<u8> bytes(table_.size() * 8);
  for (std::size_t i = 0; i < table_.size(); i++) store_be(std::span(bytes), i * 8, table_[i]);
  return file_->write(table_offset_, bytes);
}

// Blocks before the table that says where they are.
Result<> Qcow2Refcounts::write_back() {
  if (auto written = blocks_.write_back(); !written) return written;
  if (!table_dirty_) return {};
  if (auto flushed = file_->flush(); !flushed) return flushed;
  if (auto written = write_table(); !written) return written;
  table_dirty_ = false;
  return {};
}

// The new table lies where the old one's reach ended, after the blocks that count it and themselves. It takes the old
// one's place when the header says so.
Result<> Qcow2Refcounts::grow_table() {
  const u64 old_clusters = table_.size() * 8 / cluster_size_;
  const u64 first = table_.size() * per_block_;
  u64 clusters = old_clusters + std::max<u64>(1, old_clusters / 2), blocks = 1;
  const auto reach = [&] { return (table_.size() + blocks) * 8 / cluster_size_ + 1; };
  while (blocks * per_block_ < clusters + blocks || reach() > clusters) {
    if (blocks * per_block_ < clusters + blocks) blocks++;
    clusters = std::max(clusters, reach());
  }
  if (clusters * cluster_size_ > kMostTableBytes) {
    return Error{
        fmt::format("{}: its file cannot grow any more: the refcount table is full; convert it to larger "
                    "clusters (qemu-img convert -o cluster_size=65536)",
                    file_->path())};
  }
  for (u64 i = 0; i < blocks + clusters; i++) {
    const u64 block_offset = (first + i / per_block_) * cluster_size_;
    if (i % per_block_ == 0) blocks_.make(block_offset);
    const auto block = blocks_.get(block_offset);
    if (!block) return block.error();
    put_in(block.value(), i % per_block_, 1);
  }
  const std::vector<u64> old_table = table_;
  const u64 old_offset = table_offset_;
  for (u64 i = 0; i < blocks; i++) table_.push_back((first + i) * cluster_size_);
  table_.resize(static_cast<std::size_t>(clusters * cluster_size_ / 8));
  table_offset_ = (first + blocks) * cluster_size_;
  end_ = std::max(end_, table_offset_ + clusters * cluster_size_);
  std::array<u8, 12> place{};
  store_be(std::span(place), 0, table_offset_);
  store_be(std::span(place), 8, static_cast<u32>(clusters));
  auto result = blocks_.write_back();
  if (result) result = write_table();
  if (result) result = file_->flush();
  if (result) result = file_->write(Qcow2Header::kRefcountTableAt, place);
  if (!result) {
    for (u64 i = 0; i < blocks; i++) blocks_.forget((first + i) * cluster_size_);
    table_ = old_table;
    table_offset_ = old_offset;
    return result;
  }
  table_dirty_ = false;
  protect(first * cluster_size_, (blocks + clusters) * cluster_size_);
  // The old table's clusters are free once the header is sure to name the new one.
  if (auto flushed = file_->flush(); !flushed) return flushed;
  for (u64 i = 0; i < old_clusters; i++) {
    protected_.erase(old_offset / cluster_size_ + i);
    if (auto freed = set(old_offset / cluster_size_ + i, 0); !freed) return freed;
  }
  return {};
}

Result<std::vector<u64>> Qcow2Refcounts::apply_released() {
  std::vector<u64> free;
  while (!released_.empty()) {
    const u64 cluster = released_.back();
    const auto count = get(cluster);
    if (!count) return count.error();
    if (count.value() == 0) {
      return Error{
          fmt::format("{}: is damaged: a cluster in use is counted as free; mend it with 'qemu-img check -r "
                      "all'",
                      file_->path())};
    }
    if (auto put = set(cluster, count.value() - 1); !put) return put.error();
    released_.pop_back();
    if (count.value() != 1) continue;
    protected_.erase(cluster);  // it may have been a table
    free.push_back(cluster * cluster_size_);
  }
  std::sort(free.begin(), free.end());
  return free;
}

Result<> Qcow2Refcounts::add_missing_blocks(std::vector<u32>& counts) {
  // The counts may grow: what was added is looked at in its turn.
  for (u64 number = 0; number * per_block_ < counts.size(); number++) {
    const auto first = static_cast<std::size_t>(number * per_block_);
    const auto end = std::min(first + static_cast<std::size_t>(per_block_), counts.size());
    const auto begin = counts.begin();
    if (std::all_of(begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(end),
                    [](u32 count) { return count == 0; }))
      continue;
    if (number >= table_.size()) {
      return Error{fmt::format("{}: its refcount table is too short for its file; mend it with 'qemu-img check -r all'",
                               file_->path())};
    }
    if (table_[static_cast<std::size_t>(number)] != 0) continue;
    const auto free =
        static_cast<std::size_t>(std::find(begin + static_cast<std::ptrdiff_t>(first), counts.end(), 0u) - begin);
    if (free == counts.size()) counts.push_back(0);
    counts[free] = 1;
    const u64 offset = free * cluster_size_;
    blocks_.make(offset);
    table_[static_cast<std::size_t>(number)] = offset;
    table_dirty_ = true;
    end_ = std::max(end_, offset + cluster_size_);
  }
  return {};
}

void Qcow2Refcounts::trim() { blocks_.trim(kMostBlockMemory); }

}  // namespace relic86
