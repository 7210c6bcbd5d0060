// A saved machine's state as the seed of others, in which some fields are changed.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace relic86::fuzz {

struct ChangedField {
  std::string name;
  std::vector<u8> content;
};
using ChangedFields = std::map<std::size_t, ChangedField>;  // by their place in the seed

// A saved state, and where in it each field lies.
class SeedState {
 public:
  explicit SeedState(std::vector<u8> bytes) : bytes_(std::move(bytes)) {
    for (std::size_t at = 0; at < bytes_.size();) {
      u16 name_size = 0;
      u32 size = 0;
      std::memcpy(&name_size, &bytes_[at], sizeof name_size);
      const std::size_t name = at + sizeof name_size;
      std::memcpy(&size, &bytes_[name + name_size], sizeof size);
      const std::size_t content = name + name_size + sizeof size;
      places_.push_back({at, name, name_size, content, size});
      at = content + size;
    }
  }
  std::size_t field_count() const { return places_.size(); }
  const std::vector<u8>& bytes() const { return bytes_; }
  std::string name(std::size_t field) const {
    const Place& place = places_[field];
    return {reinterpret_cast<const char*>(&bytes_[place.name]), place.name_size};
  }
  std::vector<u8> content(std::size_t field) const {
    const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(places_[field].content);
    return {begin, begin + static_cast<std::ptrdiff_t>(places_[field].size)};
  }
  // The number in the field of this name; nothing: there is no such field.
  std::optional<u64> number(std::string_view wanted) const {
    for (std::size_t field = 0; field < places_.size(); field++) {
      if (name(field) != wanted) continue;
      u64 value = 0;
      std::memcpy(&value, bytes_.data() + places_[field].content,
                  std::min<std::size_t>(sizeof value, places_[field].size));
      return value;
    }
    return {};
  }

  // The state with these fields in place of its own.
  std::vector<u8> with(const ChangedFields& changed) const {
    std::vector<u8> state;
    state.reserve(bytes_.size() + 4096);
    const auto append = [&state](const void* from, std::size_t count) {
      const auto* bytes = static_cast<const u8*>(from);
      state.insert(state.end(), bytes, bytes + count);
    };
    std::size_t at = 0;
    for (const auto& [index, field] : changed) {
      const Place& place = places_[index];
      append(&bytes_[at], place.begin - at);
      const auto name_size = static_cast<u16>(field.name.size());
      const auto size = static_cast<u32>(field.content.size());
      append(&name_size, sizeof name_size);
      append(field.name.data(), field.name.size());
      append(&size, sizeof size);
      append(field.content.data(), field.content.size());
      at = place.content + place.size;
    }
    append(bytes_.data() + at, bytes_.size() - at);
    return state;
  }
  // Names of the fields that differ, for messages.
  std::string difference(const SeedState& other) const {
    std::string text;
    for (std::size_t field = 0; field < std::min(places_.size(), other.places_.size()); field++) {
      if (content(field) != other.content(field)) text += " " + name(field);
    }
    return text;
  }

 private:
  struct Place {
    std::size_t begin, name, name_size, content, size;
  };
  std::vector<u8> bytes_;
  std::vector<Place> places_;
};

// A change: u16 field, u16 place in it, u8 what is done, 7 bytes of a number.
enum Deed : u8 { kSet8, kSet16, kSet32, kSet64, kFlip, kFill, kShorten, kLengthen, kRemove, kDeeds };

inline void change(const SeedState& seed, ChangedFields& changed, std::span<const u8> what) {
  u16 field = 0, place = 0;
  u64 number = 0;
  std::memcpy(&field, what.data(), sizeof field);
  std::memcpy(&place, what.data() + 2, sizeof place);
  std::memcpy(&number, what.data() + 5, 7);
  const std::size_t index = field % seed.field_count();
  const auto [at, fresh] = changed.try_emplace(index);
  std::string& name = at->second.name;
  std::vector<u8>& content = at->second.content;
  if (fresh) name = seed.name(index), content = seed.content(index);
  const auto set = [&](std::size_t size) {
    if (content.empty()) return;
    // The sign is extended: deeds near either end of a number are what goes wrong.
    number = static_cast<u64>(static_cast<i64>(number << 8) >> 8);
    const std::size_t first = content.size() <= size ? 0 : place % (content.size() - size + 1);
    std::memcpy(content.data() + first, &number, std::min(size, content.size()));
  };
  switch (what[4] % kDeeds) {
    case kSet8: return set(1);
    case kSet16: return set(2);
    case kSet32: return set(4);
    case kSet64: return set(8);
    case kFlip:
      if (!content.empty()) content[place % content.size()] ^= static_cast<u8>(1u << number % 8);
      return;
    case kFill: return std::fill(content.begin(), content.end(), static_cast<u8>(number));
    case kShorten: return content.resize(content.size() - std::min<std::size_t>(content.size(), 1 + place % 16));
    case kLengthen: return content.resize(content.size() + (number % 256 == 0 ? place : place % 64));
    default: name += "x";
  }
}

}  // namespace relic86::fuzz
