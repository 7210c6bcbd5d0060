// The dirty bitmaps that a qcow2 image of version 3 may keep: which parts a backup has still to take (QEMU's
// docs/interop/qcow2.txt, "Bitmaps extension"). Other programs make and use them; what is written here is added to those
// that follow it.
#pragma once

#include <vector>

#include "block/qcow2_header.h"

namespace relic86 {

class Qcow2Refcounts;

struct Qcow2Bitmap {
  static constexpr u32 kInUse = 1, kAuto = 2, kExtraCompatible = 4;  // flags
  u64 flags_at = 0;                                                  // where the flags stand in the file
  u32 flags = 0;
  u64 table_offset = 0;
  u32 table_entries = 0;
  u8 type = 0;              // 1: which parts are dirty
  u8 granularity_bits = 0;  // of bytes that a bit stands for
  bool extra_data = false;

  // In use: another program has not closed it; it is not to be relied upon. Auto: it follows what is written.
  bool in_use() const { return (flags & kInUse) != 0; }
  bool follows_writes() const { return (flags & kAuto) != 0; }
};
Result<std::vector<Qcow2Bitmap>> read_qcow2_bitmaps(ImageFile& file, const Qcow2Header& header);

// Those of an image that is being changed which follow what is written. In the file they are marked as in use from
// begin() until publish(): whoever finds them so after a program was killed does not rely on them.
class Qcow2LiveBitmaps {
 public:
  // Before the first change. Bitmaps of a kind or size that is not known here stay marked as in use for good.
  Result<> begin(ImageFile& file, const Qcow2Header& header);
  // These bytes of the disk are written to.
  void note(u64 offset, u64 length);
  // The disk has another size: the bitmaps do not fit it any more, and stay marked as in use.
  void give_up() { live_.clear(); }

  // When no change follows. Bits go into clusters that are there, or new ones, whose counts the caller brings into the
  // file before publish() lets the tables refer to them and takes the marks away.
  Result<> store(ImageFile& file, const Qcow2Header& header, Qcow2Refcounts& refcounts);
  Result<> publish(ImageFile& file);

 private:
  struct Live {
    Qcow2Bitmap about;
    std::vector<u64> table;   // as in the file: 0: no bit is set, 1: all are, else where they stand
    std::vector<u8> written;  // bits to be set
    bool table_changed = false;
  };
  static Result<Live> load(ImageFile& file, const Qcow2Header& header, const Qcow2Bitmap& bitmap);
  static Result<> store_part(ImageFile& file, Qcow2Refcounts& refcounts, u64& entry, std::span<const u8> bits,
                             std::size_t cluster);

  std::vector<Live> live_;
};

}  // namespace relic86
