// The IDE controller on a test board, and drivers' ways of talking to it.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "devices/pci_bus.h"
#include "devices/storage/ata_disk.h"
#include "devices/storage/atapi_cdrom.h"
#include "devices/storage/piix3_ide.h"
#include "tests/block/late_disk.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/test_board.h"

namespace relic86::test {

inline constexpr u32 kSector = 512;
inline constexpr u16 kBusMasterBase = 0xC000;
inline constexpr u64 kIdeRam = u64{1} << 20;

// Primary master: a disk of 4096 sectors; secondary master: a CD-ROM drive with 300 sectors.
struct IdeBoard : TestBoard {
  // late: the disk's host answers when the test says so.
  explicit IdeBoard(LateAnswers* late = nullptr) : TestBoard(kIdeRam, 0) {
    disk.fill_pattern();
    iso.fill_pattern();
    EXPECT_TRUE(memory.map_fixed(memory.new_key(), ram_range("ram", PhysAddr(0), kIdeRam, BackingOffset(0))).ok());
    AtaDiskOptions options;
    options.geometry = {65, 4, 16};
    std::unique_ptr<BlockDevice> image = std::make_unique<MemoryDisk>(disk);
    if (late != nullptr) image = std::make_unique<LateDisk>(std::move(image), *late);
    ide.plug(0, std::make_unique<AtaDisk>(std::move(image), options));
    auto drive = std::make_unique<AtapiCdrom>();
    cdrom = drive.get();
    cdrom->insert(std::make_unique<MemoryDisk>(iso));
    ide.plug(2, std::move(drive));
    EXPECT_TRUE(pci.add(ide, 1, 1).ok());
    EXPECT_TRUE(pci.attach(attachment).ok());
    EXPECT_TRUE(ide.attach(attachment).ok());
    reset();
  }
  void reset() {
    pci.reset(ResetKind::PowerOn);
    ide.reset(ResetKind::PowerOn);
  }
  void enable_bus_master() {
    set_config(1, 1, 0x20, 4, kBusMasterBase);
    set_config(1, 1, 0x04, 2, 5);
  }
  u8 status(u16 base = 0x1F0) { return static_cast<u8>(in(static_cast<u16>(base + 7))); }
  u8 alternate(u16 base = 0x1F0) { return static_cast<u8>(in(static_cast<u16>(base + 0x206))); }
  u8 reg(unsigned index, u16 base = 0x1F0) { return static_cast<u8>(in(static_cast<u16>(base + index))); }
  void set_reg(unsigned index, u32 value, u16 base = 0x1F0) { out(static_cast<u16>(base + index), value & 0xFF); }

  // Until BSY falls; at most 5 ms.
  void wait_idle(u16 base = 0x1F0) {
    for (int i = 0; i < 5000 && (alternate(base) & 0x80) != 0; i++) pass(1000);
    EXPECT_EQ(alternate(base) & 0x80, 0);
  }
  void lba28(u32 lba, u32 count) {
    set_reg(2, count);
    set_reg(3, lba);
    set_reg(4, lba >> 8);
    set_reg(5, lba >> 16);
    set_reg(6, 0xE0 | lba >> 24);
  }
  void lba48(u64 lba, u32 count) {
    set_reg(6, 0x40);
    for (const unsigned shift : {24u, 0u}) {
      set_reg(2, count >> (shift / 3));
      for (unsigned i = 0; i < 3; i++) set_reg(3 + i, static_cast<u32>(lba >> (shift + i * 8)));
    }
  }
  void command(u8 code, u16 base = 0x1F0) {
    set_reg(7, code, base);
    wait_idle(base);
  }
  std::vector<u8> read_words(std::size_t bytes, u16 base = 0x1F0, unsigned width = 2) {
    std::vector<u8> result;
    while (result.size() < bytes) {
      const u32 value = in(base, width);
      for (unsigned i = 0; i < width; i++) result.push_back(static_cast<u8>(value >> (i * 8)));
    }
    return result;
  }
  void write_words(std::span<const u8> bytes, u16 base = 0x1F0) {
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) out(base, bytes[i] | u32{bytes[i + 1]} << 8, 2);
  }
  std::vector<u8> sectors(u64 lba, u32 count) const {
    const auto first = disk.bytes.begin() + static_cast<std::ptrdiff_t>(lba * kSector);
    return {first, first + static_cast<std::ptrdiff_t>(count * kSector)};
  }

  // Descriptor tables.
  void write_dword(u64 address, u32 value) {
    const std::array<u8, 4> bytes = {static_cast<u8>(value), static_cast<u8>(value >> 8), static_cast<u8>(value >> 16),
                                     static_cast<u8>(value >> 24)};
    memory.write_block(PhysAddr(address), bytes);
  }
  void descriptor(u64 at, u32 address, u32 count, bool last) {
    write_dword(at, address);
    write_dword(at + 4, (count & 0xFFFF) | (last ? 0x80000000u : 0));
  }
  u8 bus_status(unsigned channel = 0) {
    return static_cast<u8>(in(static_cast<u16>(kBusMasterBase + channel * 8 + 2)));
  }
  void set_table(u32 address, unsigned channel = 0) {
    out(static_cast<u16>(kBusMasterBase + channel * 8 + 4), address, 4);
  }
  void set_bus_command(u8 value, unsigned channel = 0) { out(static_cast<u16>(kBusMasterBase + channel * 8), value); }
  std::vector<u8> ram(u64 address, std::size_t size) {
    std::vector<u8> bytes(size);
    memory.read_block(PhysAddr(address), bytes);
    return bytes;
  }

  // A packet command by PIO on the secondary master, as drivers do: by interrupt reason and byte count.
  struct Answer {
    bool good = false;
    u8 error = 0;
    std::vector<u8> data;
    std::vector<u32> blocks;  // byte counts of the DRQ blocks
  };
  Answer packet(std::vector<u8> bytes, u16 limit = 0xFFFE, std::vector<u8> out_data = {}) {
    constexpr u16 base = 0x170;
    Answer answer;
    bytes.resize(12);
    set_reg(6, 0xA0, base), set_reg(1, 0, base), set_reg(4, limit, base), set_reg(5, limit >> 8, base);
    command(0xA0, base);
    EXPECT_EQ(status(base) & 0x09, 0x08);
    EXPECT_EQ(reg(2, base) & 3, 1);
    write_words(bytes, base);
    wait_idle(base);
    std::size_t sent = 0;
    while ((alternate(base) & 8) != 0 && answer.blocks.size() < 100'000) {
      EXPECT_TRUE(irqs.levels[15]);
      status(base);
      EXPECT_FALSE(irqs.levels[15]);
      const u32 count = reg(4, base) | u32{reg(5, base)} << 8;
      answer.blocks.push_back(count);
      if ((reg(2, base) & 2) != 0) {
        auto block = read_words(count, base);
        block.resize(count);
        answer.data.insert(answer.data.end(), block.begin(), block.end());
      } else {
        std::vector<u8> block(count + count % 2);
        for (u32 i = 0; i < count && sent < out_data.size(); i++) block[i] = out_data[sent++];
        write_words(block, base);
      }
      wait_idle(base);
    }
    EXPECT_EQ(reg(2, base) & 3, 3);
    EXPECT_TRUE(irqs.levels[15]);
    answer.good = (status(base) & 1) == 0;
    answer.error = answer.good ? u8{0} : reg(1, base);
    return answer;
  }
  // Key, code, qualifier as REQUEST SENSE tells.
  std::vector<int> sense() {
    const auto data = packet({0x03, 0, 0, 0, 18}).data;
    if (data.size() != 18) return {};
    return {data[2], data[12], data[13]};
  }
  void clear_attention() {
    for (int i = 0; i < 4 && !packet({0x00}).good; i++) sense();
  }

  MemoryDiskContent disk{4096 * kSector};
  MemoryDiskContent iso{300 * 2048};
  PciBus pci;
  Piix3Ide ide;
  AtapiCdrom* cdrom = nullptr;
};

}  // namespace relic86::test
