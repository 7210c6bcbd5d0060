#include "devices/storage/ich9_ahci.h"

#include <gtest/gtest.h>

#include "tests/devices/storage/ahci_board.h"

namespace relic86 {
namespace {

using test::AhciBoard;
using Command = AhciBoard::Command;

struct Ahci : AhciBoard, ::testing::Test {};

constexpr u32 kDisk = AhciBoard::kDiskPort, kCdrom = AhciBoard::kCdromPort, kEmpty = AhciBoard::kEmptyPort;
constexpr u64 kTo = AhciBoard::kBuffer;

TEST_F(Ahci, SaysWhatItHas) {
  EXPECT_EQ(config(3, 0, 0, 4), 0x29228086u);
  EXPECT_EQ(config(3, 0, 9, 2) | config(3, 0, 11, 1) << 16, 0x010601u);
  EXPECT_EQ(config(3, 0, 0x34, 1), 0xA8u);
  EXPECT_EQ(reg(0x00) & 0x1F, 5u);
  EXPECT_EQ(reg(0x04), 0x80000000u);
  EXPECT_EQ(reg(0x0C), 0x3Fu);
  EXPECT_EQ(reg(0x10), 0x00010300u);
  EXPECT_EQ(port(kDisk, 0x28), 0x113u);
  EXPECT_EQ(port(kEmpty, 0x28), 0u);
  EXPECT_EQ(port(kEmpty, 0x20), 0x7Fu);
  EXPECT_EQ(port(kDisk, 0x20), 0x0150u);
  EXPECT_EQ(port(kDisk, 0x24), 0x00000101u);
  EXPECT_EQ(port(kCdrom, 0x24), 0xEB140101u);
  EXPECT_EQ(reg(0x100 + 6 * 0x80), 0u) << "there are six ports";
}

TEST_F(Ahci, IdentifyIsPioWithASetupFis) {
  start(kDisk);
  run(kDisk, {.code = 0xEC, .regions = {{kTo, 512}}});
  EXPECT_EQ(port(kDisk, 0x38), 0u);
  const auto words = bytes(kTo, 512);
  EXPECT_EQ(load_le<u16>(words, 76 * 2), 2u);
  EXPECT_EQ(load_le<u16>(words, 93 * 2), 0u);
  EXPECT_EQ(load_le<u32>(words, 60 * 2), 4096u);
  EXPECT_EQ(moved(kDisk), 512u);
  EXPECT_EQ(port(kDisk, 0x20), 0x50u);
  EXPECT_EQ(port(kDisk, 0x10) & 3, 2u) << "PSS, and no registers FIS";
  const auto fis = bytes(received(kDisk) + 0x20, 20);
  EXPECT_EQ(fis[0], 0x5F);
  EXPECT_EQ(fis[1], 0x60);
  EXPECT_EQ(fis[2], 0x58);
  EXPECT_EQ(fis[15], 0x50);
  EXPECT_EQ(load_le<u16>(fis, 16), 512u);
}

TEST_F(Ahci, DmaReadsScatter) {
  start(kDisk);
  run(kDisk,
      {.code = 0x25, .lba = 1000, .count = 20, .regions = {{kTo, 2}, {kTo + 0x3000, 5118}, {kTo + 0x8000, 8192}}});
  const auto wanted = sectors(disk, 1000, 20, 512);
  auto got = bytes(kTo, 2);
  for (const auto& [where, count] : {std::pair{kTo + 0x3000, 5118u}, {kTo + 0x8000, 5120u}}) {
    const auto part = bytes(where, count);
    got.insert(got.end(), part.begin(), part.end());
  }
  EXPECT_EQ(got, wanted);
  EXPECT_EQ(moved(kDisk), 20u * 512);
  EXPECT_EQ(port(kDisk, 0x10), 1u) << "DHRS";
  EXPECT_EQ(bytes(received(kDisk) + 0x40, 4), (std::vector<u8>{0x34, 0x40, 0x50, 0x00}));
}

TEST_F(Ahci, DmaWritesAndTheLargestCount) {
  start(kDisk);
  std::vector<u8> wanted(16 * 512);
  for (std::size_t i = 0; i < wanted.size(); i++) wanted[i] = static_cast<u8>(i * 7 + i / 512);
  memory.write_block(PhysAddr(kTo), wanted);
  run(kDisk, {.code = 0x35, .lba = 77, .count = 16, .writes = true, .regions = {{kTo, 16 * 512}}});
  run(kDisk, {.code = 0x25, .lba = 77, .count = 16, .regions = {{kTo + 0x10000, 16 * 512}}});
  EXPECT_EQ(bytes(kTo + 0x10000, wanted.size()), wanted);
  EXPECT_EQ(port(kDisk, 0x20), 0x50u);
}

TEST_F(Ahci, PioBlocksBothWays) {
  start(kDisk);
  run(kDisk, {.code = 0x24, .lba = 5, .count = 3, .regions = {{kTo, 3 * 512}}});
  EXPECT_EQ(bytes(kTo, 3 * 512), sectors(disk, 5, 3, 512));
  run(kDisk, {.code = 0x34, .lba = 9, .count = 3, .writes = true, .regions = {{kTo, 3 * 512}}});
  EXPECT_EQ(port(kDisk, 0x38), 0u);
  run(kDisk, {.code = 0x25, .lba = 9, .count = 3, .regions = {{kTo + 0x4000, 3 * 512}}});
  EXPECT_EQ(bytes(kTo + 0x4000, 3 * 512), sectors(disk, 5, 3, 512));
}

TEST_F(Ahci, PacketsOfTheCdrom) {
  start(kCdrom);
  run(kCdrom, {.code = 0xA1, .regions = {{kTo, 512}}});
  EXPECT_EQ(load_le<u16>(bytes(kTo, 512), 0), 0x85C0u);
  const std::vector<u8> read{0x28, 0, 0, 0, 0, 16, 0, 0, 4, 0, 0, 0};
  run(kCdrom, {.code = 0xA0, .features = 1, .regions = {{kTo, 4 * 2048}}, .packet = read});
  EXPECT_EQ(bytes(kTo, 4 * 2048), sectors(iso, 16, 4, 2048)) << "by DMA";
  run(kCdrom, {.code = 0xA0, .regions = {{kTo + 0x4000, 4 * 2048}}, .packet = read});
  EXPECT_EQ(bytes(kTo + 0x4000, 4 * 2048), sectors(iso, 16, 4, 2048)) << "by PIO";
  EXPECT_EQ(port(kCdrom, 0x20), 0x50u);
}

TEST_F(Ahci, ErrorsStopTheListUntilItIsStartedAnew) {
  start(kDisk);
  put(kDisk, 0, {.code = 0x25, .lba = 5000, .count = 1, .regions = {{kTo, 512}}});
  put(kDisk, 1, {.code = 0x25, .lba = 1, .count = 1, .regions = {{kTo, 512}}});
  set_port(kDisk, 0x38, 3);
  pass(1'000'000);
  for (int i = 0; i < 100; i++) pass(10'000);
  EXPECT_EQ(port(kDisk, 0x10) & 1u << 30, 1u << 30);
  EXPECT_EQ(port(kDisk, 0x20), 0x1051u) << "IDNF";
  const u32 failed = port(kDisk, 0x18) >> 8 & 31;
  EXPECT_NE(port(kDisk, 0x38) >> failed & 1, 0u);
  set_port(kDisk, 0x18, 0x10);
  EXPECT_EQ(port(kDisk, 0x38), 0u);
  start(kDisk);
  run(kDisk, {.code = 0x25, .lba = 1, .count = 1, .regions = {{kTo, 512}}});
  EXPECT_EQ(bytes(kTo, 512), sectors(disk, 1, 1, 512));
}

TEST_F(Ahci, InterruptsComeBackWhileTheirCauseStands) {
  start(kDisk);
  set(0x04, 2);
  set_port(kDisk, 0x14, 1);
  run(kDisk, {.code = 0x25, .lba = 1, .count = 1, .regions = {{kTo, 512}}});
  EXPECT_EQ(reg(0x08), 1u << kDisk);
  EXPECT_TRUE(irqs.levels[2]) << "slot 3, INTA#";
  set(0x08, 1u << kDisk);
  EXPECT_TRUE(irqs.levels[2]);
  set_port(kDisk, 0x10, 1);
  set(0x08, 1u << kDisk);
  EXPECT_FALSE(irqs.levels[2]);
  set_port(kDisk, 0x14, 0);
  run(kDisk, {.code = 0x25, .lba = 1, .count = 1, .regions = {{kTo, 512}}});
  EXPECT_FALSE(irqs.levels[2]);
}

TEST_F(Ahci, SoftResetShowsTheSignature) {
  start(kCdrom);
  run(kCdrom, {.code = 0xEC, .regions = {{kTo, 512}}});  // aborts
  start(kCdrom);
  std::vector<u8> fis(20);
  fis[0] = 0x27;
  fis[15] = 4;
  put_fis(kCdrom, 0, fis);
  set_port(kCdrom, 0x38, 1);
  wait(kCdrom, 0);
  EXPECT_EQ(port(kCdrom, 0x20) & 0x80, 0x80u);
  fis[15] = 0;
  put_fis(kCdrom, 1, fis);
  set_port(kCdrom, 0x38, 2);
  wait(kCdrom, 1);
  pass(1'000'000);
  EXPECT_EQ(port(kCdrom, 0x20) & 0x88, 0u);
  EXPECT_EQ(port(kCdrom, 0x24), 0xEB140101u);
  EXPECT_EQ(bytes(received(kCdrom) + 0x44, 3), (std::vector<u8>{0x01, 0x14, 0xEB}));
}

TEST_F(Ahci, LinkResetAndHostReset) {
  start(kDisk);
  set_port(kDisk, 0x2C, 0x301);
  EXPECT_EQ(port(kDisk, 0x28), 0u);
  set_port(kDisk, 0x2C, 0x300);
  EXPECT_EQ(port(kDisk, 0x28), 0x113u);
  EXPECT_EQ(port(kDisk, 0x10) & 1u << 6, 1u << 6) << "PCS while DIAG.X stands";
  set_port(kDisk, 0x30, ~0u);
  EXPECT_EQ(port(kDisk, 0x10) & 1u << 6, 0u);
  pass(1'000'000);
  EXPECT_EQ(port(kDisk, 0x20), 0x0150u);
  run(kDisk, {.code = 0x25, .lba = 1, .count = 1, .regions = {{kTo, 512}}});
  EXPECT_EQ(bytes(kTo, 512), sectors(disk, 1, 1, 512));
  set(0x04, 1);
  EXPECT_EQ(reg(0x04), 0x80000000u);
  EXPECT_EQ(port(kDisk, 0x18) & 0x11, 0u);
  EXPECT_EQ(port(kDisk, 0x00), list(kDisk)) << "lists stay where they are";
  pass(1'000'000);
  EXPECT_EQ(port(kDisk, 0x20), 0x0150u);
}

TEST_F(Ahci, ADriveThatSleepsAnswersAfterAReset) {
  start(kDisk);
  run(kDisk, {.code = 0xE6});
  EXPECT_EQ(port(kDisk, 0x38), 0u);
  run(kDisk, {.code = 0x25, .lba = 1, .count = 1, .regions = {{kTo, 512}}});
  EXPECT_EQ(port(kDisk, 0x38), 1u);
  EXPECT_EQ(port(kDisk, 0x20) & 0x80, 0x80u);
  set_port(kDisk, 0x18, 0x10);
  set_port(kDisk, 0x2C, 0x301);
  set_port(kDisk, 0x2C, 0x300);
  pass(1'000'000);
  start(kDisk);
  run(kDisk, {.code = 0x25, .lba = 1, .count = 1, .regions = {{kTo, 512}}});
  EXPECT_EQ(bytes(kTo, 512), sectors(disk, 1, 1, 512));
}

TEST_F(Ahci, IndexAndDataPair) {
  set_config(3, 0, 0x20, 4, 0xC000);
  set_config(3, 0, 0x04, 2, 7);
  out(0xC010, 0x10, 4);
  EXPECT_EQ(in(0xC014, 4), 0x00010300u);
}

// --- Guests that misbehave ---

TEST_F(Ahci, WithoutBusMasteringNothingIsFetched) {
  start(kDisk);
  set_config(3, 0, 0x04, 2, 2);
  run(kDisk, {.code = 0x25, .lba = 1, .count = 1, .regions = {{kTo, 512}}});
  EXPECT_EQ(port(kDisk, 0x38), 1u);
  set_config(3, 0, 0x04, 2, 6);
  wait(kDisk, 0);
  EXPECT_EQ(port(kDisk, 0x38), 0u);
}

TEST_F(Ahci, AddressesWhereNobodyAnswers) {
  start(kDisk);
  set_port(kDisk, 0x04, 0x00080000);  // beyond all memory
  set_port(kDisk, 0x38, 1);
  pass(1'000'000);
  EXPECT_EQ(port(kDisk, 0x10) & 1u << 29, 1u << 29);
  set_port(kDisk, 0x18, 0);
  set_port(kDisk, 0x04, 0);
  start(kDisk);
  run(kDisk, {.code = 0x25, .lba = 1, .count = 1, .regions = {{0xF0000000, 512}}});
  EXPECT_EQ(port(kDisk, 0x10) & 1u << 29, 1u << 29);
  EXPECT_EQ(port(kDisk, 0x38), 1u);
}

TEST_F(Ahci, TablesThatAreTooShort) {
  start(kDisk);
  run(kDisk, {.code = 0x25, .lba = 1, .count = 4, .regions = {{kTo, 512}}});
  EXPECT_EQ(port(kDisk, 0x10) & 1u << 24, 1u << 24) << "OFS";
  EXPECT_EQ(port(kDisk, 0x38), 0u) << "the rest is dropped";
  EXPECT_EQ(bytes(kTo, 512), sectors(disk, 1, 1, 512));
  start(kDisk);
  const auto before = sectors(disk, 1, 4, 512);
  run(kDisk, {.code = 0x35, .lba = 1, .count = 4, .writes = true, .regions = {{kTo, 512}}});
  EXPECT_EQ(port(kDisk, 0x10) & 1u << 24, 1u << 24);
  EXPECT_EQ(port(kDisk, 0x38), 1u) << "nothing is made up for the disk";
}

TEST_F(Ahci, DataIntoItsOwnRegisters) {
  start(kDisk);
  run(kDisk, {.code = 0x25, .lba = 1, .count = 8, .regions = {{kBar, 4096}}});
  EXPECT_EQ(reg(0x10), 0x00010300u);
  EXPECT_EQ(port(kDisk, 0x18) & 0x11, 0x11u);
}

TEST_F(Ahci, OtherFisesAreDone) {
  start(kDisk);
  std::vector<u8> fis(20);
  fis[0] = 0x46;
  put_fis(kDisk, 4, fis);
  set_port(kDisk, 0x38, 1u << 4);
  wait(kDisk, 4);
  EXPECT_EQ(port(kDisk, 0x38), 0u);
  run(kDisk, {.code = 0x60, .lba = 1, .count = 1, .regions = {{kTo, 512}}});  // READ FPDMA QUEUED
  EXPECT_EQ(port(kDisk, 0x20), 0x0451u) << "there are no queued commands";
}

TEST_F(Ahci, AnEmptyPortDoesNothing) {
  start(kEmpty);
  set_port(kEmpty, 0x38, 1);
  pass(10'000'000);
  EXPECT_EQ(port(kEmpty, 0x38), 1u);
  set_port(kEmpty, 0x2C, 1);
  set_port(kEmpty, 0x2C, 0);
  EXPECT_EQ(port(kEmpty, 0x28), 0u);
}

TEST_F(Ahci, StateInTheMiddleOfATransfer) {
  start(kDisk);
  const u32 count = 1024;  // 512 KiB: several bursts
  put(kDisk, 0, {.code = 0x25, .lba = 0, .count = count, .regions = {{kTo, 0x80000}}});
  set_port(kDisk, 0x38, 1);
  for (int i = 0; i < 20; i++) pass(5'000);
  ASSERT_EQ(port(kDisk, 0x38), 1u);
  const auto state = test::saved(ahci);
  StateWriter clocks;
  scheduler.state(clocks);
  const auto timers = clocks.data();
  wait(kDisk, 0);
  const auto end = test::saved(ahci);
  ahci.reset(ResetKind::Hard);
  ASSERT_TRUE(test::load(ahci, state));
  EXPECT_EQ(test::saved(ahci), state);
  auto reader = StateReader::parse(timers);
  ASSERT_TRUE(reader.ok());
  scheduler.state(reader.value());
  wait(kDisk, 0);
  EXPECT_EQ(bytes(kTo, count * 512), sectors(disk, 0, count, 512));
  EXPECT_EQ(test::saved(ahci), end);
}

TEST_F(Ahci, SurvivesAnything) {
  std::mt19937 random(3);
  for (int round = 0; round < 40; round++) {
    power_on();
    for (int i = 0; i < 400; i++) {
      const u32 number = random() % 4;
      switch (random() % 8) {
        case 0: start(number); break;
        case 1:
          set_port(number, 4 * (random() % 16), random() % 2 == 0 ? static_cast<u32>(random()) : random() % 64);
          break;
        case 2: set(4 * (random() % 12), random() % 4); break;
        case 3: {
          constexpr u8 kCodes[] = {0x25, 0x35, 0xEC, 0xA0, 0xA1, 0x24, 0x34, 0xC4, 0x90, 0x08, 0xE7, 0xEF, 0xE4, 0xE8};
          Command command{.code = kCodes[random() % std::size(kCodes)],
                          .lba = random() % 5000,
                          .count = static_cast<u32>(random() % 70),
                          .features = static_cast<u8>(random() % 4),
                          .packet = std::vector<u8>(16)};
          for (u8& byte : command.packet) byte = static_cast<u8>(random() % 3 == 0 ? random() : 0);
          if (random() % 2 == 0) command.packet[0] = 0x28;
          for (unsigned n = random() % 4; n > 0; n--)
            command.regions.push_back(
                {random() % 8 == 0 ? random() : random() % test::kAhciRam, static_cast<u32>(1 + random() % 20000)});
          put(number, random() % 32, command);
          break;
        }
        case 4: set_port(number, 0x38, static_cast<u32>(random())); break;
        case 5: {
          const auto state = test::saved(ahci);
          ASSERT_TRUE(test::load(ahci, state));
          ASSERT_EQ(test::saved(ahci), state);
          break;
        }
        default: pass(static_cast<GuestTime>(random() % 200'000));
      }
    }
  }
}

}  // namespace
}  // namespace relic86
