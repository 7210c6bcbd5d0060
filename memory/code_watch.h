// Told by memory/ when bytes that hold decoded or translated code have been overwritten; implemented by the engines'
// code cache.
#pragma once

#include "base/types.h"

namespace relic86 {

class CodeWatch {
 public:
  // The bytes [first, first + length) were changed, within one page, and touch at least one granule that holds code.
  virtual void code_written(BackingOffset first, u64 length) = 0;

 protected:
  ~CodeWatch() = default;
};

}  // namespace relic86
