#include "block/vhdx_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "base/byte_order.h"
#include "block/crc32c.h"

namespace relic86 {

namespace {

constexpr u64 kSector = 4096, kMegabyte = 1 << 20;
constexpr u64 kMostLog = 64 << 20;
constexpr std::size_t kEntryHeader = 64, kDescriptor = 32;
constexpr std::size_t kDataInSector = 4084, kDataAt = 8, kSequenceLowAt = 4092;
constexpr std::size_t kLeadingBytes = 8, kTrailingBytes = 4;  // of a sector's data, that stand in its descriptor

bool signed_as(std::span<const u8> bytes, std::string_view signature) {
  return bytes.size() >= signature.size() && std::memcmp(bytes.data(), signature.data(), signature.size()) == 0;
}

struct Entry {
  u64 offset = 0;  // in the log
  std::vector<u8> bytes;
  u64 sequence = 0;
  u32 tail = 0;         // where the sequence that it ends begins
  u32 descriptors = 0;  // after the header
  u64 data_at() const { return (kEntryHeader + descriptors * kDescriptor + kSector - 1) / kSector * kSector; }
};

class Log {
 public:
  Log(ImageFile& file, const VhdxHeader& header) : file_(file), header_(header) {}
  Result<> replay();

 private:
  Result<> load();
  // The entry that begins there, if all of it is sound.
  std::optional<Entry> entry_at(u64 offset) const;
  std::vector<Entry> sequence_from(u64 offset) const;
  bool descriptors_are_sound(const Entry& entry) const;
  Result<> carry_out(const Entry& entry);

  ImageFile& file_;
  const VhdxHeader& header_;
  std::vector<u8> log_;
};

Result<> Log::load() {
  const u64 size = file_.size_bytes();
  if (header_.log_length == 0 || header_.log_length > kMostLog || header_.log_length % kSector != 0 ||
      header_.log_offset % kMegabyte != 0 || header_.log_offset > size ||
      header_.log_length > size - header_.log_offset)
    return Error{
        fmt::format("{}: is a damaged VHDX image: its log is not within the file; mend it with 'qemu-img check "
                    "-r all'",
                    file_.path())};
  log_.resize(header_.log_length);
  return file_.read(header_.log_offset, log_);
}

std::optional<Entry> Log::entry_at(u64 offset) const {
  const auto header = std::span(log_).subspan(static_cast<std::size_t>(offset), kEntryHeader);
  if (!signed_as(header, "loge") ||
      std::memcmp(header.data() + 32, header_.log_guid.data(), header_.log_guid.size()) != 0)
    return std::nullopt;
  const u32 length = load_le<u32>(header, 8);
  Entry entry{.offset = offset,
              .bytes = {},
              .sequence = load_le<u64>(header, 16),
              .tail = load_le<u32>(header, 12),
              .descriptors = load_le<u32>(header, 24)};
  if (length == 0 || length % kSector != 0 || length > log_.size() || entry.tail % kSector != 0 ||
      entry.tail >= log_.size() || entry.sequence == 0 || entry.data_at() > length)
    return std::nullopt;
  // The log is a ring.
  entry.bytes.resize(length);
  const std::size_t first = std::min<std::size_t>(length, log_.size() - static_cast<std::size_t>(offset));
  std::copy_n(log_.begin() + static_cast<std::ptrdiff_t>(offset), first, entry.bytes.begin());
  std::copy_n(log_.begin(), length - first, entry.bytes.begin() + static_cast<std::ptrdiff_t>(first));
  const u32 sum = load_le<u32>(entry.bytes, 4);
  store_le<u32>(entry.bytes, 4, 0);
  if (crc32c(entry.bytes) != sum || !descriptors_are_sound(entry)) return std::nullopt;
  return entry;
}

bool Log::descriptors_are_sound(const Entry& entry) const {
  u64 data = entry.data_at();
  for (u32 i = 0; i < entry.descriptors; i++) {
    const auto row = std::span(entry.bytes).subspan(kEntryHeader + i * kDescriptor, kDescriptor);
    const u64 offset = load_le<u64>(row, 16);
    if (load_le<u64>(row, 24) != entry.sequence || offset % kSector != 0 || offset >= u64{1} << 62) return false;
    if (signed_as(row, "zero")) {
      if (load_le<u64>(row, 8) % kSector != 0 || load_le<u64>(row, 8) > file_.size_bytes()) return false;
      continue;
    }
    if (!signed_as(row, "desc") || data + kSector > entry.bytes.size()) return false;
    const auto sector = std::span(entry.bytes).subspan(static_cast<std::size_t>(data), kSector);
    const u64 sequence = u64{load_le<u32>(sector, 4)} << 32 | load_le<u32>(sector, kSequenceLowAt);
    if (!signed_as(sector, "data") || sequence != entry.sequence) return false;
    data += kSector;
  }
  return true;
}

// Entries one after the other with consecutive numbers, up to one whose tail is the first of them.
std::vector<Entry> Log::sequence_from(u64 offset) const {
  std::vector<Entry> entries;
  std::size_t sound = 0;  // how many of them make a whole sequence
  u64 taken = 0;
  const u64 first = offset;
  while (auto entry = entry_at(offset)) {
    if (!entries.empty() && entry->sequence != entries.back().sequence + 1) break;
    taken += entry->bytes.size();
    if (taken > log_.size()) break;
    offset = (offset + entry->bytes.size()) % log_.size();
    const u32 tail = entry->tail;
    entries.push_back(std::move(*entry));
    if (tail == first) sound = entries.size();
  }
  entries.resize(sound);
  return entries;
}

Result<> Log::carry_out(const Entry& entry) {
  u64 data = entry.data_at();
  const u64 flushed = load_le<u64>(entry.bytes, 48), last = load_le<u64>(entry.bytes, 56);
  if (flushed > file_.size_bytes()) {
    return Error{fmt::format("{}: is cut short: its log tells of {} bytes; restore the file", file_.path(), flushed)};
  }
  for (u32 i = 0; i < entry.descriptors; i++) {
    const auto row = std::span(entry.bytes).subspan(kEntryHeader + i * kDescriptor, kDescriptor);
    const u64 offset = load_le<u64>(row, 16);
    if (signed_as(row, "zero")) {
      const std::vector<u8> zeros(kSector);
      for (u64 done = 0; done < load_le<u64>(row, 8); done += kSector) {
        if (auto written = file_.write(offset + done, zeros); !written) return written;
      }
      continue;
    }
    const auto sector = std::span(entry.bytes).subspan(static_cast<std::size_t>(data), kSector);
    std::vector<u8> content(kSector);
    std::copy_n(row.begin() + 8, kLeadingBytes, content.begin());
    std::copy_n(sector.begin() + kDataAt, kDataInSector, content.begin() + kLeadingBytes);
    std::copy_n(row.begin() + 4, kTrailingBytes, content.begin() + kLeadingBytes + kDataInSector);
    if (auto written = file_.write(offset, content); !written) return written;
    data += kSector;
  }
  constexpr u64 kMostGrowth = u64{1} << 40;
  if (last > file_.size_bytes() && last - file_.size_bytes() < kMostGrowth) return file_.resize(last);
  return {};
}

// The sequence with the highest number is the one that counts.
Result<> Log::replay() {
  if (auto loaded = load(); !loaded) return loaded;
  std::vector<Entry> best;
  for (u64 offset = 0; offset < log_.size(); offset += kSector) {
    auto entries = sequence_from(offset);
    if (entries.empty() || (!best.empty() && best.back().sequence >= entries.back().sequence)) continue;
    best = std::move(entries);
  }
  if (best.empty()) {
    return Error{
        fmt::format("{}: is a damaged VHDX image: its log holds no sound changes, and the header says that there "
                    "are some; mend it with 'qemu-img check -r all'",
                    file_.path())};
  }
  for (const Entry& entry : best) {
    if (auto done = carry_out(entry); !done) return done;
  }
  return file_.flush();
}

}  // namespace

Result<> replay_vhdx_log(ImageFile& file, VhdxHeader& header) {
  if (auto replayed = Log(file, header).replay(); !replayed) return replayed;
  header.log_guid = {};
  return write_vhdx_header(file, header);
}

}  // namespace relic86
