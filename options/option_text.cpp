#include "options/option_text.h"

#include <fmt/format.h>

#include <charconv>

namespace relic86 {

std::vector<std::string> split_words(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text = text.substr(at + 1);
  }
}

Properties parse_properties(std::string_view text) {
  std::vector<std::string> words{""};
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] == ',' && i + 1 < text.size() && text[i + 1] == ',') {
      words.back() += ',', i++;
    } else if (text[i] == ',') {
      words.emplace_back();
    } else {
      words.back() += text[i];
    }
  }
  // As in QEMU, nothing follows a comma at the end.
  if (words.size() > 1 && words.back().empty()) words.pop_back();
  Properties pairs;
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    pairs.emplace_back(word.substr(0, equals), equals == std::string::npos ? "" : word.substr(equals + 1));
  }
  return pairs;
}

Result<u64> parse_number(std::string_view text) {
  u64 value = 0;
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) base = 16, text.remove_prefix(2);
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failure != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return Error{fmt::format("'{}' is not a number", text)};
  }
  return value;
}

Result<bool> parse_switch(std::string_view text) {
  if (text == "on" || text == "yes" || text == "true" || text.empty()) return true;
  if (text == "off" || text == "no" || text == "false") return false;
  return Error{fmt::format("'{}' is neither on nor off", text)};
}

Result<bool> parse_switch_or_auto(std::string_view text) {
  return text == "auto" ? Result<bool>(true) : parse_switch(text);
}

Result<u64> parse_size(std::string_view text, u64 unit) {
  u64 factor = unit;
  std::string_view digits = text;
  if (!digits.empty()) {
    switch (digits.back()) {
      case 'b':
      case 'B': factor = 1; break;
      case 'k':
      case 'K': factor = 1u << 10; break;
      case 'm':
      case 'M': factor = 1u << 20; break;
      case 'g':
      case 'G': factor = 1u << 30; break;
      default: factor = 0;
    }
    if (factor != 0)
      digits.remove_suffix(1);
    else
      factor = unit;
  }
  u64 number = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || failure != std::errc{} || end != digits.data() + digits.size()) {
    return Error{fmt::format("'{}' is not a size", text)};
  }
  if (number > UINT64_MAX / factor) return Error{fmt::format("'{}' is too large", text)};
  return number * factor;
}

}  // namespace relic86
