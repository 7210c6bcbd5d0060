// DMA and flushes of a disk whose host answers late: the drive is busy meanwhile, and whoever comes in between finds it
// sound.
#include "tests/devices/storage/ide_board.h"

namespace relic86 {
namespace {

using test::IdeBoard;
using test::kSector;
using test::LateAnswers;

constexpr u32 kTable = 0x1000, kBuffer = 0x20000;
constexpr u8 kReadSectors = 0x20, kWriteSectors = 0x30, kReadDma = 0xC8, kWriteDma = 0xCA, kFlushCache = 0xE7;

struct LateBoard {
  LateBoard() { board.enable_bus_master(); }
  void start_dma(u8 code, u32 lba, u32 count) {
    board.descriptor(kTable, kBuffer, count * kSector, true);
    board.set_table(kTable);
    const u8 direction = code == kReadDma ? 8 : 0;
    board.lba28(lba, count);
    board.set_reg(7, code);
    board.set_bus_command(direction | 1);
    pass();
  }
  void pass() {
    for (int i = 0; i < 200; i++) board.pass(50'000);
  }
  bool busy() { return (board.alternate() & 0x80) != 0; }

  LateAnswers answers;
  IdeBoard board{&answers};
};

TEST(AtaLate, AReadEndsWhenTheHostAnswers) {
  LateBoard late;
  late.start_dma(kReadDma, 40, 8);
  ASSERT_EQ(late.answers.waiting.size(), 1u);
  EXPECT_TRUE(late.busy());
  EXPECT_EQ(late.board.bus_status() & 7, 1) << "active";
  EXPECT_FALSE(late.board.irqs.levels[14]);
  late.answers.answer();
  late.pass();
  EXPECT_TRUE(late.board.irqs.levels[14]);
  EXPECT_EQ(late.board.bus_status() & 7, 4);
  EXPECT_EQ(late.board.status(), 0x50);
  EXPECT_EQ(late.board.ram(kBuffer, 8 * kSector), late.board.sectors(40, 8));
}

TEST(AtaLate, AReadThatFailsIsTriedAgainWhenTheMachineGoesOn) {
  for (const bool defers : {true, false}) {
    LateBoard late;
    late.answers.late = defers;
    late.answers.fails = true;
    late.answers.action = ErrorAction::Stop;
    late.start_dma(kReadDma, 40, 8);
    if (defers) late.answers.answer();
    late.pass();
    EXPECT_EQ(late.answers.told, std::vector{BlockRequest::Kind::Read});
    EXPECT_TRUE(late.busy());
    EXPECT_FALSE(late.board.irqs.levels[14]);
    late.answers.retry();  // and fails again
    if (defers) late.answers.answer();
    EXPECT_EQ(late.answers.told.size(), 2u);
    EXPECT_TRUE(late.busy());
    late.answers.fails = false;
    late.answers.retry();
    if (defers) late.answers.answer();
    late.pass();
    EXPECT_EQ(late.board.status(), 0x50);
    EXPECT_EQ(late.board.ram(kBuffer, 8 * kSector), late.board.sectors(40, 8));
    late.answers.retry();  // nothing waits any more
    EXPECT_EQ(late.board.status(), 0x50);
  }
}

TEST(AtaLate, AWriteThatFailsKeepsItsBytesUntilItIsTriedAgain) {
  LateBoard late;
  late.board.memory.write_block(PhysAddr(kBuffer), std::vector<u8>(kSector, 0x5A));
  late.answers.fails = true;
  late.answers.action = ErrorAction::Stop;
  late.start_dma(kWriteDma, 7, 1);
  late.answers.answer();
  EXPECT_TRUE(late.busy());
  late.board.memory.write_block(PhysAddr(kBuffer), std::vector<u8>(kSector, 0));  // the drive has them already
  late.answers.fails = false;
  late.answers.retry();
  late.answers.answer();
  late.pass();
  EXPECT_EQ(late.board.status(), 0x50);
  EXPECT_EQ(late.board.disk.bytes[7 * kSector], 0x5A);
}

// What is tried again is the command that has failed, not a transfer that the host gave up for it.
TEST(AtaLate, AFailedCommandAfterATransferThatWasGivenUpIsTriedAgain) {
  constexpr u8 kReadVerify = 0x40;
  for (const u8 code : {kFlushCache, kReadVerify}) {
    LateBoard late;
    late.answers.late = false;
    late.board.lba28(9, 2);
    late.board.command(kReadSectors);
    ASSERT_EQ(late.board.alternate() & 0x08, 0x08) << "DRQ";
    late.answers.fails = true;
    late.answers.action = ErrorAction::Stop;
    late.board.set_reg(7, code);
    late.pass();
    ASSERT_TRUE(late.busy());
    late.answers.fails = false;
    late.answers.retry();
    EXPECT_EQ(late.board.status(), 0x50);
    EXPECT_EQ(late.board.disk.flushes, code == kFlushCache ? 1u : 0u);
  }
}

TEST(AtaLate, AFailureThatIsIgnoredIsNone) {
  LateBoard late;
  late.answers.late = false;
  late.answers.fails = true;
  late.answers.action = ErrorAction::Ignore;
  late.start_dma(kWriteDma, 7, 1);
  EXPECT_EQ(late.board.status(), 0x50);
  EXPECT_EQ(late.answers.told, std::vector{BlockRequest::Kind::Write});
}

TEST(AtaLate, AResetForgetsWhatWasToBeTriedAgain) {
  LateBoard late;
  late.answers.late = false;
  late.answers.fails = true;
  late.answers.action = ErrorAction::Stop;
  late.board.set_reg(7, kFlushCache);
  late.pass();
  ASSERT_TRUE(late.busy());
  late.board.set_reg(0x206, 4);
  late.board.set_reg(0x206, 0);
  late.pass();
  EXPECT_FALSE(late.busy());
  late.answers.retry();
  EXPECT_EQ(late.answers.told.size(), 1u);
}

// The host fails what is to be written to a sector, and a reset by software follows.
void fail_and_reset(LateBoard& late, u8 code, u32 lba, u8 value) {
  const std::vector<u8> bytes(kSector, value);
  late.answers.late = false;
  late.answers.fails = true;
  late.answers.action = ErrorAction::Stop;
  if (code == kWriteDma) {
    late.board.memory.write_block(PhysAddr(kBuffer), bytes);
    late.start_dma(kWriteDma, lba, 1);
  } else {
    late.board.lba28(lba, 1);
    late.board.command(kWriteSectors);
    late.board.write_words(bytes);
    late.pass();
  }
  ASSERT_TRUE(late.busy());
  late.board.out(0x3F6, 4);
  late.board.out(0x3F6, 0);
  late.pass();
  ASSERT_FALSE(late.busy());
}

TEST(AtaLate, AFailedWriteIsCarriedOutThoughASoftwareResetFollows) {
  for (const u8 code : {kWriteDma, kWriteSectors}) {
    for (const bool defers : {false, true}) {
      LateBoard late;
      fail_and_reset(late, code, 7, 0x5A);
      late.answers.retry();
      EXPECT_EQ(late.answers.told.size(), 2u) << "it fails once more, and stops the machine again";
      const auto state = test::saved(late.board.ide);
      late.board.reset_but_timers([&] { late.board.ide.reset(ResetKind::PowerOn); });
      ASSERT_TRUE(test::load(late.board.ide, state));
      late.answers.fails = false;
      late.answers.late = defers;
      late.answers.retry();
      if (defers) late.answers.answer();
      EXPECT_EQ(late.board.disk.bytes[7 * kSector], 0x5A);
      EXPECT_FALSE(late.board.irqs.levels[14]) << "the guest's command was over";
      late.answers.retry();
      EXPECT_TRUE(late.answers.waiting.empty());
    }
  }
}

TEST(AtaLate, WhatIsWrittenAfterTheResetIsNewer) {
  LateBoard late;
  fail_and_reset(late, kWriteDma, 7, 0x5A);
  late.answers.fails = false;
  late.board.lba28(7, 1);
  late.board.command(kWriteSectors);
  late.board.write_words(std::vector<u8>(kSector, 0x66));
  late.pass();
  late.answers.retry();
  EXPECT_EQ(late.board.disk.bytes[7 * kSector], 0x66);
}

TEST(AtaLate, AResetOfTheMachineForgetsAFailedWrite) {
  LateBoard late;
  fail_and_reset(late, kWriteDma, 7, 0x5A);
  late.board.ide.reset(ResetKind::Hard);
  late.answers.fails = false;
  late.answers.retry();
  EXPECT_NE(late.board.disk.bytes[7 * kSector], 0x5A);
}

TEST(AtaLate, AWriteAndAFlushEndWhenTheHostAnswers) {
  LateBoard late;
  late.board.memory.write_block(PhysAddr(kBuffer), std::vector<u8>(kSector, 0x5A));
  late.start_dma(kWriteDma, 7, 1);
  ASSERT_EQ(late.answers.waiting.size(), 1u);
  EXPECT_TRUE(late.busy());
  late.answers.answer();
  late.pass();
  EXPECT_EQ(late.board.status(), 0x50);
  EXPECT_EQ(late.board.disk.bytes[7 * kSector], 0x5A);
  late.board.set_reg(7, kFlushCache);
  late.pass();
  EXPECT_TRUE(late.busy());
  EXPECT_EQ(late.board.disk.flushes, 0u);
  late.answers.answer();
  EXPECT_EQ(late.board.status(), 0x50);
  EXPECT_EQ(late.board.disk.flushes, 1u);
}

TEST(AtaLate, ErrorsComeLateToo) {
  LateBoard late;
  late.board.disk.fail_reads_from = 0;
  late.start_dma(kReadDma, 40, 1);
  late.answers.answer();
  late.pass();
  EXPECT_EQ(late.board.alternate() & 0x81, 0x01);
  EXPECT_EQ(late.board.reg(1), 0x40) << "uncorrectable data error";
  late.board.disk.fail_flush = true;
  late.board.set_reg(7, kFlushCache);
  late.pass();
  late.answers.answer();
  EXPECT_EQ(late.board.alternate() & 0x81, 0x01);
}

TEST(AtaLate, AnAnswerAfterAResetIsNobodys) {
  LateBoard late;
  late.start_dma(kReadDma, 40, 8);
  late.board.out(0x3F6, 4);
  late.board.out(0x3F6, 0);
  late.pass();
  EXPECT_FALSE(late.busy());
  late.board.memory.write_block(PhysAddr(kBuffer), std::vector<u8>(kSector, 0x11));
  late.answers.answer();
  late.pass();
  EXPECT_EQ(late.board.ram(kBuffer, 1)[0], 0x11);
  EXPECT_FALSE(late.busy());
  late.start_dma(kReadDma, 3, 1);
  late.answers.answer();
  late.pass();
  EXPECT_EQ(late.board.ram(kBuffer, kSector), late.board.sectors(3, 1));
}

// A host that does not poll gives the next command: the drive waits for the first one's end.
TEST(AtaLate, ACommandMeanwhileComesAfterIt) {
  LateBoard late;
  late.board.set_reg(7, kFlushCache);
  late.pass();
  ASSERT_EQ(late.answers.waiting.size(), 1u);
  late.board.lba28(9, 1);
  EXPECT_TRUE(late.answers.waiting.empty());
  EXPECT_EQ(late.board.disk.flushes, 1u);
  late.board.set_reg(7, kReadSectors);
  EXPECT_EQ(late.board.read_words(kSector), late.board.sectors(9, 1));
}

// A driver that polls, or waits for the interrupt, sees the drive at work.
TEST(AtaLate, PioWaitsForTheHostToo) {
  LateBoard late;
  late.board.lba28(9, 2);
  late.board.set_reg(7, kReadSectors);
  for (u32 sector = 9; sector < 11; sector++) {
    late.pass();
    ASSERT_EQ(late.answers.waiting.size(), 1u);
    EXPECT_TRUE(late.busy());
    EXPECT_FALSE(late.board.irqs.levels[14]);
    late.answers.answer();
    EXPECT_EQ(late.board.alternate() & 0x88, 0x08) << "DRQ";
    EXPECT_TRUE(late.board.irqs.levels[14]);
    late.board.status();
    EXPECT_EQ(late.board.read_words(kSector), late.board.sectors(sector, 1));
  }
  late.board.lba28(7, 1);
  late.board.command(kWriteSectors);
  late.board.write_words(std::vector<u8>(kSector, 0x5A));
  late.pass();
  EXPECT_TRUE(late.busy());
  EXPECT_NE(late.board.disk.bytes[7 * kSector], 0x5A);
  late.answers.answer();
  EXPECT_EQ(late.board.status(), 0x50);
  EXPECT_EQ(late.board.disk.bytes[7 * kSector], 0x5A);
}

// One that does neither has its data all the same.
TEST(AtaLate, PioOfADriverThatDoesNotPoll) {
  LateBoard late;
  late.board.lba28(9, 2);
  late.board.set_reg(7, kReadSectors);
  EXPECT_EQ(late.board.read_words(2 * kSector), late.board.sectors(9, 2));
  late.board.lba28(7, 2);
  late.board.set_reg(7, kWriteSectors);
  late.board.write_words(std::vector<u8>(2 * kSector, 0x5A));
  late.board.lba28(7, 2);
  EXPECT_EQ(late.board.sectors(7, 2), std::vector<u8>(2 * kSector, 0x5A));
}

TEST(AtaLate, AVerificationWaitsForTheHost) {
  constexpr u8 kReadVerify = 0x40;
  LateBoard late;
  late.board.lba28(9, 200);
  late.board.set_reg(7, kReadVerify);
  late.pass();
  EXPECT_TRUE(late.busy());
  late.answers.answer();
  EXPECT_TRUE(late.busy()) << "it is in two parts";
  late.answers.answer();
  EXPECT_EQ(late.board.status(), 0x50);
}

}  // namespace
}  // namespace relic86
