// What is asked of a block device while whoever asks goes on.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct BlockRequest {
  enum class Kind : u8 { Read, Write, Flush, Discard, WriteZeroes };
  Kind kind = Kind::Read;
  u64 offset = 0;
  u64 length = 0;             // bytes; 0 of a flush
  std::vector<u8> bytes{};    // of that length: what a read brings and what is written
  bool host_is_full = false;  // it has failed for want of room on the host's disk

  std::span<u8> content() { return bytes; }
};

// Called on the machine's thread, between two instructions.
using BlockDone = std::function<void(BlockRequest&& request, Result<> result)>;

}  // namespace relic86
