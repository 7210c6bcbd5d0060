// The floppy controller, as BIOSes and drivers use it.
#include "devices/storage/i82077.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/devices/input/input_board.h"

namespace relic86 {
namespace {
using namespace input_test;
using Bytes = std::vector<u8>;

constexpr GuestTime kMillisecond = 1'000'000;

class MemoryDisk final : public BlockDevice {
 public:
  explicit MemoryDisk(std::shared_ptr<Bytes> content, bool read_only = false)
      : content_(std::move(content)), read_only_(read_only) {}
  u64 size_bytes() const override { return content_->size(); }
  bool read_only() const override { return read_only_; }
  Result<> read(u64 offset, std::span<u8> into) override {
    if (offset + into.size() > content_->size()) return Error{"read beyond the end"};
    std::copy_n(content_->begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return {};
  }
  Result<> write(u64 offset, std::span<const u8> from) override {
    if (offset + from.size() > content_->size() || read_only_) return Error{"write refused"};
    std::copy(from.begin(), from.end(), content_->begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }
  Result<> flush() override { return {}; }

 private:
  std::shared_ptr<Bytes> content_;
  bool read_only_;
};

// A DMA channel with a count and memory of its own.
class FakeDma final : public DmaController {
 public:
  void program(std::size_t count) {
    memory.assign(count, 0);
    position = 0;
    masked = false;
  }
  Moved to_memory(unsigned channel, std::span<const u8> bytes) override {
    const u32 count = take(channel, bytes.size());
    std::copy_n(bytes.begin(), count, memory.begin() + static_cast<std::ptrdiff_t>(position - count));
    return {count, count != 0 && position == memory.size()};
  }
  Moved from_memory(unsigned channel, std::span<u8> bytes) override {
    const u32 count = take(channel, bytes.size());
    std::copy_n(memory.begin() + static_cast<std::ptrdiff_t>(position - count), count, bytes.begin());
    return {count, count != 0 && position == memory.size()};
  }
  Bytes memory;
  std::size_t position = 0;
  bool masked = true;

 private:
  u32 take(unsigned channel, std::size_t wanted) {
    EXPECT_EQ(channel, 2u);
    if (masked) return 0;
    const std::size_t count = std::min(wanted, memory.size() - position);
    position += count;
    if (position == memory.size()) masked = true;
    return static_cast<u32>(count);
  }
};

class FloppyBoard : public Board {
 public:
  explicit FloppyBoard(std::size_t image_size = 1440 * 1024, bool read_only = false) {
    fdc.drive(0).set_type(FloppyDriveType::M1_44);
    EXPECT_TRUE(fdc.attach(attachment).ok());
    fdc.reset(ResetKind::PowerOn);
    if (image_size != 0) insert(image_size, read_only);
  }
  void insert(std::size_t size, bool read_only = false) {
    content = std::make_shared<Bytes>(size);
    for (std::size_t i = 0; i < size; i++) (*content)[i] = static_cast<u8>(i / 512 * 7 + i);
    auto image = FloppyImage::open(std::make_unique<MemoryDisk>(content, read_only), "test.img");
    ASSERT_TRUE(image.ok());
    fdc.insert(0, std::move(image).value());
  }
  // As a BIOS starts it: out of reset, four times sense interrupt, specify, 500 kbit/s.
  void boot(bool dma_mode = true) {
    out(0x3F2, 0x1C);
    run(kMillisecond);
    for (int i = 0; i < 4; i++) command({0x08});
    command({0x03, 0xDF, static_cast<u8>(dma_mode ? 0x02 : 0x03)});
    out(0x3F7, 0);
  }
  Bytes result() {
    Bytes bytes;
    while ((in(0x3F4) & 0xC0) == 0xC0 && bytes.size() < 16) bytes.push_back(in(0x3F5));
    return bytes;
  }
  void send(const Bytes& bytes) {
    for (const u8 byte : bytes) {
      ASSERT_EQ(in(0x3F4) & 0xC0, 0x80);
      out(0x3F5, byte);
    }
  }
  Bytes command(const Bytes& bytes, GuestTime time = 0) {
    send(bytes);
    run(time);
    return result();
  }
  Bytes transfer(const Bytes& bytes) { return command(bytes, 200 * kMillisecond); }
  void seek(u8 cylinder) {
    command({0x0F, 0x00, cylinder}, 300 * kMillisecond);
    EXPECT_EQ(command({0x08}), (Bytes{0x20, cylinder}));
  }
  Bytes sectors(std::size_t first, std::size_t count) const {
    const auto at = content->begin() + static_cast<std::ptrdiff_t>(first * 512);
    return {at, at + static_cast<std::ptrdiff_t>(count * 512)};
  }

  FakeDma dma;
  I82077 fdc{dma};
  std::shared_ptr<Bytes> content;
};

TEST(I82077, ResetGivesOneInterruptAndFourDrives) {
  FloppyBoard board;
  EXPECT_EQ(board.in(0x3F4), 0x00);  // held in reset
  board.out(0x3F2, 0x0C);
  EXPECT_EQ(board.in(0x3F4), 0x00);
  EXPECT_FALSE(board.irqs.levels[6]);
  board.run(kMillisecond);
  EXPECT_TRUE(board.irqs.levels[6]);
  EXPECT_EQ(board.in(0x3F4), 0x80);
  for (u8 i = 0; i < 4; i++) EXPECT_EQ(board.command({0x08}), (Bytes{static_cast<u8>(0xC0 | i), 0}));
  EXPECT_FALSE(board.irqs.levels[6]);
  EXPECT_EQ(board.irqs.rises[6], 1u);
  EXPECT_EQ(board.command({0x08}), (Bytes{0x80}));
}

TEST(I82077, CommandsRightAfterAResetAreTaken) {
  FloppyBoard board;
  board.out(0x3F2, 0x1C);
  board.out(0x3F5, 0x03), board.out(0x3F5, 0xDF), board.out(0x3F5, 0x02);
  board.out(0x3F4, 0x80);  // and after one by the data rate register
  board.out(0x3F5, 0x10);
  EXPECT_EQ(board.result(), (Bytes{0x90}));
  const Bytes dumped = board.command({0x0E});
  EXPECT_EQ(dumped.at(4), 0xDF);
  board.out(0x3F2, 0x00);  // held in reset nothing is taken
  board.out(0x3F5, 0x10);
  EXPECT_EQ(board.in(0x3F4), 0x00);
}

TEST(I82077, VersionPartLockAndUnknownCommands) {
  FloppyBoard board;
  board.boot();
  EXPECT_EQ(board.command({0x10}), (Bytes{0x90}));
  EXPECT_EQ(board.command({0x94}), (Bytes{0x10}));
  EXPECT_EQ(board.command({0x14}), (Bytes{0x00}));
  EXPECT_EQ(board.command({0x1F}), (Bytes{0x80}));
  EXPECT_EQ(board.command({0x13, 0x00, 0x57, 0x20}), (Bytes{}));
  EXPECT_EQ(board.command({0x12, 0x84}), (Bytes{}));
  EXPECT_EQ(board.command({0x0E}), (Bytes{0, 0, 0, 0, 0xDF, 0x02, 0, 0x04, 0x57, 0x20}));
}

TEST(I82077, LockedConfigurationSurvivesSoftwareReset) {
  FloppyBoard board;
  board.boot();
  board.command({0x13, 0x00, 0x07, 0x11});
  board.command({0x94});
  board.out(0x3F4, 0x80);
  board.run(kMillisecond);
  EXPECT_EQ(board.command({0x0E}).at(8), 0x07);
  board.command({0x14});
  board.out(0x3F4, 0x80);
  board.run(kMillisecond);
  EXPECT_EQ(board.command({0x0E}).at(8), 0x20);
}

TEST(I82077, SeekAndRecalibrateTakeStepTimeAtRealSpeed) {
  FloppyBoard board;
  board.fdc.set_speed(FloppySpeed::Real);
  board.boot();  // SRT Dh: 3 ms a step
  board.send({0x0F, 0x00, 40});
  EXPECT_EQ(board.in(0x3F4), 0x81);
  board.run(100 * kMillisecond);
  EXPECT_FALSE(board.irqs.levels[6]);
  board.run(25 * kMillisecond);
  EXPECT_TRUE(board.irqs.levels[6]);
  EXPECT_EQ(board.in(0x3F4), 0x80);
  EXPECT_EQ(board.command({0x08}), (Bytes{0x20, 40}));
  EXPECT_EQ(board.command({0x04, 0x00}), (Bytes{0x28}));
  board.command({0x8F, 0x00, 10}, 200 * kMillisecond);
  EXPECT_EQ(board.command({0x08}), (Bytes{0x20, 30}));
  board.command({0x07, 0x00}, 200 * kMillisecond);
  EXPECT_EQ(board.command({0x08}), (Bytes{0x20, 0}));
  EXPECT_EQ(board.command({0x04, 0x00}), (Bytes{0x38}));
  board.command({0x07, 0x01}, 900 * kMillisecond);  // no drive B: track 0 never comes
  EXPECT_EQ(board.command({0x08}), (Bytes{0x71, 0}));
}

TEST(I82077, ReadsByDma) {
  FloppyBoard board;
  board.boot();
  board.dma.program(512);
  board.send({0xE6, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF});
  EXPECT_EQ(board.in(0x3F4), 0x10);
  EXPECT_FALSE(board.irqs.levels[6]);  // the disk takes its time
  board.run(10 * kMillisecond);
  EXPECT_TRUE(board.irqs.levels[6]);
  EXPECT_EQ(board.result(), (Bytes{0, 0, 0, 0, 0, 2, 2}));
  EXPECT_FALSE(board.irqs.levels[6]);
  EXPECT_EQ(board.dma.memory, board.sectors(0, 1));
  board.seek(5);
  board.dma.program(36 * 512);  // both heads
  EXPECT_EQ(board.transfer({0xE6, 0x00, 5, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0x04, 0, 0, 6, 0, 1, 2}));
  EXPECT_EQ(board.dma.memory, board.sectors(180, 36));
  board.dma.program(18 * 512);  // ends with head 0
  EXPECT_EQ(board.transfer({0xE6, 0x00, 5, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0, 0, 0, 5, 1, 1, 2}));
  board.dma.program(700);  // terminal count within a sector
  EXPECT_EQ(board.transfer({0x46, 0x04, 5, 1, 17, 2, 18, 0x1B, 0xFF}), (Bytes{0x04, 0, 0, 6, 1, 1, 2}));
  Bytes expected = board.sectors(180 + 18 + 16, 2);
  expected.resize(700);
  EXPECT_EQ(board.dma.memory, expected);
}

// An end of track beyond the medium's: the request goes on at the next head and the next cylinder.
TEST(I82077, MultitrackGoesOnAtTheMediumsLastSector) {
  struct Request {
    std::size_t image_sectors;
    u8 data_rate;
    u8 track_sectors;
    u8 count;
    Bytes result;
  };
  const std::vector<Request> requests = {
      {2880, 0, 18, 18, {0x04, 0, 0, 0, 1, 2, 2}},  // from sector 2: one on head 1
      {2880, 0, 18, 30, {0x04, 0, 0, 0, 1, 14, 2}},
      {2880, 0, 18, 35, {0x04, 0, 0, 1, 0, 1, 2}},  // to the end of the cylinder
      {2880, 0, 18, 36, {0x00, 0, 0, 1, 0, 2, 2}},  // one on the next cylinder
      {2880, 0, 18, 50, {0x00, 0, 0, 1, 0, 16, 2}},
      {2880, 0, 18, 120, {0x00, 0, 0, 3, 0, 14, 2}},
      {1440, 2, 9, 20, {0x00, 0, 0, 1, 0, 4, 2}},
  };
  for (const Request& each : requests) {
    SCOPED_TRACE(int{each.count});
    FloppyBoard board(each.image_sectors * 512);
    board.boot();
    board.out(0x3F7, each.data_rate);
    const u8 last = static_cast<u8>(2 + each.count - 1);
    board.dma.program(each.count * 512u);
    EXPECT_EQ(board.transfer({0xE6, 0x00, 0, 0, 2, 2, last, 0x1B, 0xFF}), each.result);
    EXPECT_EQ(board.dma.memory, board.sectors(1, each.count));
    // Written likewise, and the head is where it was left.
    board.seek(0);
    board.dma.program(each.count * 512u);
    board.dma.memory.assign(each.count * 512u, each.count);
    EXPECT_EQ(board.transfer({0xC5, 0x00, 0, 0, 2, 2, last, 0x1B, 0xFF}), each.result);
    EXPECT_EQ(board.sectors(1, each.count), Bytes(each.count * 512u, each.count));
  }
}

TEST(I82077, TransfersWithinATrackEndWhereTheyShould) {
  FloppyBoard board;
  board.boot();
  board.dma.program(40 * 512);  // more than a cylinder holds, and the end of track is the medium's
  EXPECT_EQ(board.transfer({0xE6, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0x44, 0x80, 0, 1, 0, 1, 2}));
  EXPECT_EQ(board.dma.position, 36u * 512u);
  board.dma.program(20 * 512);  // without MT there is no sector 19
  EXPECT_EQ(board.transfer({0x46, 0x00, 0, 0, 1, 2, 20, 0x1B, 0xFF}), (Bytes{0x40, 0x04, 0, 0, 0, 19, 2}));
  EXPECT_EQ(board.dma.position, 18u * 512u);
  board.seek(79);
  board.dma.program(40 * 512);  // nothing comes after the last cylinder
  const Bytes result = board.transfer({0xE6, 0x00, 79, 0, 1, 2, 40, 0x1B, 0xFF});
  EXPECT_EQ(result[0] & 0xC0, 0x40);
  EXPECT_EQ(board.dma.position, 36u * 512u);
}

TEST(I82077, WritesByDma) {
  FloppyBoard board;
  board.boot();
  board.seek(1);
  board.dma.program(1024);
  for (std::size_t i = 0; i < 1024; i++) board.dma.memory[i] = static_cast<u8>(i * 3);
  EXPECT_EQ(board.transfer({0xC5, 0x04, 1, 1, 3, 2, 18, 0x1B, 0xFF}), (Bytes{0x04, 0, 0, 1, 1, 5, 2}));
  EXPECT_EQ(board.sectors(36 + 18 + 2, 2), board.dma.memory);
}

TEST(I82077, ReadsAndWritesWithoutDma) {
  FloppyBoard board;
  board.boot(false);
  board.send({0x46, 0x00, 0, 0, 4, 2, 4, 0x1B, 0xFF});
  EXPECT_EQ(board.in(0x3F4), 0x30);
  board.run(kMillisecond);
  Bytes bytes;
  while (board.in(0x3F4) == 0xF0) {
    EXPECT_TRUE(board.irqs.levels[6]);
    bytes.push_back(board.in(0x3F5));
  }
  EXPECT_EQ(bytes, board.sectors(3, 1));
  EXPECT_EQ(board.result(), (Bytes{0x40, 0x80, 0, 1, 0, 1, 2}));  // no TC: end of cylinder
  board.send({0x45, 0x00, 0, 0, 9, 2, 9, 0x1B, 0xFF});
  board.run(kMillisecond);
  unsigned count = 0;
  for (; board.in(0x3F4) == 0xB0; count++) board.out(0x3F5, 0x5A);
  EXPECT_EQ(count, 512u);
  EXPECT_EQ(board.result().at(1), 0x80);
  EXPECT_EQ(board.sectors(8, 1), Bytes(512, 0x5A));
  board.send({0x46, 0x00, 0, 0, 4, 2, 4, 0x1B, 0xFF});
  board.run(200 * kMillisecond);  // nobody reads
  EXPECT_EQ(board.result(), (Bytes{0x40, 0x10, 0, 0, 0, 4, 2}));
}

TEST(I82077, Errors) {
  FloppyBoard board;
  board.boot();
  const auto read = [&](Bytes command) {
    board.dma.program(512);
    return board.transfer(command);
  };
  EXPECT_EQ(read({0x46, 0x00, 0, 0, 19, 2, 19, 0x1B, 0xFF}), (Bytes{0x40, 0x04, 0x00, 0, 0, 19, 2}));  // no sector
  EXPECT_EQ(read({0x46, 0x00, 3, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0x40, 0x04, 0x10, 3, 0, 1, 2}));    // cylinder
  EXPECT_EQ(read({0x46, 0x00, 0, 1, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0x40, 0x04, 0x00, 0, 1, 1, 2}));    // head
  EXPECT_EQ(read({0x46, 0x00, 0, 0, 1, 3, 18, 0x1B, 0xFF}), (Bytes{0x40, 0x04, 0x00, 0, 0, 1, 3}));    // size
  EXPECT_EQ(read({0x06, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0x40, 0x01, 0x00, 0, 0, 1, 2}));    // FM
  EXPECT_EQ(read({0x46, 0x01, 0, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0x41, 0x01, 0x00, 0, 0, 1, 2}));    // no drive
  board.out(0x3F7, 2);
  EXPECT_EQ(read({0x46, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0x40, 0x01, 0x00, 0, 0, 1, 2}));  // data rate
  board.out(0x3F7, 0);
  board.dma.masked = true;
  EXPECT_EQ(board.transfer({0x46, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0x40, 0x10, 0x00, 0, 0, 1, 2}));
  board.fdc.eject(0);
  EXPECT_EQ(read({0x46, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0x40, 0x01, 0x00, 0, 0, 1, 2}));  // no disk
  EXPECT_EQ(board.transfer({0x4A, 0x00}).at(1), 0x01);
}

TEST(I82077, WriteProtectedDisk) {
  FloppyBoard board(1440 * 1024, true);
  board.boot();
  EXPECT_EQ(board.command({0x04, 0x00}), (Bytes{0x78}));
  board.dma.program(512);
  EXPECT_EQ(board.transfer({0x45, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0x40, 0x02, 0, 0, 0, 1, 2}));
  EXPECT_EQ(board.transfer({0x4D, 0x00, 2, 18, 0x54, 0xF6}).at(1), 0x02);
}

TEST(I82077, ReadIdShowsTheTrack) {
  FloppyBoard board;
  board.boot();
  board.seek(7);
  const Bytes id = board.transfer({0x4A, 0x04});
  ASSERT_EQ(id.size(), 7u);
  EXPECT_EQ((Bytes{id[0], id[1], id[2], id[3], id[4], id[6]}), (Bytes{0x04, 0, 0, 7, 1, 2}));
  EXPECT_GE(id[5], 1);
  EXPECT_LE(id[5], 18);
}

TEST(I82077, FormatsATrack) {
  FloppyBoard board;
  board.boot();
  board.seek(2);
  board.dma.program(18 * 4);
  for (u8 i = 0; i < 18; i++) {
    board.dma.memory[i * 4u] = 2;
    board.dma.memory[i * 4u + 1] = 1;
    board.dma.memory[i * 4u + 2] = static_cast<u8>(i + 1);
    board.dma.memory[i * 4u + 3] = 2;
  }
  const Bytes before = board.sectors(0, 90);
  const Bytes after = board.sectors(108, 36);
  const Bytes result = board.transfer({0x4D, 0x04, 2, 18, 0x54, 0xF6});
  EXPECT_EQ((Bytes{result.at(0), result.at(1), result.at(2)}), (Bytes{0x04, 0, 0}));
  EXPECT_EQ(board.sectors(90, 18), Bytes(18 * 512, 0xF6));
  EXPECT_EQ(board.sectors(0, 90), before);
  EXPECT_EQ(board.sectors(108, 36), after);
}

TEST(I82077, VerifyReadTrackAndImpliedSeek) {
  FloppyBoard board;
  board.boot();
  EXPECT_EQ(board.transfer({0xD6, 0x80, 0, 0, 1, 2, 18, 0x1B, 36}).at(0), 0x04);  // counted: both heads
  EXPECT_EQ(board.transfer({0x56, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF}).at(0), 0x00);
  EXPECT_EQ(board.transfer({0x56, 0x00, 0, 0, 1, 2, 19, 0x1B, 0xFF}).at(1), 0x04);
  board.dma.program(18 * 512);
  EXPECT_EQ(board.transfer({0x42, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF}).at(0), 0x00);
  EXPECT_EQ(board.dma.memory, board.sectors(0, 18));
  board.command({0x13, 0x00, 0x60, 0x00});
  board.dma.program(512);
  EXPECT_EQ(board.transfer({0x46, 0x00, 9, 0, 1, 2, 18, 0x1B, 0xFF}).at(0), 0x00);
  EXPECT_EQ(board.dma.memory, board.sectors(9 * 36, 1));
}

TEST(I82077, DeletedDataMarks) {
  FloppyBoard board;
  board.boot();
  board.dma.program(512);
  EXPECT_EQ(board.transfer({0x49, 0x00, 0, 0, 2, 2, 18, 0x1B, 0xFF}).at(0), 0x00);
  board.dma.program(3 * 512);
  EXPECT_EQ(board.transfer({0x46, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0, 0, 0x40, 0, 0, 2, 2}));
  EXPECT_EQ(board.dma.position, 1024u);
  board.dma.program(2 * 512);
  EXPECT_EQ(board.transfer({0x66, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF}), (Bytes{0, 0, 0x40, 0, 0, 4, 2}));
  Bytes expected = board.sectors(0, 1);
  for (const u8 byte : board.sectors(2, 1)) expected.push_back(byte);
  EXPECT_EQ(board.dma.memory, expected);  // the deleted one was skipped
  board.dma.program(512);
  EXPECT_EQ(board.transfer({0x4C, 0x00, 0, 0, 2, 2, 18, 0x1B, 0xFF}), (Bytes{0, 0, 0, 0, 0, 3, 2}));
}

TEST(I82077, ScansForData) {
  FloppyBoard board;
  board.boot();
  board.dma.program(512 * 4);
  const Bytes third = board.sectors(2, 1);
  for (std::size_t i = 0; i < board.dma.memory.size(); i++) board.dma.memory[i] = third[i % 512];
  EXPECT_EQ(board.transfer({0x51, 0x00, 0, 0, 1, 2, 18, 0x1B, 1}), (Bytes{0, 0, 0x08, 0, 0, 3, 2}));
  board.dma.program(512 * 2);
  EXPECT_EQ(board.transfer({0x51, 0x00, 0, 0, 5, 2, 6, 0x1B, 1}).at(2), 0x04);
}

TEST(I82077, ScansForLowerAndHigherData) {
  FloppyBoard board;
  board.boot();
  const auto scan = [&](u8 code, u8 disk_byte, u8 host_byte) {
    std::fill_n(board.content->begin(), 512, disk_byte);
    board.dma.program(512);
    std::fill(board.dma.memory.begin(), board.dma.memory.end(), host_byte);
    return board.transfer({code, 0x00, 0, 0, 1, 2, 1, 0x1B, 1}).at(2);
  };
  EXPECT_EQ(scan(0x59, 5, 5), 0x08);  // low or equal
  EXPECT_EQ(scan(0x59, 4, 5), 0x00);
  EXPECT_EQ(scan(0x59, 6, 5), 0x04);
  EXPECT_EQ(scan(0x5D, 5, 5), 0x08);  // high or equal
  EXPECT_EQ(scan(0x5D, 4, 5), 0x04);
  EXPECT_EQ(scan(0x5D, 6, 5), 0x00);
  EXPECT_EQ(scan(0x51, 6, 0xFF), 0x08);  // FFh equals everything
}

TEST(I82077, OverlappedSeeksInterruptEach) {
  FloppyBoard board;
  board.fdc.drive(1).set_type(FloppyDriveType::M1_44);
  board.boot();
  board.send({0x0F, 0x00, 10});
  board.send({0x0F, 0x01, 10});
  EXPECT_EQ(board.in(0x3F4), 0x83);
  const unsigned before = board.irqs.rises[6];
  board.run(100 * kMillisecond);
  EXPECT_EQ(board.irqs.rises[6], before + 1);
  EXPECT_EQ(board.command({0x08}), (Bytes{0x20, 10}));
  EXPECT_EQ(board.irqs.rises[6], before + 2);
  EXPECT_EQ(board.command({0x08}), (Bytes{0x21, 10}));
  EXPECT_FALSE(board.irqs.levels[6]);
}

TEST(I82077, FastSeeksTakeNoStepTime) {
  FloppyBoard board;
  board.boot();
  board.send({0x0F, 0x00, 79});
  EXPECT_EQ(board.in(0x3F4), 0x81);
  board.run(2 * kMillisecond);
  EXPECT_TRUE(board.irqs.levels[6]);
  EXPECT_EQ(board.command({0x08}), (Bytes{0x20, 79}));
}

TEST(I82077, DriversMayIgnoreTheStatusOfAReset) {
  FloppyBoard board;
  board.out(0x3F2, 0x1C);
  board.run(kMillisecond);
  board.command({0x08});
  board.command({0x07, 0x01}, 3000 * kMillisecond);  // 79 steps of 32 ms
  EXPECT_EQ(board.command({0x08}), (Bytes{0x71, 0}));
  EXPECT_EQ(board.command({0x08}), (Bytes{0x80}));
}

TEST(I82077, DiskChangeLine) {
  FloppyBoard board;
  board.boot();
  EXPECT_EQ(board.in(0x3F7) & 0x80, 0x80);
  board.command({0x07, 0x00}, kMillisecond);
  EXPECT_EQ(board.in(0x3F7) & 0x80, 0);
  board.fdc.eject(0);
  EXPECT_EQ(board.in(0x3F7) & 0x80, 0x80);
  board.seek(1);
  EXPECT_EQ(board.in(0x3F7) & 0x80, 0x80);  // steps do not clear it without a disk
  board.insert(720 * 1024);
  EXPECT_EQ(board.in(0x3F7) & 0x80, 0x80);
  board.seek(0);
  EXPECT_EQ(board.in(0x3F7) & 0x80, 0);
  board.out(0x3F7, 2);
  board.dma.program(512);
  EXPECT_EQ(board.transfer({0x46, 0x04, 0, 1, 1, 2, 9, 0x1B, 0xFF}).at(0), 0x04);
  EXPECT_EQ(board.dma.memory, board.sectors(9, 1));
}

TEST(I82077, InterruptPinNeedsTheDmaGate) {
  FloppyBoard board;
  board.out(0x3F2, 0x04);
  board.run(kMillisecond);
  EXPECT_FALSE(board.irqs.levels[6]);
  board.out(0x3F2, 0x0C);
  EXPECT_TRUE(board.irqs.levels[6]);
}

TEST(I82077, MediaAreGuessed) {
  const auto guess = [](u64 size) {
    const auto format = guess_floppy_format(size, {});
    return format ? std::string(format->name) : std::string("none");
  };
  EXPECT_EQ(guess(160 * 1024), "160K");
  EXPECT_EQ(guess(180 * 1024), "180K");
  EXPECT_EQ(guess(320 * 1024), "320K");
  EXPECT_EQ(guess(360 * 1024), "360K");
  EXPECT_EQ(guess(640 * 1024), "640K");
  EXPECT_EQ(guess(720 * 1024), "720K");
  EXPECT_EQ(guess(1200 * 1024), "1.2M");
  EXPECT_EQ(guess(1440 * 1024), "1.44M");
  EXPECT_EQ(guess(1680 * 1024), "1.68M (DMF)");
  EXPECT_EQ(guess(2880 * 1024), "2.88M");
  EXPECT_EQ(guess(1'000'000), "1.2M");
  EXPECT_EQ(guess(512), "160K");
  EXPECT_EQ(guess(0), "none");
  EXPECT_EQ(guess(2880 * 1024 + 1), "none");
  Bytes boot(512);  // a short image whose boot sector says 1.44 MB
  boot[0x0C] = 2, boot[0x13] = 0x40, boot[0x14] = 0x0B, boot[0x18] = 18, boot[0x1A] = 2;
  EXPECT_EQ(guess_floppy_format(40'000, boot)->name, "1.44M");
}

TEST(I82077, ShortImagesReadZerosBeyondTheirEnd) {
  FloppyBoard board(1440 * 1024 - 700);
  board.boot();
  board.seek(79);
  board.dma.program(1024);
  EXPECT_EQ(board.transfer({0x46, 0x04, 79, 1, 17, 2, 18, 0x1B, 0xFF}).at(0), 0x04);
  EXPECT_EQ(board.dma.memory[1023], 0);
  EXPECT_EQ(board.dma.memory[300], board.content->at(2878 * 512 + 300));
  board.dma.program(512);
  EXPECT_EQ(board.transfer({0x45, 0x04, 79, 1, 18, 2, 18, 0x1B, 0xFF}), (Bytes{0x44, 0x20, 0x20, 79, 1, 18, 2}));
}

TEST(I82077, FortyTrackDiskInAnEightyTrackDrive) {
  FloppyBoard board(0);
  board.fdc.drive(0).set_type(FloppyDriveType::M1_2);
  board.insert(360 * 1024);
  board.boot();
  board.out(0x3F7, 1);
  board.seek(10);
  board.dma.program(512);
  EXPECT_EQ(board.transfer({0x46, 0x00, 5, 0, 1, 2, 9, 0x1B, 0xFF}).at(0), 0x00);
  EXPECT_EQ(board.dma.memory, board.sectors(5 * 18, 1));
}

TEST(I82077, RestoredStateGoesOnAlike) {
  FloppyBoard board;
  board.boot();
  board.seek(3);
  board.dma.program(1024);
  board.send({0x46, 0x00, 3, 0, 1, 2, 18, 0x1B, 0xFF});
  const std::vector<u8> bytes = saved(board.fdc);
  FloppyBoard other;
  ASSERT_TRUE(test::load(other.fdc, bytes));
  EXPECT_EQ(saved(other.fdc), bytes);
  StateWriter timers;
  board.scheduler.state(timers);
  auto reader = StateReader::parse(timers.data());
  ASSERT_TRUE(reader.ok());
  other.clock.time = board.clock.time;
  other.scheduler.state(reader.value());
  other.dma.program(1024);
  other.run(10 * kMillisecond);
  EXPECT_EQ(other.result(), (Bytes{0, 0, 0, 3, 0, 3, 2}));
  EXPECT_EQ(other.dma.memory, board.sectors(108, 2));
}

TEST(I82077, RandomRegisterAccessesAreContained) {
  FloppyBoard board;
  board.boot();
  std::mt19937 random(2);
  for (int i = 0; i < 300'000; i++) {
    const u32 choice = random();
    switch (choice & 15) {
      case 0: board.out(static_cast<u16>(0x3F0 + (choice >> 4 & 7)), static_cast<u8>(choice >> 8)); break;
      case 1: board.in(static_cast<u16>(0x3F0 + (choice >> 4 & 7))); break;
      case 2: board.run(choice >> 8 & 0x3FFFFF); break;
      case 3: board.dma.program(choice >> 8 & 0x7FF); break;
      case 4: board.in(0x3F5); break;
      case 5: board.out(0x3F2, 0x1C); break;
      case 6:
        if ((choice >> 4 & 0xFFF) == 0) board.fdc.eject(0);
        if ((choice >> 4 & 0xFF) == 1) board.out(0x3F5, 0x03);
        break;
      default: board.out(0x3F5, static_cast<u8>((choice & 0x80000) != 0 ? choice >> 8 & 0x1F : choice >> 8)); break;
    }
    if (!board.fdc.drive(0).loaded()) board.insert(static_cast<std::size_t>(choice % 2'000'000 + 1));
  }
  board.out(0x3F2, 0x00);
  board.boot();
  EXPECT_EQ(board.command({0x10}), (Bytes{0x90}));
}

TEST(I82077, LoadedNonsenseIsContained) {
  FloppyBoard board;
  board.boot();
  board.dma.program(512);
  board.send({0x46, 0x00, 0, 0, 1, 2, 18, 0x1B, 0xFF});
  const std::vector<u8> good = saved(board.fdc);
  std::mt19937 random(3);
  for (int round = 0; round < 300; round++) {
    std::vector<u8> bytes = good;
    for (int i = 0; i < 40; i++) bytes[random() % bytes.size()] = static_cast<u8>(random());
    FloppyBoard other;
    test::load(other.fdc, bytes);
    for (int i = 0; i < 600; i++) {
      other.in(static_cast<u16>(0x3F0 + random() % 8));
      other.out(0x3F5, static_cast<u8>(random()));
      if (i % 16 == 0) other.run(kMillisecond);
      if (i % 128 == 0) other.fdc.event(0, 0);
    }
    other.out(0x3F2, 0x00);
    other.boot();
    EXPECT_EQ(other.command({0x10}), (Bytes{0x90}));
  }
}

}  // namespace
}  // namespace relic86
