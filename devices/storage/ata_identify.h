// The 256 words of IDENTIFY DEVICE and IDENTIFY PACKET DEVICE.
#pragma once

#include <array>
#include <string_view>

#include "devices/storage/disk_geometry.h"

namespace relic86 {

class IdentifyWords {
 public:
  void set(unsigned word, u32 value) { words_[word] = static_cast<u16>(value); }
  void set_dword(unsigned word, u32 value) { set(word, value), set(word + 1, value >> 16); }
  // Two characters a word, the first in the high byte; padded with blanks.
  void set_text(unsigned word, unsigned count, std::string_view text);
  // The transfer modes both kinds of drive have: MWDMA 0-2, UDMA 0-5, PIO 0-4; selected: a SET FEATURES mode byte.
  void set_transfer_modes(u8 selected);
  // Of a drive on a serial link; after set_transfer_modes().
  void set_serial_link();
  std::array<u8, 512> bytes() const;

 private:
  std::array<u16, 256> words_{};
};

struct DiskIdentity {
  DiskGeometry drive;    // words 1, 3, 6
  DiskGeometry current;  // words 54 to 58
  u64 sectors = 0;
  std::string_view serial, model;
  u8 most_multiple = 0, multiple = 0;
  u8 transfer_mode = 0;
  bool write_cache = false, look_ahead = false;
  bool serial_link = false;
};
std::array<u8, 512> identify_disk(const DiskIdentity& disk);

}  // namespace relic86
