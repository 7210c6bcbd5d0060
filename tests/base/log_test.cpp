// -d and -D: items, their messages, the file.
#include "base/log.h"

#include <gtest/gtest.h>

#include "base/nearest.h"

namespace relic86 {
namespace {

TEST(Log, UnknownItemNamesTheNearest) {
  const auto enabled = log::enable("guest_errors,in_ams");
  ASSERT_FALSE(enabled.ok());
  EXPECT_NE(enabled.message().find("-d in_ams: unknown log item; the nearest is in_asm"), std::string::npos)
      << enabled.message();
  EXPECT_FALSE(log::enabled(log::Channel::GuestErrors));  // all or nothing
}

TEST(Log, HelpListsEveryItem) {
  const std::string help = log::help_text();
  for (const char* item : {"in_asm", "int", "exec", "cpu", "pcall", "mmu", "cpu_reset", "unimp", "guest_errors"})
    EXPECT_NE(help.find(std::string("\n") + item + " "), std::string::npos) << item;
}

TEST(Nearest, CountsLetters) {
  constexpr std::string_view kWords[] = {"exec", "int", "in_asm"};
  EXPECT_EQ(nearest_word("exce", kWords), "exec");
  EXPECT_EQ(nearest_word("inasm", kWords), "in_asm");
  EXPECT_EQ(nearest_word("", kWords), "int");
}

}  // namespace
}  // namespace relic86
