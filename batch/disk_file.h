// A file in the file system of a guest's disk, as the disk is now: what the guest has not written yet is not there.
#pragma once

#include <string>

#include "base/result.h"
#include "block/drive_medium.h"

namespace relic86::batch {

// partition: 1 to 4 of a master boot record, from 5 on its logical ones; the entries of a GUID partition table. 0: the
// first that holds a file system that is known, or the whole disk. ext2 to ext4 are read by e2fsprogs' debugfs, FAT by
// mtools' mtype, both on a copy of the partition with its journal replayed. Errors give cause and mend.
Result<std::string> read_disk_file(DriveMedium& disk, unsigned partition, const std::string& path);

}  // namespace relic86::batch
