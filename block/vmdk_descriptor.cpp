#include "block/vmdk_descriptor.h"

#include <fmt/format.h>

#include <charconv>

namespace relic86 {

namespace {

constexpr u64 kSector = 512, kMostSectors = u64{1} << 50;
constexpr std::size_t kMostExtents = 4096;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string_view unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

template <class T>
bool number_of(std::string_view text, T& number, int base = 10) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return failure == std::errc{} && end == text.data() + text.size();
}

// The next word, which may be in quotation marks.
std::string_view take_word(std::string_view& line) {
  line = trimmed(line);
  if (line.starts_with('"')) {
    const auto end = line.find('"', 1);
    const auto word = line.substr(0, end == std::string_view::npos ? end : end + 1);
    line.remove_prefix(word.size());
    return unquoted(word);
  }
  const auto word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

// RW 4192256 SPARSE "disk-s001.vmdk"
Result<VmdkExtent> read_extent(std::string_view line) {
  VmdkExtent extent;
  const std::string whole(line);
  const auto access = take_word(line), sectors = take_word(line), kind = take_word(line);
  u64 count = 0, offset = 0;
  const Error bad{fmt::format("its descriptor has a line that is not understood: {}", whole)};
  if (access == "NOACCESS") return Error{"a part of it is marked as not accessible"};
  if (!number_of(sectors, count) || count > kMostSectors) return bad;
  extent.writable = access == "RW";
  extent.bytes = count * kSector;
  if (kind == "FLAT" || kind == "VMFS") {
    extent.kind = VmdkExtent::Kind::Flat;
  } else if (kind == "SPARSE") {
    extent.kind = VmdkExtent::Kind::Sparse;
  } else if (kind == "ZERO") {
    extent.kind = VmdkExtent::Kind::Zero;
  } else {
    return Error{fmt::format("it has a part of type {}; FLAT, VMFS, SPARSE and ZERO are known", kind)};
  }
  extent.file = take_word(line);
  if (extent.kind != VmdkExtent::Kind::Zero && extent.file.empty()) return bad;
  const auto last = take_word(line);
  if (extent.kind == VmdkExtent::Kind::Flat && !last.empty()) {
    if (!number_of(last, offset) || offset > kMostSectors) return bad;
    extent.offset = offset * kSector;
  }
  return extent;
}

}  // namespace

Result<VmdkDescriptor> parse_vmdk_descriptor(std::string_view text) {
  VmdkDescriptor descriptor;
  text = text.substr(0, text.find('\0'));
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = trimmed(text.substr(at, end - at));
    const std::size_t line_at = at;
    at = end + 1;
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with("RW ") || line.starts_with("RDONLY ") || line.starts_with("NOACCESS ")) {
      auto extent = read_extent(line);
      if (!extent) return extent.error();
      if (descriptor.extents.size() == kMostExtents) return Error{"its descriptor has too many parts"};
      descriptor.extents.push_back(std::move(extent).value());
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const auto key = trimmed(line.substr(0, equals)), value = unquoted(trimmed(line.substr(equals + 1)));
    if (key == "parentFileNameHint") descriptor.parent = value;
    if (key == "parentCID" && !number_of(value, descriptor.parent_content_id, 16))
      return Error{"its descriptor has a parentCID that is no number"};
    if (key != "CID") continue;
    if (!number_of(value, descriptor.content_id, 16)) return Error{"its descriptor has a CID that is no number"};
    if (value.size() == 8) descriptor.content_id_at = text.find(value, line_at);
  }
  return descriptor;
}

}  // namespace relic86
