// An AHCI controller on a test board, and a driver's ways of talking to it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/byte_order.h"
#include "devices/pci_bus.h"
#include "devices/storage/ata_disk.h"
#include "devices/storage/atapi_cdrom.h"
#include "devices/storage/ich9_ahci.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/test_board.h"

namespace relic86::test {

inline constexpr u64 kAhciRam = u64{1} << 20;

// Port 0: a disk of 4096 sectors; port 2: a CD-ROM drive with 300 sectors; others: nothing.
struct AhciBoard : TestBoard {
  static constexpr u32 kBar = 0xFEB00000;
  static constexpr u32 kDiskPort = 0, kCdromPort = 2, kEmptyPort = 1;
  static constexpr u64 kBuffer = 0x40000;

  AhciBoard() : TestBoard(kAhciRam, 0) {
    disk.fill_pattern();
    iso.fill_pattern();
    EXPECT_TRUE(memory.map_fixed(memory.new_key(), ram_range("ram", PhysAddr(0), kAhciRam, BackingOffset(0))).ok());
    AtaDiskOptions options;
    options.geometry = {65, 4, 16};
    options.serial_link = true;
    ahci.plug(kDiskPort, std::make_unique<AtaDisk>(std::make_unique<MemoryDisk>(disk), options));
    auto drive = std::make_unique<AtapiCdrom>();
    drive->set_serial_link();
    drive->insert(std::make_unique<MemoryDisk>(iso));
    ahci.plug(kCdromPort, std::move(drive));
    EXPECT_TRUE(pci.add(ahci, 3, 0).ok());
    EXPECT_TRUE(pci.attach(attachment).ok());
    EXPECT_TRUE(ahci.attach(attachment).ok());
    pci.set_pirq_sink(&irqs);
    power_on();
  }
  void power_on() {
    pci.reset(ResetKind::PowerOn);
    ahci.reset(ResetKind::PowerOn);
    set_config(3, 0, 0x24, 4, kBar);
    set_config(3, 0, 0x04, 2, 6);
  }

  u32 reg(u32 offset) { return static_cast<u32>(memory.read(PhysAddr(kBar + offset), 4)); }
  void set(u32 offset, u32 value) { memory.write(PhysAddr(kBar + offset), 4, value); }
  static u32 at(u32 port, u32 offset) { return 0x100 + port * 0x80 + offset; }
  u32 port(u32 number, u32 offset) { return reg(at(number, offset)); }
  void set_port(u32 number, u32 offset, u32 value) { set(at(number, offset), value); }
  static u64 list(u32 port) { return 0x10000 + port * 0x2000; }
  static u64 received(u32 port) { return list(port) + 0x400; }
  static u64 table(u32 port, u32 slot) { return 0x20000 + port * 0x4000 + slot * 0x200; }

  void start(u32 number) {
    set_port(number, 0x00, static_cast<u32>(list(number)));
    set_port(number, 0x08, static_cast<u32>(received(number)));
    set_port(number, 0x30, ~0u);
    set_port(number, 0x10, ~0u);
    set_port(number, 0x18, 0x10);
    set_port(number, 0x18, 0x11);
  }

  struct Region {
    u64 address;
    u32 bytes;
  };
  struct Command {
    u8 code = 0;
    u64 lba = 0;
    u32 count = 0;
    u8 features = 0;
    bool writes = false;
    std::vector<Region> regions{};
    std::vector<u8> packet{};
  };
  void put(u32 number, u32 slot, const Command& command) {
    std::vector<u8> fis(20);
    fis[0] = 0x27;
    fis[1] = 0x80;
    fis[2] = command.code;
    fis[3] = command.features;
    for (unsigned i = 0; i < 3; i++) {
      fis[4 + i] = static_cast<u8>(command.lba >> (i * 8));
      fis[8 + i] = static_cast<u8>(command.lba >> (24 + i * 8));
    }
    if (command.code == 0xA0) fis[5] = 0xFE, fis[6] = 0xFF;
    fis[7] = 0x40;
    store_le<u16>(fis, 12, static_cast<u16>(command.count));
    put_fis(number, slot, fis, command);
  }
  void put_fis(u32 number, u32 slot, std::span<const u8> fis) { put_fis(number, slot, fis, Command()); }
  void put_fis(u32 number, u32 slot, std::span<const u8> fis, const Command& command) {
    const u64 where = table(number, slot);
    memory.write_block(PhysAddr(where), fis);
    memory.write_block(PhysAddr(where + 0x40), command.packet);
    std::vector<u8> entries(command.regions.size() * 16);
    for (std::size_t i = 0; i < command.regions.size(); i++) {
      store_le<u64>(entries, i * 16, command.regions[i].address);
      store_le<u32>(entries, i * 16 + 12, command.regions[i].bytes - 1);
    }
    memory.write_block(PhysAddr(where + 0x80), entries);
    std::vector<u8> header(32);
    store_le<u32>(header, 0,
                  5u | (command.writes ? 0x40u : 0) | (command.packet.empty() ? 0 : 0x20u) |
                      static_cast<u32>(command.regions.size()) << 16);
    store_le<u64>(header, 8, where);
    memory.write_block(PhysAddr(list(number) + slot * 32), header);
  }
  // Until the slot is done; at most 50 ms.
  void wait(u32 number, u32 slot) {
    for (int i = 0; i < 50'000 && (port(number, 0x38) >> slot & 1) != 0; i++) pass(1000);
  }
  void run(u32 number, const Command& command, u32 slot = 0) {
    put(number, slot, command);
    set_port(number, 0x38, 1u << slot);
    wait(number, slot);
  }
  u32 moved(u32 number, u32 slot = 0) { return load_le<u32>(bytes(list(number) + slot * 32 + 4, 4), 0); }
  std::vector<u8> bytes(u64 address, std::size_t count) {
    std::vector<u8> result(count);
    memory.read_block(PhysAddr(address), result);
    return result;
  }
  static std::vector<u8> sectors(const MemoryDiskContent& of, u64 first, std::size_t count, std::size_t size) {
    const auto begin = of.bytes.begin() + static_cast<std::ptrdiff_t>(first * size);
    return {begin, begin + static_cast<std::ptrdiff_t>(count * size)};
  }

  MemoryDiskContent disk{4096 * 512}, iso{300 * 2048};
  PciBus pci;
  Ich9Ahci ahci{"ahci"};
};

}  // namespace relic86::test
