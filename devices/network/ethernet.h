// What network cards of different makers do alike with frames (IEEE 802.3, RFC 1071).
#pragma once

#include <span>
#include <vector>

#include "base/types.h"
#include "devices/network_link.h"

namespace relic86 {

inline constexpr std::size_t kMacBytes = 6;
inline constexpr std::size_t kEthernetHeader = 14;
inline constexpr std::size_t kShortestFrame = 60;   // without the frame check sequence
inline constexpr std::size_t kLongestFrame = 1514;  // without the frame check sequence and a VLAN tag
inline constexpr std::size_t kFrameCheckBytes = 4;

// Bit 0 of the first byte; of the broadcast address, too. The frame holds its destination at least.
inline bool is_multicast(std::span<const u8> frame) { return (frame[0] & 1) != 0; }
bool is_broadcast(std::span<const u8> frame);
bool is_for(std::span<const u8> frame, const MacAddress& address);

// The frame check sequence's remainder over bytes, most significant bit first, as hash filters of multicast addresses
// use it (DP8390 and Am79C970A: the upper six bits).
u32 ethernet_crc(std::span<const u8> bytes);

// The internet checksum's sum in one's complement, not inverted. Words are big-endian; an odd last byte counts as the
// upper half of a word. start: what was summed before, over an even number of bytes.
u32 internet_sum(std::span<const u8> bytes, u32 start = 0);
u16 internet_checksum(u32 sum);  // folded and inverted

inline u16 load_big16(std::span<const u8> bytes, std::size_t at) {
  return static_cast<u16>(bytes[at] << 8 | bytes[at + 1]);
}
inline void store_big16(std::span<u8> bytes, std::size_t at, u32 value) {
  bytes[at] = static_cast<u8>(value >> 8), bytes[at + 1] = static_cast<u8>(value);
}
inline u32 load_big32(std::span<const u8> bytes, std::size_t at) {
  return u32{load_big16(bytes, at)} << 16 | load_big16(bytes, at + 2);
}
inline void store_big32(std::span<u8> bytes, std::size_t at, u32 value) {
  store_big16(bytes, at, value >> 16), store_big16(bytes, at + 2, value);
}

}  // namespace relic86
