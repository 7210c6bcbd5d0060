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

  // Nobody writes for now: what the format keeps back until then goes to the file, which is flushed. What is written
  // afterwards begins anew.
  virtual Result<> close() { return flush(); }

  // --- Images that stand one on the other ---
  // The image below this one; null: none.
  virtual std::shared_ptr<DiskImage> below() const { return nullptr; }
  // Another image lies below from now on, or none.
  virtual Result<> stand_on(std::shared_ptr<DiskImage> image);
  // The file names this one as its backing file; empty: none.
  virtual Result<> name_backing(const std::string& file, const std::string& format);
  // Bytes from an offset on that are alike: this image holds them itself, or what lies below shows through (zeros, if
  // nothing does).
  struct Extent {
    bool here = true;
    u64 length = 0;
  };
  virtual Result<Extent> extent(u64 /*offset*/, u64 length) { return Extent{true, length}; }
  // Longer (with zeros), or shorter.
  virtual Result<> resize(u64 size);
};

}  // namespace relic86
