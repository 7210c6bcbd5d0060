#include "insight/code_coverage.h"

#include <algorithm>

namespace relic86 {

AddressRanges::AddressRanges(std::vector<Range> of) {
  std::sort(of.begin(), of.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  for (const Range& range : of) {
    const bool follows =
        !ranges_.empty() && (range.first <= ranges_.back().last || range.first - ranges_.back().last == 1);
    if (follows)
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    else
      ranges_.push_back(range);
  }
}

bool AddressRanges::meets(u64 first, u64 last) const {
  const auto found = std::lower_bound(ranges_.begin(), ranges_.end(), first,
                                      [](const Range& range, u64 wanted) { return range.last < wanted; });
  return found != ranges_.end() && found->first <= last;
}

bool CodeCoverage::add(u64 linear, u32 bytes) {
  if (blocks_.size() >= kMostBlocks && !blocks_.contains(linear)) return false;
  u32& longest = blocks_[linear];
  longest = std::max(longest, bytes);
  return true;
}

AddressRanges CodeCoverage::ranges() const {
  std::vector<AddressRanges::Range> ranges;
  ranges.reserve(blocks_.size());
  for (const auto& [linear, bytes] : blocks_) ranges.push_back({linear, linear + bytes - 1});
  return AddressRanges(std::move(ranges));
}

}  // namespace relic86
