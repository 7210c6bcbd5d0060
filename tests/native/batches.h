// The cases of a run, batch by batch: the same rows, seed and batch number give the same cases on every host.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "tests/native/code_generator.h"
#include "tests/native/input_generator.h"

namespace relic86::native {

template <class Code, class Input, class Codes, class Inputs>
class BatchesOf {
 public:
  static constexpr unsigned kCodes = 96, kCases = 2304;  // of a batch; case i runs code i % kCodes

  // generator: what the generator of codes is made from.
  template <class... Arguments>
  explicit BatchesOf(u64 seed, Arguments&&... generator)
      : seed_(seed), generator_(std::forward<Arguments>(generator)...), inputs_(seed) {}

  // Each code and each input has a seed of its own: one that a later generator makes otherwise leaves the others alone.
  void make(u64 batch, unsigned cases, std::span<Input> inputs) {
    const u64 seed = seed_ * 0x100000001B3 + batch;
    codes_.clear();
    for (u32 slot = 0; slot < kCodes; ++slot) codes_.push_back(generator_.make(slot * 2, seed * kCodes + slot));
    for (unsigned i = 0; i < cases; ++i) inputs_.make(code_of(i), (seed ^ 0x5555AAAA) * kCases + i, inputs[i]);
  }
  const std::vector<Code>& codes() const { return codes_; }
  const Code& code_of(unsigned number) const { return codes_[number % kCodes]; }

 private:
  u64 seed_;
  Codes generator_;
  Inputs inputs_;
  std::vector<Code> codes_{};
};

using Batches = BatchesOf<GuestCode, CaseInput, CodeGenerator, InputGenerator>;

}  // namespace relic86::native
