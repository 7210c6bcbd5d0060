#include "tests/native64/batches.h"

namespace relic86::native64 {

void Batches::make(u64 batch, unsigned cases, std::span<CaseInput> inputs) {
  const u64 seed = seed_ * 0x100000001B3 + batch;
  codes_.clear();
  for (u32 slot = 0; slot < kCodes; ++slot) codes_.push_back(generator_.make(slot * 2, seed * kCodes + slot));
  for (unsigned i = 0; i < cases; ++i) inputs_.make(code_of(i), (seed ^ 0x5555AAAA) * kCases + i, inputs[i]);
}

}  // namespace relic86::native64
