// Copies of guest memory that other processors' threads may look at: one of a size that an access has is one access of
// the host, as the guest's is. memcpy() of a size that the compiler does not know may write bytes twice, and so undo
// what another processor has stored in between.
#pragma once

#include <cstring>

#include "base/types.h"

namespace relic86 {

inline void copy_whole(void* to, const void* from, u64 size) {
  const auto copy = [&]<class T>(T value) {
    std::memcpy(&value, from, sizeof value);
    std::memcpy(to, &value, sizeof value);
  };
  switch (size) {
    case sizeof(u8): return copy(u8{});
    case sizeof(u16): return copy(u16{});
    case sizeof(u32): return copy(u32{});
    case sizeof(u64): return copy(u64{});
    default: std::memcpy(to, from, size);
  }
}

}  // namespace relic86
