// What the window is told of a machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "frontend/machine_window_host.h"
#include "options/options.h"

namespace relic86 {
namespace {

// A file may be dropped on a window that has just been opened, before its menu was.
TEST(MachineWindowHost, KnowsTheDrivesFromItsStart) {
  const std::vector<std::string> words{"-m", "4", "-display", "none", "-nic", "none", "-S"};
  auto parsed = parse_command_line(words);
  ASSERT_TRUE(parsed.ok()) << parsed.message();
  HostPoller poller;
  auto machine = Machine::create(parsed.value().options, poller);
  ASSERT_TRUE(machine.ok()) << machine.message();
  ScreenFeed feed(*machine.value());
  MachineWindowHost host(*machine.value(), feed);
  const MachineView view = host.view();
  EXPECT_TRUE(std::any_of(view.drives.begin(), view.drives.end(), [](const auto& d) { return d.floppy; }));
  EXPECT_TRUE(std::any_of(view.drives.begin(), view.drives.end(), [](const auto& d) { return !d.floppy; }));
}

}  // namespace
}  // namespace relic86
