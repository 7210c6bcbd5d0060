// The cases of a run of 64-bit code.
#pragma once

#include "tests/native/batches.h"
#include "tests/native64/code.h"
#include "tests/native64/inputs.h"

namespace relic86::native64 {

using Batches = native::BatchesOf<GuestCode, CaseInput, CodeGenerator, InputGenerator>;

}  // namespace relic86::native64
