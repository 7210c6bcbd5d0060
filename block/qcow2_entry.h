// The entries of qcow2's tables: where a table or cluster lies in the file, and what it is.
#pragma once

#include "block/qcow2_header.h"

namespace relic86 {

inline constexpr u64 kQcow2OffsetMask = 0x00FF'FFFF'FFFF'FE00;  // bits 9 to 55
inline constexpr u64 kQcow2Copied = u64{1} << 63;               // exactly one reference: may be written in place
inline constexpr u64 kQcow2Compressed = u64{1} << 62;
inline constexpr u64 kQcow2Zero = 1;  // reads as zeros, whatever a host cluster holds (version 3)

// Where compressed data lies: in whole or in part in some of the file's sectors of 512 bytes.
struct Qcow2CompressedRange {
  u64 offset = 0;
  u64 length = 0;  // at most: what is behind the data's end in its last sector belongs to others
};
inline Qcow2CompressedRange qcow2_compressed_range(u64 entry, u32 cluster_bits) {
  constexpr u64 kSector = 512;
  const unsigned offset_bits = 62 - (cluster_bits - 8);
  const u64 offset = entry & ((u64{1} << offset_bits) - 1);
  const u64 more_sectors = (entry & (kQcow2Compressed - 1)) >> offset_bits;
  return {offset, (more_sectors + 1) * kSector - offset % kSector};
}

// What a range of the guest's disk is: from the offset that was asked for to the end of its cluster or subcluster.
struct Qcow2Range {
  enum class Kind : u8 {
    Unallocated,  // what the backing file holds, else zeros
    Zero,
    Data,
    Compressed,
  };
  Kind kind = Kind::Unallocated;
  u64 length = 0;  // bytes of this kind from there on
  u64 host = 0;    // where the byte that was asked for lies (Data), or its cluster (Zero with a host cluster; else 0)
  u64 entry = 0;   // of the L2 table
  bool in_place() const { return (entry & kQcow2Copied) != 0 && (entry & kQcow2Compressed) == 0; }
};

}  // namespace relic86
