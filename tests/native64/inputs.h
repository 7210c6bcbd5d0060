// Registers, flags, memory and units that a case starts with.
#pragma once

#include <vector>

#include "tests/native64/code.h"

namespace relic86::native64 {

class InputGenerator {
 public:
  explicit InputGenerator(u64 seed);
  void make(const GuestCode& code, u64 seed, CaseInput& input);

 private:
  void general(const GuestCode& code, CaseInput& input);
  void units(CaseInput& input);

  native::Random random_;
  std::vector<u8> windows_;         // windows are cut from it
  std::vector<FxState::Slot> st_;   // numbers of every kind for the x87
  std::vector<FxState::Slot> xmm_;  // for XMM
};

}  // namespace relic86::native64
