// The format: DynamoRIO's documentation of drcov, "Code Coverage Tool", and clients/drcov/modules.h's column names.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "insight/code_coverage.h"

namespace relic86 {

namespace {

struct Module {
  u64 base = 0, end = 0;
  std::string name;
};

void put(std::string& text, u64 value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) text += static_cast<char>(value >> (i * 8));
}

}  // namespace

std::string CodeCoverage::drcov(const std::vector<SymbolTable>& symbols) const {
  constexpr u32 kLongestBlock = 0xFFFF;
  std::vector<Module> modules;
  for (const SymbolTable& table : symbols) modules.push_back({table.first(), table.end(), table.file()});
  std::map<u64, u16> windows;  // of 4 GiB, by the upper half of their addresses

  std::vector<std::pair<u64, u32>> blocks(blocks_.begin(), blocks_.end());
  std::sort(blocks.begin(), blocks.end());
  std::string table;
  for (const auto& [linear, bytes] : blocks) {
    const auto named =
        std::find_if(modules.begin(), modules.begin() + static_cast<std::ptrdiff_t>(symbols.size()),
                     [at = linear](const Module& m) { return at >= m.base && at - m.base < m.end - m.base; });
    auto number = static_cast<u16>(named - modules.begin());
    if (number == symbols.size()) {
      const u64 upper = linear >> 32;
      const auto [window, fresh] = windows.try_emplace(upper, static_cast<u16>(modules.size()));
      if (fresh) modules.push_back({upper << 32, (upper << 32) + 0xFFFFFFFF, fmt::format("memory-{:08x}", upper)});
      number = window->second;
    }
    put(table, linear - modules[number].base, 4);
    put(table, std::min(bytes, kLongestBlock), 2);
    put(table, number, 2);
  }
  std::string text = fmt::format(
      "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\nModule Table: version 2, count {}\n"
      "Columns: id, base, end, entry, path\n",
      modules.size());
  for (std::size_t i = 0; i < modules.size(); i++)
    text +=
        fmt::format("{}, {:#018x}, {:#018x}, {:#018x}, {}\n", i, modules[i].base, modules[i].end, 0, modules[i].name);
  return text + fmt::format("BB Table: {} bbs\n", blocks.size()) + table;
}

}  // namespace relic86
