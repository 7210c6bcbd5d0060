// Files of symbols from anybody, ELF or lists: a table whose every function can be found, or a message.
#include <cstdint>

#include "insight/code_coverage.h"
#include "tests/fuzz/scratch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  static fuzz::ScratchFile file;
  file.hold({data, size});
  std::vector<SymbolTable> tables;
  std::vector<LineTable> lines;
  auto table = SymbolTable::read(file.path(), 0);
  auto line_table = LineTable::read(file.path(), 0);
  if (!table || !line_table) return 0;
  CodeCoverage coverage;
  for (const Symbol& symbol : table.value().symbols()) {
    if (table.value().find(symbol.address) == nullptr) __builtin_trap();
    coverage.add(symbol.address, 1);
  }
  tables.push_back(std::move(table).value());
  lines.push_back(std::move(line_table).value());
  (void)coverage.drcov(tables);
  (void)coverage.lcov(tables, lines);
  return 0;
}
