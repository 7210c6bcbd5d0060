// Raster operations on rows of bytes.
#pragma once

#include "base/types.h"

namespace relic86 {

// target[i] = operation(source[i], target[i]) for i below count, in any order: the rows are the same or lie apart.
// mask, unless null, is FFh where a byte is drawn and 0 where it stays. truth_table: cirrus_blit.h.
void combine_row(u8 truth_table, u8* target, const u8* source, const u8* mask, u32 count);

// One byte.
constexpr u8 combine_byte(u8 truth_table, u8 source, u8 target) {
  u8 result = 0;
  if ((truth_table & 1) != 0) result |= static_cast<u8>(~source & ~target);
  if ((truth_table & 2) != 0) result |= static_cast<u8>(~source & target);
  if ((truth_table & 4) != 0) result |= static_cast<u8>(source & ~target);
  if ((truth_table & 8) != 0) result |= source & target;
  return result;
}

}  // namespace relic86
