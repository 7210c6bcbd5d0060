// Where the file systems of a disk lie: partition tables, and the two kinds of file system that are looked into.
#pragma once

#include <vector>

#include "base/result.h"
#include "block/drive_medium.h"

namespace relic86::batch {

struct DiskVolume {
  enum class Kind : u8 { Unknown, Fat, Ext } kind = Kind::Unknown;
  unsigned partition = 0;  // 0: the whole disk
  u64 offset = 0, length = 0;
};
// The whole disk first, then its partitions in the order of their numbers.
Result<std::vector<DiskVolume>> disk_volumes(DriveMedium& disk);

}  // namespace relic86::batch
