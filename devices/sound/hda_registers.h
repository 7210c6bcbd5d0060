// Registers of the controller (High Definition Audio Specification 1.0a, 3.3), at BAR 0:
//
//   00h        R     GCAP: 15:12 output streams, 11:8 input streams, 0 addresses of 64 bits
//   02h, 03h   R     version;  04h, 06h R  payload of the link
//   08h        RW    GCTL: 8 accept unsolicited responses, 1 flush, 0 out of reset
//   0Ch        RW    WAKEEN, 0Eh RWC STATESTS: a codec has reported itself, by its address
//   10h        RWC   GSTS: 1 flushed
//   18h, 1Ah   R     payload of the streams
//   20h        RW    INTCTL: 31 all, 30 controller, 7:0 streams;  24h R INTSTS: the same
//   30h        R     WALCLK: 24 MHz
//   38h        RW    SSYNC: these streams wait (the ICH6 has it at 34h, which is the same here)
//   40h        RW    CORB: address; 48h write and 4Ah read pointer, 15 reset; 4Ch 1 run, 0 interrupt on errors;
//                    4Dh errors; 4Eh size
//   50h        RW    RIRB: address; 58h write pointer, 15 reset; 5Ah responses before an interrupt; 5Ch 1 run,
//                    0 interrupt; 5Dh RWC 0 interrupt; 5Eh size
//   60h        RW    immediate command; 64h R response; 68h 1 RWC response is there, 0 RW send
//   70h        RW    where the streams' positions are written; 0 enable
//   80h+n*20h        stream n: 0 to 3 input, 4 to 7 output
//     +0       RW    23:20 number on the link, 4, 3, 2 interrupts (descriptor error, FIFO error, completion), 1 run,
//                    0 reset
//     +3       RWC   4 descriptor error, 3 FIFO error, 2 buffer completed; R 5 ready
//     +4       R     LPIB: bytes of the buffer that have been moved
//     +8       RW    length of the buffer;  +Ch RW last entry of the list;  +10h R FIFO size;  +12h RW format
//     +18h     RW    the list, of entries of 16 bytes: address, length, 0 interrupt on completion
//   2030h      R     WALCLK again;  2084h+n*20h R  LPIB again
#pragma once

#include "base/types.h"

namespace relic86::hda {

inline constexpr u32 kRegistersSize = 0x4000;  // of the BAR
inline constexpr unsigned kAliases = 0x2000, kStoredSize = 0x180;

enum Register : unsigned {
  kGlobalCapabilities = 0x00,
  kMinorVersion = 0x02,
  kMajorVersion = 0x03,
  kOutputPayload = 0x04,
  kInputPayload = 0x06,
  kGlobalControl = 0x08,
  kWakeEnable = 0x0C,
  kStateChange = 0x0E,
  kGlobalStatus = 0x10,
  kOutputStreamPayload = 0x18,
  kInputStreamPayload = 0x1A,
  kInterruptControl = 0x20,
  kInterruptStatus = 0x24,
  kWallClock = 0x30,
  kOldStreamSync = 0x34,
  kStreamSync = 0x38,
  kCorbBase = 0x40,
  kCorbWritePointer = 0x48,
  kCorbReadPointer = 0x4A,
  kCorbControl = 0x4C,
  kCorbStatus = 0x4D,
  kCorbSize = 0x4E,
  kRirbBase = 0x50,
  kRirbWritePointer = 0x58,
  kResponseCount = 0x5A,
  kRirbControl = 0x5C,
  kRirbStatus = 0x5D,
  kRirbSize = 0x5E,
  kImmediateCommand = 0x60,
  kImmediateResponse = 0x64,
  kImmediateStatus = 0x68,
  kPositionBase = 0x70,
  kFirstStream = 0x80,
};

inline constexpr unsigned kStreamSize = 0x20;
enum StreamRegister : unsigned {
  kStreamControl = 0x00,
  kStreamNumber = 0x02,
  kStreamStatus = 0x03,
  kStreamPosition = 0x04,
  kBufferLength = 0x08,
  kLastEntry = 0x0C,
  kFifoSize = 0x10,
  kStreamFormat = 0x12,
  kListBase = 0x18,
};

inline constexpr unsigned kInputStreams = 4, kOutputStreams = 4, kStreams = kInputStreams + kOutputStreams;

// GCTL and GSTS
inline constexpr u8 kOutOfReset = 1, kFlush = 2, kFlushed = 2;
// INTCTL and INTSTS
inline constexpr u32 kAllInterrupts = 1u << 31, kControllerInterrupt = 1u << 30,
                     kStreamInterrupts = (1u << kStreams) - 1;
// CORBCTL, RIRBCTL, RIRBSTS; bits of the pointers' upper bytes
inline constexpr u8 kRingRuns = 2, kResponseInterrupt = 1, kPointerReset = 0x80;
// The immediate command's status
inline constexpr u8 kSend = 1, kResponseValid = 2;
// A stream's control and status
inline constexpr u8 kStreamReset = 1, kStreamRuns = 2;
inline constexpr u8 kCompleted = 1u << 2, kDescriptorError = 1u << 4, kReady = 1u << 5, kStreamCauses = 0x1C;
inline constexpr u32 kPositionsEnabled = 1;

}  // namespace relic86::hda
