// Numbers in the byte order of a format, at any alignment, in bytes that the caller knows to be there.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "base/assert.h"
#include "base/types.h"

namespace relic86 {

namespace byte_order {
// Asserted by each access: the value lies within the bytes.
template <class T>
bool holds(std::span<const u8> bytes, std::size_t at) {
  return at <= bytes.size() && sizeof(T) <= bytes.size() - at;
}
}  // namespace byte_order

template <class T>
T load_be(std::span<const u8> bytes, std::size_t at) {
  RELIC86_ASSERT(byte_order::holds<T>(bytes, at));
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); i++) value = static_cast<T>(u64{value} << 8 | bytes[at + i]);
  return value;
}

template <class T>
void store_be(std::span<u8> bytes, std::size_t at, T value) {
  RELIC86_ASSERT(byte_order::holds<T>(bytes, at));
  for (std::size_t i = 0; i < sizeof(T); i++) bytes[at + i] = static_cast<u8>(u64{value} >> (8 * (sizeof(T) - 1 - i)));
}

template <class T>
T load_le(std::span<const u8> bytes, std::size_t at) {
  RELIC86_ASSERT(byte_order::holds<T>(bytes, at));
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);  // hosts are little-endian (asserted in base/)
  return value;
}

template <class T>
void store_le(std::span<u8> bytes, std::size_t at, T value) {
  RELIC86_ASSERT(byte_order::holds<T>(bytes, at));
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

inline std::vector<u8> dword_bytes(u32 value) {
  std::vector<u8> bytes(sizeof value);
  store_le<u32>(bytes, 0, value);
  return bytes;
}

}  // namespace relic86
