// CMOS RAM (IBM PC/AT Technical Reference, "CMOS RAM information"; what SeaBIOS reads beyond)
//
//   index    content
//   10h      floppy types: high nibble drive A, low B
//   12h      hard disk types: high nibble C, low D; Fh: see 19h, 1Ah
//   14h      equipment: 7:6 floppies - 1, 5:4 display (0: own BIOS), 2 pointing device, 1 coprocessor, 0 floppy present
//   15h-18h  base memory, extended memory in KiB;  30h-31h extended memory again
//   19h, 1Ah extended disk types: 47, user defined;  1Bh-23h, 24h-2Ch their geometry
//   2Eh-2Fh  checksum of 10h to 2Dh, high byte first
//   34h-35h  memory above 16 MiB in units of 64 KiB
//   38h      7:4 third boot device, bit 0: boot floppies without a signature, too;  3Dh first (3:0), second (7:4)
//   39h      disk translation, two bits per IDE disk: 0 none, 1 LBA, 2 large
//   5Bh-5Dh  memory above 4 GiB in units of 64 KiB
//   5Fh      processors - 1
#include "devices/board/cmos_map.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr u64 kKiB = 1024, kMiB = kKiB * kKiB;
constexpr u8 kUserDefinedType = 47;

u8 boot_code(char letter) {
  switch (letter) {
    case 'a':
    case 'b': return 1;
    case 'c': return 2;
    case 'd': return 3;
    case 'n': return 4;
    default: return 0;
  }
}

class Bytes {
 public:
  void set(u8 index, u64 value) { values_[index] = static_cast<u8>(value), used_[index] = true; }
  void set_word(u8 index, u64 value) {
    set(index, value & 0xFF);
    set(static_cast<u8>(index + 1), value >> 8);
  }
  u8 value(u8 index) const { return values_[index]; }
  std::vector<std::pair<u8, u8>> list() const {
    std::vector<std::pair<u8, u8>> result;
    for (unsigned i = 0; i < values_.size(); i++) {
      if (used_[i]) result.emplace_back(static_cast<u8>(i), values_[i]);
    }
    return result;
  }

 private:
  std::array<u8, 128> values_{};
  std::array<bool, 128> used_{};
};

void set_geometry(Bytes& bytes, u8 first, const DiskGeometry& disk) {
  const u64 cylinders = std::min<u64>(disk.cylinders, 0xFFFF);
  bytes.set_word(first, cylinders);
  bytes.set(static_cast<u8>(first + 2), disk.heads);
  bytes.set_word(static_cast<u8>(first + 3), 0xFFFF);  // write precompensation: none
  bytes.set(static_cast<u8>(first + 5), 0xC0 | (disk.heads > 8 ? 8 : 0));
  bytes.set_word(static_cast<u8>(first + 6), cylinders);  // landing zone
  bytes.set(static_cast<u8>(first + 8), disk.sectors);
}
}  // namespace

std::vector<std::pair<u8, u8>> cmos_contents(const CmosConfig& config) {
  Bytes bytes;
  const auto floppy = [&](unsigned i) { return static_cast<unsigned>(config.floppies[i]); };
  const unsigned floppies = (floppy(0) != 0 ? 1u : 0u) + (floppy(1) != 0 ? 1u : 0u);
  bytes.set(0x10, floppy(0) << 4 | floppy(1));

  const bool first = config.disks[0].geometry.cylinders != 0;
  const bool second = config.disks[1].geometry.cylinders != 0;
  bytes.set(0x12, (first ? 0xF0u : 0u) | (second ? 0x0Fu : 0u));
  bytes.set(0x19, first ? kUserDefinedType : 0);
  bytes.set(0x1A, second ? kUserDefinedType : 0);
  if (first) set_geometry(bytes, 0x1B, config.disks[0].geometry);
  if (second) set_geometry(bytes, 0x24, config.disks[1].geometry);
  unsigned translations = 0;
  for (unsigned i = 0; i < config.disks.size(); i++) {
    translations |= static_cast<unsigned>(config.disks[i].translation) << (i * 2);
  }
  bytes.set(0x39, translations);

  bytes.set(0x14, (floppies > 0 ? 1u | (floppies - 1) << 6 : 0u) | 2u | (config.mouse ? 4u : 0u));
  bytes.set_word(0x15, 640);
  const u64 extended = std::min<u64>((config.ram_size - kMiB) / kKiB, 0xFFFF);
  bytes.set_word(0x17, extended);
  bytes.set_word(0x30, extended);
  const u64 above_16 = config.ram_size > 16 * kMiB ? (config.ram_size - 16 * kMiB) / (64 * kKiB) : 0;
  bytes.set_word(0x34, std::min<u64>(above_16, 0xFFFF));
  const u64 above_4g = config.high_ram_size / (64 * kKiB);
  for (u8 i = 0; i < 3; i++) bytes.set(static_cast<u8>(0x5B + i), static_cast<unsigned>(above_4g >> (8 * i) & 0xFF));
  bytes.set(0x5F, config.processors - 1);

  std::array<u8, 3> boot{};
  unsigned count = 0;
  for (const char letter : config.boot_order) {
    const u8 code = boot_code(letter);
    if (code != 0 && count < boot.size()) boot[count++] = code;
  }
  bytes.set(kCmosBootOrderThird, static_cast<unsigned>(boot[2]) << 4 | (config.check_floppy_signature ? 0u : 1u));
  bytes.set(kCmosBootOrderFirst, static_cast<unsigned>(boot[1]) << 4 | boot[0]);

  unsigned checksum = 0;
  for (u8 index = 0x10; index <= 0x2D; index++) checksum += bytes.value(index);
  bytes.set(0x2E, checksum >> 8 & 0xFF);
  bytes.set(0x2F, checksum & 0xFF);
  return bytes.list();
}

}  // namespace relic86
