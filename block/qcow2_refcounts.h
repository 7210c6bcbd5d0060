// How often each cluster of a qcow2 file is referred to, and which is free. Changes stay in host memory until
// write_back(): a cluster is taken in the file before anything there refers to it, and given back after nothing does.
#pragma once

#include <memory>
#include <unordered_set>
#include <vector>

#include "block/qcow2_header.h"
#include "block/qcow2_tables.h"

namespace relic86 {

class Qcow2Refcounts {
 public:
  static Result<Qcow2Refcounts> load(ImageFile& file, const Qcow2Header& header);

  // Clusters are counted from the file's start.
  Result<u64> get(u64 cluster);
  Result<> set(u64 cluster, u64 count);

  // Clusters that hold tables: allocate() refuses them, whatever a damaged image counts.
  void protect(u64 offset, u64 bytes);
  bool is_protected(u64 offset) const { return protected_.contains(offset / cluster_size_); }
  // A cluster that nothing refers to, now referred to once: its offset in the file.
  Result<u64> allocate();
  // One reference less, once what referred to it is gone from the file.
  void release_later(u64 offset) { released_.push_back(offset / cluster_size_); }
  // A cluster of allocate() that nothing refers to after all.
  Result<> take_back(u64 offset);

  bool dirty() const { return blocks_.dirty() || table_dirty_; }
  bool has_released() const { return !released_.empty(); }
  u64 dirty_bytes() const { return blocks_.dirty_bytes(); }
  // The caller flushes the file afterwards.
  Result<> write_back();
  // Nothing in the file refers to the released clusters any more. Those that are free now are told.
  Result<std::vector<u64>> apply_released();
  // For counts that were made anew: blocks where there are none, in clusters that these call free or at the file's end;
  // what the blocks take is added to the counts.
  Result<> add_missing_blocks(std::vector<u32>& counts);
  void trim();
  // Where the highest cluster that was allocated ends in the file.
  u64 end() const { return end_; }

  const std::vector<u64>& table() const { return table_; }
  u64 table_offset() const { return table_offset_; }

 private:
  Qcow2Refcounts(ImageFile& file, const Qcow2Header& header);
  u64 most() const { return bits_ == 64 ? ~u64{0} : (u64{1} << bits_) - 1; }
  u64 count_in(std::span<const u8> block, u64 index) const;
  void put_in(std::span<u8> block, u64 index, u64 count) const;
  Result<u64> block_for(u64 number);  // the block's offset, which is made if it is missing
  Result<> grow_table();
  Result<> write_table();

  ImageFile* file_;
  u64 cluster_size_;
  u64 per_block_;
  unsigned bits_;
  u64 table_offset_ = 0;
  std::vector<u64> table_;  // offsets of blocks; 0: all of its clusters are free
  bool table_dirty_ = false;
  Qcow2Tables blocks_;
  std::vector<u64> released_;
  std::unordered_set<u64> protected_;
  u64 next_ = 0;  // no cluster before it is free
  u64 end_ = 0;
};

}  // namespace relic86
