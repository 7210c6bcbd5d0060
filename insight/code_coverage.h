// The code that the guest has run, by linear address, and the files that tell of it.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "insight/line_table.h"
#include "insight/symbol_table.h"

namespace relic86 {

// Sorted pieces of memory that do not touch each other.
class AddressRanges {
 public:
  struct Range {
    u64 first = 0, last = 0;  // both belong to it
  };
  // of: in any order, overlapping as they like.
  explicit AddressRanges(std::vector<Range> of);
  // Whether any of them has a byte in [first, last].
  bool meets(u64 first, u64 last) const;
  const std::vector<Range>& all() const { return ranges_; }

 private:
  std::vector<Range> ranges_;
};

class CodeCoverage {
 public:
  // A straight run of instructions was carried out. Returns false, and takes nothing new any more, at kMostBlocks.
  bool add(u64 linear, u32 bytes);
  AddressRanges ranges() const;
  std::size_t blocks() const { return blocks_.size(); }

  static constexpr std::size_t kMostBlocks = std::size_t{8} << 20;

  // DynamoRIO's drcov, version 2: a table of modules as text, then 8 bytes a block (offset in its module, length,
  // module). Each table of symbols is a module; what lies outside of all is counted from the 4 GiB that it lies in.
  std::string drcov(const std::vector<SymbolTable>& symbols) const;
  // lcov's tracefile: functions and, where a file has DWARF, lines. Functions of a list stand on the list's own lines.
  // lines: beside symbols, one for each.
  std::string lcov(const std::vector<SymbolTable>& symbols, const std::vector<LineTable>& lines) const;

 private:
  std::unordered_map<u64, u32> blocks_;  // bytes of the longest that begins there
};

}  // namespace relic86
