// Registers, flags, memory and units that a case starts with.
#pragma once

#include <vector>

#include "tests/native/guest_code.h"
#include "tests/native/random.h"

namespace relic86::native {

class InputGenerator {
 public:
  explicit InputGenerator(u64 seed);
  void make(const GuestCode& code, u64 seed, CaseInput& input);

 private:
  void general(const GuestCode& code, CaseInput& input);
  void units(CaseInput& input);
  void plant_targets(const GuestCode& code, CaseInput& input);
  void plant_selectors(CaseInput& input);
  static void avoid_host_selectors(CaseInput& input);
  u32 pointer(const GuestCode& code, SegmentSlot slot, u32 alignment);

  Random random_;
  std::vector<u8> windows_;         // windows are cut from it
  std::vector<FxState::Slot> st_;   // numbers of every kind for the x87
  std::vector<FxState::Slot> xmm_;  // for XMM
};

}  // namespace relic86::native
