#include "base/state_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <numeric>

namespace relic86 {

static_assert(std::endian::native == std::endian::little, "relic86 hosts are little-endian");

namespace {

void push_prefix(std::string& prefix, std::vector<std::size_t>& lengths, std::string_view name) {
  lengths.push_back(prefix.size());
  prefix.append(name).push_back('.');
}

void pop_prefix(std::string& prefix, std::vector<std::size_t>& lengths) {
  RELIC86_ASSERT(!lengths.empty());
  prefix.resize(lengths.back());
  lengths.pop_back();
}

}  // namespace

void StateWriter::value(std::string_view name, std::span<u8> storage) {
  const auto name_size = static_cast<u16>(prefix_.size() + name.size());
  const auto size = static_cast<u32>(storage.size());
  const auto append = [&](const void* from, std::size_t count) {
    const auto* bytes = static_cast<const u8*>(from);
    data_.insert(data_.end(), bytes, bytes + count);
  };
  append(&name_size, sizeof name_size);
  append(prefix_.data(), prefix_.size());
  append(name.data(), name.size());
  append(&size, sizeof size);
  append(storage.data(), storage.size());
}
void StateWriter::enter(std::string_view name) { push_prefix(prefix_, prefix_lengths_, name); }
void StateWriter::leave() { pop_prefix(prefix_, prefix_lengths_); }

Result<StateReader> StateReader::parse(std::span<const u8> data) {
  StateReader reader;
  while (!data.empty()) {
    u16 name_size = 0;
    u32 size = 0;
    if (data.size() < sizeof name_size) return Error{"saved state: cut short"};
    std::memcpy(&name_size, data.data(), sizeof name_size);
    data = data.subspan(sizeof name_size);
    if (data.size() < name_size + sizeof size) return Error{"saved state: cut short"};
    const std::string_view name(reinterpret_cast<const char*>(data.data()), name_size);
    data = data.subspan(name_size);
    std::memcpy(&size, data.data(), sizeof size);
    data = data.subspan(sizeof size);
    if (data.size() < size) return Error{fmt::format("saved state: field {} is cut short", name)};
    reader.fields_.push_back({name, data.first(size), std::hash<std::string_view>()(name)});
    data = data.subspan(size);
  }
  const auto& fields = reader.fields_;
  auto& order = reader.by_name_;
  order.resize(fields.size());
  std::iota(order.begin(), order.end(), u32{0});
  std::sort(order.begin(), order.end(), [&](u32 a, u32 b) {
    return fields[a].hash != fields[b].hash ? fields[a].hash < fields[b].hash : fields[a].name < fields[b].name;
  });
  const auto twice = std::adjacent_find(order.begin(), order.end(), [&](u32 a, u32 b) {
    return fields[a].hash == fields[b].hash && fields[a].name == fields[b].name;
  });
  if (twice != order.end()) return Error{fmt::format("saved state: field {} is there twice", fields[*twice].name)};
  return reader;
}
const StateReader::Field* StateReader::find(std::string_view name) {
  const std::size_t prefix_length = prefix_.size();
  prefix_.append(name);
  if (next_ >= fields_.size() || fields_[next_].name != prefix_) {
    const std::size_t hash = std::hash<std::string_view>()(prefix_);
    auto found = std::lower_bound(by_name_.begin(), by_name_.end(), hash,
                                  [this](u32 index, std::size_t wanted) { return fields_[index].hash < wanted; });
    const auto end = by_name_.end();
    while (found != end && fields_[*found].hash == hash && fields_[*found].name != prefix_) ++found;
    next_ = found == end || fields_[*found].hash != hash ? fields_.size() : *found;
  }
  prefix_.resize(prefix_length);
  return next_ < fields_.size() ? &fields_[next_++] : nullptr;
}
bool StateReader::lacks(std::string_view name) {
  const std::size_t next = next_;
  const bool found = find(name) != nullptr;
  next_ = next;
  return !found;
}
void StateReader::value(std::string_view name, std::span<u8> storage) {
  const Field* const field = find(name);
  if (field == nullptr || field->content.size() != storage.size()) {
    if (complaint_.empty()) complaint_ = fmt::format("field {}{} is missing or of another size", prefix_, name);
    return;
  }
  if (!storage.empty()) std::memcpy(storage.data(), field->content.data(), storage.size());
}
void StateReader::resizable(std::string_view name, std::vector<u8>& storage) {
  if (const Field* const field = find(name); field != nullptr) {
    storage.assign(field->content.begin(), field->content.end());
  } else if (complaint_.empty()) {
    complaint_ = fmt::format("field {}{} is missing", prefix_, name);
  }
}
void StateReader::enter(std::string_view name) { push_prefix(prefix_, prefix_lengths_, name); }
void StateReader::leave() { pop_prefix(prefix_, prefix_lengths_); }

void StateHasher::mix(std::span<const u8> content) {
  constexpr u64 kPrime = 0x100000001B3u;
  while (content.size() >= 8) {
    u64 word = 0;
    std::memcpy(&word, content.data(), 8);
    hash_ = std::rotl((hash_ ^ word) * kPrime, 29);
    content = content.subspan(8);
  }
  for (const u8 byte : content) hash_ = (hash_ ^ byte) * kPrime;
}
void StateHasher::value(std::string_view name, std::span<u8> storage) {
  mix(std::span(reinterpret_cast<const u8*>(name.data()), name.size()));
  mix(storage);
}

void StateDumper::value(std::string_view name, std::span<u8> storage) {
  constexpr std::size_t kMostBytes = 32;
  text_ += fmt::format("{}{} =", prefix_, name);
  if (storage.size() <= 8) {
    u64 number = 0;
    if (!storage.empty()) std::memcpy(&number, storage.data(), storage.size());
    text_ += fmt::format(" {:#x}\n", number);
    return;
  }
  for (std::size_t i = 0; i < std::min(storage.size(), kMostBytes); i++) text_ += fmt::format(" {:02x}", storage[i]);
  text_ += storage.size() > kMostBytes ? fmt::format(" ... ({} bytes)\n", storage.size()) : "\n";
}
void StateDumper::enter(std::string_view name) { push_prefix(prefix_, prefix_lengths_, name); }
void StateDumper::leave() { pop_prefix(prefix_, prefix_lengths_); }

}  // namespace relic86
