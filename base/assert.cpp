#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace relic86 {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "relic86: internal error: %s:%d: assertion '%s' failed; please report this\n", file, line,
               condition);
  std::abort();
}

}  // namespace relic86
