// Told by memory/ when bytes that hold decoded or translated code have been overwritten; implemented by the engines'
// code cache. Each processor has one.
#pragma once

#include "base/types.h"

namespace relic86 {

class CodeWatch {
 public:
  // The bytes [first, first + length) were changed, within one page, and touch at least one granule that holds code.
  virtual void code_written(BackingOffset first, u64 length) = 0;
  // Which of these granules of a page hold code that this watch knows; page: of its first byte.
  virtual u64 code_held(BackingOffset page, u64 granules) const = 0;

 protected:
  ~CodeWatch() = default;
};

}  // namespace relic86
