// Registers of the RTL8139C+ by the names of its datasheet (Realtek, rev. 1.6, chapters 5 and 6).
#pragma once

#include "base/types.h"

namespace relic86::rtl8139 {

enum Register : unsigned {
  kIdr = 0x00,
  kMar = 0x08,
  kTsd = 0x10,
  kTsad = 0x20,  // TNPDS in C+ mode
  kRbstart = 0x30,
  kCr = 0x37,
  kCapr = 0x38,
  kCbr = 0x3A,
  kImr = 0x3C,
  kIsr = 0x3E,
  kTcr = 0x40,
  kRcr = 0x44,
  kTctr = 0x48,
  kMpc = 0x4C,
  k9346cr = 0x50,
  kConfig0 = 0x51,
  kConfig1 = 0x52,
  kTimerInt = 0x54,
  kMsr = 0x58,
  kConfig3 = 0x59,
  kConfig4 = 0x5A,
  kRevision = 0x5E,
  kTsadStatus = 0x60,
  kBmcr = 0x62,
  kBmsr = 0x64,
  kAnar = 0x66,
  kAnlpar = 0x68,
  kAner = 0x6A,
  kConfig5 = 0xD8,
  kTppoll = 0xD9,
  kCpcr = 0xE0,
  kRdsar = 0xE4,
};

inline constexpr u8 kBufferEmpty = 1, kTransmitEnable = 4, kReceiveEnable = 8, kResetChip = 0x10;
inline constexpr u32 kReceiveOk = 1, kTransmitOk = 4, kReceiveOverflow = 0x10, kLinkChange = 0x20,
                     kTransmitUnavailable = 0x80, kSoftware = 0x100, kTimeOut = 0x4000;
inline constexpr u32 kOwn = 1u << 13, kSent = 1u << 15, kSizeMask = 0x1FFF;
inline constexpr u32 kAcceptAll = 1, kAcceptMatch = 2, kAcceptMulticast = 4, kAcceptBroadcast = 8, kWrap = 0x80;
inline constexpr u32 kLoopback = 3u << 17;
inline constexpr u16 kCpTransmit = 1, kCpReceive = 2, kCpChecksums = 0x20, kCpVlan = 0x40;

// Descriptors of C+ mode.
inline constexpr u32 kDescriptorBytes = 16, kMostDescriptors = 64;
inline constexpr u32 kDescriptorOwn = 1u << 31, kDescriptorEnd = 1u << 30, kFirst = 1u << 29, kLast = 1u << 28,
                     kLargeSend = 1u << 27;

}  // namespace relic86::rtl8139
