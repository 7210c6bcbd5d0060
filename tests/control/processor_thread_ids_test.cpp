// Which thread of the host runs which processor, as management asks before the guest runs: to pin them to the host's
// processors.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "control/monitor/monitor.h"
#include "control/qmp/qmp_commands.h"
#include "machine/machine.h"
#include "options/options.h"

namespace relic86 {
namespace {

struct ProcessorThreadIds : ::testing::Test {
  void make(const std::string& accelerator) {
    const std::vector<std::string> arguments{"-S",        "-m",       "4",    "-smp",        "3",    "-accel",
                                             accelerator, "-display", "none", "-nodefaults", "-vga", "none"};
    auto parsed = parse_command_line(arguments);
    ASSERT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.message());
    auto made = Machine::create(parsed.value().options, poller);
    ASSERT_TRUE(made.ok()) << (made.ok() ? "" : made.message());
    machine = std::move(made).value();
  }
  std::vector<pid_t> ids() {
    std::vector<pid_t> all;
    const auto processors = execute_qmp(*machine, "query-cpus-fast", Json::object());
    EXPECT_TRUE(static_cast<bool>(processors));
    for (const Json& row : processors.value()) all.push_back(row["thread-id"].get<pid_t>());
    return all;
  }

  HostPoller poller;
  std::unique_ptr<Machine> machine;
};

}  // namespace

TEST_F(ProcessorThreadIds, EachHasOneOfItsOwnBeforeTheGuestRuns) {
  make("interp,thread=multi");
  const std::vector<pid_t> before = ids();
  EXPECT_EQ(std::set(before.begin(), before.end()).size(), 3u);
  std::string listed;
  for (unsigned n = 0; n < before.size(); n++) {
    EXPECT_NE(before[n], gettid());
    EXPECT_TRUE(std::filesystem::exists(fmt::format("/proc/self/task/{}", before[n])));
    listed += fmt::format("{} CPU #{}: thread_id={}\n", n == 0 ? '*' : ' ', n, before[n]);
  }
  EXPECT_EQ(execute_monitor_line(*machine, "info cpus"), listed);
  machine->resume();
  EXPECT_EQ(ids(), before);
}

TEST_F(ProcessorThreadIds, AllHaveTheMachinesWhereTheyShareIt) {
  make("interp,thread=single");
  EXPECT_EQ(ids(), std::vector<pid_t>(3, gettid()));
}

}  // namespace relic86
