// Where the registers of a virtio PCI device lie: what its halves share.
#pragma once

#include "memory/region_handler.h"

namespace relic86::virtio {

inline constexpr RegionId kLegacyRegion = 0, kModernRegion = 1, kMsixRegion = 2;

// BAR 4 in parts of the same size.
inline constexpr u32 kModernPartBytes = 0x1000;
inline constexpr u32 kCommonPart = 0, kInterruptPart = 1, kDevicePart = 2, kNotifyPart = 3, kModernParts = 4;
inline constexpr u32 kNotifyMultiplier = 4;

// Offsets in a vendor-specific capability (4.1.4).
inline constexpr u8 kCapabilityBar = 4, kCapabilityOffset = 8, kCapabilityLength = 12, kCapabilityExtra = 16;
// The capability through which configuration space shows a register of a BAR (4.1.4.7).
inline constexpr u8 kWindowCapability = 0x84, kWindowCapabilityBytes = 20;
// The first place of a capability, and MSI-X's where the modern interface has its own before it, as in QEMU.
inline constexpr u8 kFirstCapability = 0x40, kMsixCapability = kWindowCapability + kWindowCapabilityBytes;
inline constexpr u8 kExpressCapability = 0xA4;  // 60 bytes

}  // namespace relic86::virtio
