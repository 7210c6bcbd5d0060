#include "snapshot/migration_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/state_archive.h"

namespace relic86 {

namespace {

constexpr std::string_view kMagic = "RELIC86M";
constexpr u32 kVersion = 1;
constexpr std::size_t kHeaderBytes = 16, kRecordBytes = 16, kPagesBytes = 24;
constexpr u32 kIdentity = 1, kPages = 2, kState = 3, kEnd = 4;
constexpr u32 kMostContent = 64u << 20;

bool all_zero(const u8* page) { return page[0] == 0 && std::memcmp(page, page + 1, kPageSize - 1) == 0; }

template <class T>
T number_at(std::span<const u8> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

u64 checksum(std::span<const u8> content) {
  StateHasher hasher;
  hasher.mix(content);
  return hasher.hash();
}

Error broken(std::string_view what) {
  return Error{
      fmt::format("the stream of the migrating machine is damaged ({}); the machine goes on where it was", what)};
}

}  // namespace

// --- Writing ---

void MigrationWriter::header() {
  out_.insert(out_.end(), kMagic.begin(), kMagic.end());
  number(kVersion);
  number(u32{0});
}

std::size_t MigrationWriter::begin(u32 kind) {
  const std::size_t record = out_.size();
  number(kind);
  number(u32{0});
  number(u64{0});
  return record;
}

void MigrationWriter::finish(std::size_t record) {
  const auto content = std::span(out_).subspan(record + kRecordBytes);
  const auto length = static_cast<u32>(content.size());
  const u64 sum = checksum(content);
  std::memcpy(&out_[record + 4], &length, sizeof length);
  std::memcpy(&out_[record + 8], &sum, sizeof sum);
}

void MigrationWriter::identity(std::string_view text) {
  const std::size_t record = begin(kIdentity);
  out_.insert(out_.end(), text.begin(), text.end());
  finish(record);
}

u64 MigrationWriter::pages(const BackingStore& store, u64 offset, u64 mask) {
  u64 zeros = 0;
  for (u64 page = 0; page < kMigrationChunkPages; page++) {
    if ((mask >> page & 1) != 0 && all_zero(store.host(BackingOffset(offset + page * kPageSize))))
      zeros |= u64{1} << page;
  }
  const std::size_t record = begin(kPages);
  const u64 full = mask & ~zeros;
  number(offset);
  number(full);
  number(zeros);
  for (u64 left = full; left != 0; left &= left - 1) {
    const u8* const page = store.host(BackingOffset(offset + static_cast<u64>(std::countr_zero(left)) * kPageSize));
    out_.insert(out_.end(), page, page + kPageSize);
  }
  finish(record);
  return static_cast<u64>(std::popcount(full)) * kPageSize;
}

void MigrationWriter::state(std::span<const u8> state) {
  const std::size_t record = begin(kState);
  out_.insert(out_.end(), state.begin(), state.end());
  finish(record);
}

void MigrationWriter::end(bool ran) {
  const std::size_t record = begin(kEnd);
  number(u8{ran ? u8{1} : u8{0}});
  finish(record);
}

// --- Reading ---

Result<> MigrationReader::take(std::span<const u8> bytes) {
  waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
  std::size_t used = 0;
  while (!finished_) {
    const auto one = take_one(std::span(waiting_).subspan(used));
    if (!one) return one.error();
    if (one.value() == 0) break;
    used += one.value();
  }
  if (finished_ && used < waiting_.size()) return broken("there is something behind its end");
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(used));
  return {};
}

Result<std::size_t> MigrationReader::take_one(std::span<const u8> bytes) {
  if (!begun_) {
    const std::size_t seen = std::min(bytes.size(), kMagic.size());
    if (std::memcmp(bytes.data(), kMagic.data(), seen) != 0)
      return Error{"what comes is no migrating machine of relic86; send it one"};
    if (bytes.size() < kHeaderBytes) return std::size_t{0};
    if (const auto version = number_at<u32>(bytes, kMagic.size()); version != kVersion)
      return Error{
          fmt::format("the machine comes in format {}, this relic86 knows format {}; use the same program on both "
                      "sides",
                      version, kVersion)};
    begun_ = true;
    return kHeaderBytes;
  }
  if (bytes.size() < kRecordBytes) return std::size_t{0};
  const auto length = number_at<u32>(bytes, 4);
  if (length > kMostContent) return broken("a record is too long");
  if (bytes.size() - kRecordBytes < length) return std::size_t{0};
  const auto content = bytes.subspan(kRecordBytes, length);
  if (checksum(content) != number_at<u64>(bytes, 8)) return broken("a checksum is wrong");
  if (auto taken = record(number_at<u32>(bytes, 0), content); !taken) return taken.error();
  return kRecordBytes + length;
}

Result<> MigrationReader::record(u32 kind, std::span<const u8> content) {
  if (kind == kIdentity) {
    if (identified_) return broken("a second identity");
    identified_ = true;
    return target_.identity({reinterpret_cast<const char*>(content.data()), content.size()});
  }
  if (!identified_) return broken("no identity");
  if (kind == kPages) return pages(content);
  if (kind == kState) {
    if (has_state_) return broken("a second state");
    has_state_ = true;
    return target_.state({content.begin(), content.end()});
  }
  if (kind != kEnd || content.size() != 1 || content[0] > 1) return broken("an unknown record");
  if (!has_state_) return broken("no state");
  finished_ = true;
  ran_ = content[0] != 0;
  return {};
}

Result<> MigrationReader::pages(std::span<const u8> content) {
  if (content.size() < kPagesBytes) return broken("pages");
  const auto offset = number_at<u64>(content, 0), full = number_at<u64>(content, 8),
             zeros = number_at<u64>(content, 16);
  const u64 size = target_.memory_size();
  if (offset % kMigrationChunk != 0 || offset >= size || (full & zeros) != 0) return broken("pages");
  const u64 last = static_cast<u64>(std::bit_width(full | zeros));
  if (offset + last * kPageSize > size) return broken("pages beyond the memory");
  if (content.size() != kPagesBytes + static_cast<std::size_t>(std::popcount(full)) * kPageSize) return broken("pages");
  const u8* next = content.data() + kPagesBytes;
  for (u64 page = 0; page < last; page++) {
    const u64 at = offset + page * kPageSize;
    if ((zeros >> page & 1) != 0) target_.page(at, nullptr);
    if ((full >> page & 1) == 0) continue;
    target_.page(at, next);
    next += kPageSize;
  }
  return {};
}

Result<> MigrationReader::end_of_stream() const {
  if (finished_) return {};
  return Error{"the stream ended before the whole machine was here; the machine goes on where it was"};
}

}  // namespace relic86
