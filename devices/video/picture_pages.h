// Which pages of video memory were written since the picture was drawn last.
#pragma once

#include <vector>

#include "memory/backing_store.h"

namespace relic86 {

class PicturePages {
 public:
  // Notes what was written in bytes [start, end) of the memory at first since the last call, and arms it again. all:
  // everything counts as written. False: nothing was.
  bool take(BackingStore& store, BackingOffset first, u32 start, u32 end, bool all);
  // Whether a byte of [start, end), which lies in the range that was taken, may have changed.
  bool any(u32 start, u32 end) const;

 private:
  u32 start_ = 0;          // byte of video memory that the first of pages_ begins with
  std::vector<u8> pages_;  // 1: written
};

}  // namespace relic86
