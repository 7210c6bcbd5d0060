#include "insight/symbol_table.h"

#include <gtest/gtest.h>

namespace relic86 {
namespace {

SymbolTable parsed(std::string_view text, u64 offset = 0) {
  auto table = SymbolTable::parse_list(text, offset);
  EXPECT_TRUE(table.ok()) << (table.ok() ? "" : table.message());
  return std::move(table).value();
}

TEST(SymbolTable, FindsTheFunctionThatHoldsAnAddress) {
  const SymbolTable table = parsed("c1001000 T second\nc1000000 t first\nc1000800 D data\n         U other\n");
  EXPECT_EQ(table.find(0xC0FFFFFF), nullptr);
  EXPECT_EQ(table.find(0xC1000000)->name, "first");
  EXPECT_EQ(table.find(0xC1000FFF)->name, "first");  // data is no code
  EXPECT_EQ(table.find(0xC1001000)->name, "second");
  EXPECT_EQ(table.find(0xC1001FFF)->name, "second");
  EXPECT_EQ(table.find(0xC1002000), nullptr);  // nobody knows where the last one ends
  EXPECT_EQ(table.first(), 0xC1000000u);
  EXPECT_EQ(table.end(), 0xC1002000u);
}

TEST(SymbolTable, TakesListsAsTheyAreFound) {
  // /proc/kallsyms names modules; lines may end in carriage returns; of several names the first counts.
  const SymbolTable table =
      parsed("ffffffff81000000 T startup_64\r\nffffffff81000000 T _text\r\nffffffffc0000010 t f\t[ext4]");
  ASSERT_EQ(table.symbols().size(), 2u);
  EXPECT_EQ(table.find(0xFFFFFFFF81000001)->name, "startup_64");
  EXPECT_EQ(table.find(0xFFFFFFFFC0000010)->name, "f");
  EXPECT_EQ(table.symbols()[1].line, 3u);
}

TEST(SymbolTable, AnOffsetMovesThem) {
  const SymbolTable table = parsed("1000 T f\n", u64{0} - 0x200);
  EXPECT_EQ(table.find(0xE00)->name, "f");
  EXPECT_EQ(table.find(0xDFF), nullptr);
}

TEST(SymbolTable, RefusesWhatIsNone) {
  for (const char* wrong :
       {"", "hello world\n", "1000 T\n", "1000 TT f\n", "1000 D data\n", "xyz T f\n", "11112222333344445 T f\n"}) {
    EXPECT_FALSE(SymbolTable::parse_list(wrong, 0).ok()) << wrong;
  }
}

TEST(SymbolTable, DataIsFoundByName) {
  const auto table =
      SymbolTable::parse_list("1000 T start\n2000 D counter\n         U elsewhere\n3000 B counter\n", 0x10);
  ASSERT_TRUE(table.ok()) << table.message();
  EXPECT_EQ(table.value().address_of("start"), 0x1010u);
  EXPECT_EQ(table.value().address_of("counter"), 0x2010u);
  EXPECT_FALSE(table.value().address_of("elsewhere"));
}

}  // namespace
}  // namespace relic86
