// How often each row of the instruction table was compared, and with what masked.
#pragma once

#include <string>
#include <vector>

#include "tests/native/comparison.h"

namespace relic86::native {

class Coverage {
 public:
  Coverage();
  void count(const GuestCode& code, const CaseResult& host, Verdict verdict);
  // One line a row; rows that were not compared with the reason.
  std::string report(std::string_view group) const;
  // Rows of the group that should have been compared and were not.
  unsigned missing(std::string_view group) const;

 private:
  struct Row {
    u64 completed = 0, faulted = 0, masked = 0;
  };
  std::vector<Row> rows_;
};

}  // namespace relic86::native
