// Repeated string instructions on a run of elements that lies within one page of plain memory on each side: what a run
// may cover, and the host loops that do it. A run ends at the page, the segment limit, a wrap of the offset, and the
// budget, so that faults and events find exact state.
#pragma once

#include <algorithm>
#include <cstring>

#include "cpu/cpu.h"
#include "cpu/effective_address.h"

namespace relic86::string_runs {

// How many elements from offset on (downwards with DF) can be handled without leaving page, segment or address size.
// 0: not even one. linear: of offset; end: one past the last offset of the segment; mask: of the address size.
inline u32 reach(u64 linear, u64 end, u64 offset, u64 mask, bool down, u32 width) {
  if (offset + width > end) return 0;
  const u32 in_page = static_cast<u32>(linear) & (kPageSize - 1);
  if (in_page + width > kPageSize) return 0;
  if (down) return static_cast<u32>(std::min<u64>(in_page, offset)) / width + 1;
  const u64 to_end = std::min(end - offset, mask - offset + 1);
  return static_cast<u32>(std::min<u64>(kPageSize - in_page, to_end) / width);
}

// The lowest host byte of a run of count elements that starts at host and goes up or down.
template <class Byte>
Byte* lowest(Byte* host, u32 count, bool down, u32 width) {
  return down ? host - std::size_t{count - 1} * width : host;
}

template <class W>
W load(const u8* from) {
  W value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class W>
void move(u8* to, const u8* from, u32 count, bool down) {
  u8* const to_low = lowest(to, count, down, sizeof(W));
  const u8* const from_low = lowest(from, count, down, sizeof(W));
  const std::size_t bytes = std::size_t{count} * sizeof(W);
  // Where a later element reads what an earlier one wrote, the order shows: element by element.
  const bool feeds =
      down ? to_low < from_low && from_low < to_low + bytes : from_low < to_low && to_low < from_low + bytes;
  if (!feeds) {
    std::memmove(to_low, from_low, bytes);
    return;
  }
  for (u32 i = 0; i < count; ++i) {
    std::memcpy(to, from, sizeof(W));
    to = down ? to - sizeof(W) : to + sizeof(W);
    from = down ? from - sizeof(W) : from + sizeof(W);
  }
}

template <class W>
void fill(u8* to, W value, u32 count, bool down) {
  u8* const low = lowest(to, count, down, sizeof(W));
  if constexpr (sizeof(W) == 1) {
    std::memset(low, value, count);
  } else {
    for (u32 i = 0; i < count; ++i) std::memcpy(low + std::size_t{i} * sizeof(W), &value, sizeof value);
  }
}

// Elements handled by a scan for (in)equality with value, and the last one looked at.
template <class W>
u32 scan(const u8* from, W value, u32 count, bool down, bool while_equal, W& last) {
  if constexpr (sizeof(W) == 1) {
    if (!while_equal && !down) {
      const void* const found = std::memchr(from, value, count);
      const u32 done = found != nullptr ? static_cast<u32>(static_cast<const u8*>(found) - from) + 1 : count;
      last = from[done - 1];
      return done;
    }
  }
  u32 done = 0;
  while (done < count) {
    last = load<W>(from);
    ++done;
    if ((last == value) != while_equal) break;
    from = down ? from - sizeof(W) : from + sizeof(W);
  }
  return done;
}

template <class W>
u32 compare(const u8* left, const u8* right, u32 count, bool down, bool while_equal, W& last_left, W& last_right) {
  u32 done = 0;
  if (while_equal && !down) {  // words that are equal as a whole are passed over, but for the last element
    constexpr u32 kWord = sizeof(u64) / sizeof(W);
    for (; count - done > kWord && load<u64>(left) == load<u64>(right); done += kWord) {
      left += sizeof(u64);
      right += sizeof(u64);
    }
  }
  while (done < count) {
    last_left = load<W>(left);
    last_right = load<W>(right);
    ++done;
    if ((last_left == last_right) != while_equal) break;
    left = down ? left - sizeof(W) : left + sizeof(W);
    right = down ? right - sizeof(W) : right + sizeof(W);
  }
  return done;
}

}  // namespace relic86::string_runs
