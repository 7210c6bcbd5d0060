#include "insight/symbol_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>

namespace relic86 {

namespace {

constexpr std::string_view kElfMagic = "\177ELF";
constexpr std::streamoff kLongestList = 256 << 20;
constexpr u64 kUnknownSize = 4096;  // bytes, of the last function of a list

std::string_view take_word(std::string_view& line) {
  constexpr std::string_view kBlanks = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

Result<SymbolTable> SymbolTable::read(const std::string& file, u64 offset) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  const std::streamoff size = stream ? static_cast<std::streamoff>(stream.tellg()) : -1;
  if (size < 0) return Error{fmt::format("--symbols {}: {}", file, std::strerror(errno))};
  std::string magic(kElfMagic.size(), '\0');
  stream.seekg(0);
  stream.read(magic.data(), static_cast<std::streamsize>(magic.size()));
  auto table = [&]() -> Result<SymbolTable> {
    if (magic == kElfMagic) return read_elf(file, offset);
    if (size > kLongestList) return Error{"a list of symbols has at most 256 MiB; an ELF file may have more"};
    stream.clear();
    stream.seekg(0);
    return parse_list(std::string(std::istreambuf_iterator<char>(stream), {}), offset);
  }();
  if (!table) return Error{fmt::format("--symbols {}: {}", file, table.message())};
  table.value().file_ = file;
  return table;
}

Result<SymbolTable> SymbolTable::parse_list(std::string_view text, u64 offset) {
  SymbolTable table;
  table.offset_ = offset;
  for (unsigned number = 1; !text.empty(); number++) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    const std::string_view address = take_word(line), type = take_word(line), name = take_word(line);
    if (address.empty() || type == "U") continue;  // nm: an undefined symbol has no address
    u64 value = 0;
    const auto [end, failure] = std::from_chars(address.data(), address.data() + address.size(), value, 16);
    const bool whole = failure == std::errc() && end == address.data() + address.size();
    if (!whole && (address == "U" || address == "w")) continue;
    if (!whole || type.size() != 1 || name.empty())
      return Error{fmt::format(
          "line {} is no symbol; give an ELF file, or lines of \"ADDRESS TYPE NAME\" as nm and System.map have them",
          number)};
    table.places_.emplace(name, value + offset);
    constexpr std::string_view kCode = "tTwWiI";
    if (kCode.find(type) != std::string_view::npos)
      table.symbols_.push_back({value + offset, 0, std::string(name), number});
  }
  table.put_in_order();
  if (table.symbols_.empty()) return Error{"it names no code; give a file with functions (nm's types t, T and W)"};
  return table;
}

void SymbolTable::put_in_order() {
  std::stable_sort(symbols_.begin(), symbols_.end(),
                   [](const Symbol& a, const Symbol& b) { return a.address < b.address; });
  const auto same = [](const Symbol& a, const Symbol& b) { return a.address == b.address; };
  symbols_.erase(std::unique(symbols_.begin(), symbols_.end(), same), symbols_.end());
}

const Symbol* SymbolTable::find(u64 address) const {
  auto after = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                [](u64 wanted, const Symbol& symbol) { return wanted < symbol.address; });
  if (after == symbols_.begin()) return nullptr;
  const Symbol& symbol = *std::prev(after);
  const u64 size = symbol.size != 0 ? symbol.size : after == symbols_.end() ? kUnknownSize : ~u64{0};
  return address - symbol.address < size ? &symbol : nullptr;
}

std::optional<u64> SymbolTable::address_of(const std::string& name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? std::nullopt : std::optional(found->second);
}

u64 SymbolTable::end() const {
  if (symbols_.empty()) return 0;
  const Symbol& last = symbols_.back();
  return last.address + (last.size != 0 ? last.size : kUnknownSize);
}

}  // namespace relic86
