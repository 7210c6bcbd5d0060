#include "tests/native/recording_file.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/native/groups.h"
#include "tests/native/layout.h"

namespace relic86::native {

namespace {

constexpr unsigned kVersion = 1;
constexpr int kLevel = 19;  // of zstd: recordings are made seldom and kept

// How a case ended, in one byte; vectors are below.
enum End : u8 { kEndDied = 0xFD, kEndHung = 0xFE, kEndCompleted = 0xFF };
enum UnitsChanged : u8 { kNewControl = 1, kNewStatus = 2, kNewTags = 4, kNewMxcsr = 8 };

constexpr std::size_t kStBytes = 10, kXmmBytes = 16;

// Registers are compared where they were: a push or pop moves them all in stack order.
FxState moved_to(const FxState& before, unsigned top) {
  FxState moved = before;
  for (unsigned i = 0; i < 8; ++i) moved.st[i] = before.st[(i + top - before.top()) & 7];
  return moved;
}

u64 changed_slots(const FxState::Slot* before, std::span<const FxState::Slot> after, std::size_t bytes) {
  u64 changed = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (std::memcmp(before[i].bytes, after[i].bytes, bytes) != 0) changed |= u64{1} << i;
  }
  return changed;
}

// CPUID 1 and 7: EAX to EDX, in hex.
std::string host_features() {
  std::string text;
  for (const unsigned leaf : {1u, 7u, 0x80000001u}) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(leaf, 0, &a, &b, &c, &d) == 0) continue;
    b &= leaf == 1 ? 0x0000FFFFu : ~0u;  // without the number of the processor that happens to run this
    text += fmt::format("{}{:x}:{:08x},{:08x},{:08x},{:08x}", text.empty() ? "" : " ", leaf, a, b, c, d);
  }
  return text;
}

// CPUID 1, ECX bit 31, which processors leave clear.
bool in_virtual_machine() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 31) != 0;
}

std::string text_of(const RecordingHeader& header, std::string_view kind) {
  const Processor& p = header.processor;
  std::string text = fmt::format("{} {}\nprocessor {} {} {} {}\nbrand {}\nfeatures {}\ngroup {}\nseed {}\ncount {}\n",
                                 kind, kVersion, p.vendor, p.family, p.model, p.stepping, p.brand, header.features,
                                 header.group, header.seed, header.count);
  for (const std::string& row : header.rows) text += fmt::format("row {}\n", row);
  return text + "results\n";
}

// "count 100": the rest of a line that begins with name.
bool rest_of(std::string_view line, std::string_view name, std::string& rest) {
  if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') return false;
  rest = line.substr(name.size() + 1);
  return true;
}

// False: a line that is not known.
bool take_line(const std::string& line, RecordingHeader& header) {
  std::string rest;
  const auto number = [&](u64& into) {
    return std::from_chars(rest.data(), rest.data() + rest.size(), into).ec == std::errc();
  };
  if (rest_of(line, "brand", header.processor.brand) || rest_of(line, "features", header.features) ||
      rest_of(line, "group", header.group))
    return true;
  if (line == "brand") return true;
  if (rest_of(line, "seed", rest)) return number(header.seed);
  if (rest_of(line, "count", rest)) return number(header.count);
  if (rest_of(line, "row", rest)) return header.rows.push_back(rest), true;
  if (!rest_of(line, "processor", rest)) return false;
  char vendor[13] = {};
  const int found = std::sscanf(rest.c_str(), "%12s %u %u %u", vendor, &header.processor.family,
                                &header.processor.model, &header.processor.stepping);
  header.processor.vendor = vendor;
  return found == 4 && header.processor.vendor.size() == 12;
}

Result<std::vector<u8>> read_frame(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{fmt::format("recording {}: it cannot be read", path)};
  const std::vector<char> packed{std::istreambuf_iterator<char>(file), {}};
  constexpr u64 kMost = u64{1} << 32;
  const u64 size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kMost)
    return Error{fmt::format("recording {}: it is not one of --record's", path)};
  std::vector<u8> content(size);
  if (ZSTD_decompress(content.data(), size, packed.data(), packed.size()) != size)
    return Error{fmt::format("recording {}: it is damaged", path)};
  return content;
}

}  // namespace

RecordingHeader recording_header(const Processor& processor, const std::string& group, std::span<const u16> rows,
                                 u64 seed, u64 count) {
  RecordingHeader header{processor, host_features(), group, seed, count};
  if (in_virtual_machine()) header.processor.brand = "in a virtual machine";  // the hypervisor's word, not the chip's
  for (const u16 row : rows) header.rows.push_back(row_name(row));
  return header;
}

std::vector<u16> recorded_rows(const RecordingHeader& header) {
  std::map<std::string, u16> all;
  for (u16 row = 0; row < instruction_table().size(); ++row) all.emplace(row_name(row), row);
  all.emplace("B8 mov (Zv, Iz)", all.at("B8 mov (Zv, Iv)"));  // as it was called before 64-bit operands
  std::vector<u16> rows;
  for (const std::string& name : header.rows) {
    const auto found = all.find(name);
    rows.push_back(found == all.end() ? kNoRow : found->second);
  }
  return rows;
}

void RecordingColumn::put(u64 value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) bytes_.push_back(static_cast<u8>(value >> (8 * i)));
}

void RecordingColumn::put_varint(u64 value) {
  for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<u8>(value | 0x80));
  bytes_.push_back(static_cast<u8>(value));
}

void RecordingColumn::put_bytes(const void* from, std::size_t count) {
  const u8* const bytes = static_cast<const u8*>(from);
  bytes_.insert(bytes_.end(), bytes, bytes + count);
}

void RecordingColumn::take_bytes(void* into, std::size_t count) {
  if (count > bytes_.size() - at_) {
    ended_early_ = true;
    std::memset(into, 0, count);
    return;
  }
  std::memcpy(into, bytes_.data() + at_, count);
  at_ += count;
}

u64 RecordingColumn::take(unsigned bytes) {
  u64 value = 0;
  take_bytes(&value, bytes);
  return value;
}

u64 RecordingColumn::take_varint() {
  u64 value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const u64 byte = take(1);
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

Result<> Recording::save(const std::string& path, std::string_view kind) const {
  const std::string text = text_of(header, kind);
  RecordingColumn content;
  content.put_bytes(text.data(), text.size());
  for (const RecordingColumn* column : {&checks, &kinds, &values}) {
    content.put(column->bytes_.size(), 8);
    content.put_bytes(column->bytes_.data(), column->bytes_.size());
  }
  const std::vector<u8>& bytes = content.bytes_;
  std::vector<char> packed(ZSTD_compressBound(bytes.size()));
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size) != 0) return Error{fmt::format("--record {}: zstd: {}", path, ZSTD_getErrorName(size))};
  std::ofstream file(path, std::ios::binary);
  file.write(packed.data(), static_cast<std::streamsize>(size));
  file.close();
  if (!file) return Error{fmt::format("--record {}: it cannot be written", path)};
  return {};
}

Result<Recording> Recording::open(const std::string& path, std::string_view kind) {
  auto frame = read_frame(path);
  if (!frame) return frame.error();
  const std::vector<u8>& content = frame.value();
  Recording recording;
  std::size_t at = 0;
  bool first = true, complete = false;
  while (at < content.size()) {
    const auto end = std::find(content.begin() + static_cast<std::ptrdiff_t>(at), content.end(), '\n');
    const std::string line(content.begin() + static_cast<std::ptrdiff_t>(at), end);
    at += line.size() + 1;
    if (first) {
      if (line != fmt::format("{} {}", kind, kVersion))
        return Error{fmt::format("recording {}: it is of another kind or version ('{}'); record it again", path, line)};
      first = false;
      continue;
    }
    if (line == "results") {
      complete = true;
      break;
    }
    if (!take_line(line, recording.header))
      return Error{fmt::format("recording {}: '{}' is not understood", path, line)};
  }
  for (RecordingColumn* column : {&recording.checks, &recording.kinds, &recording.values}) {
    u64 size = 0;
    if (!complete || at + 8 > content.size()) return Error{fmt::format("recording {}: it is damaged", path)};
    std::memcpy(&size, content.data() + at, 8);
    at += 8;
    if (size > content.size() - at) return Error{fmt::format("recording {}: it is damaged", path)};
    column->put_bytes(content.data() + at, size);
    at += size;
  }
  return recording;
}

Result<> Recording::judge(u64 changed) const {
  if (damaged()) return Error{"the recording is damaged; record it again"};
  constexpr u64 kMostChanged = 25;  // percent
  if (changed * 100 <= header.count * kMostChanged) return {};
  return Error{fmt::format("{} of {} cases are made otherwise than when they were recorded; record them again", changed,
                           header.count)};
}

// Runs of changed bytes: distance from the last run's end, length, bytes.
void Recording::put_window(const u8* before, const u8* after) {
  struct Run {
    u32 first, end;
  };
  std::vector<Run> runs;
  constexpr u32 kJoin = 3;  // a shorter gap costs more than its bytes
  for (u32 i = 0; i < kWindowSize; ++i) {
    if (before[i] == after[i]) continue;
    if (!runs.empty() && i - runs.back().end < kJoin)
      runs.back().end = i + 1;
    else
      runs.push_back({i, i + 1});
  }
  values.put_varint(runs.size());
  u32 last = 0;
  for (const Run& run : runs) {
    values.put_varint(run.first - last);
    values.put_varint(run.end - run.first);
    values.put_bytes(after + run.first, run.end - run.first);
    last = run.end;
  }
}

void Recording::take_window(u8* window) {
  u64 at = 0;
  for (u64 runs = values.take_varint(); runs > 0 && !damaged(); --runs) {
    at += values.take_varint();
    const u64 length = values.take_varint();
    if (at > kWindowSize || length > kWindowSize - at) {
      broken = true;
      return;
    }
    values.take_bytes(window + at, length);
    at += length;
  }
}

void Recording::put_units(const FxState& before, const FxState& after, unsigned xmm) {
  const FxState moved = moved_to(before, after.top());
  u8 changed = 0;
  if (after.control != before.control) changed |= kNewControl;
  if (after.status != before.status) changed |= kNewStatus;
  if (after.tags != before.tags) changed |= kNewTags;
  if (after.mxcsr != before.mxcsr) changed |= kNewMxcsr;
  const u64 st = changed_slots(moved.st, after.st, kStBytes);
  const u64 vectors = changed_slots(before.xmm, std::span(after.xmm).first(xmm), kXmmBytes);
  kinds.put(changed, 1);
  kinds.put(st, 1);
  kinds.put(vectors, xmm / 8);
  if ((changed & kNewControl) != 0) values.put(after.control, 2);
  if ((changed & kNewStatus) != 0) values.put(after.status, 2);
  if ((changed & kNewTags) != 0) values.put(after.tags, 1);
  if ((changed & kNewMxcsr) != 0) values.put(after.mxcsr, 4);
  for (unsigned i = 0; i < 8; ++i) {
    if ((st >> i & 1) != 0) values.put_bytes(after.st[i].bytes, kStBytes);
  }
  for (unsigned i = 0; i < xmm; ++i) {
    if ((vectors >> i & 1) != 0) values.put_bytes(after.xmm[i].bytes, kXmmBytes);
  }
}

void Recording::take_units(FxState& fx, unsigned xmm) {
  const u64 changed = kinds.take(1), st = kinds.take(1), vectors = kinds.take(xmm / 8);
  const FxState before = fx;
  if ((changed & kNewControl) != 0) fx.control = static_cast<u16>(values.take(2));
  if ((changed & kNewStatus) != 0) fx.status = static_cast<u16>(values.take(2));
  if ((changed & kNewTags) != 0) fx.tags = static_cast<u8>(values.take(1));
  if ((changed & kNewMxcsr) != 0) fx.mxcsr = static_cast<u32>(values.take(4));
  const FxState moved = moved_to(before, fx.top());
  std::memcpy(fx.st, moved.st, sizeof fx.st);
  for (unsigned i = 0; i < 8; ++i) {
    if ((st >> i & 1) != 0) values.take_bytes(fx.st[i].bytes, kStBytes);
  }
  for (unsigned i = 0; i < xmm; ++i) {
    if ((vectors >> i & 1) != 0) values.take_bytes(fx.xmm[i].bytes, kXmmBytes);
  }
}

void Recording::put_upper_halves(const FxState::Slot* before, std::span<const FxState::Slot> after) {
  const u64 changed = changed_slots(before, after, kXmmBytes);
  kinds.put_varint(changed);
  for (std::size_t i = 0; i < after.size(); ++i) {
    if ((changed >> i & 1) != 0) values.put_bytes(after[i].bytes, kXmmBytes);
  }
}

void Recording::take_upper_halves(std::span<FxState::Slot> into) {
  const u64 changed = kinds.take_varint();
  for (std::size_t i = 0; i < into.size(); ++i) {
    if ((changed >> i & 1) != 0) values.take_bytes(into[i].bytes, kXmmBytes);
  }
}

void Recording::put_end(u32 vector) {
  switch (vector) {
    case kCompleted: return kinds.put(kEndCompleted, 1);
    case kHung: return kinds.put(kEndHung, 1);
    case kChildDied: return kinds.put(kEndDied, 1);
    default: return kinds.put(vector, 1);
  }
}

u32 Recording::take_end() {
  const u8 end = static_cast<u8>(kinds.take(1));
  return end == kEndCompleted ? kCompleted : end == kEndHung ? kHung : end == kEndDied ? kChildDied : end;
}

u32 check_bytes(u32 value, const void* from, std::size_t count) {
  for (const u8* at = static_cast<const u8*>(from); count > 0; --count, ++at) value = (value ^ *at) * 0x01000193;
  return value;
}

}  // namespace relic86::native
