#include "insight/line_table.h"

#include <algorithm>

namespace relic86 {

const LineTable::Row* LineTable::find(u64 address) const {
  const auto after = std::upper_bound(rows_.begin(), rows_.end(), address,
                                      [](u64 wanted, const Row& row) { return wanted < row.address; });
  if (after == rows_.begin() || std::prev(after)->line == 0) return nullptr;
  return &*std::prev(after);
}

}  // namespace relic86
