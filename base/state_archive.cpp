#include "base/state_archive.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

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
  const std::string full = prefix_ + std::string(name);
  const auto name_size = static_cast<u16>(full.size());
  const auto size = static_cast<u32>(storage.size());
  const auto append = [&](const void* from, std::size_t count) {
    const auto* bytes = static_cast<const u8*>(from);
    data_.insert(data_.end(), bytes, bytes + count);
  };
  append(&name_size, sizeof name_size);
  append(full.data(), full.size());
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
    std::string name(reinterpret_cast<const char*>(data.data()), name_size);
    data = data.subspan(name_size);
    std::memcpy(&size, data.data(), sizeof size);
    data = data.subspan(sizeof size);
    if (data.size() < size) return Error{fmt::format("saved state: field {} is cut short", name)};
    const auto [place, added] = reader.fields_.try_emplace(std::move(name), data.begin(), data.begin() + size);
    if (!added) return Error{fmt::format("saved state: field {} is there twice", place->first)};
    data = data.subspan(size);
  }
  return reader;
}
void StateReader::value(std::string_view name, std::span<u8> storage) {
  const std::string full = prefix_ + std::string(name);
  const auto found = fields_.find(full);
  if (found == fields_.end() || found->second.size() != storage.size()) {
    if (complaint_.empty()) complaint_ = fmt::format("field {} is missing or of another size", full);
    return;
  }
  if (!storage.empty()) std::memcpy(storage.data(), found->second.data(), storage.size());
}
void StateReader::resizable(std::string_view name, std::vector<u8>& storage) {
  const std::string full = prefix_ + std::string(name);
  const auto found = fields_.find(full);
  if (found != fields_.end()) {
    storage = found->second;
  } else if (complaint_.empty()) {
    complaint_ = fmt::format("field {} is missing", full);
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
