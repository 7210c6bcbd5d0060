// Which line of which source an address comes from: an ELF file's DWARF.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

class LineTable {
 public:
  // The code from here to the next row's address.
  struct Row {
    u64 address = 0;  // linear
    u32 source = 0;   // in sources()
    u32 line = 0;     // 0: the code that begins here belongs to no line
  };

  // Without rows if the file has no DWARF. offset is added to every address. Errors give the cause.
  static Result<LineTable> read(const std::string& file, u64 offset);

  const std::vector<Row>& rows() const { return rows_; }  // in the order of their addresses
  const std::vector<std::string>& sources() const { return sources_; }
  // The row that an address lies in; null: none.
  const Row* find(u64 address) const;

 private:
  std::vector<Row> rows_;
  std::vector<std::string> sources_;
};

}  // namespace relic86
