// Names of the guest's functions: from ELF files and lists of symbols, for people who look at addresses.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct Symbol {
  u64 address = 0;  // linear
  u64 size = 0;     // bytes; 0: it is not said
  std::string name;
  unsigned line = 0;  // of a list: where it stands, from 1
};

class SymbolTable {
 public:
  // An ELF file's functions, or the code in a list with lines of "ADDRESS TYPE NAME", as nm, System.map and
  // /proc/kallsyms have them. offset is added to every address. Errors name the file, what is wrong with it and what
  // would do.
  static Result<SymbolTable> read(const std::string& file, u64 offset);
  // The same from a list's text alone.
  static Result<SymbolTable> parse_list(std::string_view text, u64 offset);

  // The function that holds this address: the last one that begins at or below it, unless its size says that it ends
  // before. Null: none.
  const Symbol* find(u64 address) const;

  // Where a symbol of any kind stands, data too: the first with this name.
  std::optional<u64> address_of(const std::string& name) const;

  const std::vector<Symbol>& symbols() const { return symbols_; }  // in the order of their addresses, one each
  const std::string& file() const { return file_; }
  u64 offset() const { return offset_; }
  bool elf() const { return elf_; }
  // From the first function to the end of the last, which is taken for 4 KiB long if its size is not known.
  u64 first() const { return symbols_.empty() ? 0 : symbols_.front().address; }
  u64 end() const;

 private:
  static Result<SymbolTable> read_elf(const std::string& file, u64 offset);
  void put_in_order();

  std::string file_;
  u64 offset_ = 0;
  bool elf_ = false;
  std::vector<Symbol> symbols_;
  std::unordered_map<std::string, u64> places_;  // of all symbols
};

}  // namespace relic86
