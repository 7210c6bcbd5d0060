// Numbers of the virtio network card (virtio 1.0, 5.1).
#pragma once

#include "base/types.h"

namespace relic86::virtio_net {

enum Feature : unsigned {
  kChecksum = 0,  // the driver leaves checksums of what it sends to the card
  kGuestChecksum = 1,
  kMac = 5,
  kHostTso4 = 11,
  kMergeableBuffers = 15,
  kStatusField = 16,
  kControlQueue = 17,
  kControlReceive = 18,
  kControlVlan = 19,
  kControlReceiveExtra = 20,
  kControlAddress = 23,
};

inline constexpr unsigned kReceiveQueue = 0, kTransmitQueue = 1, kCommandQueue = 2;

// The header of every frame: 0 flags, 1 kind of segmentation, 2-3 header length, 4-5 segment size, 6-7 where the
// checksum begins to count, 8-9 where it lies from there; 10-11 number of buffers, with some features.
inline constexpr std::size_t kShortHeader = 10, kLongHeader = 12;
inline constexpr std::size_t kHeaderFlags = 0, kHeaderKind = 1, kHeaderSegment = 4, kHeaderStart = 6, kHeaderOffset = 8,
                             kHeaderBuffers = 10;
inline constexpr u8 kNeedsChecksum = 1, kDataValid = 2;
inline constexpr u8 kNoSegments = 0, kTcp4Segments = 1, kCongestionBit = 0x80;

// Commands: class, command, data; the answer is one byte.
enum CommandClass : u8 { kModeClass = 0, kAddressClass = 1, kVlanClass = 2 };
enum Mode : u8 { kPromiscuous, kAllMulticast, kAllUnicast, kNoMulticast, kNoUnicast, kNoBroadcast, kModes };
inline constexpr u8 kSetTable = 0, kSetAddress = 1;
inline constexpr u8 kAddVlan = 0, kRemoveVlan = 1;

}  // namespace relic86::virtio_net
