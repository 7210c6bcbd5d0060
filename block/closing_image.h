// An image whose format has something to write when nobody writes to it any more, after the last flush.
#pragma once

#include "base/result.h"

namespace relic86 {

class ClosingImage {
 public:
  // Also flushes. Whatever is written afterwards begins anew.
  virtual Result<> close() = 0;

 protected:
  ~ClosingImage() = default;
};

}  // namespace relic86
