// The 82540EM's internal PHY behind the MDI control register: an M88E1011 that has always negotiated 1000 Mb/s, full
// duplex, when its cable leads somewhere.
#pragma once

#include <array>

#include "base/state_archive.h"

namespace relic86 {

class E1000Phy {
 public:
  static constexpr unsigned kRegisters = 32;
  void reset();
  void state(StateArchive& archive) { archive.bytes("registers", registers_); }
  // One access as MDIC describes it (Software Developer's Manual, 13.4.8); returns MDIC's value after it.
  u32 access(u32 mdic, bool link);
  bool loops_back() const;

 private:
  u16 read(unsigned reg, bool link) const;
  std::array<u16, kRegisters> registers_{};
};

}  // namespace relic86
