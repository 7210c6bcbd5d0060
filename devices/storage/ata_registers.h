// Names of the AT attachment's registers, bits and commands (ATA/ATAPI-6, T13/1410D, chapters 7 and 8).
#pragma once

#include "base/types.h"

namespace relic86::ata {

enum Register : u8 { kData, kErrorFeatures, kCount, kLbaLow, kLbaMid, kLbaHigh, kDevice, kStatusCommand };

enum StatusBit : u8 {
  kErr = 0x01,
  kDrq = 0x08,
  kDsc = 0x10,
  kDf = 0x20,
  kDrdy = 0x40,
  kBsy = 0x80,
};
inline constexpr u8 kReady = kDrdy | kDsc;

enum ErrorBit : u8 { kAbort = 0x04, kIdNotFound = 0x10, kUncorrectable = 0x40 };

enum DeviceControlBit : u8 { kNIen = 0x02, kSrst = 0x04, kHob = 0x80 };
enum DeviceBit : u8 { kDev = 0x10, kLba = 0x40 };

// What a drive with PACKET shows in LBA mid and high after a reset (9.12).
inline constexpr u8 kPacketSignatureMid = 0x14, kPacketSignatureHigh = 0xEB;

enum Command : u8 {
  kNop = 0x00,
  kDeviceReset = 0x08,
  kRecalibrate = 0x10,  // to 1Fh
  kReadSectors = 0x20,
  kReadSectorsOnce = 0x21,
  kReadSectorsExt = 0x24,
  kReadDmaExt = 0x25,
  kReadNativeMaxExt = 0x27,
  kReadMultipleExt = 0x29,
  kWriteSectors = 0x30,
  kWriteSectorsOnce = 0x31,
  kWriteSectorsExt = 0x34,
  kWriteDmaExt = 0x35,
  kWriteMultipleExt = 0x39,
  kWriteVerify = 0x3C,
  kVerify = 0x40,
  kVerifyOnce = 0x41,
  kVerifyExt = 0x42,
  kSeek = 0x70,  // to 7Fh
  kDiagnostic = 0x90,
  kInitializeParameters = 0x91,
  kStandbyImmediateOld = 0x94,
  kIdleImmediateOld = 0x95,
  kStandbyOld = 0x96,
  kIdleOld = 0x97,
  kCheckPowerOld = 0x98,
  kSleepOld = 0x99,
  kPacket = 0xA0,
  kIdentifyPacket = 0xA1,
  kReadMultiple = 0xC4,
  kWriteMultiple = 0xC5,
  kSetMultiple = 0xC6,
  kReadDma = 0xC8,
  kReadDmaOnce = 0xC9,
  kWriteDma = 0xCA,
  kWriteDmaOnce = 0xCB,
  kStandbyImmediate = 0xE0,
  kIdleImmediate = 0xE1,
  kStandby = 0xE2,
  kIdle = 0xE3,
  kReadBuffer = 0xE4,
  kCheckPower = 0xE5,
  kSleep = 0xE6,
  kFlushCache = 0xE7,
  kWriteBuffer = 0xE8,
  kFlushCacheExt = 0xEA,
  kIdentify = 0xEC,
  kSetFeatures = 0xEF,
  kReadNativeMax = 0xF8,
};

}  // namespace relic86::ata
