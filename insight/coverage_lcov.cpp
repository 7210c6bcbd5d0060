// The format: lcov's manual, geninfo(1), "FILES".
#include <fmt/format.h>

#include <map>

#include "insight/code_coverage.h"

namespace relic86 {

namespace {

// One source: its functions and its lines, with whether they have run.
struct Source {
  struct Function {
    u32 line = 0;
    bool run = false;
  };
  std::map<std::string, Function> functions;
  std::map<u32, bool> lines;
};
using Sources = std::map<std::string, Source>;

u64 last_byte(const std::vector<Symbol>& symbols, std::size_t i) {
  const Symbol& symbol = symbols[i];
  if (symbol.size != 0) return symbol.address + symbol.size - 1;
  return i + 1 < symbols.size() ? symbols[i + 1].address - 1 : symbol.address;
}

void add_functions(Sources& sources, const SymbolTable& table, const LineTable& lines, const AddressRanges& ranges) {
  const std::vector<Symbol>& symbols = table.symbols();
  for (std::size_t i = 0; i < symbols.size(); i++) {
    const Symbol& symbol = symbols[i];
    const bool run = ranges.meets(symbol.address, last_byte(symbols, i));
    const LineTable::Row* const row = lines.find(symbol.address);
    if (!lines.rows().empty()) {
      if (row == nullptr) continue;  // it has no source
      Source::Function& function = sources[lines.sources()[row->source]].functions[symbol.name];
      function = {row->line, function.run || run};
      continue;
    }
    Source& list = sources[table.file()];
    const u32 line = symbol.line != 0 ? symbol.line : static_cast<u32>(i + 1);
    list.functions[symbol.name] = {line, run};
    list.lines[line] = run;
  }
}

void add_lines(Sources& sources, const LineTable& table, const AddressRanges& ranges) {
  const std::vector<LineTable::Row>& rows = table.rows();
  for (std::size_t i = 0; i + 1 < rows.size(); i++) {
    if (rows[i].line == 0 || rows[i].address == rows[i + 1].address) continue;
    bool& run = sources[table.sources()[rows[i].source]].lines[rows[i].line];
    run = run || ranges.meets(rows[i].address, rows[i + 1].address - 1);
  }
}

}  // namespace

std::string CodeCoverage::lcov(const std::vector<SymbolTable>& symbols, const std::vector<LineTable>& lines) const {
  const AddressRanges covered = ranges();
  Sources sources;
  for (std::size_t i = 0; i < symbols.size(); i++) {
    add_functions(sources, symbols[i], lines[i], covered);
    add_lines(sources, lines[i], covered);
  }
  std::string text = "TN:\n";
  for (const auto& [name, source] : sources) {
    text += fmt::format("SF:{}\n", name);
    std::size_t run = 0;
    for (const auto& [function, what] : source.functions) text += fmt::format("FN:{},{}\n", what.line, function);
    for (const auto& [function, what] : source.functions) {
      text += fmt::format("FNDA:{},{}\n", what.run ? 1 : 0, function);
      run += what.run ? 1 : 0;
    }
    text += fmt::format("FNF:{}\nFNH:{}\n", source.functions.size(), run);
    run = 0;
    for (const auto& [line, hit] : source.lines) {
      text += fmt::format("DA:{},{}\n", line, hit ? 1 : 0);
      run += hit ? 1 : 0;
    }
    text += fmt::format("LF:{}\nLH:{}\nend_of_record\n", source.lines.size(), run);
  }
  return text;
}

}  // namespace relic86
