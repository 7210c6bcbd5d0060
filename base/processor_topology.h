// How a machine's processors lie in cores and packages, and the APIC IDs that follow from it (SDM 3A 8.9): a field of
// bits for the thread in its core, above it one for the core in its die, one for the die in its package, then the
// package. Each field is as wide as the highest number in it needs.
#pragma once

#include <bit>

#include "base/types.h"

namespace relic86 {

struct ProcessorTopology {
  unsigned count = 1;  // processors that are there
  unsigned most = 1;   // that the board has room for: sockets * dies * cores * threads
  unsigned sockets = 1, dies = 1, cores = 1, threads = 1;  // of the board, a package, a die, a core

  unsigned in_package() const { return dies * cores * threads; }
  unsigned thread_bits() const { return width(threads); }
  unsigned package_bits() const { return width(threads) + width(cores) + width(dies); }
  // Of the n-th processor, counted from 0.
  u32 apic_id(unsigned n) const {
    const unsigned thread = n % threads, core = n / threads % cores, die = n / threads / cores % dies;
    return n / in_package() << package_bits() | die << (width(cores) + width(threads)) | core << width(threads) |
           thread;
  }
  // One more than the highest that there is room for: IDs are not dense where a number is no power of two.
  u32 apic_id_limit() const { return apic_id(most - 1) + 1; }

 private:
  static unsigned width(unsigned numbers) { return static_cast<unsigned>(std::bit_width(numbers - 1)); }
};

}  // namespace relic86
