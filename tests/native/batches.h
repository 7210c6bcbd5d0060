// The cases of a run, batch by batch: the same group, seed and batch number give the same cases on every host.
#pragma once

#include <span>
#include <vector>

#include "tests/native/code_generator.h"
#include "tests/native/input_generator.h"

namespace relic86::native {

class Batches {
 public:
  static constexpr unsigned kCodes = 96, kCases = 2304;  // of a batch; case i runs code i % kCodes

  // rows: of the instruction table; kNoRow stands for one that the table no longer has.
  Batches(std::vector<u16> rows, u64 seed);

  void make(u64 batch, unsigned cases, std::span<CaseInput> inputs);
  const std::vector<GuestCode>& codes() const { return codes_; }
  const GuestCode& code_of(unsigned number) const { return codes_[number % kCodes]; }

 private:
  u64 seed_;
  CodeGenerator generator_;
  InputGenerator inputs_;
  std::vector<GuestCode> codes_;
};

}  // namespace relic86::native
