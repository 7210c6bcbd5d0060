// Registers and descriptors of the 82540EM by their names in Intel's "PCI/PCI-X Family of Gigabit Ethernet Controllers
// Software Developer's Manual" (317453), chapters 3 and 13.
#pragma once

#include "base/types.h"

namespace relic86::e1000 {

// Offsets in the register space.
enum Register : u32 {
  kCtrl = 0x0000,
  kStatus = 0x0008,
  kEecd = 0x0010,
  kEerd = 0x0014,
  kCtrlExt = 0x0018,
  kMdic = 0x0020,
  kVet = 0x0038,
  kIcr = 0x00C0,
  kItr = 0x00C4,
  kIcs = 0x00C8,
  kIms = 0x00D0,
  kImc = 0x00D8,
  kRctl = 0x0100,
  kTctl = 0x0400,
  kPba = 0x1000,
  kRdbal = 0x2800,
  kRdbah = 0x2804,
  kRdlen = 0x2808,
  kRdh = 0x2810,
  kRdt = 0x2818,
  kRdtr = 0x2820,
  kRadv = 0x282C,
  kTdbal = 0x3800,
  kTdbah = 0x3804,
  kTdlen = 0x3808,
  kTdh = 0x3810,
  kTdt = 0x3818,
  kTidv = 0x3820,
  kTadv = 0x382C,
  kStatistics = 0x4000,  // 64 counters, cleared by reading
  kRxcsum = 0x5000,
  kMta = 0x5200,
  kRa = 0x5400,
  kVfta = 0x5600,
};

// Counters, by their index from kStatistics.
enum Statistic : u32 {
  kMpc = 0x10 / 4,
  kGprc = 0x74 / 4,
  kBprc = 0x78 / 4,
  kMprc = 0x7C / 4,
  kGptc = 0x80 / 4,
  kGorcl = 0x88 / 4,
  kGotcl = 0x90 / 4,
  kRnbc = 0xA0 / 4,
  kTorl = 0xC0 / 4,
  kTotl = 0xC8 / 4,
  kTpr = 0xD0 / 4,
  kTpt = 0xD4 / 4,
  kMptc = 0xF0 / 4,
  kBptc = 0xF4 / 4,
};

inline constexpr u32 kCtrlReset = 1u << 26, kCtrlVlanMode = 1u << 30, kCtrlPhyReset = 1u << 31;
inline constexpr u32 kCtrlAtReset = 0x00140240;  // SLU, 1000 Mb/s, SWDPIN0 and 2
inline constexpr u32 kStatusFullDuplex = 1, kStatusLinkUp = 2;
inline constexpr u32 kStatusSpeed = 0x280;  // 1000 Mb/s, as set and as detected

inline constexpr u32 kEecdClock = 1, kEecdSelect = 2, kEecdDataIn = 4, kEecdDataOut = 8, kEecdRequest = 0x40,
                     kEecdGrant = 0x80, kEecdPresent = 0x100;
inline constexpr u32 kEerdStart = 1, kEerdDone = 0x10;

// Interrupt causes.
inline constexpr u32 kTxdw = 1u << 0, kTxqe = 1u << 1, kLsc = 1u << 2, kRxdmt0 = 1u << 4, kRxo = 1u << 6,
                     kRxt0 = 1u << 7, kMdac = 1u << 9;

inline constexpr u32 kRctlEnable = 1u << 1, kRctlUnicast = 1u << 3, kRctlMulticast = 1u << 4, kRctlLong = 1u << 5,
                     kRctlLoopback = 3u << 6, kRctlBroadcast = 1u << 15, kRctlVlanFilter = 1u << 18,
                     kRctlLarge = 1u << 25, kRctlStripCrc = 1u << 26;
inline constexpr u32 kTctlEnable = 1u << 1;
inline constexpr u32 kRxcsumIp = 1u << 8, kRxcsumTransport = 1u << 9;
inline constexpr u32 kRahValid = 1u << 31;
inline constexpr u32 kFlushPartial = 1u << 31;  // of RDTR and TIDV

// Descriptors: 16 bytes.
inline constexpr u32 kDescriptorBytes = 16;
inline constexpr u8 kRxDone = 1, kRxEnd = 2, kRxVlan = 8, kRxUdpChecked = 0x10, kRxTransportChecked = 0x20,
                    kRxIpChecked = 0x40, kRxIgnore = 4;
inline constexpr u8 kRxTransportError = 0x20, kRxIpError = 0x40;
inline constexpr u8 kTxEnd = 1, kTxInsertChecksum = 4, kTxReport = 8, kTxExtended = 0x20, kTxVlan = 0x40,
                    kTxDelay = 0x80, kTxSegment = 4;
inline constexpr u8 kTxContextTcp = 1, kTxContextIpv4 = 2;
inline constexpr u8 kTxInsertIp = 1, kTxInsertTransport = 2;

}  // namespace relic86::e1000
