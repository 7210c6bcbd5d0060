// A program that waits for a bit of a port: a loop of IN AL,DX, tests of AL and branches, which leaves nothing behind but
// AL and the flags, so that it makes no difference how often it goes round.
#pragma once

#include <array>
#include <optional>

#include "base/types.h"

namespace relic86 {

class Cpu;

class PortWait {
 public:
  // The loop in which the processor is, between two instructions; none: it is in no such loop, or somebody watches what
  // it does there (TF, breakpoints of DR7). Looks at the code without touching it.
  static std::optional<PortWait> at(Cpu& cpu);

  u16 port() const { return port_; }
  // Whether the loop comes back to its IN after that has read this value.
  bool goes_on_with(u8 value) const;

 private:
  static constexpr u32 kWindow = 64;  // bytes of code

  // AL and the flags that branches ask for.
  struct Registers {
    u8 al = 0;
    bool zero = false, carry = false, sign = false;
    bool known = false;  // the flags; after the IN, once the loop has set them

    void set(u8 result, bool borrow = false) {
      zero = result == 0, sign = (result & 0x80) != 0, carry = borrow, known = true;
    }
  };

  u8 byte(u32 at) const { return at < bytes_ ? code_[at] : u8{0xCC}; }
  // Carries out what stands from `at` on; where the next IN stands, or none.
  std::optional<u32> next_read(u32 at, Registers registers) const;
  std::optional<bool> condition(u8 code, const Registers& registers) const;

  std::array<u8, kWindow> code_{};
  u32 bytes_ = 0;
  bool code32_ = false;
  u32 edx_ = 0;
  u32 read_at_ = 0;
  u16 port_ = 0;
};

}  // namespace relic86
