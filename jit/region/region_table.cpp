#include "jit/region/region_table.h"

namespace relic86::jit {

void RegionTable::add(Translation& region) {
  for (const PathStep& step : region.path) by_block_[step.block].push_back(&region);
}

void RegionTable::remove(Translation& region) {
  for (const PathStep& step : region.path) {
    const auto at = by_block_.find(step.block);
    if (at == by_block_.end()) continue;
    std::erase(at->second, &region);
    if (at->second.empty()) by_block_.erase(at);
  }
}

Translation* RegionTable::any_of(const CodeBlock& block) const {
  const auto at = by_block_.find(&block);
  return at == by_block_.end() ? nullptr : at->second.front();
}

}  // namespace relic86::jit
