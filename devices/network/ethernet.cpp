#include "devices/network/ethernet.h"

#include <algorithm>

namespace relic86 {

bool is_broadcast(std::span<const u8> frame) {
  return std::all_of(frame.begin(), frame.begin() + kMacBytes, [](u8 byte) { return byte == 0xFF; });
}

bool is_for(std::span<const u8> frame, const MacAddress& address) {
  return std::equal(address.begin(), address.end(), frame.begin());
}

u32 ethernet_crc(std::span<const u8> bytes) {
  constexpr u32 kPolynomial = 0x04C11DB7;
  u32 crc = ~0u;
  for (const u8 byte : bytes) {
    for (unsigned bit = 0; bit < 8; bit++) {
      const u32 carry = (crc >> 31) ^ ((byte >> bit) & 1u);
      crc = (crc << 1) ^ (carry != 0 ? kPolynomial : 0);
    }
  }
  return crc;
}

u32 internet_sum(std::span<const u8> bytes, u32 start) {
  u64 sum = start;
  std::size_t at = 0;
  for (; at + 2 <= bytes.size(); at += 2) sum += load_big16(bytes, at);
  if (at < bytes.size()) sum += u32{bytes[at]} << 8;
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<u32>(sum);
}

u16 internet_checksum(u32 sum) {
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<u16>(~sum);
}

}  // namespace relic86
