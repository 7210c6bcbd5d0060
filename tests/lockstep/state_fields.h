// Saved states of two engines, field by field.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace relic86 {

struct Difference {
  std::string what;
  std::string interpreter, translator;
};

using Fields = std::map<std::string, std::vector<u8>>;

// Reads a StateWriter's bytes: u16 name length, name, u32 size, content.
inline Fields fields_of(const std::vector<u8>& data) {
  Fields fields;
  for (std::size_t at = 0; at < data.size();) {
    u16 name_length = 0;
    std::memcpy(&name_length, &data[at], sizeof name_length);
    at += sizeof name_length;
    const std::string name(reinterpret_cast<const char*>(&data[at]), name_length);
    at += name_length;
    u32 size = 0;
    std::memcpy(&size, &data[at], sizeof size);
    at += sizeof size;
    fields[name].assign(data.begin() + static_cast<std::ptrdiff_t>(at),
                        data.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
  }
  return fields;
}

// Bytes from the first one that differs.
inline std::string bytes_text(std::span<const u8> bytes) {
  constexpr std::size_t kShown = 24;
  std::string text;
  for (std::size_t i = 0; i < std::min(bytes.size(), kShown); ++i) text += fmt::format("{:02x} ", bytes[i]);
  return text;
}

inline Difference difference_of(const std::string& name, std::span<const u8> left, std::span<const u8> right) {
  const std::size_t size = std::min(left.size(), right.size());
  std::size_t at = 0;
  while (at < size && left[at] == right[at]) ++at;
  return {fmt::format("{} +{:#x}", name, at), bytes_text(left.subspan(at)), bytes_text(right.subspan(at))};
}

}  // namespace relic86
