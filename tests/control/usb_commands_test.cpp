// device_add, device_del and info usb: devices on USB come and go, and a saved machine knows which there were.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "control/monitor/monitor.h"
#include "control/qmp/qmp_commands.h"
#include "machine/saved_machine.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

class UsbCommands : public testing::Test {
 protected:
  UsbCommands() { start({"-usb", "-device", "usb-tablet,id=t"}); }

  void start(const std::vector<std::string>& more) {
    std::ofstream(folder_.path("disk.img")).close();
    std::filesystem::resize_file(folder_.path("disk.img"), 1 << 20);
    std::vector<std::string> words{
        "-m",          "4",           "-display",     "none",   "-S",
        "-nodefaults", "--state-dir", folder_.path(), "-drive", "if=none,id=d,file=" + folder_.path("disk.img")};
    words.insert(words.end(), more.begin(), more.end());
    machine_.reset();  // it holds the disk
    auto parsed = parse_command_line(words);
    ASSERT_TRUE(parsed.ok()) << parsed.message();
    auto built = Machine::create(parsed.value().options, poller_);
    ASSERT_TRUE(built.ok()) << built.message();
    machine_ = std::move(built).value();
    machine_->on_event([this](MachineEvent event) {
      if (event == MachineEvent::DeviceDeleted) gone_.push_back(machine_->deleted_device());
    });
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

  test::TemporaryFolder folder_;
  HostPoller poller_;
  std::unique_ptr<Machine> machine_;
  std::vector<std::string> gone_;
};

// VMware's mouse is there as soon as its driver asks for positions.
TEST_F(UsbCommands, MiceAreListedTheUsedOneFirst) {
  const Json mouse{{"name", "QEMU PS/2 Mouse"}, {"index", 0}, {"current", true}, {"absolute", false}};
  const Json tablet{{"name", "QEMU HID Tablet"}, {"index", 1}, {"current", false}, {"absolute", true}};
  EXPECT_EQ(run("query-mice"), Json::array({mouse, tablet}));
  EXPECT_EQ(monitor("info mice"), "* Mouse #0: PS/2 Mouse\n  Mouse #1: HID Tablet (absolute)\n");
  constexpr u16 kVmwarePort = 0x5658;
  constexpr u64 kMagic = 0x564D5868, kMouseCommand = 41, kIdentify = 0x45414552, kPositions = 0x53424152;
  for (const u64 command : {kIdentify, kPositions}) {
    auto& registers = machine_->processors()[0].cpu().state().gpr;
    registers[kEax] = kMagic;
    registers[kEbx] = command;
    registers[kEcx] = kMouseCommand;
    machine_->io().read(IoPort(kVmwarePort), 4);
  }
  Json unused = mouse;
  unused["current"] = false;
  const Json vmware{{"name", "vmmouse"}, {"index", 2}, {"current", true}, {"absolute", true}};
  EXPECT_EQ(run("query-mice"), Json::array({vmware, unused, tablet}));
  EXPECT_EQ(monitor("info mice"),
            "* Mouse #2: vmmouse (absolute)\n  Mouse #0: PS/2 Mouse\n  Mouse #1: HID Tablet (absolute)\n");
}

TEST_F(UsbCommands, DevicesComeAndGo) {
  EXPECT_EQ(monitor("info usb"), "  Device 0.0, Port 1, Speed 12 Mb/s, Product relic86 USB Tablet, ID: t\n");
  run("device_add", {{"driver", "usb-kbd"}, {"id", "k"}});
  EXPECT_EQ(monitor("info usb"),
            "  Device 0.0, Port 1, Speed 12 Mb/s, Product relic86 USB Tablet, ID: t\n"
            "  Device 0.0, Port 2, Speed 12 Mb/s, Product relic86 USB Hub\n"
            "  Device 0.0, Port 2.1, Speed 12 Mb/s, Product relic86 USB Keyboard, ID: k\n");
  bool listed = false;
  for (const Json& each : run("qom-list", {{"path", "/machine/peripheral"}})) listed = listed || each["name"] == "k";
  EXPECT_TRUE(listed);
  EXPECT_EQ(refusal("device_add", {{"driver", "usb-mouse"}, {"id", "k"}}), "Duplicate device ID 'k'");
  EXPECT_NE(refusal("device_add", {{"driver", "usb-mouse"}, {"port", "7"}}).find("ports 1 to 2 exist"),
            std::string::npos);
  EXPECT_NE(refusal("device_add", {{"driver", "AC97"}}).find("cannot be plugged in"), std::string::npos);
  run("device_del", {{"id", "k"}});
  EXPECT_EQ(gone_, std::vector<std::string>{"k"});
  EXPECT_NE(refusal("device_del", {{"id", "k"}}), "");
  // By the monitor's lines.
  EXPECT_EQ(monitor("device_add usb-mouse,id=m,port=2.8"), "");
  EXPECT_NE(monitor("info usb").find("Port 2.8, Speed 12 Mb/s, Product relic86 USB Mouse, ID: m"), std::string::npos);
  EXPECT_NE(monitor("device_add usb-mouse,id=m"), "");
  EXPECT_EQ(monitor("device_del m"), "");
  EXPECT_NE(monitor("device_del m"), "");
}

TEST_F(UsbCommands, ADiskIsPluggedInAgainAndAgain) {
  for (unsigned i = 0; i < 3; i++) {
    run("device_add", {{"driver", "usb-storage"}, {"id", "s"}, {"drive", "d"}});
    EXPECT_NE(refusal("device_add", {{"driver", "usb-storage"}, {"id", "z"}, {"drive", "d"}}).find("another device's"),
              std::string::npos);
    run("device_del", {{"id", "s"}});
  }
  EXPECT_NE(refusal("device_add", {{"driver", "usb-storage"}, {"drive", "e"}}).find("name the id of a -drive"),
            std::string::npos);
}

// A state is loaded where the same devices are plugged in, however they got there.
TEST_F(UsbCommands, SavedMachinesKnowWhatWasPluggedIn) {
  run("device_add", {{"driver", "usb-mouse"}, {"id", "m"}, {"port", "2"}});
  run("x-savevm", {{"tag", "two"}});
  run("device_del", {{"id", "m"}});
  EXPECT_NE(refusal("x-loadvm", {{"tag", "two"}}).find("usb=1:usb-tablet 2:usb-mouse"), std::string::npos);
  run("device_add", {{"driver", "usb-mouse"}, {"id", "other"}, {"port", "2"}});
  run("x-loadvm", {{"tag", "two"}});
  start({"-usb", "-device", "usb-mouse,port=2", "-device", "usb-tablet,port=1"});
  run("x-loadvm", {{"tag", "two"}});
}

TEST_F(UsbCommands, WithoutAControllerNothingIsPluggedIn) {
  start({});
  EXPECT_NE(refusal("device_add", {{"driver", "usb-kbd"}}).find("start the machine with -usb"), std::string::npos);
  EXPECT_EQ(monitor("info usb"), "Error: USB support not enabled\n");
}

}  // namespace
}  // namespace relic86
