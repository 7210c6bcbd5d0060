#include "devices/storage/piix3_ide.h"

#include "tests/devices/storage/ide_board.h"

namespace relic86 {
namespace {

using test::IdeBoard;
using test::kSector;

TEST(Piix3Ide, ConfigurationSpace) {
  IdeBoard board;
  EXPECT_EQ(board.config(1, 1, 0, 4), 0x70108086u);
  EXPECT_EQ(board.config(1, 1, 8, 4) >> 8, 0x010180u);
  board.set_config(1, 1, 0x20, 4, 0xFFFFFFFF);
  EXPECT_EQ(board.config(1, 1, 0x20, 4), 0xFFFFFFF1u);
  board.set_config(1, 1, 4, 2, 0xFFFF);
  EXPECT_EQ(board.config(1, 1, 4, 2), 5u);
  board.set_config(1, 1, 0x40, 4, 0x80008000);
  EXPECT_EQ(board.config(1, 1, 0x40, 4), 0x80008000u);
  EXPECT_EQ(board.config(1, 1, 0x3D, 1), 0u);
}

// Saves in the middle of what prepare() started, loads it into another board, and lets both go on alike.
template <class Prepare, class Finish>
void survives_saving(Prepare prepare, Finish finish) {
  IdeBoard first, second;
  prepare(first);
  const auto state = test::saved(first.ide);
  StateWriter events;
  first.scheduler.state(events);
  second.pass(first.clock.time);
  const auto ram = first.ram(0, test::kIdeRam);
  second.memory.write_block(PhysAddr(0), ram);
  auto reader = StateReader::parse(events.data());
  second.scheduler.state(reader.value());
  ASSERT_TRUE(test::load(second.ide, state));
  EXPECT_EQ(test::saved(second.ide), state) << "save, load, save";
  EXPECT_EQ(second.irqs.levels, first.irqs.levels);
  EXPECT_EQ(finish(second), finish(first));
  EXPECT_EQ(test::saved(second.ide), test::saved(first.ide));
  EXPECT_EQ(second.disk.bytes, first.disk.bytes);
}

TEST(Piix3Ide, SavedInTheMiddleOfPio) {
  survives_saving(
      [](IdeBoard& board) {
        board.lba28(5, 3);
        board.command(0x20);
        board.read_words(200);
      },
      [](IdeBoard& board) {
        auto data = board.read_words(312);
        board.wait_idle();
        const auto more = board.read_words(512);
        data.insert(data.end(), more.begin(), more.end());
        return data;
      });
  survives_saving(
      [](IdeBoard& board) {
        board.lba28(5, 1);
        board.command(0x30);
        board.write_words(std::vector<u8>(512, 9));  // BSY: written after the load
      },
      [](IdeBoard& board) {
        board.wait_idle();
        return board.status();
      });
}

TEST(Piix3Ide, SavedInTheMiddleOfDma) {
  survives_saving(
      [](IdeBoard& board) {
        board.enable_bus_master();
        board.descriptor(0x1000, 0x20000, 1000, false);
        board.descriptor(0x1008, 0x30000, 0, false);
        board.descriptor(0x1010, 0x40000, 0, true);
        board.set_table(0x1000);
        board.lba28(0, 255);
        board.set_reg(7, 0xC8);
        board.set_bus_command(9);
        board.pass(6'000);
        board.pass(9'000);  // the first 64 KiB are done
        EXPECT_EQ(board.bus_status() & 5, 1);
      },
      [](IdeBoard& board) {
        for (int i = 0; i < 20; i++) board.pass(100'000);
        EXPECT_EQ(board.bus_status() & 4, 4);
        return board.ram(0x20000, 0x30000);
      });
}

TEST(Piix3Ide, SavedInTheMiddleOfAPacket) {
  survives_saving(
      [](IdeBoard& board) {
        board.clear_attention();
        board.set_reg(1, 0, 0x170), board.set_reg(4, 0x00, 0x170), board.set_reg(5, 0x08, 0x170);
        board.command(0xA0, 0x170);
        board.write_words(std::vector<u8>{0x28, 0, 0, 0, 0, 3, 0, 0, 4, 0, 0, 0}, 0x170);
        board.wait_idle(0x170);
        board.read_words(100, 0x170);
      },
      [](IdeBoard& board) {
        auto data = board.read_words(1948, 0x170);
        board.wait_idle(0x170);
        const auto more = board.read_words(2048, 0x170);
        data.insert(data.end(), more.begin(), more.end());
        return data;
      });
}

TEST(Piix3Ide, CorruptedStatesAreContained) {
  IdeBoard source;
  source.lba28(5, 3);
  source.command(0x30);
  source.write_words(std::vector<u8>(100));
  const auto state = test::saved(source.ide);
  std::mt19937 random(11);
  for (int i = 0; i < 300; i++) {
    IdeBoard board;
    board.enable_bus_master();
    auto broken = state;
    for (int flips = 0; flips < 8; flips++) broken[random() % broken.size()] = static_cast<u8>(random());
    auto reader = StateReader::parse(broken);
    if (!reader.ok()) continue;
    board.ide.state(reader.value());
    for (int access = 0; access < 200; access++) {
      board.read_words(64);
      board.write_words(std::vector<u8>(64));
      board.write_words(std::vector<u8>(64), 0x170);
      board.pass(20'000);
    }
  }
}

TEST(Piix3Ide, RandomRegisterAccesses) {
  IdeBoard board;
  board.enable_bus_master();
  std::mt19937 random(5);
  constexpr std::array<u16, 5> kFirst = {0x1F0, 0x170, 0x3F6, 0x376, test::kBusMasterBase};
  constexpr std::array<u16, 5> kCount = {8, 8, 1, 1, 16};
  for (int i = 0; i < 200'000; i++) {
    const std::size_t range = random() % kFirst.size();
    const auto port = static_cast<u16>(kFirst[range] + random() % kCount[range]);
    const unsigned width = 1u << random() % 3;
    if (random() % 3 == 0) {
      board.in(port, width);
    } else {
      board.out(port, static_cast<u32>(random()), width);
    }
    if (random() % 4 == 0) board.pass(random() % 20'000);
  }
  board.reset();
  EXPECT_EQ(board.status(), 0x50);
  EXPECT_EQ(board.reg(1), 1);
  IdeBoard fresh;
  EXPECT_EQ(test::saved(board.ide), test::saved(fresh.ide)) << "reset forgets everything";
}

}  // namespace
}  // namespace relic86
