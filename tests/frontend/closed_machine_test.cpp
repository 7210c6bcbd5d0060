// --on-close save and the start after it: no start writes to disks that a closed machine still lays claim to.
#include "frontend/closed_machine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "machine/saved_machine.h"
#include "options/options.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

class ClosedMachine : public testing::Test {
 protected:
  ClosedMachine() {
    std::ofstream(disk_).close();
    std::filesystem::resize_file(disk_, 1 << 20);
  }

  // A machine with these options; what resume_closed() says of it is in resumed_.
  std::unique_ptr<Machine> start(const std::vector<std::string>& more) {
    std::vector<std::string> words{"-m", "4", "-display", "none", "-nic", "none", "-S", "-hda", disk_};
    words.insert(words.end(), more.begin(), more.end());
    auto parsed = parse_command_line(words);
    EXPECT_TRUE(parsed.ok()) << parsed.message();
    auto built = Machine::create(parsed.value().options, poller_);
    EXPECT_TRUE(built.ok()) << built.message();
    auto machine = std::move(built).value();
    resumed_ = resume_closed(*machine);
    return machine;
  }
  void save_as(const char* tag) {
    const auto saved = save_machine(*start({"--fresh"}), tag);
    ASSERT_TRUE(saved.ok()) << saved.message();
  }
  bool is_there() const { return std::filesystem::exists(folder_.path("closed.relic86")); }

  test::TemporaryFolder folder_;
  std::string disk_ = folder_.path("disk.img");
  HostPoller poller_;
  Result<> resumed_;
};

TEST_F(ClosedMachine, IsLoadedOnceAndGone) {
  save_as(kClosedTag);
  ASSERT_TRUE(is_there());
  start({"--on-close", "save"});
  EXPECT_TRUE(resumed_.ok()) << resumed_.message();
  EXPECT_FALSE(is_there());
}

TEST_F(ClosedMachine, AStartThatWouldLoseWritesIsRefused) {
  save_as("other");
  save_as(kClosedTag);
  const std::string begin = folder_.path("closed.relic86") + ": this machine was saved when it was closed, and ";
  start({"--on-close", "quit"});
  ASSERT_FALSE(resumed_.ok());
  EXPECT_EQ(resumed_.message(),
            begin +
                "a start with --on-close quit would write over it or over the disks that belong to it; say "
                "--on-close save to go on with it, or add --fresh to drop it");
  start({"--on-close", "save", "-loadvm", "other"});
  ASSERT_FALSE(resumed_.ok());
  EXPECT_EQ(resumed_.message(), begin +
                                    "-loadvm other would write over it or over the disks that belong to it; leave "
                                    "-loadvm out to go on with it, or add --fresh to drop it");
  start({"--on-close", "save", "-loadvm", "other", "-snapshot"});
  EXPECT_FALSE(resumed_.ok());
  EXPECT_TRUE(is_there());
}

TEST_F(ClosedMachine, FreshDropsIt) {
  save_as("other");
  save_as(kClosedTag);
  start({"-loadvm", "other", "--fresh"});
  EXPECT_TRUE(resumed_.ok()) << resumed_.message();
  EXPECT_FALSE(is_there());
}

// Writes that stay in a temporary file, or go to another machine's disk, take nothing back.
TEST_F(ClosedMachine, IsLeftAloneByThoseThatDoNotWriteToItsDisks) {
  save_as(kClosedTag);
  start({"-snapshot"});
  EXPECT_TRUE(resumed_.ok()) << resumed_.message();
  disk_ = folder_.path("second.img");
  std::ofstream(disk_).close();
  std::filesystem::resize_file(disk_, 1 << 20);
  start({});
  EXPECT_TRUE(resumed_.ok()) << resumed_.message();
  EXPECT_TRUE(is_there());
}

}  // namespace
}  // namespace relic86
