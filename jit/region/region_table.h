// Which regions hold code of a block: they die with it.
#pragma once

#include <unordered_map>
#include <vector>

#include "jit/runtime/translation.h"

namespace relic86::jit {

class RegionTable {
 public:
  void add(Translation& region);
  void remove(Translation& region);
  // One of those that hold the block, or null.
  Translation* any_of(const CodeBlock& block) const;

 private:
  std::unordered_map<const CodeBlock*, std::vector<Translation*>> by_block_;
};

}  // namespace relic86::jit
