// The cases of a run, batch by batch: the same rows, seed and batch number give the same cases on every host.
#pragma once

#include <span>
#include <vector>

#include "tests/native64/code.h"
#include "tests/native64/inputs.h"

namespace relic86::native64 {

class Batches {
 public:
  static constexpr unsigned kCodes = 96, kCases = 2304;  // of a batch; case i runs code i % kCodes

  // features, narrow: of the processor that the codes are made for.
  Batches(std::vector<u16> rows, FeatureSet features, NarrowBranches narrow, u64 seed)
      : seed_(seed), generator_(std::move(rows), features, narrow), inputs_(seed) {}

  // Each code and each input has a seed of its own: one that a later generator makes otherwise leaves the others alone.
  void make(u64 batch, unsigned cases, std::span<CaseInput> inputs);
  const std::vector<GuestCode>& codes() const { return codes_; }
  const GuestCode& code_of(unsigned number) const { return codes_[number % kCodes]; }

 private:
  u64 seed_;
  CodeGenerator generator_;
  InputGenerator inputs_;
  std::vector<GuestCode> codes_;
};

}  // namespace relic86::native64
