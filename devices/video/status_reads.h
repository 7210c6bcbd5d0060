// Tells who wants to know that the guest has read input status register 1 many times, as programs do that wait for the
// vertical retrace.
#pragma once

#include <functional>
#include <utility>

#include "base/types.h"

namespace relic86 {

class StatusReads {
 public:
  void note() {
    if (left_ != 0 && --left_ == 0) listener_();
  }
  // The listener is called once, within the last of so many reads from now on (1 or more).
  void tell_after(u32 reads, std::function<void()> listener) {
    left_ = reads;
    listener_ = std::move(listener);
  }

 private:
  u32 left_ = 0;
  std::function<void()> listener_;
};

}  // namespace relic86
