// The lines of an ELF file, by libdw.
#include <elfutils/libdw.h>

#include <algorithm>
#include <memory>
#include <unordered_map>

#include "insight/elf_file.h"
#include "insight/line_table.h"

namespace relic86 {

Result<LineTable> LineTable::read(const std::string& file, u64 offset) {
  const auto opened = ElfFile::open(file);
  if (!opened) return Error{opened.message()};
  LineTable table;
  const std::unique_ptr<Dwarf, decltype(&dwarf_end)> dwarf(dwarf_begin(opened.value().descriptor(), DWARF_C_READ),
                                                           dwarf_end);
  if (!dwarf) return table;

  std::unordered_map<std::string, u32> numbers;
  const auto number_of = [&](const char* source) {
    const auto [found, fresh] = numbers.try_emplace(source, static_cast<u32>(table.sources_.size()));
    if (fresh) table.sources_.emplace_back(source);
    return found->second;
  };
  size_t header = 0;
  for (Dwarf_Off at = 0, next = 0; dwarf_nextcu(dwarf.get(), at, &next, &header, nullptr, nullptr, nullptr) == 0;
       at = next) {
    Dwarf_Die unit;
    Dwarf_Lines* lines = nullptr;
    size_t count = 0;
    if (dwarf_offdie(dwarf.get(), at + header, &unit) == nullptr || dwarf_getsrclines(&unit, &lines, &count) != 0)
      continue;
    for (size_t i = 0; i < count; i++) {
      Dwarf_Line* const line = dwarf_onesrcline(lines, i);
      Dwarf_Addr address = 0;
      int number = 0;
      bool end = false;
      if (dwarf_lineaddr(line, &address) != 0 || dwarf_lineno(line, &number) != 0 ||
          dwarf_lineendsequence(line, &end) != 0)
        continue;
      const char* const source = dwarf_linesrc(line, nullptr, nullptr);
      if (source == nullptr) continue;
      table.rows_.push_back({address + offset, number_of(source), end || number < 0 ? 0 : static_cast<u32>(number)});
    }
  }
  // A row at the place where another sequence ends comes after that end.
  std::stable_sort(table.rows_.begin(), table.rows_.end(), [](const Row& a, const Row& b) {
    return a.address != b.address ? a.address < b.address : (a.line == 0) > (b.line == 0);
  });
  return table;
}

}  // namespace relic86
