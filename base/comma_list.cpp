#include "base/comma_list.h"

namespace relic86 {

std::vector<std::string> split_at_commas(std::string_view list) {
  std::vector<std::string> texts(1);
  for (std::size_t i = 0; i < list.size(); i++) {
    const bool comma = list[i] == ',';
    if (comma && i + 1 < list.size() && list[i + 1] == ',') {
      texts.back() += ',';
      i++;
    } else if (comma) {
      texts.emplace_back();
    } else {
      texts.back() += list[i];
    }
  }
  return texts;
}

std::string double_commas(std::string_view text) {
  std::string doubled;
  for (const char c : text) doubled.append(c == ',' ? 2 : 1, c);
  return doubled;
}

}  // namespace relic86
