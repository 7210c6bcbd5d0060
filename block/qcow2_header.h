// The header of a qcow2 image, versions 2 and 3 (QEMU's docs/interop/qcow2.txt), checked: whoever uses the numbers may
// trust that they are within the format's bounds. Numbers in a file are big-endian.
#pragma once

#include <string>

#include "block/image_file.h"

namespace relic86 {

struct Qcow2Header {
  // Features without which an image cannot be read.
  static constexpr u64 kDirty = 1, kCorrupt = 2, kDataFile = 4, kCompressionType = 8, kExtendedL2 = 16;
  static constexpr u64 kLazyRefcounts = 1;      // a compatible feature
  static constexpr u64 kBitmapsConsistent = 1;  // an autoclear feature
  enum class Compression : u8 { Zlib, Zstd };

  // Where fields stand that are written again.
  static constexpr u64 kRefcountTableAt = 48, kIncompatibleAt = 72, kAutoclearAt = 88;

  u32 version = 0;
  u32 cluster_bits = 0;
  u64 size = 0;  // bytes, as the guest sees it
  u32 l1_entries = 0;
  u64 l1_offset = 0;
  u64 refcount_table_offset = 0;
  u32 refcount_table_clusters = 0;
  u32 refcount_order = 4;  // a refcount has 1 << refcount_order bits
  u32 snapshot_count = 0;
  u64 snapshots_offset = 0;
  u64 incompatible = 0, compatible = 0, autoclear = 0;
  Compression compression = Compression::Zlib;
  std::string backing_file, backing_format;  // as they stand there; empty: none
  // Dirty bitmaps: a directory.
  u32 bitmap_count = 0;
  u64 bitmap_directory_size = 0, bitmap_directory_offset = 0;

  u64 cluster_size() const { return u64{1} << cluster_bits; }
  bool extended_l2() const { return (incompatible & kExtendedL2) != 0; }
  u64 l2_entry_size() const { return extended_l2() ? 16 : 8; }
  u64 l2_entries() const { return cluster_size() / l2_entry_size(); }  // in a table, which is a cluster
  u64 refcounts_per_block() const { return cluster_size() * 8 >> refcount_order; }
};

// The error is "FILE: cause; mend".
Result<Qcow2Header> read_qcow2_header(ImageFile& file);

}  // namespace relic86
