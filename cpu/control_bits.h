// The bits of CR4 (SDM 3A 2.5) and XCR0 (SDM 3A 2.6) that relic86 knows.
#pragma once

#include "base/types.h"

namespace relic86 {

enum Cr4Bits : u64 {
  kCr4Vme = 1u << 0,
  kCr4Pvi = 1u << 1,
  kCr4Tsd = 1u << 2,
  kCr4De = 1u << 3,
  kCr4Pse = 1u << 4,
  kCr4Pae = 1u << 5,
  kCr4Mce = 1u << 6,
  kCr4Pge = 1u << 7,
  kCr4Pce = 1u << 8,
  kCr4OsFxsr = 1u << 9,
  kCr4OsXmmExcpt = 1u << 10,
  kCr4Umip = 1u << 11,
  kCr4La57 = 1u << 12,
  kCr4Fsgsbase = 1u << 16,
  kCr4Pcide = 1u << 17,
  kCr4OsXsave = 1u << 18,
  kCr4Smep = 1u << 20,
  kCr4Smap = 1u << 21,
};

enum Xcr0Bits : u64 {
  kXcr0X87 = 1u << 0,
  kXcr0Sse = 1u << 1,
  kXcr0Avx = 1u << 2,
};

}  // namespace relic86
