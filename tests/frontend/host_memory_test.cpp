#include "frontend/host_memory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

constexpr u64 kMiB = u64{1} << 20;

TEST(HostMemory, CountsMemoryAndSwap) {
  EXPECT_EQ(
      available_memory("MemTotal:  100 kB\nMemFree: 9 kB\nMemAvailable:     50 kB\nSwapTotal: 7 kB\nSwapFree:  7 kB\n"),
      u64{57} << 10);
  EXPECT_EQ(available_memory("MemAvailable: 3 kB\n"), u64{3} << 10);
  EXPECT_EQ(available_memory("MemTotal: 3 kB\n"), std::nullopt);
  EXPECT_EQ(available_memory(""), std::nullopt);
}

std::string text_of(u64 mebibytes) { return fmt::format("MemAvailable: {:10} kB\n", mebibytes << 10); }

// In place: a look in between sees the file as it was, or as it is.
void write_available(const std::string& file, u64 mebibytes) {
  std::fstream(file, std::ios::in | std::ios::out) << text_of(mebibytes);
}

TEST(HostMemory, TellsOnceWhenThereIsNearlyNoneLeft) {
  const test::TemporaryFolder folder;
  const std::string file = folder.write("meminfo", text_of(200));
  HostMemoryGuard guard(4096 * kMiB, file);
  std::promise<u64> told;
  auto available = told.get_future();
  guard.watch([&](u64 bytes) { told.set_value(bytes); });
  write_available(file, 63);
  EXPECT_EQ(available.get(), 63 * kMiB);
}

TEST(HostMemory, ASmallGuestNeedsASmallReserve) {
  const test::TemporaryFolder folder;
  const std::string file = folder.write("meminfo", text_of(0));
  HostMemoryGuard large(1024 * kMiB, file);
  std::promise<u64> told;
  large.watch([&](u64 bytes) { told.set_value(bytes); });
  EXPECT_EQ(told.get_future().get(), 0u);
  write_available(file, 2);
  bool small_told = false;
  {
    HostMemoryGuard small(16 * kMiB, file);
    small.watch([&](u64) { small_told = true; });
  }
  EXPECT_FALSE(small_told);
}

TEST(HostMemory, WithoutTheFileNothingIsWatched) {
  HostMemoryGuard guard(kMiB, "/nonexistent/meminfo");
  guard.watch([](u64) { FAIL(); });
}

}  // namespace
}  // namespace relic86
