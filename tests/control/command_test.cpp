// The table of commands: what each takes and gives is what it says, wrong arguments are refused in QEMU's words.
#include "control/commands/command.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "control/commands/schema.h"
#include "control/commands/types.h"
#include "control/monitor/monitor.h"
#include "control/qmp/qmp_commands.h"
#include "devices/input/ps2_mouse.h"
#include "tests/block/qcow2_builder.h"

namespace relic86 {
namespace {

class CommandTest : public ::testing::Test {
 protected:
  explicit CommandTest(const std::string& cpu_model = "qemu32") {
    // Tests run side by side, and an image is locked.
    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    image_ = ::testing::TempDir() + "command_test." + name + ".img";
    disc_ = ::testing::TempDir() + "command_test." + name + ".iso";
    for (const std::string& file : {image_, disc_}) std::ofstream(file) << std::string(1474560, '\0');
    const std::vector<std::string> words{"-m",          "16",
                                         "-cpu",        cpu_model,
                                         "-display",    "none",
                                         "-nodefaults", "-S",
                                         "-device",     "VGA,id=video0",
                                         "-blockdev",   fmt::format("driver=file,filename={},node-name=low", image_),
                                         "-blockdev",   "driver=raw,file=low,node-name=high",
                                         "-device",     "floppy,drive=high,id=fd0",
                                         "-device",     "ide-cd,id=cd0,bus=ide.1",
                                         "-object",     "memory-backend-ram,id=ram,size=16M",
                                         "-machine",    "pc,memory-backend=ram",
                                         "-object",     "iothread,id=io1"};
    auto parsed = parse_command_line(words);
    EXPECT_TRUE(parsed.ok()) << parsed.message();
    auto built = Machine::create(parsed.value().options, poller_);
    EXPECT_TRUE(built.ok()) << built.message();
    machine = std::move(built).value();
    machine->on_event([this](MachineEvent event) { events.push_back(event); });
  }
  ~CommandTest() override {
    machine.reset();
    std::remove(image_.c_str());
    std::remove(disc_.c_str());
  }

  Json run(const std::string& name, const Json& arguments = Json::object()) {
    const auto reply = execute_qmp(*machine, name, arguments);
    EXPECT_TRUE(static_cast<bool>(reply)) << name << ": " << reply.error().message;
    return reply ? reply.value() : Json();
  }
  std::string refusal(const std::string& name, const Json& arguments = Json::object()) {
    const auto reply = execute_qmp(*machine, name, arguments);
    EXPECT_FALSE(static_cast<bool>(reply)) << name;
    return reply ? "" : reply.error().kind + ": " + reply.error().message;
  }

  std::string image_, disc_;  // in the floppy drive; for the CD-ROM drive
  HostPoller poller_;
  std::unique_ptr<Machine> machine;
  std::vector<MachineEvent> events;
};

// Commands that end or change the machine, and those whose arguments a made-up value would not do.
bool is_query(std::string_view name) { return name.starts_with("query-"); }

TEST_F(CommandTest, EveryQueryAnswersWithItsType) {
  unsigned answered = 0;
  for (const Command& command : all_commands()) {
    if (!is_query(command.name)) continue;
    Json arguments = Json::object();
    for (const Member& member : parse_members(command.arguments)) {
      if (member.optional) continue;
      const TypeRow* type = find_type(member.type);
      if (type != nullptr && type->kind == TypeRow::Kind::Enum)
        arguments[std::string(member.name)] = std::string(type->members.substr(0, type->members.find(' ')));
      else if (member.type == "str")
        arguments[std::string(member.name)] = "x";
      else
        arguments[std::string(member.name)] = {{"name", "qemu32"}};
    }
    const auto reply = run_command(command, *machine, arguments);
    if (!reply) {
      EXPECT_FALSE(reply.error().message.empty());
      EXPECT_EQ(reply.error().message.find("Parameter"), std::string::npos) << command.name << reply.error().message;
      continue;
    }
    ASSERT_FALSE(command.returns.empty()) << command.name;
    const auto right = check_type(command.returns, reply.value(), std::string(command.name));
    EXPECT_TRUE(right.ok()) << right.message() << "\n" << reply.value().dump(2);
    answered++;
  }
  EXPECT_GT(answered, 45u);
}

TEST_F(CommandTest, EveryCommandRefusesWhatItDoesNotHave) {
  for (const Command& command : all_commands()) {
    const auto members = parse_members(command.arguments);
    bool open = false;
    for (const Member& member : members) {
      if (member.name == "..") {
        open = true;
        continue;
      }
      if (member.type == "any") continue;
      // A value of no type of ours: null.
      Json wrong = {{std::string(member.name), nullptr}};
      for (const Member& other : members) {
        if (other.name == member.name) break;
        wrong.clear();  // only the first member's turn comes for certain
      }
      if (wrong.empty()) continue;
      EXPECT_NE(refusal(std::string(command.name), wrong).find("Invalid parameter type"), std::string::npos)
          << command.name << " " << member.name;
    }
    if (open) continue;
    const bool needs = std::any_of(members.begin(), members.end(), [](const Member& m) { return !m.optional; });
    EXPECT_NE(
        refusal(std::string(command.name), {{"foo", 1}}).find(needs ? "is missing" : "Parameter 'foo' is unexpected"),
        std::string::npos)
        << command.name;
  }
  EXPECT_EQ(refusal("query-nothing"), "CommandNotFound: The command query-nothing has not been found");
  EXPECT_EQ(refusal("set-action", {{"reboot", "dance"}}),
            "GenericError: Parameter 'reboot' does not accept value 'dance'");
  EXPECT_EQ(refusal("send-key", {{"keys", {{{"type", "qcode"}, {"data", "a"}, {"x", 1}}}}}),
            "GenericError: Parameter 'keys[0].x' is unexpected");
}

// What a client reads in the schema can be followed to its end, and every name is there once.
TEST_F(CommandTest, SchemaIsWhole) {
  const Json schema = run("query-qmp-schema");
  std::set<std::string> names, used;
  for (const Json& row : schema) {
    EXPECT_TRUE(names.insert(row["name"].get<std::string>()).second) << row["name"];
    for (const char* key : {"arg-type", "ret-type", "element-type"}) {
      if (row.contains(key)) used.insert(row[key].get<std::string>());
    }
    if (row["meta-type"] != "object") continue;
    for (const Json& member : row["members"]) used.insert(member["type"].get<std::string>());
  }
  for (const std::string& name : used) EXPECT_TRUE(names.contains(name)) << name;
  for (const Json& command : run("query-commands")) EXPECT_TRUE(names.contains(command["name"].get<std::string>()));
  for (const EventRow& event : event_table()) EXPECT_TRUE(names.contains(std::string(event.name)));
}

TEST_F(CommandTest, RunControlGoesThroughTheTable) {
  EXPECT_EQ(run("query-status")["status"], "prelaunch");
  run("cont");
  EXPECT_EQ(run("query-status")["status"], "running");
  EXPECT_EQ(execute_monitor_line(*machine, "stop"), "");
  EXPECT_EQ(run("query-status"), (Json{{"status", "paused"}, {"singlestep", false}, {"running", false}}));
  run("system_reset");
  run("inject-nmi");
  EXPECT_EQ(events, (std::vector<MachineEvent>{MachineEvent::Resume, MachineEvent::Stop, MachineEvent::Reset}));
  EXPECT_EQ(execute_monitor_line(*machine, "change nothing file"), "Error: Device 'nothing' not found\n");
  EXPECT_EQ(execute_monitor_line(*machine, "change fd0 file qed"),
            "Error: Unknown driver 'qed'; raw, qcow2, vdi, vmdk, vpc, vhdx exist\n");
}

class LongModeCommandTest : public CommandTest {
 protected:
  LongModeCommandTest() : CommandTest("qemu64") {}
};

// A manager takes the type that one command tells for the argument of another.
TEST_F(LongModeCommandTest, TypesOfProcessorsAreOfTheMachinesArchitecture) {
  EXPECT_EQ(run("query-target")["arch"], "x86_64");
  const std::string type = "qemu64-x86_64-cpu";
  EXPECT_EQ(run("qom-get", {{"path", "/machine/unattached/device[0]"}, {"property", "type"}}), type);
  EXPECT_EQ(run("query-hotpluggable-cpus")[0]["type"], type);
  EXPECT_FALSE(run("qom-list-properties", {{"typename", type}}).empty());
  EXPECT_NE(refusal("qom-list-properties", {{"typename", "qemu64-i386-cpu"}}).find("not found"), std::string::npos);
  for (const Json& model : run("query-cpu-definitions"))
    EXPECT_FALSE(run("device-list-properties", {{"typename", model["typename"]}}).empty());
  for (const Json& board : run("query-machines")) {
    if (!board.contains("default-cpu-type")) continue;  // "none" has no processor
    EXPECT_FALSE(run("device-list-properties", {{"typename", board["default-cpu-type"]}}).empty());
  }
}

TEST_F(CommandTest, ObjectsAreATree) {
  const auto names = [](const Json& list) {
    std::set<std::string> set;
    for (const Json& row : list) set.insert(row["name"].get<std::string>());
    return set;
  };
  EXPECT_TRUE(names(run("qom-list", {{"path", "/"}})).contains("machine"));
  EXPECT_EQ(names(run("qom-list", {{"path", "/machine/peripheral"}})),
            (std::set<std::string>{"type", "video0", "fd0", "cd0"}));
  EXPECT_EQ(run("qom-get", {{"path", "/machine/peripheral/video0"}, {"property", "vgamem_mb"}}), 16);
  EXPECT_EQ(run("qom-get", {{"path", "/machine/unattached/device[0]"}, {"property", "type"}}), "qemu32-i386-cpu");
  EXPECT_FALSE(run("qom-get", {{"path", "device[0]"}, {"property", "feature-words"}}).empty());
  EXPECT_EQ(refusal("qom-list", {{"path", "/nowhere"}}), "DeviceNotFound: Device '/nowhere' not found");
  EXPECT_NE(refusal("qom-set", {{"path", "/machine"}, {"property", "usb"}, {"value", true}}).find("cannot be changed"),
            std::string::npos);
  const auto types = names(run("qom-list-types"));
  for (const char* type :
       {"tcg-accel", "ide-hd", "VGA", "isa-serial", "PIIX4_PM", "memory-backend-ram", "qemu32-i386-cpu"})
    EXPECT_TRUE(types.contains(type)) << type;
  EXPECT_FALSE(types.contains("device"));  // abstract
  EXPECT_TRUE(names(run("qom-list-types", {{"implements", "cpu"}})).contains("486-i386-cpu"));
  EXPECT_FALSE(names(run("qom-list-types", {{"implements", "cpu"}})).contains("VGA"));
  for (const std::string& type : names(run("qom-list-types", {{"implements", "device"}})))
    run("device-list-properties", {{"typename", type}});
  EXPECT_TRUE(names(run("device-list-properties", {{"typename", "ide-hd"}})).contains("bootindex"));
  EXPECT_EQ(refusal("device-list-properties", {{"typename", "lsi53c895a"}}),
            "DeviceNotFound: Device 'lsi53c895a' not found");
  run("object-add", {{"qom-type", "secret"}, {"id", "s"}, {"data", "hidden"}});
  EXPECT_EQ(run("qom-list", {{"path", "/objects/s"}}).size(), 1u);  // its type, not its data
  run("object-del", {{"id", "s"}});
  EXPECT_NE(refusal("object-del", {{"id", "ram"}}).find("is in use"), std::string::npos);
}

TEST_F(CommandTest, MediaAreChangedByNodes) {
  const Json nodes = run("query-named-block-nodes", {{"flat", true}});
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[1]["node-name"], "high");
  EXPECT_EQ(nodes[1]["image"]["virtual-size"], 1474560);
  EXPECT_NE(refusal("blockdev-del", {{"node-name", "low"}}).find("is in use"), std::string::npos);
  run("blockdev-add", {{"driver", "raw"}, {"node-name", "cd"}, {"file", {{"driver", "file"}, {"filename", disc_}}}});
  EXPECT_NE(refusal("blockdev-add", {{"driver", "file"}, {"node-name", "gone"}, {"filename", "/nowhere/x"}})
                .find("/nowhere/x"),
            std::string::npos);
  events.clear();
  run("blockdev-open-tray", {{"id", "cd0"}});
  EXPECT_TRUE(machine->find_drive("cd0")->tray_open);
  run("blockdev-remove-medium", {{"id", "cd0"}});
  run("blockdev-insert-medium", {{"id", "cd0"}, {"node-name", "cd"}});
  run("blockdev-close-tray", {{"id", "cd0"}});
  EXPECT_EQ(machine->find_drive("cd0")->node, "cd");
  EXPECT_EQ(events, (std::vector<MachineEvent>{MachineEvent::TrayMoved, MachineEvent::TrayMoved}));
  EXPECT_FALSE(machine->tray_move().open);
  EXPECT_EQ(machine->tray_move().device_id, "cd0");
  run("blockdev-remove-medium", {{"id", "fd0"}});
  run("blockdev-del", {{"node-name", "high"}});
  run("blockdev-del", {{"node-name", "low"}});
  EXPECT_EQ(refusal("eject", {{"id", "nothing"}}), "DeviceNotFound: Device 'nothing' not found");
  const Json block = run("query-block");
  ASSERT_EQ(block.size(), 2u);
  EXPECT_EQ(block[0]["qdev"], "cd0");
  EXPECT_EQ(block[0]["inserted"]["node-name"], "cd");
  EXPECT_FALSE(block[1].contains("inserted"));
}

TEST_F(CommandTest, ImagesOfOtherFormatsAreNodes) {
  const std::string below = image_ + ".below", above = image_ + ".above";
  std::ofstream(below, std::ios::binary) << std::string(65536, 'x');
  const auto bytes =
      test::Qcow2Builder({.cluster_bits = 12, .size = 1474560, .backing_file = below, .backing_format = "raw"}).bytes();
  std::ofstream(above, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  run("blockdev-add", {{"driver", "file"}, {"node-name", "file1"}, {"filename", above}});
  run("blockdev-add", {{"driver", "qcow2"}, {"node-name", "disk1"}, {"file", "file1"}});
  run("blockdev-remove-medium", {{"id", "fd0"}});
  run("blockdev-insert-medium", {{"id", "fd0"}, {"node-name", "disk1"}});
  const Json inserted = run("query-block")[1]["inserted"];
  EXPECT_EQ(inserted["drv"], "qcow2");
  EXPECT_EQ(inserted["backing_file_depth"], 1);
  EXPECT_EQ(inserted["backing_file"], below);
  EXPECT_EQ(inserted["image"]["virtual-size"], 1474560);
  EXPECT_EQ(inserted["image"]["cluster-size"], 4096);
  EXPECT_EQ(inserted["image"]["backing-image"]["virtual-size"], 65536);
  const Json nodes = run("query-named-block-nodes");
  ASSERT_EQ(nodes.size(), 4u);
  EXPECT_EQ(nodes[2]["image"]["virtual-size"], bytes.size());
  EXPECT_EQ(nodes[3]["image"]["virtual-size"], 1474560);
  EXPECT_NE(machine->describe_drives().find("(qcow2)\n    Backing file:     " + below + " (chain depth: 1)"),
            std::string::npos);
  EXPECT_NE(
      refusal("blockdev-add", {{"driver", "qcow2"}, {"node-name", "no"}, {"file", "low"}}).find("is not a qcow2 image"),
      std::string::npos);
  EXPECT_NE(refusal("blockdev-change-medium", {{"id", "fd0"}, {"filename", below}, {"format", "qed"}})
                .find("Unknown driver 'qed'"),
            std::string::npos);
  std::remove(below.c_str());
  std::remove(above.c_str());
}

// Its ports have names that a pc's places on IDE have, too.
TEST(Q35Drives, AreThereOnceAndHaveTrays) {
  const std::string image = ::testing::TempDir() + "command_test.q35.img";
  std::ofstream(image) << std::string(1474560, '\0');
  const std::vector<std::string> words{"-m",          "16",
                                       "-display",    "none",
                                       "-nodefaults", "-S",
                                       "-machine",    "q35",
                                       "-drive",      "if=none,id=d,format=raw,file=" + image,
                                       "-device",     "ide-hd,drive=d,bus=ide.1",
                                       "-device",     "ide-cd,bus=ide.0"};
  HostPoller poller;
  auto parsed = parse_command_line(words);
  ASSERT_TRUE(parsed.ok()) << parsed.message();
  auto built = Machine::create(parsed.value().options, poller);
  ASSERT_TRUE(built.ok()) << built.message();
  Machine& machine = *built.value();
  std::multiset<std::string> names;
  for (const Machine::Drive& drive : machine.drives()) names.insert(drive.name);
  EXPECT_EQ(names.count("ide0-cd0"), 1u);
  EXPECT_EQ(names.count("ide1-hd0"), 1u);
  EXPECT_TRUE(machine.open_tray("ide0-cd0", true).ok());
  built.value().reset();
  std::remove(image.c_str());
}

TEST_F(CommandTest, PciIsWhatTheGuestSees) {
  const Json devices = run("query-pci")[0]["devices"];
  ASSERT_GE(devices.size(), 4u);
  EXPECT_EQ(devices[0]["id"]["vendor"], 0x8086);
  EXPECT_EQ(devices[0]["class_info"]["desc"], "Host bridge");
  bool vga = false;
  for (const Json& device : devices) {
    if (device["class_info"]["class"] != 0x300) continue;
    vga = true;
    EXPECT_EQ(device["regions"][0]["size"], 16 << 20);
  }
  EXPECT_TRUE(vga);
}

TEST_F(CommandTest, KeysAndButtonsArrive) {
  run("input-send-event",
      {{"events",
        {{{"type", "btn"}, {"data", {{"button", "left"}, {"down", true}}}},
         {{"type", "rel"}, {"data", {{"axis", "x"}, {"value", 3}}}},
         {{"type", "key"}, {"data", {{"key", {{"type", "qcode"}, {"data", "a"}}}, {"down", true}}}}}}});
  EXPECT_EQ(machine->board().mouse().pressed(), 1u);
  EXPECT_NE(refusal("input-send-event", {{"events", {{{"type", "abs"}, {"data", {{"axis", "x"}, {"value", 3}}}}}}})
                .find("there is no tablet"),
            std::string::npos);
  EXPECT_NE(refusal("input-send-event", {{"events", {{{"type", "key"}, {"data", 5}}}}}).find("expects key and down"),
            std::string::npos);
}

TEST_F(CommandTest, ClientsMayAskForAMigration) {
  run("migrate-set-capabilities", {{"capabilities", {{{"capability", "events"}, {"state", true}}}}});
  run("migrate-set-capabilities", {{"capabilities", {{{"capability", "xbzrle"}, {"state", false}}}}});
  EXPECT_NE(refusal("migrate", {{"uri", "rdma:host:1"}}).find("unix:PATH"), std::string::npos);
  EXPECT_NE(refusal("migrate-incoming", {{"uri", "unix:way"}}).find("-incoming"), std::string::npos);
}

}  // namespace
}  // namespace relic86
