// device_add and device_del of cards on the PCI bus, with drives and back ends that come before them and go after them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "control/monitor/monitor.h"
#include "control/qmp/qmp_commands.h"
#include "devices/pci_bus.h"
#include "devices/virtio/virtio_scsi.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

class PlugCommands : public testing::Test {
 protected:
  PlugCommands() {
    std::ofstream(folder_.path("disk.img")).close();
    std::filesystem::resize_file(folder_.path("disk.img"), 1 << 20);
    start({});
  }

  void start(const std::vector<std::string>& more) {
    std::vector<std::string> words{"-m", "4", "-display", "none", "-S", "-nodefaults", "--state-dir", folder_.path()};
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
  bool refuses(const std::string& name, const Json& arguments, const std::string& word) {
    return refusal(name, arguments).find(word) != std::string::npos;
  }
  std::string monitor(const std::string& line) { return execute_monitor_line(*machine_, line); }
  void add_node(const std::string& name, const std::string& file) {
    run("blockdev-add",
        {{"driver", "raw"}, {"node-name", name}, {"file", {{"driver", "file"}, {"filename", folder_.path(file)}}}});
  }
  bool there(unsigned slot) { return machine_->board().pci().at(slot, 0) != nullptr; }
  bool listed(const std::string& id) {
    for (const Json& each : run("qom-list", {{"path", "/machine/peripheral"}})) {
      if (each["name"] == id) return true;
    }
    return false;
  }

  test::TemporaryFolder folder_;
  HostPoller poller_;
  std::unique_ptr<Machine> machine_;
  std::vector<std::string> gone_;
};

TEST_F(PlugCommands, ADiskComesAndGoes) {
  add_node("n", "disk.img");
  run("device_add", {{"driver", "virtio-blk-pci"}, {"id", "d"}, {"drive", "n"}, {"bus", "pci.0"}, {"addr", "0x7"}});
  EXPECT_TRUE(there(7));
  EXPECT_TRUE(listed("d"));
  EXPECT_NE(run("query-block").dump().find("disk.img"), std::string::npos);
  EXPECT_EQ(run("query-block")[0]["qdev"], "/machine/peripheral/d/virtio-backend");
  EXPECT_EQ(machine_->find_drive("/machine/peripheral/d/virtio-backend")->name, "virtio0");
  EXPECT_TRUE(refuses("blockdev-del", {{"node-name", "n"}}, "in use"));
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-blk-pci"}, {"id", "e"}, {"drive", "n"}}, "another device"));
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-rng-pci"}, {"id", "d"}}, "Duplicate device ID 'd'"));
  run("device_del", {{"id", "d"}});
  run("device_del", {{"id", "d"}});  // once more, for a guest that did not hear it
  EXPECT_TRUE(there(7));
  EXPECT_TRUE(gone_.empty());
  run("system_reset");
  EXPECT_FALSE(there(7));
  EXPECT_EQ(gone_, std::vector<std::string>{"d"});
  EXPECT_FALSE(listed("d"));
  EXPECT_EQ(run("query-block").dump().find("disk.img"), std::string::npos);
  EXPECT_TRUE(refuses("device_del", {{"id", "d"}}, "not found"));
  run("blockdev-del", {{"node-name", "n"}});
}

TEST_F(PlugCommands, WhatWasOnTheCommandLineGoesToo) {
  start({"-drive", "if=none,id=b,format=raw,file=" + folder_.path("disk.img"), "-device", "virtio-blk-pci,drive=b,id=d",
         "-netdev", "user,id=n", "-device", "e1000,netdev=n,id=c"});
  run("device_del", {{"id", "d"}});
  run("device_del", {{"id", "c"}});
  run("system_reset");
  EXPECT_EQ(gone_, (std::vector<std::string>{"c", "d"}));
  EXPECT_FALSE(there(3) || there(4));
  run("netdev_del", {{"id", "n"}});
  EXPECT_TRUE(machine_->drives().empty());
}

TEST_F(PlugCommands, ACardComesAndGoes) {
  run("netdev_add", {{"type", "user"}, {"id", "n"}});
  run("device_add", {{"driver", "e1000"}, {"id", "c"}, {"netdev", "n"}, {"mac", "52:54:00:01:02:03"}});
  EXPECT_TRUE(there(3));
  EXPECT_NE(monitor("info network").find("52:54:00:01:02:03"), std::string::npos);
  EXPECT_TRUE(refuses("device_add", {{"driver", "rtl8139"}, {"netdev", "n"}}, "something else is plugged in"));
  EXPECT_TRUE(refuses("device_add", {{"driver", "rtl8139"}, {"netdev", "m"}}, "netdev_add makes one"));
  EXPECT_FALSE(there(4));
  run("device_add", {{"driver", "virtio-net-pci"}, {"id", "v"}});  // without a cable
  EXPECT_TRUE(there(4));
  run("device_del", {{"id", "c"}});
  run("system_reset");
  EXPECT_FALSE(there(3));
  EXPECT_EQ(monitor("info network").find("52:54:00:01:02:03"), std::string::npos);
  run("device_add", {{"driver", "pcnet"}, {"id", "c"}, {"netdev", "n"}});
  EXPECT_TRUE(there(3));
  run("netdev_del", {{"id", "n"}});  // the cable leads nowhere then
}

TEST_F(PlugCommands, TheMonitorsLinesDoTheSame) {
  const std::string file = folder_.path("disk.img");
  EXPECT_EQ(monitor("drive_add 0 if=none,id=b,format=raw,file=" + file), "OK\n");
  EXPECT_NE(monitor("drive_add 0 if=none,id=b,format=raw,file=" + file).find("another drive"), std::string::npos);
  EXPECT_NE(monitor("drive_add 0 if=none,id=x,file=" + folder_.path("nothing")).find("nothing"), std::string::npos);
  EXPECT_NE(monitor("drive_add 0 if=ide,id=x,file=" + file).find("if=none"), std::string::npos);
  EXPECT_EQ(monitor("device_add virtio-blk-pci,drive=b,id=d,addr=1f"), "");
  EXPECT_TRUE(there(0x1F));
  EXPECT_EQ(monitor("device_del d"), "");
  run("system_reset");
  EXPECT_EQ(gone_, std::vector<std::string>{"d"});
  // The drive has gone with it, as in QEMU.
  EXPECT_EQ(monitor("drive_add 0 if=none,id=b,format=raw,file=" + file), "OK\n");
}

TEST_F(PlugCommands, DrivesAreDeleted) {
  const std::string file = folder_.path("disk.img");
  EXPECT_EQ(monitor("drive_add 0 if=none,id=b,format=raw,file=" + file), "OK\n");
  EXPECT_EQ(monitor("drive_del b"), "");
  EXPECT_NE(monitor("drive_del b").find("'b' not found"), std::string::npos);
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-blk-pci"}, {"drive", "b"}}, "there is no -drive"));
  // One that a device has: the file is free, and what the guest asks for fails.
  EXPECT_EQ(monitor("drive_add 0 if=none,id=b,format=raw,file=" + file), "OK\n");
  EXPECT_EQ(monitor("device_add virtio-blk-pci,drive=b,id=d,addr=1f"), "");
  DriveMedium& medium = *machine_->media().begin()->second;
  std::vector<u8> sector(512);
  EXPECT_TRUE(medium.read(0, sector).ok());
  EXPECT_EQ(monitor("drive_del b"), "");
  EXPECT_NE(medium.read(0, sector).message().find("drive_del"), std::string::npos);
  EXPECT_TRUE(medium.flush().ok());
  EXPECT_EQ(monitor("device_del d"), "");
  run("system_reset");
  EXPECT_EQ(gone_, std::vector<std::string>{"d"});
}

TEST_F(PlugCommands, ADriveWithoutADeviceStaysWhileItIsUsed) {
  const std::string file = folder_.path("disk.img");
  start({"-usb", "-drive", "if=none,id=b,format=raw,file=" + file});
  run("drive-mirror",
      {{"job-id", "copy"}, {"device", "b"}, {"target", folder_.path("copy.img")}, {"format", "raw"}, {"sync", "full"}});
  EXPECT_NE(monitor("drive_del b").find("in use by job 'copy'"), std::string::npos);
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-blk-pci"}, {"drive", "b"}}, "in use by job 'copy'"));
  run("job-cancel", {{"id", "copy"}});
  run("nbd-server-start", {{"addr", {{"type", "unix"}, {"data", {{"path", folder_.path("socket")}}}}}});
  run("nbd-server-add", {{"device", "b"}});
  EXPECT_NE(monitor("drive_del b").find("exported as 'b'"), std::string::npos);
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-blk-pci"}, {"drive", "b"}}, "exported as 'b'"));
  run("nbd-server-stop");
  EXPECT_EQ(monitor("drive_del b"), "");
}

TEST_F(PlugCommands, ADriveWithoutAPlaceHasNoMediumToLose) {
  start({"-drive", "if=ide,format=raw,file=" + folder_.path("disk.img")});
  std::ofstream(folder_.path("b.img")) << std::string(512, 'b');
  EXPECT_EQ(monitor("drive_add 0 if=none,id=b,format=raw,file=" + folder_.path("b.img")), "OK\n");
  EXPECT_EQ(monitor("drive_del b"), "");
  EXPECT_EQ(machine_->media().size(), 1u);
}

// What refuses the device leaves the drive as it was.
TEST_F(PlugCommands, ADriveThatWaitsForUsbKeepsItsMedium) {
  start({"-usb", "-drive", "if=none,id=b,format=raw,file=" + folder_.path("disk.img")});
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-blk-pci"}, {"drive", "b"}, {"addr", "1"}}, ""));
  EXPECT_EQ(machine_->media().count("usb0"), 1u);
  run("device_add", {{"driver", "usb-storage"}, {"id", "d"}, {"drive", "b"}});
}

TEST_F(PlugCommands, WhatBecomesOfErrorsOnUsbIsTheDrivesToSay) {
  start({"-usb", "-drive", "if=none,id=b,format=raw,werror=stop,file=" + folder_.path("disk.img")});
  EXPECT_TRUE(refuses("device_add", {{"driver", "usb-storage"}, {"drive", "b"}, {"werror", "report"}}, "-drive"));
  run("device_add", {{"driver", "usb-storage"}, {"drive", "b"}, {"werror", "stop"}});
  EXPECT_EQ(machine_->media().at("usb0")->error_policy().write, OnError::Stop);
}

TEST_F(PlugCommands, ACardComesToARootPort) {
  start({"-M", "q35", "-device", "pcie-root-port,id=pci.1", "-device", "pcie-root-port,id=pci.2,hotplug=off", "-device",
         "virtio-rng-pci,id=stays,bus=pci.2", "-drive", "if=none,id=b,format=raw,file=" + folder_.path("disk.img")});
  const Json disk{{"driver", "virtio-blk-pci"}, {"drive", "b"}, {"id", "d"}, {"bus", "pci.1"}};
  run("device_add", disk);
  const auto& cards = machine_->board().cards();
  ASSERT_EQ(cards.size(), 2u);
  EXPECT_EQ(cards.at(place_behind_port(0)).id, "d");
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-rng-pci"}, {"bus", "pci.1"}}, "is there already"));
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-rng-pci"}, {"bus", "pci.1"}, {"addr", "1"}}, "one slot"));
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-rng-pci"}, {"bus", "pci.2"}}, "'pci.2' does not support"));
  EXPECT_TRUE(refuses("device_add", {{"driver", "e1000"}, {"bus", "pcie.0"}}, "'pcie.0' does not support"));
  EXPECT_TRUE(refuses("device_del", {{"id", "stays"}}, "cannot be unplugged"));
  run("device_del", {{"id", "d"}});
  EXPECT_TRUE(gone_.empty());
  run("system_reset");
  EXPECT_EQ(gone_, std::vector<std::string>{"d"});
  EXPECT_TRUE(machine_->media().empty());
  run("device_add", {{"driver", "e1000"}, {"id", "d"}, {"bus", "pci.1"}});
  EXPECT_EQ(cards.at(place_behind_port(0)).kind, PciCard::Kind::Network);
}

TEST_F(PlugCommands, RootPortsAreToldAsBridges) {
  start({"-M", "q35", "-device", "pcie-root-port,id=a,addr=4.0,multifunction=on", "-device",
         "pcie-root-port,id=b,addr=4.1", "-device", "virtio-rng-pci,bus=b"});
  const Json devices = run("query-pci")[0]["devices"];
  unsigned bridges = 0;
  for (const Json& each : devices) {
    if (!each.contains("pci_bridge")) continue;
    bridges++;
    EXPECT_EQ(each["slot"], 4);
    const Json& cards = each["pci_bridge"]["devices"];
    ASSERT_EQ(cards.size(), each["function"] == 1 ? 1u : 0u);
    if (!cards.empty()) {
      EXPECT_EQ(cards[0]["id"]["device"], 0x1044);
    }
  }
  EXPECT_EQ(bridges, 2u);
  EXPECT_NE(monitor("info pci").find("virtio-rng-pci.port1"), std::string::npos);
}

TEST_F(PlugCommands, ADriveStaysWhileTheMachineMigrates) {
  start({"-usb", "-drive", "if=none,id=b,format=raw,file=" + folder_.path("disk.img")});
  run("migrate", {{"uri", "exec:cat > " + folder_.path("stream")}});
  EXPECT_NE(monitor("drive_del b").find("not allowed while migrating"), std::string::npos);
  EXPECT_EQ(machine_->media().size(), 1u);
  run("migrate_cancel");
  EXPECT_EQ(monitor("drive_del b"), "");
}

TEST_F(PlugCommands, ARecordedRunKeepsItsDrives) {
  start({"-icount", "shift=0,rr=record,rrfile=" + folder_.path("record"), "-drive",
         "if=virtio,id=b,format=raw,snapshot=on,file=" + folder_.path("disk.img")});
  EXPECT_NE(monitor("drive_del b").find("a recorded run"), std::string::npos);
  std::vector<u8> sector(512);
  EXPECT_TRUE(machine_->media().begin()->second->read(0, sector).ok());
}

TEST_F(PlugCommands, ADriveThatWaitsForUsbFitsACardToo) {
  start({"-usb", "-drive", "if=none,id=b,format=raw,file=" + folder_.path("disk.img")});
  run("device_add", {{"driver", "virtio-blk-pci"}, {"id", "d"}, {"drive", "b"}});
  EXPECT_TRUE(refuses("device_add", {{"driver", "usb-storage"}, {"drive", "b"}}, "name the id of a -drive"));
}

class ScsiPlugCommands : public PlugCommands {
 protected:
  ScsiPlugCommands() {
    for (const char* name : {"a.img", "b.img", "c.img"}) {
      std::ofstream(folder_.path(name)).close();
      std::filesystem::resize_file(folder_.path(name), 1 << 20);
    }
  }
  std::string drive(const std::string& id) {
    return "if=none,id=" + id + ",format=raw,file=" + folder_.path(id + ".img");
  }
  // The targets of the disks that the controller in a slot has.
  std::vector<unsigned> targets(unsigned slot) {
    std::vector<unsigned> found;
    for (const VirtioScsiUnit& unit : dynamic_cast<VirtioScsi&>(*machine_->board().pci().at(slot, 0)).units())
      found.push_back(unit.target);
    return found;
  }
  using Targets = std::vector<unsigned>;
};

// The second controller is in the lower slot.
TEST_F(ScsiPlugCommands, ADiskWithoutABusIsOnTheFirstController) {
  start({"-device", "virtio-scsi-pci,id=s,addr=9", "-device", "virtio-scsi-pci,id=t,addr=8", "-drive", drive("a"),
         "-device", "scsi-hd,drive=a,id=disk-a", "-drive", drive("b"), "-device", "scsi-hd,drive=b,bus=s.0,id=disk-b"});
  EXPECT_EQ(targets(9), (Targets{0, 1}));
  EXPECT_EQ(monitor("drive_add 0 " + drive("c")), "OK\n");
  run("device_add", {{"driver", "scsi-hd"}, {"drive", "c"}, {"id", "disk-c"}});
  EXPECT_EQ(targets(9), (Targets{0, 1, 2}));
  EXPECT_EQ(targets(8), Targets{});
  run("device_del", {{"id", "disk-a"}});
  EXPECT_EQ(targets(9), (Targets{1, 2}));
  // The other controller takes no disk of this one's along.
  run("device_del", {{"id", "t"}});
  run("system_reset");
  EXPECT_EQ(gone_, (std::vector<std::string>{"disk-a", "t"}));
  EXPECT_EQ(targets(9), (Targets{1, 2}));
  run("device_del", {{"id", "s"}});
  run("system_reset");
  EXPECT_TRUE(machine_->media().empty());
}

// Without an id they are counted, those of the command line first.
TEST_F(ScsiPlugCommands, ControllersThatComeHaveNamesOfTheirOwn) {
  start({"-device", "virtio-scsi-pci,id=s,addr=8", "-device", "virtio-scsi-pci,addr=9"});
  run("device_add", {{"driver", "virtio-scsi-pci"}, {"addr", "7"}});
  run("device_add", {{"driver", "virtio-scsi-pci"}, {"addr", "6"}, {"id", "u"}});
  const std::pair<const char*, const char*> places[] = {{"a", "scsi.1"}, {"b", "scsi.0"}, {"c", "u.0"}};
  for (const auto& [id, bus] : places) {
    EXPECT_EQ(monitor("drive_add 0 " + drive(id)), "OK\n");
    run("device_add", {{"driver", "scsi-hd"}, {"drive", id}, {"bus", bus}});
  }
  EXPECT_EQ(targets(7), Targets{0});
  EXPECT_EQ(targets(9), Targets{0});
  EXPECT_EQ(targets(6), Targets{0});
  EXPECT_EQ(targets(8), Targets{});
  EXPECT_EQ(monitor("drive_add 0 if=none,id=d,format=raw,file=" + folder_.path("disk.img")), "OK\n");
  EXPECT_TRUE(refuses("device_add", {{"driver", "scsi-hd"}, {"drive", "d"}, {"bus", "scsi.2"}}, "no SCSI bus scsi.2"));
}

TEST_F(PlugCommands, WhatCannotComeIsRefused) {
  for (const char* name : {"VGA", "AC97", "virtio-serial-pci", "ide-hd", "sb16", "i6300esb"})
    EXPECT_TRUE(refuses("device_add", {{"driver", name}}, "cannot be plugged in")) << name;
  EXPECT_TRUE(refuses("device_add", {{"driver", "ne2k_isa"}}, "does not support hotplugging"));
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-blk-pci"}, {"drive", "x"}}, "there is no -drive"));
  EXPECT_TRUE(refuses("device_add", {{"driver", "e1000"}, {"addr", "1"}}, "slot 1 is in use"));
  start({"-machine", "q35", "-device", "virtio-rng-pci,id=r"});
  EXPECT_TRUE(refuses("device_add", {{"driver", "e1000"}}, "does not support hotplugging"));
  EXPECT_TRUE(refuses("device_add", {{"driver", "virtio-rng-pci"}}, "does not support hotplugging"));
  EXPECT_TRUE(refuses("device_del", {{"id", "r"}}, "cannot be unplugged"));
}

TEST_F(PlugCommands, ASavedMachineLoadsWhereTheSameCardsAre) {
  add_node("n", "disk.img");
  run("device_add", {{"driver", "virtio-rng-pci"}, {"id", "r"}, {"addr", "9"}});
  run("device_add", {{"driver", "virtio-blk-pci"}, {"id", "d"}, {"drive", "n"}, {"addr", "5"}});
  run("x-savevm", {{"tag", "with"}});
  start({});
  EXPECT_TRUE(refuses("x-loadvm", {{"tag", "with"}}, "virtio-blk-pci.5"));
  start({"-drive", "if=none,id=b,format=raw,file=" + folder_.path("disk.img"), "-device",
         "virtio-blk-pci,drive=b,addr=5", "-device", "virtio-rng-pci,addr=9"});
  run("x-loadvm", {{"tag", "with"}});
  // In another slot it is another device.
  start({"-drive", "if=none,id=b,format=raw,file=" + folder_.path("disk.img"), "-device",
         "virtio-blk-pci,drive=b,addr=6", "-device", "virtio-rng-pci,addr=9"});
  EXPECT_TRUE(refuses("x-loadvm", {{"tag", "with"}}, "virtio-blk-pci.6"));
}

TEST_F(PlugCommands, TheWatchdogsActionIsSetAndTold) {
  start({"-watchdog-action", "poweroff", "-device", "ib700,id=w", "-device", "i6300esb,addr=7"});
  EXPECT_TRUE(there(7));
  EXPECT_EQ(machine_->options().watchdog_action, Options::WatchdogAction::PowerOff);
  run("watchdog-set-action", {{"action", "none"}});
  EXPECT_EQ(machine_->options().watchdog_action, Options::WatchdogAction::None);
  run("set-action", {{"watchdog", "inject-nmi"}, {"panic", "none"}});
  EXPECT_EQ(machine_->options().watchdog_action, Options::WatchdogAction::InjectNmi);
  EXPECT_EQ(machine_->options().panic_action, Options::PanicAction::None);
}

}  // namespace
}  // namespace relic86
