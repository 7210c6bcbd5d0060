// M88E1011 registers (IEEE 802.3 clause 22 for 0 to 15)
//
//   0  RW control: 15 reset (clears itself), 14 loopback, 12 auto-negotiation, 9 restart it (clears itself)
//   1  R  status: 7949h; 5 negotiated, 2 link        2, 3  R  identity 0141h, 0C20h
//   4  RW advertised 01E1h     5  R  partner's abilities      6  R  expansion
//   9  RW 1000BASE-T control 0E00h      10  R  1000BASE-T status 7C00h
//   16 RW specific control 0360h        17  R  specific status AC00h: resolved, 1000, full duplex, link (bit 10)
//   18 RW interrupt enable     19 R  interrupt status      20 RW extended control 0D60h     21 R  receive errors
#include "devices/network/e1000_phy.h"

namespace relic86 {

namespace {
constexpr u32 kMdicRegisterShift = 16, kMdicPhyShift = 21, kMdicOperationShift = 26;
constexpr u32 kMdicReady = 1u << 28, kMdicError = 1u << 30;
constexpr u32 kOurPhy = 1, kOperationWrite = 1, kOperationRead = 2;
constexpr u16 kControlAtReset = 0x1140, kSelfClearing = 0x8200, kLoopback = 0x4000, kResetBit = 0x8000;
constexpr u32 kWritable = 1u << 0 | 1u << 4 | 1u << 9 | 1u << 16 | 1u << 18 | 1u << 20;
constexpr u32 kKnown = 0x1F067F | kWritable;  // registers that exist; others read 0
}  // namespace

void E1000Phy::reset() {
  registers_ = {};
  registers_[0] = kControlAtReset;
  registers_[4] = 0x01E1;
  registers_[9] = 0x0E00;
  registers_[16] = 0x0360;
  registers_[20] = 0x0D60;
}

bool E1000Phy::loops_back() const { return (registers_[0] & kLoopback) != 0; }

u16 E1000Phy::read(unsigned reg, bool link) const {
  switch (reg) {
    case 1: return link ? 0x796D : 0x7949;
    case 2: return 0x0141;
    case 3: return 0x0C20;
    case 5: return link ? 0x45E1 : 0;
    case 6: return link ? 1 : 0;
    case 10: return link ? 0x7C00 : 0;
    case 17: return link ? 0xAC08 : 0x8000;
    default: return registers_[reg];
  }
}

u32 E1000Phy::access(u32 mdic, bool link) {
  const unsigned reg = mdic >> kMdicRegisterShift & 31;
  const u32 operation = mdic >> kMdicOperationShift & 3;
  if ((mdic >> kMdicPhyShift & 31) != kOurPhy || (kKnown >> reg & 1) == 0) return mdic | kMdicReady | kMdicError;
  if (operation == kOperationRead) return (mdic & 0xFFFF0000) | read(reg, link) | kMdicReady;
  if (operation != kOperationWrite) return mdic | kMdicReady;
  if ((kWritable >> reg & 1) == 0) return mdic | kMdicReady;
  const auto value = static_cast<u16>(mdic);
  if (reg == 0 && (value & kResetBit) != 0)
    reset();
  else
    registers_[reg] = reg == 0 ? static_cast<u16>(value & ~kSelfClearing) : value;
  return mdic | kMdicReady;
}

}  // namespace relic86
