// How often each row of the instruction table was compared, in which of its forms, and with what masked. The forms of a
// row: operand in memory or in registers, operand size, address size, as far as the decoder tells them apart.
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
  // "N of M forms compared", then a line for each that was not; then the rows that cannot be compared, with the reason.
  std::string summary(std::string_view group) const;

 private:
  static constexpr unsigned kForms = 8;
  struct Row {
    u64 completed = 0, faulted = 0, masked = 0;
    u64 forms[kForms] = {};
    bool possible[kForms] = {};
  };
  void find_forms();

  std::vector<Row> rows_;
};

}  // namespace relic86::native
