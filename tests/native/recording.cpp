#include "tests/native/recording.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "tests/native/groups.h"

namespace relic86::native {

namespace {

constexpr std::string_view kMagic = "relic86 native recording";
constexpr int kLevel = 19;  // of zstd: recordings are made seldom and kept

// How a case ended, in one byte; vectors are below.
enum End : u8 { kEndDied = 0xFD, kEndHung = 0xFE, kEndCompleted = 0xFF };
enum Changed : u8 { kStray = 1, kSelectors = 2, kMemory = 4, kUnits = 8 };
enum UnitsChanged : u8 { kNewControl = 1, kNewStatus = 2, kNewTags = 4, kNewMxcsr = 8 };

void put(std::vector<u8>& column, u64 value, unsigned count) {
  for (unsigned i = 0; i < count; ++i) column.push_back(static_cast<u8>(value >> (8 * i)));
}
void put_varint(std::vector<u8>& column, u64 value) {
  for (; value >= 0x80; value >>= 7) column.push_back(static_cast<u8>(value | 0x80));
  column.push_back(static_cast<u8>(value));
}
void put_bytes(std::vector<u8>& column, const void* from, std::size_t count) {
  const u8* const bytes = static_cast<const u8*>(from);
  column.insert(column.end(), bytes, bytes + count);
}

// Runs of changed bytes: distance from the last run's end, length, bytes.
void put_window(std::vector<u8>& values, const u8* before, const u8* after) {
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
  put_varint(values, runs.size());
  u32 last = 0;
  for (const Run& run : runs) {
    put_varint(values, run.first - last);
    put_varint(values, run.end - run.first);
    put_bytes(values, after + run.first, run.end - run.first);
    last = run.end;
  }
}

// Registers are compared where they were: a push or pop moves them all in stack order.
FxState moved_to(const FxState& before, unsigned top) {
  FxState moved = before;
  for (unsigned i = 0; i < 8; ++i) moved.st[i] = before.st[(i + top - before.top()) & 7];
  return moved;
}

void put_units(RecordingColumns& columns, const FxState& before, const FxState& after) {
  const FxState moved = moved_to(before, after.top());
  u8 changed = 0, st = 0, xmm = 0;
  if (after.control != before.control) changed |= kNewControl;
  if (after.status != before.status) changed |= kNewStatus;
  if (after.tags != before.tags) changed |= kNewTags;
  if (after.mxcsr != before.mxcsr) changed |= kNewMxcsr;
  for (unsigned i = 0; i < 8; ++i) {
    if (std::memcmp(moved.st[i].bytes, after.st[i].bytes, 10) != 0) st = static_cast<u8>(st | 1u << i);
    if (std::memcmp(before.xmm[i].bytes, after.xmm[i].bytes, 16) != 0) xmm = static_cast<u8>(xmm | 1u << i);
  }
  put_bytes(columns.kinds, &changed, 1);
  put_bytes(columns.kinds, &st, 1);
  put_bytes(columns.kinds, &xmm, 1);
  if ((changed & kNewControl) != 0) put(columns.values, after.control, 2);
  if ((changed & kNewStatus) != 0) put(columns.values, after.status, 2);
  if ((changed & kNewTags) != 0) put(columns.values, after.tags, 1);
  if ((changed & kNewMxcsr) != 0) put(columns.values, after.mxcsr, 4);
  for (unsigned i = 0; i < 8; ++i) {
    if ((st >> i & 1) != 0) put_bytes(columns.values, after.st[i].bytes, 10);
  }
  for (unsigned i = 0; i < 8; ++i) {
    if ((xmm >> i & 1) != 0) put_bytes(columns.values, after.xmm[i].bytes, 16);
  }
}

u8 end_of(const CaseResult& result) {
  switch (result.vector) {
    case kCompleted: return kEndCompleted;
    case kHung: return kEndHung;
    case kChildDied: return kEndDied;
    default: return static_cast<u8>(result.vector);
  }
}

u32 hash(u32 value, const void* from, std::size_t count) {
  for (const u8* at = static_cast<const u8*>(from); count > 0; --count, ++at) value = (value ^ *at) * 0x01000193;
  return value;
}

std::string text_of(const RecordingHeader& header) {
  const Processor& p = header.processor;
  std::string text = fmt::format("{} {}\nprocessor {} {} {} {}\nbrand {}\nfeatures {}\ngroup {}\nseed {}\ncount {}\n",
                                 kMagic, kRecordingVersion, p.vendor, p.family, p.model, p.stepping, p.brand,
                                 header.features, header.group, header.seed, header.count);
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

u32 check_of(const Batches& batches, unsigned slot, std::span<const CaseInput> inputs) {
  const GuestCode& code = batches.codes()[slot];
  const u32 origin = code.start() - code.lead;
  u32 value = hash(0x811C9DC5, code.bytes.data() + code.lead, code.end - origin - code.lead);
  value = hash(value, code.segment, sizeof code.segment);
  for (std::size_t i = slot; i < inputs.size(); i += Batches::kCodes) {
    const CaseInput& input = inputs[i];
    value = hash(value, input.gpr, sizeof input.gpr);
    value = hash(value, &input.eflags, sizeof input.eflags);
    value = hash(value, input.window, sizeof input.window);
    if (!input.units) continue;
    value = hash(value, &input.fx.control, sizeof input.fx.control);
    value = hash(value, &input.fx.mxcsr, sizeof input.fx.mxcsr);
    value = hash(value, input.fx.st, sizeof input.fx.st);
    value = hash(value, input.fx.xmm, sizeof input.fx.xmm[0] * 8);
  }
  return value;
}

void RecordingWriter::begin_batch(const Batches& batches, std::span<const CaseInput> inputs) {
  for (unsigned slot = 0; slot < Batches::kCodes; ++slot) put(columns_.checks, check_of(batches, slot, inputs), 4);
}

void RecordingWriter::add(const GuestCode& code, const CaseInput& input, const CaseResult& result) {
  std::vector<u8>& values = columns_.values;
  // What is masked by name is another one each time.
  const u32 masked = code.pieces.back().masked_registers;
  u8 registers = 0, changed = 0, selectors = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if (result.gpr[i] != input.gpr[i] && (masked >> i & 1) == 0) registers = static_cast<u8>(registers | 1u << i);
  }
  for (unsigned i = 0; i < kSlotCount; ++i) {
    if (result.segment[i] != input.segment[i]) selectors = static_cast<u8>(selectors | 1u << i);
  }
  if (result.stray != 0) changed |= kStray;
  if (selectors != 0) changed |= kSelectors;
  if (std::memcmp(result.window, input.window, kWindowSize) != 0) changed |= kMemory;
  if (input.units) changed |= kUnits;
  put(columns_.kinds, end_of(result), 1);
  put(columns_.kinds, registers, 1);
  put(columns_.kinds, changed, 1);
  put_varint(values, result.eflags ^ input.eflags);
  if (result.vector != kCompleted) {
    put(values, result.eip - code.start(), 4);
    put_varint(values, result.error_code);
    if (result.vector == 14) put(values, result.cr2, 4);
  }
  for (unsigned i = 0; i < 8; ++i) {
    if ((registers >> i & 1) != 0) put(values, result.gpr[i], 4);
  }
  if (selectors != 0) {
    put(columns_.kinds, selectors, 1);
    for (unsigned i = 0; i < kSlotCount; ++i) {
      if ((selectors >> i & 1) != 0) put(values, result.segment[i], 2);
    }
  }
  if ((changed & kStray) != 0) put(values, result.stray, 8);
  if ((changed & kMemory) != 0) put_window(values, input.window, result.window);
  if (input.units) put_units(columns_, input.fx, result.fx);
}

Result<> RecordingWriter::save(const std::string& path, const RecordingHeader& header) const {
  const std::string text = text_of(header);
  std::vector<u8> content(text.begin(), text.end());
  for (const std::vector<u8>* column : {&columns_.checks, &columns_.kinds, &columns_.values}) {
    put(content, column->size(), 8);
    content.insert(content.end(), column->begin(), column->end());
  }
  std::vector<char> packed(ZSTD_compressBound(content.size()));
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), content.data(), content.size(), kLevel);
  if (ZSTD_isError(size) != 0) return Error{fmt::format("--record {}: zstd: {}", path, ZSTD_getErrorName(size))};
  std::ofstream file(path, std::ios::binary);
  file.write(packed.data(), static_cast<std::streamsize>(size));
  file.close();
  if (!file) return Error{fmt::format("--record {}: it cannot be written", path)};
  return {};
}

Result<RecordingReader> RecordingReader::open(const std::string& path) {
  auto frame = read_frame(path);
  if (!frame) return frame.error();
  const std::vector<u8>& content = frame.value();
  RecordingReader reader;
  std::size_t at = 0;
  bool first = true, complete = false;
  while (at < content.size()) {
    const auto end = std::find(content.begin() + static_cast<std::ptrdiff_t>(at), content.end(), '\n');
    const std::string line(content.begin() + static_cast<std::ptrdiff_t>(at), end);
    at += line.size() + 1;
    if (first) {
      if (line != fmt::format("{} {}", kMagic, kRecordingVersion))
        return Error{fmt::format("recording {}: it is of another version ('{}'); record it again", path, line)};
      first = false;
      continue;
    }
    if (line == "results") {
      complete = true;
      break;
    }
    if (!take_line(line, reader.header_)) return Error{fmt::format("recording {}: '{}' is not understood", path, line)};
  }
  for (Column* column : {&reader.checks_, &reader.kinds_, &reader.values_}) {
    u64 size = 0;
    if (!complete || at + 8 > content.size()) return Error{fmt::format("recording {}: it is damaged", path)};
    std::memcpy(&size, content.data() + at, 8);
    at += 8;
    if (size > content.size() - at) return Error{fmt::format("recording {}: it is damaged", path)};
    column->bytes.assign(content.begin() + static_cast<std::ptrdiff_t>(at),
                         content.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
  }
  return reader;
}

void RecordingReader::take_bytes(Column& column, void* into, std::size_t count) {
  if (count > column.bytes.size() - column.at) {
    damaged_ = true;
    std::memset(into, 0, count);
    return;
  }
  std::memcpy(into, column.bytes.data() + column.at, count);
  column.at += count;
}
u64 RecordingReader::take(Column& column, unsigned count) {
  u64 value = 0;
  take_bytes(column, &value, count);
  return value;
}
u64 RecordingReader::take_varint(Column& column) {
  u64 value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const u64 byte = take(column, 1);
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

u32 RecordingReader::next_check() { return static_cast<u32>(take(checks_, 4)); }

void RecordingReader::take_window(u8* window) {
  u64 at = 0;
  for (u64 runs = take_varint(values_); runs > 0 && !damaged_; --runs) {
    at += take_varint(values_);
    const u64 length = take_varint(values_);
    if (at > kWindowSize || length > kWindowSize - at) {
      damaged_ = true;
      return;
    }
    take_bytes(values_, window + at, length);
    at += length;
  }
}

void RecordingReader::take_units(FxState& fx) {
  const u8 changed = static_cast<u8>(take(kinds_, 1));
  const u8 st = static_cast<u8>(take(kinds_, 1)), xmm = static_cast<u8>(take(kinds_, 1));
  const FxState before = fx;
  if ((changed & kNewControl) != 0) fx.control = static_cast<u16>(take(values_, 2));
  if ((changed & kNewStatus) != 0) fx.status = static_cast<u16>(take(values_, 2));
  if ((changed & kNewTags) != 0) fx.tags = static_cast<u8>(take(values_, 1));
  if ((changed & kNewMxcsr) != 0) fx.mxcsr = static_cast<u32>(take(values_, 4));
  const FxState moved = moved_to(before, fx.top());
  std::memcpy(fx.st, moved.st, sizeof fx.st);
  for (unsigned i = 0; i < 8; ++i) {
    if ((st >> i & 1) != 0) take_bytes(values_, fx.st[i].bytes, 10);
  }
  for (unsigned i = 0; i < 8; ++i) {
    if ((xmm >> i & 1) != 0) take_bytes(values_, fx.xmm[i].bytes, 16);
  }
}

void RecordingReader::next(const GuestCode& code, const CaseInput& input, CaseResult& result) {
  const u8 end = static_cast<u8>(take(kinds_, 1)), registers = static_cast<u8>(take(kinds_, 1));
  const u8 changed = static_cast<u8>(take(kinds_, 1));
  result.fx = input.fx;
  std::memcpy(result.gpr, input.gpr, sizeof result.gpr);
  std::memcpy(result.segment, input.segment, sizeof result.segment);
  std::memcpy(result.window, input.window, sizeof result.window);
  result.vector = end == kEndCompleted ? kCompleted : end == kEndHung ? kHung : end == kEndDied ? kChildDied : end;
  result.eip = result.error_code = result.cr2 = 0;
  result.stray = 0;
  result.eflags = input.eflags ^ static_cast<u32>(take_varint(values_));
  if (result.vector != kCompleted) {
    result.eip = code.start() + static_cast<u32>(take(values_, 4));
    result.error_code = static_cast<u32>(take_varint(values_));
    if (result.vector == 14) result.cr2 = static_cast<u32>(take(values_, 4));
  }
  for (unsigned i = 0; i < 8; ++i) {
    if ((registers >> i & 1) != 0) result.gpr[i] = static_cast<u32>(take(values_, 4));
  }
  if ((changed & kSelectors) != 0) {
    const u8 selectors = static_cast<u8>(take(kinds_, 1));
    for (unsigned i = 0; i < kSlotCount; ++i) {
      if ((selectors >> i & 1) != 0) result.segment[i] = static_cast<u16>(take(values_, 2));
    }
  }
  if ((changed & kStray) != 0) result.stray = take(values_, 8);
  if ((changed & kMemory) != 0) take_window(result.window);
  if ((changed & kUnits) != 0) take_units(result.fx);
}

}  // namespace relic86::native
