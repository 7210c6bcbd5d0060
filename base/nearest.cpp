#include "base/nearest.h"

#include <algorithm>
#include <vector>

namespace relic86 {

namespace {

unsigned edit_distance(std::string_view a, std::string_view b) {
  std::vector<unsigned> row(b.size() + 1);
  for (unsigned j = 0; j < row.size(); j++) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); i++) {
    unsigned diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); j++) {
      const unsigned keep = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, keep});
    }
  }
  return row.back();
}

}  // namespace

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> words) {
  std::string_view best = words.front();
  unsigned fewest = ~0u;
  for (const std::string_view each : words) {
    const unsigned distance = edit_distance(word, each);
    if (distance < fewest) fewest = distance, best = each;
  }
  return best;
}

}  // namespace relic86
