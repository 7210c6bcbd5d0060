// The dirty bitmaps that a qcow2 image of version 3 may keep: which parts a backup has still to take. They are kept,
// not used.
#pragma once

#include <vector>

#include "block/qcow2_header.h"

namespace relic86 {

struct Qcow2Bitmap {
  static constexpr u32 kInUse = 1, kAuto = 2;  // flags: not to be relied upon; follows what is written
  u64 flags_at = 0;                            // where the flags stand in the file
  u32 flags = 0;
  u64 table_offset = 0;
  u32 table_entries = 0;
};
Result<std::vector<Qcow2Bitmap>> read_qcow2_bitmaps(ImageFile& file, const Qcow2Header& header);

// Before an image with dirty bitmaps is changed by a program that does not keep them up: the bitmaps that follow what
// is written are marked as not to be relied upon.
Result<> mark_qcow2_bitmaps_in_use(ImageFile& file, const Qcow2Header& header);

}  // namespace relic86
