// MSI capability (PCI Local Bus Specification 3.0, 6.8.1), of 64-bit addresses and without masks
//
//   offset  width  R/W  bits
//   + 0     1      R    05h, MSI;  + 1 R the next capability
//   + 2     2      RW   message control: 0 enable, 3:1 R one message, 6:4 how many software allows, 7 R 64-bit address
//   + 4     4      RW   message address, 1:0 read 0;  + 8 RW its upper half
//   + Ch    2      RW   message data
#include "devices/msi.h"

#include <utility>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u8 kControl = 2, kAddressLow = 4, kAddressHigh = 8, kData = 12;
constexpr u32 kEnable = 1, kAllowed = 7u << 4, kWideAddress = 1u << 7;
constexpr u32 kAddressBits = ~u32{3}, kDataBits = 0xFFFF;
}  // namespace

MsiCapability::MsiCapability(u8 at, u8 next, Send send)
    : at_(at),
      send_(std::move(send)),
      rows_{{{at, 2, kId | u32{next} << 8, 0},
             {static_cast<u16>(at + kControl), 2, kWideAddress, kEnable | kAllowed},
             {static_cast<u16>(at + kAddressLow), 4, 0, kAddressBits},
             {static_cast<u16>(at + kAddressHigh), 4, 0, ~u32{0}},
             {static_cast<u16>(at + kData), 2, 0, kDataBits}}} {
  RELIC86_ASSERT(at % 4 == 0 && send_);
}

bool MsiCapability::enabled(const PciDevice& function) const {
  return (function.config_read(static_cast<u8>(at_ + kControl), 2) & kEnable) != 0;
}

void MsiCapability::notify(const PciDevice& function) const {
  const auto word = [&](u8 offset, unsigned width) {
    return function.config_read(static_cast<u8>(at_ + offset), width);
  };
  send_(u64{word(kAddressHigh, 4)} << 32 | word(kAddressLow, 4), word(kData, 2));
}

}  // namespace relic86
