// IDENTIFY DEVICE data (ATA/ATAPI-6, 8.15); the words are named where they are set.
#include "devices/storage/ata_identify.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr u32 kMostLba28 = 0x0FFFFFFF;
}

void IdentifyWords::set_text(unsigned word, unsigned count, std::string_view text) {
  const auto character = [&](unsigned i) { return i < text.size() ? static_cast<u8>(text[i]) : u8{' '}; };
  for (unsigned i = 0; i < count; i++) set(word + i, static_cast<u32>(character(i * 2) << 8 | character(i * 2 + 1)));
}

void IdentifyWords::set_transfer_modes(u8 selected) {
  const u32 mode = selected & 7u;
  set(51, 0x0200);  // PIO mode 2, for old software
  set(53, 0x0007);  // words 54-58, 64-70 and 88 are valid
  set(63, 0x0007 | ((selected & 0xF8) == 0x20 ? 0x100u << mode : 0));
  set(64, 0x0003);                                              // PIO modes 3 and 4
  for (unsigned word = 65; word <= 68; word++) set(word, 120);  // ns a cycle
  set(88, 0x003F | ((selected & 0xF8) == 0x40 ? 0x100u << mode : 0));
  set(93, 0x6001);  // hardware reset result: 80-wire cable
}

// Serial ATA 13.2.1: no cable whose wires could be counted, and 1.5 Gb/s.
void IdentifyWords::set_serial_link() {
  set(76, 0x0002);
  set(93, 0);
}

std::array<u8, 512> IdentifyWords::bytes() const {
  std::array<u8, 512> result{};
  for (unsigned i = 0; i < words_.size(); i++) {
    result[i * 2] = static_cast<u8>(words_[i]);
    result[i * 2 + 1] = static_cast<u8>(words_[i] >> 8);
  }
  return result;
}

std::array<u8, 512> identify_disk(const DiskIdentity& disk) {
  IdentifyWords words;
  const auto lba28 = static_cast<u32>(std::min<u64>(disk.sectors, kMostLba28));
  words.set(0, 0x0040);  // ATA, fixed
  words.set(1, disk.drive.cylinders);
  words.set(3, disk.drive.heads);
  words.set(4, disk.drive.sectors * 512);  // bytes a track, for software of ATA-1
  words.set(5, 512);
  words.set(6, disk.drive.sectors);
  words.set_text(10, 10, disk.serial);
  words.set(20, 3);    // buffer: dual ported with read caching
  words.set(21, 512);  // of 256 KiB
  words.set(22, 4);    // bytes of ECC
  words.set_text(23, 4, "1.0");
  words.set_text(27, 20, disk.model);
  words.set(47, 0x8000u | disk.most_multiple);
  words.set(48, 1);       // doubleword I/O works
  words.set(49, 0x0F00);  // IORDY, IORDY can be disabled, LBA, DMA
  words.set(50, 0x4000);
  words.set(52, 0x0200);
  words.set(54, disk.current.cylinders);
  words.set(55, disk.current.heads);
  words.set(56, disk.current.sectors);
  words.set_dword(57, disk.current.cylinders * disk.current.heads * disk.current.sectors);
  words.set(59, disk.multiple != 0 ? 0x0100u | disk.multiple : 0);
  words.set_dword(60, lba28);
  words.set_transfer_modes(disk.transfer_mode);
  if (disk.serial_link) words.set_serial_link();
  words.set(80, 0x007E);  // ATA-1 to ATA/ATAPI-6
  words.set(82, 0x7068);  // NOP, READ BUFFER, WRITE BUFFER, look-ahead, write cache, power management
  words.set(83, 0x7400);  // FLUSH CACHE EXT, FLUSH CACHE, 48-bit addresses
  words.set(84, 0x4000);
  words.set(85, 0x7008u | (disk.write_cache ? 0x20 : 0) | (disk.look_ahead ? 0x40 : 0));
  words.set(86, 0x3400);
  words.set(87, 0x4000);
  words.set_dword(100, static_cast<u32>(disk.sectors));
  words.set_dword(102, static_cast<u32>(disk.sectors >> 32));
  return words.bytes();
}

}  // namespace relic86
