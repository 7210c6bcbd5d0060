// Numbers in the byte order of a file format, at any alignment.
#pragma once

#include <cstring>
#include <span>

#include "base/assert.h"
#include "base/types.h"

namespace relic86 {

template <class T>
T load_be(std::span<const u8> bytes, std::size_t at) {
  RELIC86_ASSERT(at + sizeof(T) <= bytes.size());
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); i++) value = static_cast<T>(u64{value} << 8 | bytes[at + i]);
  return value;
}

template <class T>
void store_be(std::span<u8> bytes, std::size_t at, T value) {
  RELIC86_ASSERT(at + sizeof(T) <= bytes.size());
  for (std::size_t i = 0; i < sizeof(T); i++) bytes[at + i] = static_cast<u8>(u64{value} >> (8 * (sizeof(T) - 1 - i)));
}

template <class T>
T load_le(std::span<const u8> bytes, std::size_t at) {
  RELIC86_ASSERT(at + sizeof(T) <= bytes.size());
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);  // hosts are little-endian
  return value;
}

template <class T>
void store_le(std::span<u8> bytes, std::size_t at, T value) {
  RELIC86_ASSERT(at + sizeof(T) <= bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

}  // namespace relic86
