// The results of cases of 64-bit code in a recording (tests/native/recording_file.h).
#pragma once

#include <span>

#include "tests/native/recording_file.h"
#include "tests/native64/batches.h"

namespace relic86::native64 {

inline constexpr std::string_view kRecordingKind = "relic86 native64 recording";

// A hash of the code and of those inputs among `cases` that it runs with.
u32 check_of(const Batches& batches, unsigned slot, std::span<const CaseInput> inputs);

void record_batch(native::Recording& recording, const Batches& batches, std::span<const CaseInput> inputs);
void record_result(native::Recording& recording, const GuestCode& code, const CaseInput& input,
                   const CaseResult& result);
// The result of the next case, made from its input. When the input is not the recorded one the result means nothing.
void take_result(native::Recording& recording, const GuestCode& code, const CaseInput& input, CaseResult& result);

}  // namespace relic86::native64
