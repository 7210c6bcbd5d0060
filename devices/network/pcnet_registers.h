// Bits of the Am79C970A's registers and descriptors (AMD publication 19436).
#pragma once

#include "base/types.h"

namespace relic86::pcnet {

// CSR0
inline constexpr u16 kInit = 1, kStart = 2, kStop = 4, kDemand = 8, kTransmitOn = 0x10, kReceiveOn = 0x20,
                     kInterruptEnable = 0x40, kInterrupt = 0x80, kInitDone = 0x100, kTransmitted = 0x200,
                     kReceived = 0x400, kMissed = 0x1000;
inline constexpr u16 kErrors = 0x7800;  // BABL, CERR, MISS, MERR: what bit 15 sums up
inline constexpr u16 kCauses = 0x5F00;  // those of CSR0 that interrupt

// CSR15
inline constexpr u16 kDisableReceiver = 1, kDisableTransmitter = 2, kLoop = 4, kNoPhysical = 0x2000,
                     kNoBroadcast = 0x4000, kPromiscuous = 0x8000;

// Registers by index.
inline constexpr unsigned kCsrMissedFrames = 112, kCsrMasks = 3, kCsrMode = 15, kCsrStyle = 58;
inline constexpr unsigned kBcrLink = 4, kBcrBus = 18, kBcrStyle = 20;
inline constexpr u16 kWideStructures = 0x100;  // SSIZE32 of CSR58 and BCR20

// Descriptors
inline constexpr u16 kOwn = 0x8000, kError = 0x4000, kOverflow = 0x1000, kBufferError = 0x0400, kStartOfPacket = 0x0200,
                     kEndOfPacket = 0x0100;

}  // namespace relic86::pcnet
