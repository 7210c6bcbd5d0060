// What a disk controller sees of its medium, and what images and overlays implement: bytes at offsets.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

class CompactDisc;

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

  // The range reads as zeros afterwards. Images that can note it take no space for it.
  virtual Result<> write_zeroes(u64 offset, u64 length) {
    constexpr u64 kPiece = 65536;
    const std::vector<u8> zeros(static_cast<std::size_t>(std::min(length, kPiece)));
    for (u64 done = 0; done < length; done += kPiece) {
      const auto piece = std::span(zeros).first(static_cast<std::size_t>(std::min(length - done, kPiece)));
      if (auto written = write(offset + done, piece); !written) return written;
    }
    return {};
  }
  // The guest needs the range no more: its space may go back to the host. What it reads as is not defined.
  virtual Result<> discard(u64 /*offset*/, u64 /*length*/) { return {}; }
  // What a compact disc has beside its data; null: the bytes are all.
  virtual CompactDisc* disc() { return nullptr; }
};

}  // namespace relic86
