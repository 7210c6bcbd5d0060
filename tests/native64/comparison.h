// What must be equal on both sides, what is masked, and how a difference is told.
#pragma once

#include <string>

#include "tests/native64/code.h"

namespace relic86::native64 {

enum class Verdict : u8 {
  Equal,
  Masked,   // equal but for masked bits, which differ
  Skipped,  // cannot be compared: met pages of the host alone, left its code, moved between aliases, or set MXCSR.MM
  Different,
};

Verdict compare(const GuestCode& code, const CaseInput& input, const CaseResult& host, const CaseResult& emulated);

// One line for each thing that differs.
std::string differences(const GuestCode& code, const CaseInput& input, const CaseResult& host,
                        const CaseResult& emulated);
std::string input_text(const CaseInput& input);

}  // namespace relic86::native64
