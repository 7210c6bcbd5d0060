// What must be equal on both sides, what is masked, and how a difference is told.
#pragma once

#include <string>

#include "tests/native/guest_code.h"

namespace relic86::native {

enum class Verdict : u8 {
  Equal,
  Masked,   // equal but for masked bits, which differ
  Skipped,  // cannot be compared (host_extras.h)
  Different,
};

// The emulated far jump that ends a case faults; this turns it into kCompleted.
void settle_end(const GuestCode& code, const CaseInput& input, CaseResult& emulated);

// undefined: compare undefined flags too.
Verdict compare(const GuestCode& code, const CaseInput& input, const CaseResult& host, const CaseResult& emulated,
                bool undefined);

// One line for each thing that differs.
std::string differences(const GuestCode& code, const CaseInput& input, const CaseResult& host,
                        const CaseResult& emulated);
std::string input_text(const GuestCode& code, const CaseInput& input);

}  // namespace relic86::native
