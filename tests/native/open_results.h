// Results that the host's own unit computes and that the manuals leave open to the last bits: vendors differ in them.
#pragma once

#include <string_view>

#include "tests/native/processor.h"

namespace relic86::native {

// By the mnemonic: FSIN, RCPPS and their like.
bool has_open_result(std::string_view mnemonic);
// This host's units are of the vendor and family of the processor.
bool same_units(const Processor& processor);

}  // namespace relic86::native
