// Assertions for our own bugs. Never for guest behaviour (that is a value) or host trouble (that is a Result).
#pragma once

namespace relic86 {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace relic86

#define RELIC86_ASSERT(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::relic86::assertion_failed(#condition, __FILE__, __LINE__))
