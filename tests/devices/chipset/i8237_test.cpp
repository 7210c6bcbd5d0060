// The DMA controllers, as BIOSes and drivers program them.
#include "devices/chipset/i8237.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using test::load;
using test::saved;
using test::TestBoard;
using Bytes = std::vector<u8>;

constexpr u8 kWriteMemory = 0x44, kReadMemory = 0x48, kVerify = 0x40;  // single mode
constexpr u8 kDecrement = 0x20, kAutoInitialise = 0x10;

struct Dma : ::testing::Test {
  Dma() {
    EXPECT_TRUE(
        board.memory.map_fixed(board.memory.new_key(), ram_range("ram", PhysAddr(0), 2 << 20, BackingOffset(0))).ok());
    EXPECT_TRUE(device.attach(board.attachment).ok());
    device.reset(ResetKind::PowerOn);
    board.out(0xD6, 0xC0);  // channel 4 is the cascade
    board.out(0xD4, 0x00);
  }
  void program(unsigned channel, u8 page, u16 address, u16 count, u8 mode) {
    static constexpr u8 kPages[] = {0x87, 0x83, 0x81, 0x82, 0x8F, 0x8B, 0x89, 0x8A};
    const bool words = channel >= 4;
    const unsigned n = channel & 3;
    const auto port = [&](unsigned index) { return static_cast<u16>(words ? 0xC0 + index * 2 : index); };
    board.out(port(10), 4 | n);
    board.out(port(12), 0);
    board.out(port(11), mode | n);
    board.out(port(n * 2), address & 0xFF), board.out(port(n * 2), address >> 8);
    board.out(port(n * 2 + 1), count & 0xFF), board.out(port(n * 2 + 1), count >> 8);
    board.out(kPages[channel], page);
    board.out(port(10), n);
  }
  u32 word(u16 port) {
    const u32 low = board.in(port);
    return low | board.in(port) << 8;
  }
  Bytes memory(u64 address, std::size_t count) {
    Bytes bytes(count);
    board.memory.read_block(PhysAddr(address), bytes);
    return bytes;
  }
  static Bytes counted(std::size_t count) {
    Bytes bytes(count);
    std::iota(bytes.begin(), bytes.end(), u8{1});
    return bytes;
  }
  TestBoard board;
  I8237 device;
};

TEST_F(Dma, WritesMemoryUpToTheTerminalCount) {
  program(2, 0x01, 0x2340, 511, kWriteMemory);
  const Bytes sector = counted(512);
  auto moved = device.to_memory(2, std::span(sector).first(500));
  EXPECT_EQ(moved.count, 500u);
  EXPECT_FALSE(moved.terminal_count);
  EXPECT_EQ(word(4), 0x2340u + 500);
  EXPECT_EQ(word(5), 11u);
  moved = device.to_memory(2, sector);
  EXPECT_EQ(moved.count, 12u);
  EXPECT_TRUE(moved.terminal_count);
  EXPECT_EQ(word(5), 0xFFFFu);
  EXPECT_EQ(memory(0x12340, 500), counted(500));
  EXPECT_EQ(memory(0x12340 + 500, 12), counted(12));
  EXPECT_EQ(memory(0x12340 + 512, 1), Bytes{0});
  EXPECT_EQ(board.in(8) & 0xF, 0x04u);  // cleared by the read
  EXPECT_EQ(board.in(8) & 0xF, 0u);
  EXPECT_EQ(device.to_memory(2, sector).count, 0u);  // masked now
}

TEST_F(Dma, ReadsMemory) {
  board.memory.write_block(PhysAddr(0x5000), counted(16));
  program(1, 0, 0x5000, 15, kReadMemory);
  Bytes bytes(32);
  const auto moved = device.from_memory(1, bytes);
  EXPECT_EQ(moved.count, 16u);
  EXPECT_TRUE(moved.terminal_count);
  bytes.resize(16);
  EXPECT_EQ(bytes, counted(16));
}

TEST_F(Dma, VerifyCountsWithoutMoving) {
  program(2, 0, 0x6000, 7, kVerify);
  const auto moved = device.to_memory(2, counted(8));
  EXPECT_EQ(moved.count, 8u);
  EXPECT_TRUE(moved.terminal_count);
  EXPECT_EQ(memory(0x6000, 8), Bytes(8, 0));
}

TEST_F(Dma, StaysInItsPage) {
  program(2, 0x01, 0xFFFE, 3, kWriteMemory);
  device.to_memory(2, Bytes{1, 2, 3, 4});
  EXPECT_EQ(memory(0x1FFFE, 2), (Bytes{1, 2}));
  EXPECT_EQ(memory(0x10000, 2), (Bytes{3, 4}));
  EXPECT_EQ(memory(0x20000, 2), (Bytes{0, 0}));
}

TEST_F(Dma, DecrementsAndInitialisesItself) {
  program(3, 0, 0x7003, 3, kWriteMemory | kDecrement | kAutoInitialise);
  EXPECT_TRUE(device.to_memory(3, Bytes{1, 2, 3, 4}).terminal_count);
  EXPECT_EQ(memory(0x7000, 4), (Bytes{4, 3, 2, 1}));
  EXPECT_EQ(word(6), 0x7003u);
  EXPECT_EQ(word(7), 3u);
  EXPECT_EQ(device.to_memory(3, Bytes{9}).count, 1u);
  EXPECT_EQ(memory(0x7003, 1), Bytes{9});
}

TEST_F(Dma, WordChannelsCountWords) {
  program(5, 0x01, 0x0800, 1, kWriteMemory);  // page bit 0 is not used
  const auto moved = device.to_memory(5, Bytes{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(moved.count, 4u);
  EXPECT_TRUE(moved.terminal_count);
  EXPECT_EQ(memory(0x1000, 5), (Bytes{1, 2, 3, 4, 0}));
  EXPECT_EQ(board.in(0xD0) & 0xF, 0x02u);
}

TEST_F(Dma, MasksDisableAndCascade) {
  const Bytes byte{7};
  program(2, 0, 0x8000, 100, kWriteMemory);
  board.out(0x0A, 0x06);
  EXPECT_EQ(device.to_memory(2, byte).count, 0u);
  board.out(0x0E, 0);
  EXPECT_EQ(device.to_memory(2, byte).count, 1u);
  board.out(0x0F, 0x04);
  EXPECT_EQ(device.to_memory(2, byte).count, 0u);
  EXPECT_EQ(board.in(0x0F) & 0xF, 0x04u);
  board.out(0x0F, 0x00);
  board.out(0x08, 0x04);
  EXPECT_EQ(device.to_memory(2, byte).count, 0u);
  board.out(0x08, 0x00);
  board.out(0xD4, 0x04);
  EXPECT_EQ(device.to_memory(2, byte).count, 0u);
  board.out(0xD4, 0x00);
  EXPECT_EQ(device.to_memory(2, byte).count, 1u);
  board.out(0x0D, 0);  // master clear
  EXPECT_EQ(device.to_memory(2, byte).count, 0u);
  EXPECT_EQ(device.to_memory(4, byte).count, 0u);
  EXPECT_EQ(device.to_memory(99, byte).count, 0u);
}

TEST_F(Dma, FlipFlopOrdersBytes) {
  board.out(0x0C, 0);
  board.out(0x00, 0x34);
  board.out(0x0C, 0);
  board.out(0x00, 0x78), board.out(0x00, 0x56);
  EXPECT_EQ(word(0), 0x5678u);
}

TEST_F(Dma, PageRegistersAreStorage) {
  for (u16 port = 0x81; port <= 0x8F; port++) board.out(port, port);
  for (u16 port = 0x81; port <= 0x8F; port++) EXPECT_EQ(board.in(port), port);
  device.reset(ResetKind::Hard);
  EXPECT_EQ(board.in(0x81), 0u);
  EXPECT_EQ(board.in(0x0F) & 0xF, 0xFu);
}

void exercise(Dma& test, std::mt19937& random, unsigned steps) {
  Bytes bytes(600);
  for (unsigned i = 0; i < steps; i++) {
    const unsigned kind = random() % 8;
    const auto port = static_cast<u16>(kind < 3   ? random() % 16
                                       : kind < 6 ? 0xC0 + random() % 32
                                                  : 0x81 + random() % 15);
    if (random() % 3 == 0) {
      test.board.in(port);
    } else {
      test.board.out(port, static_cast<u32>(random()));
    }
    const auto span = std::span(bytes).first(random() % bytes.size());
    if (i % 4 == 0) {
      EXPECT_LE(test.device.to_memory(random() % 9, span).count, span.size());
    } else if (i % 4 == 1) {
      EXPECT_LE(test.device.from_memory(random() % 9, span).count, span.size());
    }
  }
}

TEST_F(Dma, FuzzAndSavedState) {
  std::mt19937 random(41);
  for (unsigned round = 0; round < 20; round++) {
    exercise(*this, random, 1000);
    const auto state = saved(device);
    I8237 other;
    EXPECT_TRUE(load(other, state));
    EXPECT_EQ(saved(other), state);
  }
  for (unsigned round = 0; round < 100; round++) {
    auto state = saved(device);
    for (unsigned i = 0; i < 60; i++) state[state.size() - 1 - random() % state.size()] = static_cast<u8>(random());
    load(device, state);
    exercise(*this, random, 20);
  }
  device.reset(ResetKind::PowerOn);
  EXPECT_EQ(word(0), 0u);
}

}  // namespace
}  // namespace relic86
