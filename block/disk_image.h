// A disk image of any format, and what it tells about itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "block/block_device.h"

namespace relic86 {

// A snapshot that an image holds inside itself.
struct ImageSnapshot {
  std::string id, name;
  u64 vm_state_size = 0;  // bytes of a saved machine; 0: the disk alone
  u64 date_seconds = 0;   // since 1970
  u32 date_ns = 0;        // within that second
  u64 vm_clock_ns = 0;
};

struct ImageInfo {
  std::string file;
  std::string format;        // QEMU's name: "raw", "qcow2"
  u64 virtual_size = 0;      // bytes, as the guest sees it
  u64 actual_size = 0;       // bytes that it takes on the host's disk
  u64 cluster_size = 0;      // bytes; 0: the format has none
  bool dirty = false;        // its tables may lag behind, as a program left it that did not end well
  std::string backing_file;  // as the image names it; empty: none
  std::string backing_format;
  std::vector<ImageSnapshot> snapshots;
  std::shared_ptr<const ImageInfo> backing;

  // Images below this one.
  unsigned chain_depth() const { return backing ? 1 + backing->chain_depth() : 0; }
};

class DiskImage : public BlockDevice {
 public:
  virtual ImageInfo info() const = 0;
  // When the file was last changed, in nanoseconds since 1970; 0 if the host cannot tell.
  virtual i64 modified_ns() const = 0;
};

}  // namespace relic86
