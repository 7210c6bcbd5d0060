#include "devices/board/aml.h"

#include "base/assert.h"

namespace relic86::aml {

namespace {

// 20.3, Table 20.2.
enum Op : u8 {
  kZero = 0x00,
  kOne = 0x01,
  kName = 0x08,
  kByte = 0x0A,
  kWord = 0x0B,
  kDword = 0x0C,
  kString = 0x0D,
  kQword = 0x0E,
  kScope = 0x10,
  kBuffer = 0x11,
  kPackage = 0x12,
  kMethod = 0x14,
  kDualName = 0x2E,
  kMultiName = 0x2F,
  kExtended = 0x5B,
  kArgument0 = 0x68,
  kStore = 0x70,
  kAnd = 0x7B,
  kOr = 0x7D,
  kNotify = 0x86,
  kCreateDwordField = 0x8A,
  kIf = 0xA0,
  kReturn = 0xA4,
};
enum ExtendedOp : u8 { kRegion = 0x80, kField = 0x81, kDevice = 0x82 };
constexpr u8 kSystemIo = 1, kPciConfig = 2;  // a region's space
constexpr u8 kByteAccess = 1, kDwordAccess = 3;

void append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

void append_number(Bytes& to, u64 value, unsigned width) {
  for (unsigned i = 0; i < width; i++) to.push_back(static_cast<u8>(value >> (i * 8)));
}

// 20.2.4: the length counts its own bytes; one byte up to 63, else 4 bits in the first one and 8 in each that follows.
Bytes package_length(std::size_t content) {
  constexpr std::size_t kShort = 63;
  if (content + 1 <= kShort) return {static_cast<u8>(content + 1)};
  for (unsigned more = 1; more <= 3; more++) {
    const std::size_t length = content + 1 + more;
    if (length >> (4 + 8 * more) != 0) continue;
    Bytes bytes{static_cast<u8>(more << 6 | (length & 0xF))};
    append_number(bytes, length >> 4, more);
    return bytes;
  }
  RELIC86_ASSERT(false);
  return {};
}

Bytes sized(Bytes operation, const Bytes& content) {
  append(operation, package_length(content.size()));
  append(operation, content);
  return operation;
}

Bytes null_target() { return {kZero}; }

// Address space descriptors (6.4.3.5): the fields of the given width, in order.
constexpr u8 kMemoryType = 0, kPortType = 1, kBusType = 2;
constexpr u8 kFixed = 0x0C;  // both ends, decoded positively, produced for the devices behind the bridge
constexpr u8 kReadWrite = 1, kEntirePorts = 3;

Bytes window(u8 tag, u8 type, u8 type_flags, unsigned width, u64 first, u64 last) {
  Bytes bytes{tag};
  append_number(bytes, 3 + 5 * width, 2);
  append(bytes, {type, kFixed, type_flags});
  for (const u64 value : {u64{0}, first, last, u64{0}, last - first + 1}) append_number(bytes, value, width);
  return bytes;
}

}  // namespace

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) append(all, part);
  return all;
}

Bytes path(std::string_view text) {
  constexpr std::size_t kSegment = 4;
  Bytes bytes;
  if (text.starts_with('\\')) {
    bytes.push_back('\\');
    text.remove_prefix(1);
  }
  std::vector<std::string_view> segments;
  while (!text.empty()) {
    segments.push_back(text.substr(0, text.find('.')));
    text.remove_prefix(std::min(text.size(), segments.back().size() + 1));
  }
  if (segments.empty()) bytes.push_back(0);
  if (segments.size() == 2) bytes.push_back(kDualName);
  if (segments.size() > 2) append(bytes, {kMultiName, static_cast<u8>(segments.size())});
  for (const std::string_view segment : segments) {
    RELIC86_ASSERT(!segment.empty() && segment.size() <= kSegment);
    append(bytes, Bytes(segment.begin(), segment.end()));
    bytes.insert(bytes.end(), kSegment - segment.size(), '_');
  }
  return bytes;
}

Bytes integer(u64 value) {
  if (value <= 1) return {value == 0 ? u8{kZero} : u8{kOne}};
  const unsigned width = value <= 0xFF ? 1 : value <= 0xFFFF ? 2 : value <= 0xFFFF'FFFF ? 4 : 8;
  Bytes bytes{width == 1 ? u8{kByte} : width == 2 ? u8{kWord} : width == 4 ? u8{kDword} : u8{kQword}};
  append_number(bytes, value, width);
  return bytes;
}

Bytes string(std::string_view text) {
  Bytes bytes{kString};
  append(bytes, Bytes(text.begin(), text.end()));
  bytes.push_back(0);
  return bytes;
}

Bytes buffer(const Bytes& content) { return sized({kBuffer}, join({integer(content.size()), content})); }

Bytes package(const std::vector<Bytes>& elements) {
  Bytes content{static_cast<u8>(elements.size())};
  for (const Bytes& element : elements) append(content, element);
  return sized({kPackage}, content);
}

Bytes package(std::initializer_list<Bytes> elements) { return package(std::vector<Bytes>(elements)); }

Bytes eisa_id(std::string_view id) {
  constexpr std::size_t kLength = 7, kLetters = 3;
  RELIC86_ASSERT(id.size() == kLength);
  u32 letters = 0, digits = 0;
  for (std::size_t i = 0; i < kLetters; i++) letters = letters << 5 | (static_cast<u32>(id[i]) & 0x1F);
  for (std::size_t i = kLetters; i < kLength; i++)
    digits = digits << 4 | static_cast<u32>(id[i] <= '9' ? id[i] - '0' : id[i] - 'A' + 10);
  return {kDword, static_cast<u8>(letters >> 8), static_cast<u8>(letters), static_cast<u8>(digits >> 8),
          static_cast<u8>(digits)};
}

Bytes name(std::string_view name, const Bytes& value) { return join({{kName}, path(name), value}); }
Bytes scope(std::string_view where, const Bytes& body) { return sized({kScope}, join({path(where), body})); }
Bytes device(std::string_view name, const Bytes& body) { return sized({kExtended, kDevice}, join({path(name), body})); }
// Serialized: a method that makes names must not run twice at a time.
Bytes method(std::string_view name, unsigned arguments, const Bytes& body) {
  constexpr u8 kSerialized = 8;
  return sized({kMethod}, join({path(name), {static_cast<u8>(arguments | kSerialized)}, body}));
}

namespace {

struct Place {
  u8 space = 0;
  u64 first = 0;
  unsigned width = 1;  // of a variable, in bytes
  u8 access = 0;
};
Bytes variables(std::string_view region, const Place& place, std::initializer_list<std::string_view> names) {
  Bytes fields = join({path(region), {place.access}});
  for (const std::string_view each : names) append(fields, join({path(each), {static_cast<u8>(place.width * 8)}}));
  return join({{kExtended, kRegion},
               path(region),
               {place.space},
               integer(place.first),
               integer(names.size() * place.width),
               sized({kExtended, kField}, fields)});
}

}  // namespace

Bytes configuration_bytes(std::string_view region, u8 offset, std::initializer_list<std::string_view> names) {
  return variables(region, {kPciConfig, offset, 1, kByteAccess}, names);
}
Bytes port_dwords(std::string_view region, u16 first, std::initializer_list<std::string_view> names) {
  return variables(region, {kSystemIo, first, 4, kDwordAccess}, names);
}

Bytes argument(unsigned number) { return {static_cast<u8>(kArgument0 + number)}; }
Bytes notify(const Bytes& device, u8 event) { return join({{kNotify}, device, integer(event)}); }
Bytes give(const Bytes& value) { return join({{kReturn}, value}); }
Bytes store(const Bytes& value, const Bytes& target) { return join({{kStore}, value, target}); }
Bytes both(const Bytes& a, const Bytes& b) { return join({{kAnd}, a, b, null_target()}); }
Bytes either(const Bytes& a, const Bytes& b, const Bytes& target) { return join({{kOr}, a, b, target}); }
Bytes when(const Bytes& condition, const Bytes& body) { return sized({kIf}, join({condition, body})); }
Bytes dword_field(const Bytes& from, unsigned offset, std::string_view name) {
  return join({{kCreateDwordField}, from, integer(offset), path(name)});
}

// 6.4.2.5, 6.4.2.1, 6.4.2.2
Bytes io_ports(u16 first, u8 count) {
  Bytes bytes{0x47, kOne};  // all 16 address bits are decoded
  append_number(bytes, first, 2);
  append_number(bytes, first, 2);
  append(bytes, {1, count});
  return bytes;
}
Bytes interrupt_line(u8 irq) {
  Bytes bytes{0x22};
  append_number(bytes, u64{1} << irq, 2);
  return bytes;
}
Bytes dma_channel(u8 channel) { return {0x2A, static_cast<u8>(1u << channel), 0}; }

Bytes bus_numbers(u8 first, u8 last) { return window(0x88, kBusType, 0, 2, first, last); }
Bytes port_window(u16 first, u16 last) { return window(0x88, kPortType, kEntirePorts, 2, first, last); }
Bytes memory_window(u32 first, u32 last) { return window(0x87, kMemoryType, kReadWrite, 4, first, last); }
Bytes wide_memory_window(u64 first, u64 last) { return window(0x8A, kMemoryType, kReadWrite, 8, first, last); }

// 6.4.3.4
Bytes fixed_memory(u32 first, u32 size) {
  constexpr u8 kDescriptor = 0x86, kWritable = 1;
  Bytes bytes{kDescriptor, 9, 0, kWritable};
  append_number(bytes, first, 4);
  append_number(bytes, size, 4);
  return bytes;
}

Bytes shared_interrupts(std::initializer_list<u32> lines) {
  constexpr u8 kConsumerLevelHighShared = 0x09;
  Bytes bytes{0x89};
  append_number(bytes, 2 + 4 * lines.size(), 2);
  append(bytes, {kConsumerLevelHighShared, static_cast<u8>(lines.size())});
  for (const u32 line : lines) append_number(bytes, line, 4);
  return bytes;
}

// The end tag; a checksum of 0 is right by definition (6.4.2.9).
Bytes resources(const Bytes& descriptors) { return buffer(join({descriptors, {0x79, 0}})); }

}  // namespace relic86::aml
