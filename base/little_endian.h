// Little-endian numbers in files that were checked for their length by the caller.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "base/assert.h"
#include "base/types.h"

namespace relic86 {

template <class Value>
Value load_little_endian(std::span<const u8> bytes, std::size_t offset) {
  RELIC86_ASSERT(offset <= bytes.size() && sizeof(Value) <= bytes.size() - offset);
  Value value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);  // hosts are little-endian (asserted in base/)
  return value;
}

template <class Value>
void store_little_endian(std::span<u8> bytes, std::size_t offset, Value value) {
  RELIC86_ASSERT(offset <= bytes.size() && sizeof value <= bytes.size() - offset);
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

inline std::vector<u8> dword_bytes(u32 value) {
  std::vector<u8> bytes(sizeof value);
  store_little_endian<u32>(bytes, 0, value);
  return bytes;
}

}  // namespace relic86
