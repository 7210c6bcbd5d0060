// How many serial and parallel ports the board has.
#include <gtest/gtest.h>

#include "devices/board/pc_board.h"
#include "devices/character/parallel_port.h"
#include "devices/character/uart16550.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

struct Host final : CharSink {
  void put(u8 byte) override { text += static_cast<char>(byte); }
  std::string text;
};

struct PortsBoard {
  PortsBoard(unsigned serial, unsigned parallel) {
    BoardConfig config;
    config.bios = std::vector<u8>(0x10000, 0xF4);
    for (unsigned i = 0; i < 4; i++) config.serial_ports[i] = i < serial;
    for (unsigned i = 0; i < 3; i++) config.parallel_ports[i] = i < parallel;
    config.debug_consoles = {{0xE9, &debug}, {0x402, &debug}};
    auto made = PcBoard::create(std::move(config), parts.scheduler, parts.io, parts.memory, parts.control);
    EXPECT_TRUE(made.ok()) << made.message();
    board = std::move(made).value();
    board->reset(ResetKind::PowerOn);
  }
  Host debug;
  test::TestBoard parts{u64{2} << 20, PcBoard::kExtraMemory};
  std::unique_ptr<PcBoard> board;
};

TEST(BoardPorts, FourSerialPorts) {
  PortsBoard machine(4, 1);
  unsigned number = 0;
  for (const u16 port : {0x3F8, 0x2F8, 0x3E8, 0x2E8}) {
    Host host;
    ASSERT_NE(machine.board->uart(number), nullptr);
    machine.board->uart(number)->connect(&host);
    machine.parts.out(port, 'A' + number);
    EXPECT_EQ(host.text, std::string(1, static_cast<char>('A' + number)));
    machine.board->uart(number++)->connect(nullptr);
  }
  EXPECT_EQ(machine.board->uart(4), nullptr);
  EXPECT_EQ(machine.parts.config(1, 3, 0x67, 1), 0x98u);
  machine.parts.out(0xE9, 'e'), machine.parts.out(0x402, 's');
  EXPECT_EQ(machine.debug.text, "es");
}

TEST(BoardPorts, NonePresentAndTooManyAskedFor) {
  PortsBoard none(0, 0);
  for (const u16 port : {0x3FD, 0x2FD, 0x3ED, 0x2ED, 0x379, 0x279, 0x3BD}) EXPECT_EQ(none.parts.in(port), 0xFFu);
  EXPECT_EQ(none.board->uart(0), nullptr);
  EXPECT_EQ(none.board->parallel(0), nullptr);
  EXPECT_EQ(none.parts.config(1, 3, 0x67, 1), 0u);
}

TEST(BoardPorts, ThreeParallelPorts) {
  PortsBoard machine(0, 3);
  unsigned number = 0;
  for (const u16 port : {0x378, 0x278, 0x3BC}) {
    Host host;
    ASSERT_NE(machine.board->parallel(number), nullptr);
    machine.board->parallel(number)->connect(&host);
    machine.parts.out(port, 'A' + number);
    machine.parts.out(static_cast<u16>(port + 2), 0x0D);  // strobe
    machine.parts.out(static_cast<u16>(port + 2), 0x0C);
    EXPECT_EQ(host.text, std::string(1, static_cast<char>('A' + number)));
    machine.board->parallel(number++)->connect(nullptr);
  }
  EXPECT_EQ(machine.board->parallel(3), nullptr);
}

}  // namespace
}  // namespace relic86
