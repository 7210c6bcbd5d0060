// Which cluster of the file holds which cluster of the guest's disk: the L1 table in host memory, and L2 tables as they
// are needed.
#pragma once

#include <memory>
#include <vector>

#include "block/qcow2_entry.h"
#include "block/qcow2_tables.h"

namespace relic86 {

class Qcow2Refcounts;

class Qcow2Map {
 public:
  // The active L1 table, or a snapshot's.
  static Result<Qcow2Map> load(ImageFile& file, const Qcow2Header& header, u64 l1_offset, u32 l1_entries);

  Result<Qcow2Range> find(u64 guest_offset);
  // What the file says about a cluster changes to this entry. A missing or shared L2 table is replaced by a new one.
  Result<> set(u64 guest_offset, u64 entry, Qcow2Refcounts& refcounts);

  // The table has that many entries from now on; what lies behind it in the file becomes a part of it.
  Result<> grow_l1(std::size_t entries);

  bool tables_dirty() const { return l2_.dirty(); }
  bool l1_dirty() const { return l1_first_dirty_ < l1_.size(); }
  u64 dirty_bytes() const { return l2_.dirty_bytes(); }
  Result<> write_back_tables() { return l2_.write_back(); }
  Result<> write_back_l1();
  void trim();

  const std::vector<u64>& l1() const { return l1_; }
  Qcow2Tables& tables() { return l2_; }

 private:
  Qcow2Map(ImageFile& file, const Qcow2Header& header)
      : file_(&file), header_(header), l2_(file, header.cluster_size()) {}
  Result<Qcow2Range> extended_range(u64 guest_offset, u64 entry, u64 bitmap) const;
  Error damaged(u64 guest_offset, u64 entry) const;
  // The L2 table for this offset, one that may be changed.
  Result<u64> own_table(u64 guest_offset, Qcow2Refcounts& refcounts);

  ImageFile* file_;
  Qcow2Header header_;
  u64 l1_offset_ = 0;
  std::vector<u64> l1_;
  std::size_t l1_first_dirty_ = ~std::size_t{0}, l1_last_dirty_ = 0;
  Qcow2Tables l2_;
};

}  // namespace relic86
