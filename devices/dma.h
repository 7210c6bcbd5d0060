// What a device that uses ISA DMA (the floppy controller) sees of the 8237A pair.
#pragma once

#include <span>

#include "base/types.h"

namespace relic86 {

class DmaController {
 public:
  struct Moved {
    u32 count = 0;                // bytes moved; fewer than asked when the channel is masked or reaches its count
    bool terminal_count = false;  // TC was asserted during this call
  };
  // Moves bytes device -> memory (an 8237A "write transfer") or memory -> device ("read transfer") on channel 0 to 3 (8
  // bit) or 5 to 7 (16 bit, even counts). Verify transfers move nothing and still count.
  virtual Moved to_memory(unsigned channel, std::span<const u8> bytes) = 0;
  virtual Moved from_memory(unsigned channel, std::span<u8> bytes) = 0;

 protected:
  ~DmaController() = default;
};

}  // namespace relic86
