#include "base/state_archive.h"

#include <gtest/gtest.h>

#include <array>

namespace relic86 {
namespace {

struct Sample {
  u32 number = 7;
  bool flag = true;
  std::array<u16, 3> table{1, 2, 3};
  std::vector<u8> fifo{9, 8};
  void state(StateArchive& archive) {
    archive.field("number", number);
    archive.group("inner", [&] {
      archive.field("flag", flag);
      archive.bytes("table", table);
    });
    archive.resizable("fifo", fifo);
  }
};

TEST(StateArchive, SaveLoadSaveIsByteEqual) {
  Sample original;
  StateWriter first;
  original.state(first);
  Sample copy{0, false, {0, 0, 0}, {}};
  auto reader = StateReader::parse(first.data());
  ASSERT_TRUE(reader.ok());
  copy.state(reader.value());
  EXPECT_EQ(reader.value().complaint(), "");
  StateWriter second;
  copy.state(second);
  EXPECT_EQ(first.data(), second.data());
  EXPECT_EQ(copy.table[2], 3);
}

TEST(StateArchive, EveryCutIsRefusedOrComplainedOf) {
  Sample original;
  StateWriter writer;
  original.state(writer);
  for (std::size_t size = 0; size < writer.data().size(); size++) {
    auto reader = StateReader::parse(std::span(writer.data()).first(size));
    if (!reader.ok()) continue;
    Sample copy;
    copy.state(reader.value());
    EXPECT_NE(reader.value().complaint(), "") << size;
  }
}

}  // namespace
}  // namespace relic86
