#include "insight/code_coverage.h"

#include <gtest/gtest.h>

#include <cstring>

namespace relic86 {
namespace {

TEST(AddressRanges, JoinsWhatTouches) {
  const AddressRanges ranges({{30, 39}, {10, 19}, {20, 24}, {22, 23}, {41, 41}, {~u64{0} - 1, ~u64{0}}});
  ASSERT_EQ(ranges.all().size(), 4u);
  EXPECT_EQ(ranges.all()[0].first, 10u);
  EXPECT_EQ(ranges.all()[0].last, 24u);
  EXPECT_TRUE(ranges.meets(0, 10));
  EXPECT_FALSE(ranges.meets(0, 9));
  EXPECT_TRUE(ranges.meets(24, 29));
  EXPECT_FALSE(ranges.meets(25, 29));
  EXPECT_FALSE(ranges.meets(40, 40));
  EXPECT_TRUE(ranges.meets(~u64{0}, ~u64{0}));
}

TEST(CodeCoverage, LcovTellsWhichFunctionsOfAListHaveRun) {
  std::vector<SymbolTable> symbols;
  symbols.push_back(SymbolTable::parse_list("1000 T first\n1010 T second\n1020 T third\n", 0).value());
  const std::vector<LineTable> lines(1);
  CodeCoverage coverage;
  coverage.add(0x1018, 8);  // up to the last byte of the second
  coverage.add(0x1018, 2);
  EXPECT_EQ(coverage.lcov(symbols, lines),
            "TN:\nSF:\nFN:1,first\nFN:2,second\nFN:3,third\nFNDA:0,first\nFNDA:1,second\nFNDA:0,third\nFNF:3\nFNH:1\n"
            "DA:1,0\nDA:2,1\nDA:3,0\nLF:3\nLH:1\nend_of_record\n");
}

TEST(CodeCoverage, DrcovHasAModuleForEachTableAndForWhatLiesOutside) {
  std::vector<SymbolTable> symbols;
  symbols.push_back(SymbolTable::parse_list("ffffffff81000000 T f\n", 0).value());
  CodeCoverage coverage;
  coverage.add(0xFFFFFFFF81000010, 5);
  coverage.add(0x7C00, 3);
  const std::string text = coverage.drcov(symbols);
  EXPECT_NE(text.find("Module Table: version 2, count 2\n"), std::string::npos);
  EXPECT_NE(text.find("1, 0x0000000000000000, 0x00000000ffffffff, "), std::string::npos) << text;
  const std::string mark = "BB Table: 2 bbs\n";
  const std::size_t table = text.find(mark) + mark.size();
  const unsigned char wanted[] = {0x00, 0x7C, 0, 0, 3, 0, 1, 0, 0x10, 0, 0, 0, 5, 0, 0, 0};
  ASSERT_EQ(text.size(), table + sizeof wanted);
  EXPECT_EQ(std::memcmp(text.data() + table, wanted, sizeof wanted), 0);
}

}  // namespace
}  // namespace relic86
