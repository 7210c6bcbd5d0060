// The snapshots inside a qcow2 image. They keep an L1 table each; what they refer to is theirs by its refcount.
#pragma once

#include <vector>

#include "block/disk_image.h"
#include "block/qcow2_header.h"

namespace relic86 {

struct Qcow2Snapshot {
  u64 l1_offset = 0;
  u32 l1_entries = 0;
  ImageSnapshot about;
};

struct Qcow2SnapshotTable {
  std::vector<Qcow2Snapshot> snapshots;
  u64 bytes = 0;  // that the table takes in the file
};

Result<Qcow2SnapshotTable> read_qcow2_snapshots(ImageFile& file, const Qcow2Header& header);

}  // namespace relic86
