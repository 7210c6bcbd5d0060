// Commands of a CD-ROM drive by their codes, and the numbers in packets and answers, which have the high byte first.
#pragma once

#include <string_view>
#include <vector>

#include "base/types.h"

namespace relic86::cdrom {

enum Operation : u8 {
  kTestUnitReady = 0x00,
  kRequestSense = 0x03,
  kInquiry = 0x12,
  kModeSelect6 = 0x15,
  kModeSense6 = 0x1A,
  kStartStop = 0x1B,
  kPreventRemoval = 0x1E,
  kReadCapacity = 0x25,
  kRead10 = 0x28,
  kSeek10 = 0x2B,
  kVerify10 = 0x2F,
  kReadSubchannel = 0x42,
  kReadToc = 0x43,
  kGetConfiguration = 0x46,
  kPlayAudio10 = 0x45,
  kPlayAudioMsf = 0x47,
  kPlayAudioTracks = 0x48,
  kGetEventStatus = 0x4A,
  kPauseResume = 0x4B,
  kStopPlay = 0x4E,
  kReadDiscInformation = 0x51,
  kModeSelect10 = 0x55,
  kModeSense10 = 0x5A,
  kPlayAudio12 = 0xA5,
  kRead12 = 0xA8,
  kReadCdMsf = 0xB9,
  kSetCdSpeed = 0xBB,
  kMechanismStatus = 0xBD,
  kReadCd = 0xBE,
};

template <class Bytes>
u32 big16(const Bytes& bytes, std::size_t at) {
  return u32{bytes[at]} << 8 | u32{bytes[at + 1]};
}
template <class Bytes>
u32 big32(const Bytes& bytes, std::size_t at) {
  return big16(bytes, at) << 16 | big16(bytes, at + 2);
}
inline void put16(std::vector<u8>& bytes, u32 value) {
  bytes.push_back(static_cast<u8>(value >> 8));
  bytes.push_back(static_cast<u8>(value));
}
inline void put32(std::vector<u8>& bytes, u32 value) { put16(bytes, value >> 16), put16(bytes, value); }
inline void put_text(std::vector<u8>& bytes, std::string_view text, std::size_t size) {
  for (std::size_t i = 0; i < size; i++) bytes.push_back(i < text.size() ? static_cast<u8>(text[i]) : u8{' '});
}
inline void set16(std::vector<u8>& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<u8>(value >> 8);
  bytes[at + 1] = static_cast<u8>(value);
}

}  // namespace relic86::cdrom
