// What a disk controller sees of its medium, and what images and overlays implement: bytes at offsets.
#pragma once

#include <span>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

class BlockDevice {
 public:
  virtual ~BlockDevice() = default;

  virtual u64 size_bytes() const = 0;
  virtual bool read_only() const = 0;

  // Offset and length are bytes and need not be multiples of a sector. A range that does not lie wholly within
  // size_bytes() is an error that transfers nothing. After a failed write the range holds old and new bytes, each byte
  // one or the other; everything outside it is as before.
  virtual Result<> read(u64 offset, std::span<u8> bytes) = 0;
  virtual Result<> write(u64 offset, std::span<const u8> bytes) = 0;
  // What was written before is on the host's disk when this returns.
  virtual Result<> flush() = 0;
};

}  // namespace relic86
