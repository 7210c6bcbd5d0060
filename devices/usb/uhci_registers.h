// Bits and offsets of a UHCI (Universal Host Controller Interface Design Guide 1.1, chapters 2 and 3).
#pragma once

#include "base/guest_clock.h"
#include "base/types.h"

namespace relic86::uhci {

inline constexpr GuestTime kFrame = 1'000'000;

// Configuration space.
inline constexpr unsigned kBar = 4;
inline constexpr u32 kPortCount = 32;
inline constexpr u8 kSerialBusRelease = 0x60, kLegacySupport = 0xC0;
inline constexpr u16 kInterruptOut = 1u << 13;

// Ports.
inline constexpr unsigned kCommand = 0x00, kStatus = 0x02, kInterruptEnable = 0x04, kFrameNumber = 0x06,
                          kListBase = 0x08, kStartOfFrame = 0x0C, kPort0 = 0x10;

inline constexpr u16 kRun = 1, kHostReset = 2, kGlobalReset = 4, kGlobalSuspend = 8, kCommandBits = 0xFF;

inline constexpr u16 kTransferDone = 1, kTransferFailed = 2, kResumeDetected = 4, kSystemError = 8, kProcessError = 16,
                     kHalted = 32, kStatusBits = 0x3F, kStatusClears = 0x1F;
inline constexpr u8 kOnCompletion = 1, kShortPacket = 2;

inline constexpr u16 kFailureEnable = 1, kResumeEnable = 2, kCompletionEnable = 4, kShortEnable = 8,
                     kInterruptBits = 0xF;

inline constexpr u16 kFrameBits = 0x7FF, kFrameListBits = 0x3FF;
inline constexpr u32 kListBits = 0xFFFFF000u;
inline constexpr u8 kDefaultStartOfFrame = 0x40, kStartOfFrameBits = 0x7F;

inline constexpr u16 kConnected = 1, kConnectChanged = 2, kEnabled = 4, kEnableChanged = 8, kLinePlus = 0x10,
                     kPortResume = 0x40, kAlwaysOne = 0x80, kPortReset = 0x200, kPortSuspend = 0x1000;
inline constexpr u16 kPortClears = kConnectChanged | kEnableChanged;
inline constexpr u16 kPortWritable = kEnabled | kPortResume | kPortReset | kPortSuspend;
inline constexpr u16 kPortBits = kPortWritable | kPortClears | kConnected;

// Links of frame list, queue heads and transfer descriptors (3.1 to 3.3).
inline constexpr u32 kTerminate = 1, kQueueHead = 2, kDepthFirst = 4, kLinkAddress = ~u32{0xF};

// Control and status of a transfer descriptor (3.2.2).
inline constexpr u32 kActualBits = 0x7FF, kTimeout = 1u << 18, kNak = 1u << 19, kBabble = 1u << 20, kStalled = 1u << 22,
                     kActive = 1u << 23, kInterruptOnComplete = 1u << 24, kIsochronous = 1u << 25, kLowSpeed = 1u << 26,
                     kOneError = 1u << 27, kErrorCount = 3u << 27, kShortDetect = 1u << 29;

}  // namespace relic86::uhci
