#include "snapshot/saved_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace relic86 {

namespace {

constexpr u64 kChunkPages = 256;
constexpr u64 kChunkSize = kChunkPages * kPageSize;
constexpr std::string_view kTag = "MEM ";
using PageSet = std::array<u64, kChunkPages / 64>;

bool all_zero(const u8* page) { return page[0] == 0 && std::memcmp(page, page + 1, kPageSize - 1) == 0; }

bool has(const PageSet& set, u64 page) { return (set[page / 64] >> (page % 64) & 1) != 0; }

void put_page(BackingStore& store, u64 offset, const u8* content) {
  u8* const page = store.host(BackingOffset(offset));
  if (content == nullptr) {
    if (all_zero(page)) return;  // an untouched page stays untouched
    std::memset(page, 0, kPageSize);
  } else {
    if (std::memcmp(page, content, kPageSize) == 0) return;
    std::memcpy(page, content, kPageSize);
  }
  if (store.watched(BackingOffset(offset))) store.note_write(BackingOffset(offset), kPageSize);
}

struct Chunk {
  u64 offset = 0;
  PageSet pages{};
  std::vector<u8> content;  // of the pages that are there, in order
};

// False: the section is not sound.
bool take_chunk(StateCursor& cursor, u64 total, u64 least, Chunk& chunk, std::vector<u8>& packed) {
  u32 packed_size = 0;
  if (!cursor.take_number(chunk.offset)) return false;
  for (u64& word : chunk.pages) {
    if (!cursor.take_number(word)) return false;
  }
  if (!cursor.take_number(packed_size)) return false;
  if (chunk.offset % kChunkSize != 0 || chunk.offset < least || chunk.offset >= total) return false;
  const u64 in_chunk = std::min(kChunkPages, (total - chunk.offset) / kPageSize);
  u64 count = 0;
  for (const u64 word : chunk.pages) count += static_cast<u64>(std::popcount(word));
  for (u64 page = in_chunk; page < kChunkPages; page++) {
    if (has(chunk.pages, page)) return false;
  }
  if (packed_size > 2 * kChunkSize) return false;
  packed.resize(packed_size);
  chunk.content.resize(count * kPageSize);
  return cursor.take(packed) && expand(packed, chunk.content);
}

// Calls sink(offset, content) for every page of the memory in order; null content: zeros.
template <class Sink>
Result<> walk(const StateFileReader& file, u64 size, Sink sink) {
  const StateSection* section = file.find(kTag);
  if (section == nullptr) return file.damaged("no memory");
  StateCursor cursor(file, *section);
  u64 total = 0;
  if (!cursor.take_number(total)) return file.damaged("memory");
  if (total != size) {
    return Error{
        fmt::format("{}: was saved with {} KiB of memory, ROM and video memory, this machine has {}; start it "
                    "with the options and firmware that it was saved with",
                    file.path(), total >> 10, size >> 10)};
  }
  Chunk chunk;
  std::vector<u8> packed;
  u64 next = 0;
  const auto zero_until = [&](u64 end) {
    for (; next < end; next += kPageSize) sink(next, nullptr);
  };
  while (!cursor.at_end()) {
    if (!take_chunk(cursor, total, next, chunk, packed)) return file.damaged("memory");
    zero_until(chunk.offset);
    const u8* content = chunk.content.data();
    const u64 in_chunk = std::min(kChunkPages, (total - chunk.offset) / kPageSize);
    for (u64 page = 0; page < in_chunk; page++, next += kPageSize) {
      if (has(chunk.pages, page)) {
        sink(next, content);
        content += kPageSize;
      } else {
        sink(next, nullptr);
      }
    }
  }
  zero_until(total);
  return {};
}

}  // namespace

void save_memory(StateFileWriter& file, const BackingStore& store) {
  file.begin(kTag);
  file.put_number(store.size());
  std::vector<u8> content;
  for (u64 offset = 0; offset < store.size() && !file.failed(); offset += kChunkSize) {
    PageSet pages{};
    content.clear();
    for (u64 page = 0; page < kChunkPages && offset + page * kPageSize < store.size(); page++) {
      const u8* bytes = store.host(BackingOffset(offset + page * kPageSize));
      if (all_zero(bytes)) continue;
      pages[page / 64] |= u64{1} << (page % 64);
      content.insert(content.end(), bytes, bytes + kPageSize);
    }
    if (content.empty()) continue;
    const std::vector<u8> packed = compress(content);
    file.put_number(offset);
    for (const u64 word : pages) file.put_number(word);
    file.put_number(static_cast<u32>(packed.size()));
    file.put(packed);
  }
  file.end();
}

Result<> check_memory(const StateFileReader& file, const BackingStore& store) {
  return walk(file, store.size(), [](u64, const u8*) {});
}

Result<> load_memory(const StateFileReader& file, BackingStore& store) {
  return walk(file, store.size(), [&](u64 offset, const u8* content) { put_page(store, offset, content); });
}

}  // namespace relic86
