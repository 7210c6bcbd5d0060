// Hosts that do not poll the status between the steps of a command: small kernels and boot loaders that rely on the
// interrupt, or on a drive that is fast enough.
#include <string>

#include "tests/devices/storage/ide_board.h"

namespace relic86 {
namespace {

using test::IdeBoard;
using test::kSector;

std::vector<u8> numbered(u32 sectors, u8 seed) {
  std::vector<u8> data(sectors * kSector);
  for (std::size_t i = 0; i < data.size(); i++) data[i] = static_cast<u8>(seed + i * 7 + i / kSector);
  return data;
}

void set_multiple(IdeBoard& board, u32 sectors) {
  board.set_reg(2, sectors);
  board.command(0xC6);
  ASSERT_EQ(board.status(), 0x50);
}

struct PioCase {
  u8 code;
  bool extended;
  u32 sectors;
};

class AtaUnpolledWrite : public testing::TestWithParam<PioCase> {};
class AtaUnpolledRead : public testing::TestWithParam<PioCase> {};

void give_address(IdeBoard& board, const PioCase& test, u32 lba) {
  if (test.extended) {
    board.lba48(lba, test.sectors);
  } else {
    board.lba28(lba, test.sectors);
  }
}

TEST_P(AtaUnpolledWrite, DataRightAfterTheCommand) {
  IdeBoard board;
  set_multiple(board, 4);
  const auto data = numbered(GetParam().sectors, 0x31);
  give_address(board, GetParam(), 200);
  board.set_reg(7, GetParam().code);
  board.write_words(data);
  board.wait_idle();
  EXPECT_TRUE(board.irqs.levels[14]);
  EXPECT_EQ(board.status(), 0x50);
  EXPECT_EQ(board.sectors(200, GetParam().sectors), data);
}

TEST_P(AtaUnpolledWrite, TheNextCommandRightAfterTheLastWord) {
  IdeBoard board;
  set_multiple(board, 4);
  const auto first = numbered(GetParam().sectors, 1), second = numbered(GetParam().sectors, 99);
  give_address(board, GetParam(), 40);
  board.set_reg(7, GetParam().code);
  board.write_words(first);
  EXPECT_EQ(board.alternate() & 0x88, 0x80) << "a host that does poll sees that the drive is busy";
  give_address(board, GetParam(), 300);
  board.set_reg(7, GetParam().code);
  board.write_words(second);
  board.wait_idle();
  EXPECT_TRUE(board.irqs.levels[14]);
  EXPECT_EQ(board.sectors(40, GetParam().sectors), first);
  EXPECT_EQ(board.sectors(300, GetParam().sectors), second);
}

TEST_P(AtaUnpolledRead, DataRightAfterTheCommand) {
  IdeBoard board;
  set_multiple(board, 4);
  give_address(board, GetParam(), 60);
  board.set_reg(7, GetParam().code);
  EXPECT_EQ(board.read_words(GetParam().sectors * kSector), board.sectors(60, GetParam().sectors));
  EXPECT_EQ(board.status(), 0x50) << "the drive is idle as soon as the last word is taken";
  EXPECT_FALSE(board.irqs.levels[14]);
}

TEST_P(AtaUnpolledRead, TheNextCommandRightAfterTheLastWord) {
  IdeBoard board;
  set_multiple(board, 4);
  for (const u32 lba : {5u, 700u, 81u}) {
    give_address(board, GetParam(), lba);
    board.set_reg(7, GetParam().code);
    board.wait_idle();
    EXPECT_TRUE(board.irqs.levels[14]);
    EXPECT_EQ(board.read_words(GetParam().sectors * kSector), board.sectors(lba, GetParam().sectors));
  }
}

std::string name_of(const testing::TestParamInfo<PioCase>& info) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return std::string("Command") + kDigits[info.param.code >> 4] + kDigits[info.param.code & 15] + "Of" +
         std::to_string(info.param.sectors);
}

INSTANTIATE_TEST_SUITE_P(Commands, AtaUnpolledWrite,
                         testing::Values(PioCase{0x30, false, 1}, PioCase{0x30, false, 5}, PioCase{0x31, false, 2},
                                         PioCase{0x3C, false, 2}, PioCase{0x34, true, 3}, PioCase{0xC5, false, 1},
                                         PioCase{0xC5, false, 9}, PioCase{0x39, true, 6}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Commands, AtaUnpolledRead,
                         testing::Values(PioCase{0x20, false, 1}, PioCase{0x20, false, 5}, PioCase{0x21, false, 2},
                                         PioCase{0x24, true, 3}, PioCase{0xC4, false, 9}, PioCase{0x29, true, 6}),
                         name_of);

TEST(AtaUnpolled, WriteBufferAndReadBuffer) {
  IdeBoard board;
  const auto data = numbered(1, 0x77);
  board.set_reg(6, 0xA0);
  board.set_reg(7, 0xE8);
  board.write_words(data);
  board.set_reg(7, 0xE4);
  EXPECT_EQ(board.read_words(kSector), data);
  EXPECT_EQ(board.status(), 0x50);
  board.lba28(9, 1);
  board.set_reg(7, 0x20);
  board.read_words(kSector);
  board.set_reg(7, 0xE4);
  EXPECT_EQ(board.read_words(kSector), data) << "other commands leave the buffer";
}

TEST(AtaUnpolled, DataOfARefusedCommandGoNowhere) {
  IdeBoard board;
  const auto before = board.disk.bytes;
  for (const u8 code : {0xF1, 0x50, 0xC5, 0x92}) {  // SECURITY SET PASSWORD, FORMAT TRACK, MULTIPLE without its mode
    board.lba28(3, 1);
    board.set_reg(7, code);
    board.write_words(numbered(1, 3));
    EXPECT_TRUE(board.irqs.levels[14]) << int{code};
    EXPECT_EQ(board.status(), 0x51) << int{code};
    EXPECT_EQ(board.reg(1), 4) << int{code};
  }
  EXPECT_EQ(board.disk.bytes, before);
}

TEST(AtaUnpolled, CommandsWithoutDataOneAfterTheOther) {
  IdeBoard board;
  board.set_reg(2, 8);
  board.set_reg(7, 0xC6);
  board.set_reg(6, 0xA0);
  board.set_reg(7, 0xEC);
  const auto identity = board.read_words(512);
  EXPECT_EQ(identity[59 * 2] | identity[59 * 2 + 1] << 8, 0x0108) << "SET MULTIPLE MODE came first";
}

TEST(AtaUnpolled, PacketAndItsDataWithoutWaiting) {
  IdeBoard board;
  board.clear_attention();
  constexpr u16 base = 0x170;
  const auto send = [&](std::vector<u8> packet) {
    packet.resize(12);
    board.set_reg(6, 0xA0, base), board.set_reg(1, 0, base), board.set_reg(4, 0xFE, base), board.set_reg(5, 0xFF, base);
    board.set_reg(7, 0xA0, base);
    board.write_words(packet, base);
  };
  send({0x12, 0, 0, 0, 36});
  auto inquiry = board.read_words(36, base);
  EXPECT_EQ(inquiry[0], 0x05) << "a CD-ROM device";
  send({0x28, 0, 0, 0, 0, 7, 0, 0, 2});
  const auto sectors = board.read_words(2 * 2048, base);
  const auto first = board.iso.bytes.begin() + 7 * 2048;
  EXPECT_TRUE(std::equal(sectors.begin(), sectors.end(), first));
  board.wait_idle(base);
  EXPECT_TRUE(board.irqs.levels[15]);
  EXPECT_EQ(board.status(base) & 0x89, 0);
}

TEST(AtaUnpolled, TheTaskFileRightAfterASoftwareReset) {
  IdeBoard board;
  board.out(0x3F6, 4), board.out(0x3F6, 0);
  EXPECT_EQ(board.alternate(), 0x80);
  EXPECT_EQ(board.reg(2), 1) << "the signature";
  board.out(0x3F6, 4), board.out(0x3F6, 0);
  board.lba28(11, 1);
  board.set_reg(7, 0x20);
  EXPECT_EQ(board.read_words(kSector), board.sectors(11, 1));
}

TEST(AtaUnpolled, AWholeBlockSurvivesAReset) {
  const auto data = numbered(1, 0x42);
  const auto write = [&](IdeBoard& board, u32 lba) {
    board.lba28(lba, 1);
    board.set_reg(7, 0x30);
    board.write_words(data);
  };
  IdeBoard board;
  write(board, 17);
  board.out(0x3F6, 4);
  EXPECT_EQ(board.sectors(17, 1), data);
  EXPECT_FALSE(board.irqs.levels[14]);
  board.out(0x3F6, 0);
  board.wait_idle();
  write(board, 18);
  board.ide.reset(ResetKind::Hard);
  EXPECT_EQ(board.sectors(18, 1), data);
  EXPECT_EQ(board.status(), 0x50);
  EXPECT_FALSE(board.irqs.levels[14]);
}

TEST(AtaUnpolled, ATransferAbandonedHalfWay) {
  IdeBoard board;
  const auto before = board.disk.bytes;
  board.lba28(30, 4);
  board.set_reg(7, 0x30);
  board.write_words(std::vector<u8>(100, 0xEE));
  board.lba28(31, 1);
  board.set_reg(7, 0x20);
  EXPECT_EQ(board.read_words(kSector), board.sectors(31, 1));
  EXPECT_EQ(board.disk.bytes, before) << "half a block is not written";
  board.lba28(32, 2);
  board.set_reg(7, 0x20);
  board.read_words(10);
  board.lba28(33, 1);
  board.set_reg(7, 0x20);
  EXPECT_EQ(board.read_words(kSector), board.sectors(33, 1));
}

TEST(AtaUnpolled, ASavedWaitGoesOn) {
  IdeBoard first, second;
  const auto data = numbered(1, 0x11);
  first.lba28(21, 1);
  first.set_reg(7, 0x30);
  ASSERT_TRUE(test::load(second.ide, test::saved(first.ide)));
  second.write_words(data);
  second.set_reg(2, 1);
  EXPECT_EQ(second.sectors(21, 1), data);
}

}  // namespace
}  // namespace relic86
