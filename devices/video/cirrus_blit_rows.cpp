#include "devices/video/cirrus_blit_rows.h"

#include <array>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace relic86 {

namespace {

template <unsigned kTable>
constexpr u64 combine_words(u64 source, u64 target) {
  u64 result = 0;
  if constexpr ((kTable & 1) != 0) result |= ~source & ~target;
  if constexpr ((kTable & 2) != 0) result |= ~source & target;
  if constexpr ((kTable & 4) != 0) result |= source & ~target;
  if constexpr ((kTable & 8) != 0) result |= source & target;
  return result;
}

template <unsigned kTable>
void combine(u8* target, const u8* source, const u8* mask, u32 count) {
  const auto piece = [&](u32 at, u32 size) {
    u64 s = 0, t = 0, m = ~u64{0};
    std::memcpy(&s, source + at, size);
    std::memcpy(&t, target + at, size);
    if (mask != nullptr) std::memcpy(&m, mask + at, size);
    const u64 result = (combine_words<kTable>(s, t) & m) | (t & ~m);
    std::memcpy(target + at, &result, size);
  };
  u32 at = 0;
  for (; at + sizeof(u64) <= count; at += sizeof(u64)) piece(at, sizeof(u64));
  if (at < count) piece(at, count - at);
}

using Combine = void (*)(u8*, const u8*, const u8*, u32);
constexpr unsigned kTables = 16;
constexpr std::array<Combine, kTables> kCombine = []<unsigned... kIndex>(std::integer_sequence<unsigned, kIndex...>) {
  return std::array<Combine, kTables>{combine<kIndex>...};
}
(std::make_integer_sequence<unsigned, kTables>{});

}  // namespace

void combine_row(u8 truth_table, u8* target, const u8* source, const u8* mask, u32 count) {
  RELIC86_ASSERT(truth_table < kTables);
  kCombine[truth_table](target, source, mask, count);
}

}  // namespace relic86
