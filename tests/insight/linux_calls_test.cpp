#include "insight/linux_calls.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace relic86 {
namespace {

// The kernel's own list, where the host has it. A newer host knows more calls; none may be another.
void compare_with_host(LinuxAbi abi, const std::string& file) {
  std::ifstream stream(file);
  if (!stream) GTEST_SKIP() << file << " is not there (linux-libc-dev of an x86 host)";
  unsigned compared = 0;
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string define, name;
    u64 number = 0;
    constexpr std::string_view kPrefix = "__NR_";
    if (!(words >> define >> name >> number) || define != "#define" || !name.starts_with(kPrefix)) continue;
    const std::string_view ours = linux_call_name(abi, number);
    if (ours.empty() && number > 450) continue;
    EXPECT_EQ(ours, name.substr(kPrefix.size())) << number;
    compared++;
  }
  EXPECT_GT(compared, 300u);
}

TEST(LinuxCalls, NumbersOf32BitProgramsAreTheKernels) {
  compare_with_host(LinuxAbi::I386, "/usr/include/x86_64-linux-gnu/asm/unistd_32.h");
}

TEST(LinuxCalls, NumbersOf64BitProgramsAreTheKernels) {
  compare_with_host(LinuxAbi::X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h");
}

TEST(LinuxCalls, NumbersThatAreNone) {
  EXPECT_EQ(linux_call_name(LinuxAbi::I386, 222), "");
  EXPECT_EQ(linux_call_name(LinuxAbi::X86_64, 400), "");
  EXPECT_EQ(linux_call_name(LinuxAbi::X86_64, ~u64{0}), "");
}

TEST(LinuxCalls, ArgumentsComeOneByOne) {
  std::string_view rest = linux_call_arguments("openat"), name;
  LinuxArgument kind{};
  ASSERT_TRUE(next_linux_argument(rest, name, kind));
  EXPECT_EQ(name, "dir");
  EXPECT_EQ(kind, LinuxArgument::Decimal);
  ASSERT_TRUE(next_linux_argument(rest, name, kind));
  EXPECT_EQ(name, "path");
  EXPECT_EQ(kind, LinuxArgument::Text);
  ASSERT_TRUE(next_linux_argument(rest, name, kind));
  ASSERT_TRUE(next_linux_argument(rest, name, kind));
  EXPECT_EQ(kind, LinuxArgument::Octal);
  EXPECT_FALSE(next_linux_argument(rest, name, kind));
  EXPECT_EQ(linux_call_arguments("getpid"), "");
}

// Each call of either list can be taken apart.
TEST(LinuxCalls, AllArgumentsAreWellFormed) {
  for (const LinuxAbi abi : {LinuxAbi::I386, LinuxAbi::X86_64}) {
    for (u64 number = 0; number < 500; number++) {
      std::string_view rest = linux_call_arguments(linux_call_name(abi, number)), name;
      LinuxArgument kind{};
      unsigned count = 0;
      while (next_linux_argument(rest, name, kind)) {
        EXPECT_FALSE(name.empty());
        count++;
      }
      EXPECT_LE(count, 6u);
    }
  }
}

}  // namespace
}  // namespace relic86
