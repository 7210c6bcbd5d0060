// Commands for what people do at a window.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "control/monitor/monitor.h"
#include "control/qmp/qmp_commands.h"
#include "machine/saved_machine.h"

namespace relic86 {
namespace {

class UserCommands : public testing::Test {
 protected:
  UserCommands() {
    folder_ = testing::TempDir() + fmt::format("user_commands_test.{}.{}", ::getpid(),
                                               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    const std::vector<std::string> words{"-m",
                                         "4",
                                         "-display",
                                         "none",
                                         "-S",
                                         "-nic",
                                         "none",
                                         "--state-dir",
                                         folder_,
                                         "-audiodev",
                                         fmt::format("wav,id=a,path={}/all.wav", folder_),
                                         "-machine",
                                         "pcspk-audiodev=a"};
    auto parsed = parse_command_line(words);
    EXPECT_TRUE(parsed.ok()) << parsed.message();
    auto built = Machine::create(parsed.value().options, poller_);
    EXPECT_TRUE(built.ok()) << built.message();
    machine_ = std::move(built).value();
  }
  ~UserCommands() override {
    machine_.reset();
    std::filesystem::remove_all(folder_);
  }
  Json run(const std::string& name, const Json& arguments = Json::object()) {
    const auto reply = execute_qmp(*machine_, name, arguments);
    EXPECT_TRUE(static_cast<bool>(reply)) << name << ": " << reply.error().message;
    return reply ? reply.value() : Json();
  }
  std::string refusal(const std::string& name, const Json& arguments = Json::object()) {
    const auto reply = execute_qmp(*machine_, name, arguments);
    EXPECT_FALSE(static_cast<bool>(reply)) << name;
    return reply ? "" : reply.error().message;
  }
  std::string monitor(const char* line) { return execute_monitor_line(*machine_, line); }

  std::string folder_;
  HostPoller poller_;
  std::unique_ptr<Machine> machine_;
};

TEST_F(UserCommands, SavedMachinesHaveAPicture) {
  EXPECT_TRUE(run("x-query-saved-machines").empty());
  run("x-savevm", {{"tag", "one"}});
  const Json list = run("x-query-saved-machines");
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0]["tag"], "one");
  EXPECT_GT(list[0]["vm-state-size"].get<u64>(), 0u);
  EXPECT_TRUE(std::filesystem::exists(list[0]["picture"].get<std::string>()));
  run("x-loadvm", {{"tag", "one"}});
  EXPECT_NE(monitor("info snapshots").find(" one "), std::string::npos);
  run("x-delvm", {{"tag", "one"}});
  EXPECT_FALSE(std::filesystem::exists(list[0]["picture"].get<std::string>()));
  EXPECT_NE(refusal("x-loadvm", {{"tag", "one"}}), "");
  EXPECT_NE(refusal("x-savevm", {{"tag", "a/b"}}).find("cannot name a saved machine"), std::string::npos);
}

TEST_F(UserCommands, Speed) {
  EXPECT_EQ(run("x-query-speed")["limit"], 0);
  run("x-set-speed", {{"speed", "386-33"}});
  const Json speed = run("x-query-speed");
  EXPECT_EQ(speed["limit"], 4'800'000);
  EXPECT_EQ(speed["presets"].size(), 4u);
  EXPECT_EQ(monitor("speed 8088 4.77 MHz"), "");
  EXPECT_EQ(run("x-query-speed")["limit"], 242'000);
  EXPECT_TRUE(monitor("speed").starts_with("242000 instructions a second\n"));
  EXPECT_NE(refusal("x-set-speed", {{"speed", "warp"}}).find("'warp' is no speed"), std::string::npos);
  run("x-set-speed", {{"speed", "free"}});
  EXPECT_TRUE(monitor("speed").starts_with("free\n"));
}

TEST_F(UserCommands, VolumeAndRecording) {
  EXPECT_EQ(run("x-query-sound"), (Json{{"volume", 100}, {"recording", ""}}));
  run("x-set-volume", {{"percent", 30u}});
  EXPECT_EQ(monitor("volume 40"), "");
  EXPECT_EQ(run("x-query-sound")["volume"], 40);
  EXPECT_NE(refusal("x-set-volume", {{"percent", 101u}}), "");
  const std::string file = folder_ + "/part.wav";
  run("x-record-sound", {{"filename", file}});
  EXPECT_EQ(run("x-query-sound")["recording"], file);
  EXPECT_EQ(monitor("stopcapture"), "");
  EXPECT_EQ(run("x-query-sound")["recording"], "");
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_NE(refusal("x-record-sound", {{"filename", folder_ + "/no/part.wav"}}), "");
}

TEST_F(UserCommands, VideoIsRecorded) {
  const std::string file = folder_ + "/run.avi";
  EXPECT_EQ(run("x-query-video")["recording"], "");
  run("x-record-video", {{"filename", file}});
  EXPECT_EQ(run("x-query-video")["recording"], file);
  EXPECT_NE(refusal("x-record-sound", {{"filename", folder_ + "/part.wav"}}).find("a video is recorded"),
            std::string::npos);
  run("x-record-video");
  EXPECT_EQ(run("x-query-video")["recording"], "");
  EXPECT_GT(std::filesystem::file_size(file), 300u);
  EXPECT_NE(refusal("x-record-video", {{"filename", folder_ + "/no/run.avi"}}), "");
}

TEST_F(UserCommands, JoysticksNeedAPort) {
  EXPECT_NE(refusal("x-move-joystick", {{"stick", 0u}}).find("no game port"), std::string::npos);
  EXPECT_NE(refusal("x-move-joystick", {{"stick", 2u}}).find("0 or 1"), std::string::npos);
  EXPECT_NE(refusal("x-move-joystick", {{"stick", 0u}, {"x", 40000}}).find("32767"), std::string::npos);
  EXPECT_NE(monitor("joystick 0 5 up"), "");
}

TEST_F(UserCommands, TypedTextSaysWhatItLeftOut) {
  EXPECT_EQ(run("x-type-text", {{"text", "dir\n"}})["left-out"], 0);
  EXPECT_EQ(run("x-type-text", {{"text",
                                 "a\xE4\xBD\xA0"
                                 "b\xFF"}})["left-out"],
            2);
}

TEST_F(UserCommands, FloppiesAreMade) {
  const std::string file = folder_ + "/new.img";
  run("x-create-floppy", {{"filename", file}});
  EXPECT_EQ(std::filesystem::file_size(file), 1440u * 1024);
  run("blockdev-change-medium", {{"device", "floppy0"}, {"filename", file}});
  EXPECT_NE(refusal("x-create-floppy", {{"filename", file}}).find("choose another name"), std::string::npos);
}

TEST_F(UserCommands, CloseDecidesAnew) {
  run("x-close", {{"save", true}});
  EXPECT_EQ(machine_->options().on_close, Options::OnClose::Save);
  run("x-close", {{"save", false}});
  EXPECT_EQ(machine_->options().on_close, Options::OnClose::Quit);
}

}  // namespace
}  // namespace relic86
