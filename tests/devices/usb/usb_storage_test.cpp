// The bulk-only transport and the commands over it, as drivers and BIOSes use them, and as none should.
#include "devices/usb/usb_storage.h"

#include <gtest/gtest.h>

#include "tests/block/late_disk.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/usb/uhci_board.h"

namespace relic86 {
namespace {

using test::Bytes;
using test::UhciBoard;

constexpr std::size_t kDiskBytes = 1u << 20;

struct StorageBoard {
  explicit StorageBoard(const ScsiDiskOptions& options = {}) : StorageBoard(kDiskBytes, options) {}
  StorageBoard(std::size_t size, const ScsiDiskOptions& options)
      : content(size), board(std::make_unique<UsbStorage>(std::make_unique<test::MemoryDisk>(content), options)) {
    content.fill_pattern();
    board.configure();
  }

  // What became of a command. status: FFh: no status came.
  struct Outcome {
    u8 status = 0xFF;
    u32 residue = 0;
    Bytes data;
    bool stalled = false;
  };
  static Bytes wrapper(u8 flags, u32 length, const Bytes& command) {
    Bytes bytes{'U', 'S', 'B', 'C', 0x11, 0x22, 0x33, 0x44};
    for (unsigned i = 0; i < 4; i++) bytes.push_back(static_cast<u8>(length >> (8 * i)));
    bytes.insert(bytes.end(), {flags, 0, static_cast<u8>(command.size())});
    bytes.insert(bytes.end(), command.begin(), command.end());
    bytes.resize(31);
    return bytes;
  }
  Outcome status(Outcome outcome) {
    auto answer = board.bulk(UhciBoard::kIn, 5, 1, Bytes(13));
    if (!answer) {  // as drivers do: the endpoint is cleared, and the status asked for once more
      outcome.stalled = true;
      EXPECT_TRUE(board.control(5, 0x02, 1, 0, 0x81, {}));
      answer = board.bulk(UhciBoard::kIn, 5, 1, Bytes(13));
    }
    if (!answer || answer->size() != 13) return outcome;
    EXPECT_EQ(Bytes(answer->begin(), answer->begin() + 8), (Bytes{'U', 'S', 'B', 'S', 0x11, 0x22, 0x33, 0x44}));
    outcome.residue = (*answer)[8] | u32{(*answer)[9]} << 8 | u32{(*answer)[10]} << 16 | u32{(*answer)[11]} << 24;
    outcome.status = (*answer)[12];
    return outcome;
  }
  // A command that asks for so many bytes.
  Outcome ask(const Bytes& command, u32 length) {
    Outcome outcome;
    EXPECT_TRUE(board.bulk(UhciBoard::kOut, 5, 2, wrapper(0x80, length, command)));
    if (length != 0) {
      const auto data = board.bulk(UhciBoard::kIn, 5, 1, Bytes(length));
      outcome.stalled = !data;
      if (data) outcome.data = *data;
      if (!data) {
        EXPECT_TRUE(board.control(5, 0x02, 1, 0, 0x81, {}));
      }
    }
    return status(outcome);
  }
  // A command that brings data.
  Outcome bring(const Bytes& command, const Bytes& data) {
    EXPECT_TRUE(board.bulk(UhciBoard::kOut, 5, 2, wrapper(0, static_cast<u32>(data.size()), command)));
    if (!data.empty()) {
      EXPECT_TRUE(board.bulk(UhciBoard::kOut, 5, 2, data));
    }
    return status({});
  }
  // Key, code and qualifier.
  Bytes sense() {
    const Outcome outcome = ask({0x03, 0, 0, 0, 18, 0}, 18);
    EXPECT_EQ(outcome.status, 0);
    if (outcome.data.size() != 18) return {};
    return {outcome.data[2], outcome.data[12], outcome.data[13]};
  }
  Bytes sectors(std::size_t first, std::size_t count) const {
    const auto from = content.bytes.begin() + static_cast<long>(first * 512);
    return Bytes(from, from + static_cast<long>(count * 512));
  }
  static Bytes read10(u32 block, u16 count, u8 operation = 0x28) {
    return {operation,
            0,
            static_cast<u8>(block >> 24),
            static_cast<u8>(block >> 16),
            static_cast<u8>(block >> 8),
            static_cast<u8>(block),
            0,
            static_cast<u8>(count >> 8),
            static_cast<u8>(count),
            0};
  }
  static Bytes write10(u32 block, u16 count) { return read10(block, count, 0x2A); }

  test::MemoryDiskContent content;
  UhciBoard board;
};

// A disk whose host answers when the test says so.
struct LateStorage {
  LateStorage() {
    content.fill_pattern();
    board.configure();
  }
  void command(const Bytes& command, u8 flags, u32 length) {
    EXPECT_TRUE(board.bulk(UhciBoard::kOut, 5, 2, StorageBoard::wrapper(flags, length, command)));
  }
  // What an IN brings now: less than was asked for if the disk waits.
  Bytes in(std::size_t bytes) { return board.bulk(UhciBoard::kIn, 5, 1, Bytes(bytes)).value_or(Bytes{}); }
  u8 status() {
    const Bytes wrapper = in(13);
    return wrapper.size() == 13 ? wrapper[12] : 0xFF;
  }

  test::MemoryDiskContent content{kDiskBytes};
  test::LateAnswers answers;
  UhciBoard board{std::make_unique<UsbStorage>(
      std::make_unique<test::LateDisk>(std::make_unique<test::MemoryDisk>(content), answers), ScsiDiskOptions{})};
};

TEST(UsbStorage, AReadWaitsForTheHostWhileTheGuestGoesOn) {
  LateStorage disk;
  disk.command(StorageBoard::read10(3, 2), 0x80, 1024);
  EXPECT_EQ(disk.in(1024), Bytes());
  ASSERT_EQ(disk.answers.waiting.size(), 1u);
  EXPECT_EQ(disk.in(1024), Bytes());
  EXPECT_EQ(disk.answers.waiting.size(), 1u) << "it has been asked once";
  disk.answers.answer();
  const auto first = disk.content.bytes.begin() + 3 * 512;
  EXPECT_EQ(disk.in(1024), Bytes(first, first + 1024));
  EXPECT_EQ(disk.status(), 0);
}

TEST(UsbStorage, AWriteAndAFlushWaitForTheHost) {
  LateStorage disk;
  const Bytes sector(512, 0x5A);
  disk.command(StorageBoard::write10(7, 1), 0, 512);
  EXPECT_TRUE(disk.board.bulk(UhciBoard::kOut, 5, 2, sector));
  EXPECT_EQ(disk.status(), 0xFF) << "no status yet";
  disk.answers.answer();
  EXPECT_EQ(disk.status(), 0);
  EXPECT_EQ(disk.content.bytes[7 * 512], 0x5A);
  disk.command({0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0, 0);
  EXPECT_EQ(disk.status(), 0xFF);
  disk.answers.answer();
  EXPECT_EQ(disk.status(), 0);
  EXPECT_EQ(disk.content.flushes, 1u);
}

// werror=stop, and a machine that is saved meanwhile.
TEST(UsbStorage, WhatTheHostFailsIsTriedAgain) {
  for (const bool late : {false, true}) {
    LateStorage disk;
    const auto carry_out = [&] {
      while (!disk.answers.waiting.empty()) disk.answers.answer();
    };
    disk.answers.late = late;
    disk.answers.fails = true;
    disk.answers.action = ErrorAction::Stop;
    disk.command(StorageBoard::write10(7, 1), 0, 512);
    EXPECT_TRUE(disk.board.bulk(UhciBoard::kOut, 5, 2, Bytes(512, 0x5A)));
    carry_out();
    EXPECT_EQ(disk.status(), 0xFF);
    const auto state = test::saved(disk.board.uhci);
    disk.board.reset_but_timers([&] { disk.board.uhci.reset(ResetKind::PowerOn); });
    ASSERT_TRUE(test::load(disk.board.uhci, state));
    disk.answers.fails = false;
    disk.answers.retry();
    carry_out();
    EXPECT_EQ(disk.status(), 0);
    EXPECT_EQ(disk.content.bytes[7 * 512], 0x5A);
    disk.answers.fails = true;
    disk.command(StorageBoard::read10(3, 1), 0x80, 512);
    EXPECT_EQ(disk.in(512), Bytes());
    carry_out();
    disk.answers.fails = false;
    disk.answers.retry();
    carry_out();
    const auto first = disk.content.bytes.begin() + 3 * 512;
    EXPECT_EQ(disk.in(512), Bytes(first, first + 512));
    EXPECT_EQ(disk.status(), 0);
  }
}

// Its answer is that of a command that is over.
TEST(UsbStorage, AResetOfTheTransportForgetsWhatWaits) {
  LateStorage disk;
  disk.command(StorageBoard::read10(3, 1), 0x80, 512);
  EXPECT_EQ(disk.in(512), Bytes());
  EXPECT_TRUE(disk.board.control(5, 0x21, 0xFF, 0, 0, {}));
  disk.command(StorageBoard::read10(9, 1), 0x80, 512);
  EXPECT_EQ(disk.in(512), Bytes());
  ASSERT_EQ(disk.answers.waiting.size(), 2u);
  disk.answers.answer();
  EXPECT_EQ(disk.in(512), Bytes());
  disk.answers.answer();
  const auto first = disk.content.bytes.begin() + 9 * 512;
  EXPECT_EQ(disk.in(512), Bytes(first, first + 512));
  EXPECT_EQ(disk.status(), 0);
}

TEST(UsbStorage, SaysWhatItIs) {
  StorageBoard disk({.removable = true, .serial = "ABC123"});
  EXPECT_EQ(disk.board.control(5, 0xA1, 0xFE, 0, 0, Bytes(1)), Bytes{0});
  const auto inquiry = disk.ask({0x12, 0, 0, 0, 36, 0}, 36);
  EXPECT_EQ(inquiry.status, 0);
  ASSERT_EQ(inquiry.data.size(), 36u);
  EXPECT_EQ(inquiry.data[0], 0);
  EXPECT_EQ(inquiry.data[1], 0x80);
  EXPECT_EQ(std::string(inquiry.data.begin() + 8, inquiry.data.begin() + 15), "relic86");
  EXPECT_EQ(StorageBoard().ask({0x12, 0, 0, 0, 36, 0}, 36).data[1], 0);
  // The serial number, as a vital page and as a string of the device.
  const auto page = disk.ask({0x12, 1, 0x80, 0, 255, 0}, 255);
  EXPECT_EQ(page.data, (Bytes{0, 0x80, 0, 6, 'A', 'B', 'C', '1', '2', '3'}));
  EXPECT_EQ(page.residue, 245u);
  const auto text = disk.board.control(5, 0x80, 6, 0x0303, 0x0409, Bytes(255));
  EXPECT_EQ(text, (Bytes{14, 3, 'A', 0, 'B', 0, 'C', 0, '1', 0, '2', 0, '3', 0}));
  EXPECT_EQ(disk.ask({0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 8).data, (Bytes{0, 0, 7, 0xFF, 0, 0, 2, 0}));
  const auto wide = disk.ask({0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0}, 32);
  EXPECT_EQ(Bytes(wide.data.begin(), wide.data.begin() + 12), (Bytes{0, 0, 0, 0, 0, 0, 7, 0xFF, 0, 0, 2, 0}));
  EXPECT_EQ(disk.ask({0x23, 0, 0, 0, 0, 0, 0, 0, 12, 0}, 12).data, (Bytes{0, 0, 0, 8, 0, 0, 8, 0, 2, 0, 2, 0}));
  EXPECT_EQ(disk.ask({0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0}, 16).data.size(), 16u);
  const auto mode = disk.ask({0x1A, 0, 0x3F, 0, 192, 0}, 192);
  EXPECT_EQ(mode.data.size(), 24u);
  EXPECT_EQ(mode.data[2], 0);
  disk.content.read_only = true;
  EXPECT_EQ(disk.ask({0x1A, 0, 0x3F, 0, 192, 0}, 192).data[2], 0x80);
  EXPECT_EQ(disk.ask({0x5A, 0, 0x08, 0, 0, 0, 0, 0, 192, 0}, 192).data[3], 0x80);
}

TEST(UsbStorage, ReadsAndWrites) {
  StorageBoard disk;
  const auto read = disk.ask(StorageBoard::read10(3, 2), 1024);
  EXPECT_EQ(read.status, 0);
  EXPECT_EQ(read.residue, 0u);
  EXPECT_EQ(read.data, disk.sectors(3, 2));
  // More than a piece.
  EXPECT_EQ(disk.ask(StorageBoard::read10(0, 130), 130 * 512).data, disk.sectors(0, 130));
  Bytes bytes(130 * 512);
  for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<u8>(i * 5 + i / 512);
  const auto written = disk.bring(StorageBoard::write10(1000, 130), bytes);
  EXPECT_EQ(written.status, 0);
  EXPECT_EQ(written.residue, 0u);
  EXPECT_EQ(disk.sectors(1000, 130), bytes);
  // The other lengths of command.
  EXPECT_EQ(disk.ask({0x08, 0, 0, 7, 1, 0}, 512).data, disk.sectors(7, 1));
  EXPECT_EQ(disk.ask({0xA8, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0}, 512).data, disk.sectors(9, 1));
  EXPECT_EQ(disk.ask({0x88, 0, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 1, 0, 0}, 512).data, disk.sectors(11, 1));
  EXPECT_EQ(disk.bring({0x0A, 0, 0, 7, 1, 0}, Bytes(512, 0xAA)).status, 0);
  EXPECT_EQ(disk.sectors(7, 1), Bytes(512, 0xAA));
  EXPECT_EQ(disk.ask({0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0).status, 0);
  EXPECT_EQ(disk.content.flushes, 1u);
  EXPECT_EQ(disk.ask({0x00, 0, 0, 0, 0, 0}, 0).status, 0);
  EXPECT_EQ(disk.ask(StorageBoard::read10(0, 0), 0).status, 0);  // no blocks are no error
}

TEST(UsbStorage, FailuresLeaveSenseData) {
  StorageBoard disk;
  const auto beyond = disk.ask(StorageBoard::read10(2047, 2), 1024);
  EXPECT_EQ(beyond.status, 1);
  EXPECT_EQ(beyond.residue, 1024u);
  EXPECT_TRUE(beyond.stalled);
  EXPECT_EQ(disk.sense(), (Bytes{5, 0x21, 0}));
  EXPECT_EQ(disk.sense(), (Bytes{0, 0, 0}));  // told once
  EXPECT_EQ(disk.ask({0xFF, 0, 0, 0, 0, 0}, 0).status, 1);
  EXPECT_EQ(disk.sense(), (Bytes{5, 0x20, 0}));
  // The host's disk fails.
  disk.content.fail_reads_from = 512;
  EXPECT_EQ(disk.ask(StorageBoard::read10(5, 1), 512).status, 1);
  EXPECT_EQ(disk.sense(), (Bytes{3, 0x11, 0}));
  disk.content.fail_writes_from = 0;
  EXPECT_EQ(disk.bring(StorageBoard::write10(5, 1), Bytes(512)).status, 1);
  EXPECT_EQ(disk.sense(), (Bytes{3, 0x0C, 0}));
  disk.content.fail_flush = true;
  EXPECT_EQ(disk.ask({0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0).status, 1);
  // What is write-protected takes the data, drops it and says so.
  disk.content.read_only = true;
  const auto before = disk.sectors(5, 1);
  const auto refused = disk.bring(StorageBoard::write10(5, 1), Bytes(512, 0x55));
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(refused.residue, 512u);
  EXPECT_EQ(disk.sense(), (Bytes{7, 0x27, 0}));
  EXPECT_EQ(disk.sectors(5, 1), before);
}

// The thirteen cases of Bulk-Only Transport 1.0, 6.7, where host and device disagree.
TEST(UsbStorage, HostAndDeviceDisagree) {
  StorageBoard disk;
  const auto more = disk.ask(StorageBoard::read10(3, 1), 1024);  // 5: the host expects more
  EXPECT_TRUE(more.stalled);
  EXPECT_EQ(more.residue, 512u);
  EXPECT_EQ(more.status, 0);
  const auto less = disk.ask(StorageBoard::read10(3, 2), 512);  // 7: the host expects less
  EXPECT_EQ(less.status, 2);
  EXPECT_EQ(less.data, disk.sectors(3, 1));
  EXPECT_EQ(disk.ask(StorageBoard::read10(3, 1), 0).status, 2);                  // 2: the host expects nothing
  EXPECT_EQ(disk.bring(StorageBoard::write10(3, 1), {}).status, 2);              // 3: the same, to the device
  EXPECT_EQ(disk.ask({0x00, 0, 0, 0, 0, 0}, 64).status, 0);                      // 4: there is nothing to say
  EXPECT_EQ(disk.ask(StorageBoard::write10(3, 1), 512).status, 2);               // 8: the other direction
  EXPECT_EQ(disk.bring({0x00, 0, 0, 0, 0, 0}, Bytes(64)).residue, 64u);          // 9: there is nothing to take
  EXPECT_EQ(disk.bring(StorageBoard::read10(3, 1), Bytes(512)).status, 2);       // 10: the other direction
  const auto dropped = disk.bring(StorageBoard::write10(3, 1), Bytes(1024, 1));  // 11: the host has more
  EXPECT_EQ(dropped.status, 0);
  EXPECT_EQ(dropped.residue, 512u);
  EXPECT_EQ(disk.sectors(3, 1), Bytes(512, 1));
  EXPECT_EQ(disk.bring(StorageBoard::write10(3, 2), Bytes(512, 2)).status, 2);  // 13: the host has less
  EXPECT_EQ(disk.sectors(4, 1)[0], static_cast<u8>(4 * 7));
  EXPECT_EQ(disk.ask(StorageBoard::read10(0, 1), 512).status, 0);
}

// A wrapper that is none stalls everything until the transport is reset.
TEST(UsbStorage, RecoversByItsReset) {
  for (Bytes bad : {Bytes(31), Bytes{1, 2, 3}, StorageBoard::wrapper(0x80, 0, {}), Bytes(64, 0x55)}) {
    StorageBoard disk;
    EXPECT_FALSE(disk.board.bulk(UhciBoard::kOut, 5, 2, bad));
    EXPECT_TRUE(disk.board.control(5, 0x02, 1, 0, 0x81, {}));
    EXPECT_FALSE(disk.board.bulk(UhciBoard::kIn, 5, 1, Bytes(13)));
    EXPECT_TRUE(disk.board.control(5, 0x02, 1, 0, 0x02, {}));
    EXPECT_FALSE(disk.board.bulk(UhciBoard::kOut, 5, 2, StorageBoard::wrapper(0x80, 36, {0x12, 0, 0, 0, 36, 0})));
    EXPECT_TRUE(disk.board.control(5, 0x21, 0xFF, 0, 0, {}));
    EXPECT_TRUE(disk.board.control(5, 0x02, 1, 0, 0x81, {}));
    EXPECT_TRUE(disk.board.control(5, 0x02, 1, 0, 0x02, {}));
    EXPECT_EQ(disk.ask(StorageBoard::read10(1, 1), 512).data, disk.sectors(1, 1));
  }
}

TEST(UsbStorage, ARemovableMediumIsEjected) {
  StorageBoard disk({.removable = true, .serial = "1"});
  EXPECT_EQ(disk.ask({0x1E, 0, 0, 0, 1, 0}, 0).status, 0);  // locked
  EXPECT_EQ(disk.ask({0x1B, 0, 0, 0, 2, 0}, 0).status, 1);
  EXPECT_EQ(disk.sense(), (Bytes{5, 0x53, 2}));
  EXPECT_EQ(disk.ask({0x1E, 0, 0, 0, 0, 0}, 0).status, 0);
  EXPECT_EQ(disk.ask({0x1B, 0, 0, 0, 2, 0}, 0).status, 0);
  EXPECT_EQ(disk.ask(StorageBoard::read10(1, 1), 512).status, 1);
  EXPECT_EQ(disk.sense(), (Bytes{2, 0x3A, 0}));
  EXPECT_EQ(disk.ask({0x1B, 0, 0, 0, 3, 0}, 0).status, 0);
  EXPECT_EQ(disk.ask(StorageBoard::read10(1, 1), 512).status, 0);
  StorageBoard fixed;
  EXPECT_EQ(fixed.ask({0x1B, 0, 0, 0, 2, 0}, 0).status, 0);
  EXPECT_EQ(fixed.ask(StorageBoard::read10(1, 1), 512).status, 0);
}

// Saved in the middle of a transfer, the other machine goes on where it was.
TEST(UsbStorage, IsSavedInTheMiddleOfATransfer) {
  StorageBoard first, second;
  ASSERT_TRUE(first.board.bulk(UhciBoard::kOut, 5, 2, StorageBoard::wrapper(0x80, 1024, StorageBoard::read10(8, 2))));
  const auto half = first.board.bulk(UhciBoard::kIn, 5, 1, Bytes(512));
  EXPECT_EQ(half, first.sectors(8, 1));
  ASSERT_TRUE(test::load(second.board.uhci, test::saved(first.board.uhci)));
  EXPECT_EQ(second.board.bulk(UhciBoard::kIn, 5, 1, Bytes(512)), second.sectors(9, 1));
  EXPECT_EQ(second.status({}).status, 0);
  // A write, too.
  ASSERT_TRUE(first.board.bulk(UhciBoard::kIn, 5, 1, Bytes(512)));
  EXPECT_EQ(first.status({}).status, 0);
  ASSERT_TRUE(first.board.bulk(UhciBoard::kOut, 5, 2, StorageBoard::wrapper(0, 512, StorageBoard::write10(8, 1))));
  ASSERT_TRUE(first.board.bulk(UhciBoard::kOut, 5, 2, Bytes(256, 0x33)));
  ASSERT_TRUE(test::load(second.board.uhci, test::saved(first.board.uhci)));
  ASSERT_TRUE(second.board.bulk(UhciBoard::kOut, 5, 2, Bytes(256, 0x44)));
  EXPECT_EQ(second.status({}).status, 0);
  Bytes both(256, 0x33);
  both.resize(512, 0x44);
  EXPECT_EQ(second.sectors(8, 1), both);
}

}  // namespace
}  // namespace relic86
