// New qcow2 images, and what an image's header says of its backing file.
#pragma once

#include <string>

#include "block/qcow2_header.h"

namespace relic86 {

struct NewQcow2 {
  u64 size = 0;  // bytes, as the guest sees it; rounded up to a sector
  u32 cluster_bits = 16;
  u32 version = 3;
  std::string backing_file{}, backing_format{};  // empty: none
};

// Makes the file an empty image; what was in it is gone.
Result<> create_qcow2(ImageFile& file, const NewQcow2& wanted);

// The header names another backing file from now on; empty: none. What else it says stays.
Result<> write_qcow2_backing(ImageFile& file, const Qcow2Header& header, const std::string& backing_file,
                             const std::string& backing_format);

}  // namespace relic86
