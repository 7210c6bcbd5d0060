// Counts what a qcow2 file refers to, compares it with its refcounts, and puts them right.
#pragma once

#include <vector>

#include "block/qcow2_snapshots.h"

namespace relic86 {

struct Qcow2Findings {
  u64 leaked = 0;   // clusters that are counted more often than they are referred to: lost space, nothing worse
  u64 missing = 0;  // clusters that are counted less often: the next write may destroy them
  u64 flags = 0;    // entries that wrongly claim, or do not claim, to be the only reference
};
Result<Qcow2Findings> check_qcow2(ImageFile& file, const Qcow2Header& header, const Qcow2SnapshotTable& snapshots);

// For an image that was not closed well while its refcounts were allowed to lag behind (lazy refcounts).
Result<> mend_qcow2_refcounts(ImageFile& file, const Qcow2Header& header, const Qcow2SnapshotTable& snapshots);

}  // namespace relic86
