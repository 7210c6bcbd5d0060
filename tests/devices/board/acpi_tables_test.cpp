#include "devices/board/acpi_tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <string>

#include "devices/board/acpi_namespace.h"
#include "devices/board/aml.h"

namespace relic86 {
namespace {

using Bytes = std::vector<u8>;

u64 number(const Bytes& bytes, std::size_t at, unsigned width) {
  u64 value = 0;
  for (unsigned i = 0; i < width; i++) value |= u64{bytes.at(at + i)} << (i * 8);
  return value;
}

// What firmware does with the script, as the fw_cfg interface's documentation has it. The tables' place is arbitrary.
struct Loaded {
  static constexpr u64 kTables = 0x7FE0000;
  Bytes tables, rsdp;
};

Loaded load(const AcpiFiles& files) {
  Loaded loaded{files.tables, files.rsdp};
  const auto file_of = [&](std::size_t at) -> Bytes& {
    const std::string name(reinterpret_cast<const char*>(&files.loader[at]));
    EXPECT_TRUE(name == "etc/acpi/tables" || name == "etc/acpi/rsdp") << name;
    return name == "etc/acpi/rsdp" ? loaded.rsdp : loaded.tables;
  };
  constexpr std::size_t kCommand = 128, kName = 56;
  EXPECT_EQ(files.loader.size() % kCommand, 0u);
  unsigned allocated = 0;
  for (std::size_t at = 0; at < files.loader.size(); at += kCommand) {
    const u64 kind = number(files.loader, at, 4);
    Bytes& file = file_of(at + 4);
    if (kind == 1) {
      allocated++;
    } else if (kind == 2) {
      const std::size_t offset = number(files.loader, at + 4 + 2 * kName, 4);
      EXPECT_EQ(files.loader[at + 8 + 2 * kName], 4);
      EXPECT_EQ(&file_of(at + 4 + kName), &loaded.tables);
      const u64 address = number(file, offset, 4) + Loaded::kTables;
      for (unsigned i = 0; i < 4; i++) file[offset + i] = static_cast<u8>(address >> (i * 8));
    } else {
      EXPECT_EQ(kind, 3u);
      const std::size_t offset = number(files.loader, at + 4 + kName, 4),
                        first = number(files.loader, at + 8 + kName, 4),
                        size = number(files.loader, at + 12 + kName, 4);
      EXPECT_LE(first + size, file.size());
      const auto begin = file.begin() + static_cast<std::ptrdiff_t>(first);
      file.at(offset) = static_cast<u8>(-std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(size), 0));
    }
  }
  EXPECT_EQ(allocated, 2u);
  return loaded;
}

bool sums_to_zero(const Bytes& bytes, std::size_t first, std::size_t size) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < size; i++) sum += bytes.at(first + i);
  return (sum & 0xFF) == 0;
}

AcpiBoard two_processors() {
  AcpiBoard board;
  board.apic_ids = {0, 1};
  board.low_ram = u64{3} << 30;
  board.ram = u64{5} << 30;
  board.power_ports = 0xB000;
  board.sleep[4] = 0;
  board.serial_ports[0] = true;
  return board;
}

// By signature, as an operating system finds them.
std::map<std::string, std::size_t> find_tables(const Loaded& loaded) {
  std::map<std::string, std::size_t> found;
  const auto note = [&](u64 address) {
    const std::size_t at = address - Loaded::kTables;
    const std::string signature(reinterpret_cast<const char*>(&loaded.tables.at(at)), 4);
    found[signature] = at;
    return at;
  };
  const std::size_t rsdt = note(number(loaded.rsdp, 16, 4));
  for (std::size_t at = rsdt + 36; at < rsdt + number(loaded.tables, rsdt + 4, 4); at += 4)
    note(number(loaded.tables, at, 4));
  note(number(loaded.tables, found.at("FACP") + 36, 4));
  note(number(loaded.tables, found.at("FACP") + 40, 4));
  return found;
}

TEST(AcpiTables, ArePutTogetherByFirmwaresScript) {
  const Loaded loaded = load(make_acpi_files(two_processors()));
  EXPECT_EQ(std::memcmp(loaded.rsdp.data(), "RSD PTR ", 8), 0);
  EXPECT_TRUE(sums_to_zero(loaded.rsdp, 0, 20));
  const auto found = find_tables(loaded);
  for (const char* signature : {"RSDT", "FACP", "APIC", "DSDT"}) {
    ASSERT_TRUE(found.contains(signature)) << signature;
    const std::size_t at = found.at(signature);
    EXPECT_TRUE(sums_to_zero(loaded.tables, at, number(loaded.tables, at + 4, 4))) << signature;
  }
  ASSERT_TRUE(found.contains("FACS"));
  EXPECT_EQ(found.at("FACS") % 64, 0u);
}

TEST(AcpiTables, TellWhereTheRegistersAre) {
  AcpiBoard board = two_processors();
  const auto ports = [](const AcpiFiles& files) {
    const Loaded loaded = load(files);
    const std::size_t fadt = find_tables(loaded).at("FACP");
    return std::array{number(loaded.tables, fadt + 56, 4), number(loaded.tables, fadt + 64, 4),
                      number(loaded.tables, fadt + 76, 4), number(loaded.tables, fadt + 4, 4)};
  };
  const AcpiFiles before = make_acpi_files(board);
  EXPECT_EQ(ports(before), (std::array<u64, 4>{0xB000, 0xB004, 0xB008, 116}));
  board.power_ports = 0x600;
  const AcpiFiles now = make_acpi_files(board);
  EXPECT_EQ(ports(now), (std::array<u64, 4>{0x600, 0x604, 0x608, 116}));
  EXPECT_EQ(now.tables.size(), before.tables.size());
  EXPECT_EQ(now.loader, before.loader);
}

// MCFG (PCI Firmware Specification 3.0, 4.1.2) and HPET (IA-PC HPET 1.0a, 3.2.4), and GPE0 with the ICH9's ports.
TEST(AcpiTables, OfAQ35TellOfItsWindowAndTimer) {
  AcpiBoard board = two_processors();
  EXPECT_FALSE(find_tables(load(make_acpi_files(board))).contains("MCFG"));
  EXPECT_FALSE(find_tables(load(make_acpi_files(board))).contains("HPET"));
  board.low_ram = u64{2} << 30;
  board.power_ports = 0x600;
  board.hpet = true;
  board.q35 = {0xB0000000, 256u << 20};
  const AcpiFiles files = make_acpi_files(board);
  const Loaded loaded = load(files);
  const auto found = find_tables(loaded);
  for (const char* signature : {"RSDT", "FACP", "APIC", "DSDT", "MCFG", "HPET"}) {
    ASSERT_TRUE(found.contains(signature)) << signature;
    const std::size_t at = found.at(signature);
    EXPECT_TRUE(sums_to_zero(loaded.tables, at, number(loaded.tables, at + 4, 4))) << signature;
  }
  const std::size_t window = found.at("MCFG") + 44, timer = found.at("HPET"), fadt = found.at("FACP");
  EXPECT_EQ(number(loaded.tables, window, 8), 0xB0000000u);
  EXPECT_EQ(number(loaded.tables, window + 8, 4), 0xFF000000u) << "segment group 0, buses 0 to 255";
  EXPECT_EQ(number(loaded.tables, timer + 44, 8), 0xFED00000u);
  EXPECT_EQ(number(loaded.tables, fadt + 80, 4), 0x620u);
  // Firmware places the files before it asks for them, so that their sizes stay.
  board.q35 = {0xE0000000, 128u << 20};
  const AcpiFiles moved = make_acpi_files(board);
  EXPECT_EQ(moved.tables.size(), files.tables.size());
  EXPECT_EQ(moved.loader, files.loader);
  const Loaded moved_tables = load(moved);
  EXPECT_EQ(number(moved_tables.tables, window, 8), 0xE0000000u);
  EXPECT_EQ(number(moved_tables.tables, window + 8, 4), 0x7F000000u);
}

TEST(AcpiTables, ListTheProcessors) {
  AcpiBoard board = two_processors();
  board.apic_ids = {0, 2, 5};
  const Loaded loaded = load(make_acpi_files(board));
  const std::size_t madt = find_tables(loaded).at("APIC");
  std::vector<u8> ids;
  for (std::size_t at = madt + 44; at < madt + number(loaded.tables, madt + 4, 4); at += loaded.tables[at + 1]) {
    ASSERT_GE(loaded.tables[at + 1], 2);
    if (loaded.tables[at] == 0) ids.push_back(loaded.tables[at + 3]);
  }
  EXPECT_EQ(ids, board.apic_ids);
  board.apic_ids.clear();
  EXPECT_FALSE(find_tables(load(make_acpi_files(board))).contains("APIC"));
}

bool holds(const Bytes& bytes, const Bytes& part) {
  return std::search(bytes.begin(), bytes.end(), part.begin(), part.end()) != bytes.end();
}
bool holds(const Bytes& bytes, std::string_view text) { return holds(bytes, Bytes(text.begin(), text.end())); }

// What a removable slot has to have for an operating system to take a card out (6.3.3), and no other slot.
TEST(AcpiTables, LetCardsComeAndGoInTheSlotsThatCan) {
  AcpiBoard board = two_processors();
  EXPECT_FALSE(holds(make_acpi_files(board).tables, "_E01"));
  board.removable_slots = 1u << 5 | 1u << 31;
  const Bytes tables = make_acpi_files(board).tables;
  EXPECT_TRUE(holds(tables, "_E01"));
  EXPECT_TRUE(holds(tables, "S05_"));
  EXPECT_TRUE(holds(tables, "S1F_"));
  EXPECT_FALSE(holds(tables, "S04_"));
  EXPECT_TRUE(holds(tables, aml::name("_ADR", aml::integer(0x1F0000))));
  EXPECT_TRUE(holds(tables, aml::method("_EJ0", 1, aml::store(aml::integer(1u << 5), aml::path("B0EJ")))));
  const Bytes check = aml::when(aml::both(aml::path("PCIU"), aml::integer(1u << 5)), aml::notify(aml::path("S05_"), 1));
  EXPECT_TRUE(holds(tables, check));
}

TEST(AcpiTables, TellOfAPanicDevice) {
  AcpiBoard board = two_processors();
  EXPECT_FALSE(holds(make_acpi_files(board).tables, "QEMU0001"));
  board.panic_port = 0x505;
  EXPECT_TRUE(holds(make_acpi_files(board).tables, panic_device(0x505)));
  const Bytes alone = make_panic_table(0x506);
  EXPECT_TRUE(alone.size() == number(alone, 4, 4) && sums_to_zero(alone, 0, alone.size()));
  EXPECT_TRUE(holds(alone, panic_device(0x506)));
}

// ACPI 6.4, 20.2, and 6.1.5, which has the first of them.
TEST(Aml, EncodesLengthsNamesAndNumbers) {
  EXPECT_EQ(aml::eisa_id("PNP0A03"), (Bytes{0x0C, 0x41, 0xD0, 0x0A, 0x03}));
  EXPECT_EQ(aml::integer(0), Bytes{0x00});
  EXPECT_EQ(aml::integer(1), Bytes{0x01});
  EXPECT_EQ(aml::integer(0x1234), (Bytes{0x0B, 0x34, 0x12}));
  EXPECT_EQ(aml::integer(u64{1} << 32), (Bytes{0x0E, 0, 0, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(aml::path("\\_SB_.PCI0"), (Bytes{'\\', 0x2E, '_', 'S', 'B', '_', 'P', 'C', 'I', '0'}));
  EXPECT_EQ(aml::path("A"), (Bytes{'A', '_', '_', '_'}));
  const Bytes small = aml::scope("X", Bytes(58, 0xA3)), large = aml::scope("X", Bytes(59, 0xA3));
  EXPECT_EQ(small[1], 63) << "itself, a name of 4, and 58";
  EXPECT_EQ(large[1], 0x40 | (65 & 0xF));
  EXPECT_EQ(large[2], 65 >> 4);
  EXPECT_EQ(large.size(), 66u);
}

}  // namespace
}  // namespace relic86
