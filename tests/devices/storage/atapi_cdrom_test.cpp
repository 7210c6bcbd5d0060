#include "devices/storage/atapi_cdrom.h"

#include "tests/devices/storage/ide_board.h"

namespace relic86 {
namespace {

using test::IdeBoard;
using test::LateAnswers;
using test::LateDisk;
using test::MemoryDisk;
using Codes = std::vector<int>;
constexpr u16 kBase = 0x170;

std::vector<u8> iso(const IdeBoard& board, u32 lba, u32 count) {
  const auto first = board.iso.bytes.begin() + static_cast<std::ptrdiff_t>(lba) * 2048;
  return {first, first + static_cast<std::ptrdiff_t>(count) * 2048};
}

TEST(AtapiCdrom, SignatureAndIdentify) {
  IdeBoard board;
  board.out(0x376, 4), board.out(0x376, 0);
  board.wait_idle(kBase);
  EXPECT_EQ(board.status(kBase), 0);
  EXPECT_EQ((Codes{board.reg(2, kBase), board.reg(3, kBase), board.reg(4, kBase), board.reg(5, kBase)}),
            (Codes{1, 1, 0x14, 0xEB}));
  board.command(0xEC, kBase);
  EXPECT_EQ(board.status(kBase), 0x51);
  EXPECT_EQ((Codes{board.reg(1, kBase), board.reg(4, kBase), board.reg(5, kBase)}), (Codes{4, 0x14, 0xEB}));
  board.command(0xA1, kBase);
  EXPECT_TRUE(board.irqs.levels[15]);
  EXPECT_EQ(board.status(kBase), 0x58);
  const auto bytes = board.read_words(512, kBase);
  EXPECT_EQ(bytes[0] | bytes[1] << 8, 0x85C0);
  EXPECT_EQ(bytes[98] | bytes[99] << 8, 0x0F00);
  board.wait_idle(kBase);
  // DEVICE RESET: signature, and no interrupt.
  const unsigned rises = board.irqs.rises[15];
  board.command(0x08, kBase);
  EXPECT_EQ(board.reg(5, kBase), 0xEB);
  EXPECT_EQ(board.irqs.rises[15], rises);
}

// Drivers that look at the signature alone would find a second drive and wait for it.
TEST(AtapiCdrom, AnAbsentDriveBesideItHasNoSignature) {
  IdeBoard board;
  board.out(0x376, 4), board.out(0x376, 0);
  board.wait_idle(kBase);
  const auto signature = [&] { return Codes{board.reg(4, kBase), board.reg(5, kBase)}; };
  board.set_reg(6, 0xB0, kBase);
  EXPECT_EQ(board.status(kBase), 0);
  EXPECT_EQ(signature(), (Codes{0xFF, 0xFF}));
  board.set_reg(6, 0xA0, kBase);
  EXPECT_EQ(signature(), (Codes{0x14, 0xEB}));
  // What is written is read back all the same.
  board.set_reg(6, 0xB0, kBase);
  board.set_reg(4, 0x55, kBase), board.set_reg(5, 0xAA, kBase);
  EXPECT_EQ(signature(), (Codes{0x55, 0xAA}));
}

TEST(AtapiCdrom, TheFirstCommandAfterAResetIsObeyed) {
  IdeBoard board;
  for (const ResetKind kind : {ResetKind::PowerOn, ResetKind::Hard}) {
    board.ide.reset(kind);
    const auto answer = board.packet({0x28, 0, 0, 0, 0, 16, 0, 0, 1});
    EXPECT_TRUE(answer.good);
    EXPECT_EQ(answer.data, iso(board, 16, 1));
    EXPECT_EQ(board.sense(), (Codes{0, 0, 0}));
  }
}

TEST(AtapiCdrom, ReadsByPioWithinTheByteCountLimit) {
  IdeBoard board;
  board.clear_attention();
  auto answer = board.packet({0x28, 0, 0, 0, 0, 16, 0, 0, 2}, 2048);
  EXPECT_TRUE(answer.good);
  EXPECT_EQ(answer.blocks, (std::vector<u32>{2048, 2048}));
  EXPECT_EQ(answer.data, iso(board, 16, 2));
  answer = board.packet({0xA8, 0, 0, 0, 0, 5, 0, 0, 0, 40}, 0);
  EXPECT_EQ(answer.data, iso(board, 5, 40));
  answer = board.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 1001);
  EXPECT_EQ(answer.blocks, (std::vector<u32>{1000, 1000, 48}));
  EXPECT_EQ(answer.data, iso(board, 0, 1));
  answer = board.packet({0x12, 0, 0, 0, 5}, 5);
  EXPECT_EQ(answer.blocks, (std::vector<u32>{5}));
  EXPECT_EQ(answer.data, (std::vector<u8>{5, 0x80, 0, 0x21, 31}));
  EXPECT_TRUE(board.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 0}).good) << "no sectors is no error";
}

TEST(AtapiCdrom, ReadsByDma) {
  IdeBoard board;
  board.enable_bus_master();
  board.clear_attention();
  board.descriptor(0x1000, 0x20000, 0, false);
  board.descriptor(0x1008, 0x30000, 0, true);
  board.set_table(0x1000, 1);
  board.out(test::kBusMasterBase + 10, 6);
  board.set_reg(1, 1, kBase);
  board.command(0xA0, kBase);
  board.set_bus_command(9, 1);
  board.write_words(std::vector<u8>{0x28, 0, 0, 0, 0, 100, 0, 0, 40, 0, 0, 0}, kBase);
  for (int i = 0; i < 50; i++) board.pass(100'000);
  EXPECT_TRUE(board.irqs.levels[15]);
  EXPECT_EQ(board.bus_status(1) & 7, 5) << "the table is longer";
  EXPECT_EQ(board.status(kBase), 0x50);
  EXPECT_EQ(board.reg(2, kBase) & 3, 3);
  EXPECT_EQ(board.ram(0x20000, 40 * 2048), iso(board, 100, 40));
}

TEST(AtapiCdrom, MediumErrorsAndRanges) {
  IdeBoard board;
  board.clear_attention();
  EXPECT_FALSE(board.packet({0x28, 0, 0, 0, 1, 44, 0, 0, 1}).good);
  EXPECT_EQ(board.sense(), (Codes{5, 0x21, 0}));
  EXPECT_FALSE(board.packet({0xA8, 0, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF}).good);
  EXPECT_EQ(board.sense(), (Codes{5, 0x21, 0}));
  board.iso.fail_reads_from = 20 * 2048;
  const auto answer = board.packet({0x28, 0, 0, 0, 0, 19, 0, 0, 2}, 2048);
  EXPECT_FALSE(answer.good);
  EXPECT_EQ(answer.data.size(), 2048u);
  EXPECT_EQ(answer.error, 0x34);
  EXPECT_EQ(board.sense(), (Codes{3, 0x11, 0}));
  EXPECT_FALSE(board.packet({0xC0}).good);
  EXPECT_EQ(board.sense(), (Codes{5, 0x20, 0}));
}

TEST(AtapiCdrom, CapacityAndTableOfContents) {
  IdeBoard board;
  board.clear_attention();
  EXPECT_EQ(board.packet({0x25}).data, (std::vector<u8>{0, 0, 1, 43, 0, 0, 8, 0}));
  auto toc = board.packet({0x43, 2, 0, 0, 0, 0, 0, 0, 100}).data;
  EXPECT_EQ(toc, (std::vector<u8>{0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0, 0, 0x14, 0xAA, 0, 0, 0, 6, 0}));
  toc = board.packet({0x43, 0, 0, 0, 0, 0, 0xAA, 0, 12}).data;
  EXPECT_EQ(toc, (std::vector<u8>{0, 10, 1, 1, 0, 0x14, 0xAA, 0, 0, 0, 1, 44}));
  toc = board.packet({0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0x40}).data;
  EXPECT_EQ(toc, (std::vector<u8>{0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(board.packet({0x43, 2, 2, 0, 0, 0, 0, 0, 100}).data.size(), 48u);
  EXPECT_FALSE(board.packet({0x43, 0, 0, 0, 0, 0, 2, 0, 12}).good);
  EXPECT_EQ(board.sense(), (Codes{5, 0x24, 0}));
}

TEST(AtapiCdrom, RawSectorsCarryValidCodes) {
  IdeBoard board;
  board.clear_attention();
  const auto sector = board.packet({0xBE, 0, 0, 0, 0, 75, 0, 0, 1, 0xF8}).data;
  ASSERT_EQ(sector.size(), 2352u);
  EXPECT_EQ(std::vector<u8>(sector.begin(), sector.begin() + 16),
            (std::vector<u8>{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 3, 0, 1}));
  EXPECT_EQ(std::vector<u8>(sector.begin() + 16, sector.begin() + 2064), iso(board, 75, 1));
  // Every P and Q code word has a plain sum and an alpha-weighted sum of zero.
  const auto times_alpha = [](unsigned v) { return (v << 1 ^ (v & 0x80 ? 0x11D : 0)) & 0xFF; };
  const auto code_word = [&](unsigned word, unsigned words, unsigned length, unsigned step, unsigned jump,
                             unsigned parity) {
    unsigned plain = 0, weighted = 0;
    const auto take = [&](u8 byte) { plain ^= byte, weighted = times_alpha(weighted) ^ byte; };
    unsigned at = word / 2 * step + word % 2;
    for (unsigned i = 0; i < length; i++, at = (at + jump) % (words * length)) take(sector[12 + at]);
    take(sector[12 + parity + word]);
    take(sector[12 + parity + words + word]);
    return plain | weighted;
  };
  for (unsigned word = 0; word < 86; word++) ASSERT_EQ(code_word(word, 86, 24, 2, 86, 2064), 0u) << word;
  for (unsigned word = 0; word < 52; word++) ASSERT_EQ(code_word(word, 52, 43, 86, 88, 2236), 0u) << word;
  EXPECT_EQ(board.packet({0xBE, 0, 0, 0, 0, 75, 0, 0, 2, 0x10}).data, iso(board, 75, 2));
  EXPECT_EQ(board.packet({0xB9, 0, 0, 0, 2, 3, 0, 2, 4, 0x10}).data, iso(board, 3, 1));
}

TEST(AtapiCdrom, MediaChange) {
  IdeBoard board;
  board.clear_attention();
  test::MemoryDiskContent other(5000);  // not a multiple of a sector
  other.bytes.assign(5000, 0x77);
  board.cdrom->insert(std::make_unique<MemoryDisk>(other));
  EXPECT_FALSE(board.packet({0x00}).good);
  EXPECT_EQ(board.sense(), (Codes{2, 0x3A, 0}));
  EXPECT_FALSE(board.packet({0x00}).good);
  EXPECT_EQ(board.sense(), (Codes{6, 0x28, 0}));
  EXPECT_TRUE(board.packet({0x00}).good);
  EXPECT_EQ(board.packet({0x25}).data[3], 2);
  const auto last = board.packet({0x28, 0, 0, 0, 0, 2, 0, 0, 1}).data;
  EXPECT_EQ(last[903], 0x77);
  EXPECT_EQ(last[904], 0);
  // GET EVENT STATUS tells of the new medium once.
  auto event = board.packet({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8}).data;
  EXPECT_EQ(event, (std::vector<u8>{0, 6, 4, 0x10, 2, 2, 0, 0}));
  event = board.packet({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8}).data;
  EXPECT_EQ(event[4], 0);
  // A locked tray keeps its medium, and the guest is asked.
  EXPECT_TRUE(board.packet({0x1E, 0, 0, 0, 1}).good);
  EXPECT_FALSE(board.cdrom->eject(false).ok());
  EXPECT_EQ((board.packet({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8}).data[4]), 1);
  EXPECT_FALSE(board.packet({0x1B, 0, 0, 0, 2}).good);
  EXPECT_EQ(board.sense(), (Codes{5, 0x53, 2}));
  EXPECT_TRUE(board.cdrom->eject(true).ok());
  EXPECT_FALSE(board.packet({0x00}).good);
  EXPECT_EQ(board.sense(), (Codes{2, 0x3A, 0}));
  EXPECT_FALSE(board.packet({0x25}).good);
}

void ask_for_sector_16(IdeBoard& board) {
  board.set_reg(6, 0xA0, kBase), board.set_reg(4, 0xFE, kBase), board.set_reg(5, 0xFF, kBase);
  board.command(0xA0, kBase);
  board.write_words(std::vector<u8>{0x28, 0, 0, 0, 0, 16, 0, 0, 1, 0, 0, 0}, kBase);
  board.pass(5'000'000);
}

// A read that waits until the host's disk is mended belongs to its medium.
TEST(AtapiCdrom, AMediumThatGoesEndsTheReadThatWaitsForIt) {
  enum class Goes { Ejected, Replaced, TrayOpened };
  for (const Goes goes : {Goes::Ejected, Goes::Replaced, Goes::TrayOpened}) {
    LateAnswers answers;
    test::MemoryDiskContent other(300 * 2048);
    IdeBoard board;
    answers.late = false;
    board.cdrom->insert(std::make_unique<LateDisk>(std::make_unique<MemoryDisk>(board.iso), answers));
    board.clear_attention();
    answers.fails = true;
    answers.action = ErrorAction::Stop;
    ask_for_sector_16(board);
    ASSERT_EQ(board.alternate(kBase), 0x80);
    answers.fails = false;
    switch (goes) {
      case Goes::Ejected: EXPECT_TRUE(board.cdrom->eject(false).ok()); break;
      case Goes::Replaced: board.cdrom->insert(std::make_unique<MemoryDisk>(other)); break;
      case Goes::TrayOpened: EXPECT_TRUE(board.cdrom->open_tray(false).ok()); break;
    }
    EXPECT_TRUE(board.irqs.levels[15]);
    EXPECT_EQ(board.status(kBase), 0x51);
    EXPECT_EQ(board.sense(), (Codes{2, 0x3A, goes == Goes::TrayOpened ? 2 : 0}));
    if (goes == Goes::TrayOpened) answers.retry();  // nothing waits any more
    EXPECT_EQ(board.alternate(kBase), 0x50);
  }
}

TEST(AtapiCdrom, AReadWaitsForTheHostWhileTheGuestGoesOn) {
  LateAnswers answers;
  IdeBoard board;
  board.cdrom->insert(std::make_unique<LateDisk>(std::make_unique<MemoryDisk>(board.iso), answers));
  board.clear_attention();
  ask_for_sector_16(board);
  ASSERT_EQ(answers.waiting.size(), 1u);
  EXPECT_EQ(board.alternate(kBase), 0x80);
  EXPECT_FALSE(board.irqs.levels[15]);
  answers.answer();
  EXPECT_TRUE(board.irqs.levels[15]);
  EXPECT_EQ(board.alternate(kBase) & 0x88, 0x08) << "DRQ";
  const auto first = board.iso.bytes.begin() + 16 * 2048;
  EXPECT_EQ(board.read_words(2048, kBase), std::vector<u8>(first, first + 2048));
  // A medium that goes is waited for, and one that fails is an error.
  ask_for_sector_16(board);
  answers.fails = true;
  EXPECT_TRUE(board.cdrom->eject(true).ok());
  EXPECT_TRUE(answers.waiting.empty());
  EXPECT_EQ(board.status(kBase), 0x51);
}

TEST(AtapiCdrom, GuestOpensAndClosesTheTray) {
  IdeBoard board;
  std::vector<bool> told;
  board.cdrom->on_guest_moves_tray([&told](bool open) { told.push_back(open); });
  board.clear_attention();
  EXPECT_TRUE(board.packet({0x1B, 0, 0, 0, 2}).good);
  EXPECT_TRUE(board.packet({0x1B, 0, 0, 0, 2}).good) << "again";
  EXPECT_TRUE(board.cdrom->tray_open());
  EXPECT_FALSE(board.packet({0x00}).good);
  EXPECT_EQ(board.sense(), (Codes{2, 0x3A, 2}));
  EXPECT_EQ((board.packet({0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8}).data[1]), 0x10);
  EXPECT_TRUE(board.packet({0x1B, 0, 0, 0, 3}).good);
  EXPECT_EQ(told, (std::vector<bool>{true, false}));
  EXPECT_FALSE(board.packet({0x00}).good);
  EXPECT_EQ(board.sense(), (Codes{6, 0x28, 0}));
  EXPECT_TRUE(board.packet({0x00}).good);
}

TEST(AtapiCdrom, ModePages) {
  IdeBoard board;
  board.clear_attention();
  auto page = board.packet({0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 100}).data;
  ASSERT_EQ(page.size(), 8u + 2 + 18);
  EXPECT_EQ(page[1], page.size() - 2);
  EXPECT_EQ(page[8], 0x2A);
  page = board.packet({0x1A, 0, 0x3F, 0, 255}).data;
  EXPECT_EQ(page[0], page.size() - 1);
  EXPECT_FALSE(board.packet({0x5A, 0, 0x05, 0, 0, 0, 0, 0, 100}).good);
  EXPECT_FALSE(board.packet({0x5A, 0, 0xC1, 0, 0, 0, 0, 0, 100}).good);
  EXPECT_EQ(board.sense(), (Codes{5, 0x39, 0}));
  // MODE SELECT (10) of page 01h in blocks of 10 bytes.
  auto answer =
      board.packet({0x55, 0x10, 0, 0, 0, 0, 0, 0, 16}, 10, {0, 0, 0, 0, 0, 0, 0, 0, 0x01, 6, 0x20, 9, 0, 0, 0, 0});
  EXPECT_TRUE(answer.good);
  EXPECT_EQ(answer.blocks, (std::vector<u32>{10, 6}));
  EXPECT_EQ((board.packet({0x5A, 0, 0x01, 0, 0, 0, 0, 0, 100}).data[10]), 0x20);
  answer = board.packet({0x55, 0x10, 0, 0, 0, 0, 0, 0, 11}, 100, {0, 0, 0, 0, 0, 0, 0, 0, 0x01, 6, 0x20});
  EXPECT_FALSE(answer.good);
  EXPECT_EQ(board.sense(), (Codes{5, 0x1A, 0}));
}

TEST(AtapiCdrom, Configuration) {
  IdeBoard board;
  board.clear_attention();
  auto data = board.packet({0x46, 0, 0, 0, 0, 0, 0, 0, 200}).data;
  EXPECT_EQ(data[3], data.size() - 4);
  EXPECT_EQ(data[7], 8) << "CD-ROM";
  data = board.packet({0x46, 2, 0, 3, 0, 0, 0, 0, 200}).data;
  EXPECT_EQ(data.size(), 16u);
  EXPECT_EQ(data[9], 3);
  EXPECT_EQ((board.packet({0x51, 0, 0, 0, 0, 0, 0, 0, 34}).data.size()), 34u);
  EXPECT_EQ((board.packet({0x42, 2, 0x40, 1, 0, 0, 0, 0, 16}).data.size()), 16u);
}

TEST(AtapiCdrom, RandomPacketsAreContained) {
  IdeBoard board;
  board.enable_bus_master();
  std::mt19937 random(3);
  for (int i = 0; i < 3000; i++) {
    constexpr std::array<u8, 24> kOperations = {0x00, 0x03, 0x12, 0x15, 0x1A, 0x1B, 0x1E, 0x25, 0x28, 0x2B, 0x42, 0x43,
                                                0x46, 0x4A, 0x4E, 0x51, 0x55, 0x5A, 0xA8, 0xB9, 0xBB, 0xBD, 0xBE, 0xFF};
    std::vector<u8> packet(12);
    for (u8& byte : packet) byte = random() % 2 == 0 ? 0 : static_cast<u8>(random() % (random() % 2 == 0 ? 4 : 256));
    packet[0] = kOperations[random() % kOperations.size()];
    board.set_reg(1, random() % 8 == 0 ? 1 : 0, kBase);
    board.set_reg(4, random() & 0xFF, kBase), board.set_reg(5, random() % 3, kBase);
    board.command(0xA0, kBase);
    board.write_words(packet, kBase);
    for (int block = 0; block < 20; block++) {
      board.pass(5000);
      if ((board.alternate(kBase) & 8) == 0) break;
      board.read_words(2048, kBase, 4);
      board.write_words(std::vector<u8>(64), kBase);
    }
    if (random() % 50 == 0) board.cdrom->insert(std::make_unique<MemoryDisk>(board.iso));
    if (random() % 50 == 0) board.cdrom->eject(true).ok();
  }
  board.out(0x376, 4), board.out(0x376, 0);
  board.wait_idle(kBase);
  EXPECT_EQ(board.reg(4, kBase), 0x14);
}

}  // namespace
}  // namespace relic86
