// Machine files: what each key leads to, what the answers to wrong ones say, and what --new writes.
#include "options/machine_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "options/machine_folder.h"
#include "options/machine_kinds.h"
#include "options/option_rows.h"
#include "options/option_text.h"

namespace relic86 {
namespace {

namespace fs = std::filesystem;

class MachineFiles : public testing::Test {
 protected:
  MachineFiles() {
    folder_ = fs::temp_directory_path() / fmt::format("relic86-machine-file-{}", ::getpid());
    fs::create_directories(folder_);
    file_ = (folder_ / "dos.toml").string();
  }
  ~MachineFiles() override { fs::remove_all(folder_); }

  Result<ParsedCommandLine> parse(const std::string& text, std::vector<std::string> more = {}) {
    std::ofstream(file_) << text;
    std::vector<std::string> words{"--machine-file", file_};
    words.insert(words.end(), more.begin(), more.end());
    return parse_command_line(words);
  }
  Options options(const std::string& text, std::vector<std::string> more = {}) {
    auto parsed = parse(text, std::move(more));
    EXPECT_TRUE(parsed.ok()) << parsed.message();
    return parsed ? parsed.value().options : Options{};
  }
  // Without the path in front, which differs from run to run.
  std::string refusal(const std::string& text) {
    const auto parsed = parse(text);
    EXPECT_FALSE(parsed.ok()) << text;
    if (parsed) return "";
    EXPECT_TRUE(parsed.message().starts_with(folder_.string() + "/")) << parsed.message();
    return parsed.message().substr(folder_.string().size() + 1);
  }

  fs::path folder_;
  std::string file_;
};

TEST_F(MachineFiles, TheDocumentedMinimum) {
  const Options made = options("name = \"Games\"\nmemory = \"16M\"\nvcpus = 1\nboot = \"ca\"\ndisk = \"c.img\"\n");
  EXPECT_EQ(made.name, "Games");
  EXPECT_EQ(made.ram_bytes, 16u << 20);
  EXPECT_EQ(made.boot_order, "ca");
  ASSERT_EQ(made.drives.size(), 1u);
  EXPECT_EQ(made.drives[0].file, (folder_ / "c.img").string());
  EXPECT_EQ(made.drives[0].index, 0u);
  EXPECT_EQ(made.state_dir, folder_.string());
  EXPECT_EQ(made.machine_file, file_);
}

TEST_F(MachineFiles, EachFormOfAValue) {
  const Options made = options(R"(
memory = 24
usb = true
snapshot = false
serial = ["null", "file:log"]
rtc = { base = "localtime", driftfix = "slew" }
device = [{ driver = "usb-tablet", port = 2 }, "isa-debug-exit"]
audiodev = { driver = "none", id = "a", out.frequency = 48000 }
timeout = 1.5
fw_cfg = { name = "opt/a", string = "one, two" }
disk = ["a.img", "/b.img", { file = "c.img", if = "virtio", readonly = true }]
kernel = "sub/../vmlinuz"
)");
  EXPECT_EQ(made.ram_bytes, 24u << 20);
  EXPECT_FALSE(made.snapshot);
  EXPECT_EQ(made.serials, (std::vector<std::string>{"null", "file:log"}));
  EXPECT_EQ(made.rtc_base, "localtime");
  EXPECT_TRUE(made.rtc_slew);
  ASSERT_EQ(made.all_devices.size(), 3u);  // the first is usb's controller
  EXPECT_EQ(made.all_devices[1].name, "usb-tablet");
  ASSERT_EQ(made.all_devices[1].properties.size(), 1u);
  EXPECT_EQ(made.all_devices[1].properties[0], (std::pair<std::string, std::string>("port", "2")));
  ASSERT_EQ(made.audio_devices.size(), 1u);
  EXPECT_EQ(made.audio_devices[0].frequency, 48000u);
  EXPECT_EQ(made.timeout_seconds, 1.5);
  ASSERT_EQ(made.firmware_files.size(), 1u);
  EXPECT_EQ(made.firmware_files[0].string, "one, two");
  ASSERT_EQ(made.drives.size(), 3u);
  EXPECT_EQ(made.drives[1].file, "/b.img");
  EXPECT_EQ(made.drives[1].index, 1u);
  EXPECT_EQ(made.drives[2].file, (folder_ / "c.img").string());
  EXPECT_EQ(made.drives[2].interface, DriveOption::Interface::Virtio);
  EXPECT_TRUE(made.drives[2].read_only);
  EXPECT_EQ(made.kernel, (folder_ / "vmlinuz").string());
}

TEST_F(MachineFiles, TheCommandLineAddsAndReplaces) {
  const Options made = options("memory = 16\ndisk = \"c.img\"\n", {"-m", "32", "-fda", "a.img"});
  EXPECT_EQ(made.ram_bytes, 32u << 20);
  ASSERT_EQ(made.drives.size(), 2u);
  EXPECT_EQ(made.drives[1].file, "a.img");
}

TEST_F(MachineFiles, KeysAreTakenInTheOrderOfTheirLines) {
  const Options made = options("hda = \"a.img\"\nhdachs = \"100,16,63\"\nboot = \"c\"\n");
  ASSERT_TRUE(made.drives.at(0).geometry.has_value());
  EXPECT_EQ((*made.drives[0].geometry)[0], 100u);
}

// Each kind of mistake: the file, the line, the key, the cause and how to mend it.
TEST_F(MachineFiles, Mistakes) {
  EXPECT_EQ(refusal("memory = 16\nmemori = 32\n"),
            "dos.toml:2: memori: unknown key; the nearest is memory; a key is disk, memory, vcpus, or an option of "
            "-help without its dash");
  EXPECT_EQ(refusal("\nmemory = \"lots\"\n"),
            "dos.toml:2: memory: -m lots: 'lots' is not a size; give megabytes or a size such as 64M or 1G");
  EXPECT_EQ(refusal("vcpus = 33\n"),
            "dos.toml:1: vcpus: -smp: Invalid SMP CPUs 33. The max CPUs supported by machine 'pc' is 32");
  EXPECT_EQ(refusal("vcpus = \"two\"\n"),
            "dos.toml:1: vcpus: -smp two: 'two' is not a number; give the number of processors, 1 to 32");
  EXPECT_EQ(refusal("usb = \"yes\"\n"), "dos.toml:1: usb: is a switch; write true or false");
  EXPECT_EQ(refusal("memory = true\n"),
            "dos.toml:1: memory: must be a text in quotes, a number, a list of them, or a table of properties");
  EXPECT_EQ(refusal("rtc = { base = [1] }\n"),
            "dos.toml:1: rtc: the property base must be a text in quotes, a number, true or false");
  EXPECT_EQ(refusal("disk = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n"),
            "dos.toml:1: disk: there are four places for IDE disks; write more as { file = \"..\", if = \"virtio\" }");
  EXPECT_EQ(refusal("on-close = \"sleep\"\n"),
            "dos.toml:1: on-close: --on-close sleep: unknown word; quit, save and ask exist");
  EXPECT_TRUE(refusal("new = \"dos\"\n").starts_with("dos.toml:1: new: unknown key; "));
  EXPECT_TRUE(refusal("machine-file = \"other\"\n").starts_with("dos.toml:1: machine-file: unknown key; "));
  EXPECT_TRUE(refusal("memory = 16\nmemory = 17\n").starts_with("dos.toml:2: not TOML: "));
  EXPECT_TRUE(refusal("memory = 16M\n").starts_with("dos.toml:1: not TOML: "));
}

// Found only when the options are looked at together.
TEST_F(MachineFiles, LateMistakesNameTheirPlace) {
  EXPECT_TRUE(
      refusal("\n\nmachine = { type = \"pc\", pcspk-audiodev = \"nowhere\" }\n").starts_with("dos.toml:3: machine: "));
  EXPECT_TRUE(refusal("device = [\"isa-debug-exit\", \"ide-hd,drive=none\"]\n")
                  .starts_with("dos.toml:1: device: -device ide-hd"));
  Options made = options("disk = \"missing.img\"\n");
  EXPECT_EQ(made.drives.at(0).option, file_ + ":1: disk");
}

TEST_F(MachineFiles, BlameGoesToTheKeyThatTheMessageNames) {
  Options made = options("bios = \"b\"\ndevice = [\"isa-debug-exit\", \"usb-tablet\"]\nusb = true\n");
  EXPECT_EQ(blame_machine_file(made, "-device usb-tablet: no"), file_ + ":2: device: -device usb-tablet: no");
  EXPECT_EQ(blame_machine_file(made, "-bios b: no"), file_ + ":1: bios: -bios b: no");
  EXPECT_EQ(blame_machine_file(made, "-biosphere: no"), "-biosphere: no");
  EXPECT_EQ(blame_machine_file(made, "the host has no memory"), "the host has no memory");
}

// An option that is there twice is blamed where the value stands that the message names, and on the command line else.
TEST_F(MachineFiles, BlameStaysOnTheCommandLine) {
  const Options made = options("device = \"isa-debug-exit\"\nbios = \"b\"\n", {"-device", "usb-tablet", "-L", "x"});
  EXPECT_EQ(blame_machine_file(made, "-device usb-tablet: no"), "-device usb-tablet: no");
  EXPECT_EQ(blame_machine_file(made, "-device: no"), "-device: no");
  EXPECT_EQ(blame_machine_file(made, "-device isa-debug-exit: no"), file_ + ":1: device: -device isa-debug-exit: no");
  EXPECT_EQ(blame_machine_file(made, "-bios: no"), file_ + ":2: bios: -bios: no");
}

TEST_F(MachineFiles, PathsCountFromTheFilesFolder) {
  const Options made = options(R"(
kernel = "k"
initrd = "i"
bios = "b"
D = "log"
hda = "fat:rw:sub"
icount = { shift = 3, rr = "record", rrfile = "run.rec" }
chardev = { backend = "null", id = "c", logfile = "c.log" }
)");
  const auto in_folder = [&](const char* name) { return (folder_ / name).string(); };
  EXPECT_EQ(made.kernel, in_folder("k"));
  EXPECT_EQ(made.initrd, in_folder("i"));
  EXPECT_EQ(made.bios, in_folder("b"));
  EXPECT_EQ(made.log_file, in_folder("log"));
  EXPECT_EQ(made.drives.at(0).file, "fat:rw:" + in_folder("sub"));
  EXPECT_EQ(made.icount.value().record_file, in_folder("run.rec"));
  EXPECT_EQ(made.char_devices.at(0).log_file, in_folder("c.log"));
}

TEST_F(MachineFiles, ModulesCountFromTheFilesFolderEach) {
  const Options made = options("initrd = \"a x/../y,b,,c z,/d\"\n");
  EXPECT_EQ(made.initrd, (folder_ / "a").string() + " x/../y," + (folder_ / "b").string() + ",,c z,/d");
}

// --new makes a machine, and nothing else that stands beside it has an effect.
TEST_F(MachineFiles, NewStandsAlone) {
  const auto refusal_of = [](const std::vector<std::string>& words) { return parse_command_line(words).message(); };
  EXPECT_TRUE(parse_command_line(std::vector<std::string>{"--new", "dos", "games"}).ok());
  EXPECT_EQ(refusal_of({"--new", "dos", "games", "-m", "64"}),
            "--new dos games: -m would be dropped; give it when the machine is started, or write it into the machine's "
            "file");
  EXPECT_FALSE(parse_command_line(std::vector<std::string>{"--new", "dos", "games", "disk.img"}).ok());
  EXPECT_FALSE(parse_command_line(std::vector<std::string>{"--new", "dos"}).ok());
}

TEST_F(MachineFiles, FilesThatAreNotThere) {
  const auto missing = parse_command_line(std::vector<std::string>{"--machine-file", (folder_ / "no.toml").string()});
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.message().find("no.toml: No such file or directory; name a machine file"), std::string::npos);
  const auto twice = parse("", {"--machine-file", file_});
  ASSERT_FALSE(twice.ok());
  EXPECT_NE(twice.message().find("a machine has one file"), std::string::npos);
}

// No option is without a key.
TEST_F(MachineFiles, EveryOptionHasAKey) {
  for (const std::string_view name : option_names()) {
    if (name == "machine-file" || name == "new" || name == "list" || name == "audio-help") continue;
    const bool argument = option_takes_argument(name).value();
    const auto parsed = parse(fmt::format("\"{}\" = {}\n", name, argument ? "\"help\"" : "true"));
    if (!parsed) {
      EXPECT_EQ(parsed.message().find("unknown key"), std::string::npos) << parsed.message();
    }
  }
}

// Written by --new, read again: nothing is refused, warned of, or lost.
TEST_F(MachineFiles, WhatNewWritesIsRead) {
  for (const char* name : {"dos", "win9x", "nt", "linux", "bsd"}) {
    const auto kind = find_machine_kind(name);
    ASSERT_TRUE(kind.ok());
    const Options made = options(machine_file_text(*kind.value(), "mine"));
    EXPECT_EQ(made.name, "mine");
    EXPECT_EQ(parse_size(kind.value()->memory, 1).value(), made.ram_bytes) << name;
    ASSERT_EQ(made.drives.size(), 1u) << name;
    EXPECT_EQ(made.drives[0].file, (folder_ / "disk.img").string());
    EXPECT_EQ(made.boot_order, "acd");
    EXPECT_EQ(made.on_close, Options::OnClose::Save);
    EXPECT_EQ(made.audio_devices.size(), 1u) << name;
    EXPECT_EQ(made.speaker_audio, "sound") << name;
    EXPECT_TRUE(made.warnings.empty()) << name;
  }
  EXPECT_EQ(find_machine_kind("linus").message(),
            "--new linus: unknown kind of machine; the nearest is linux; dos, win9x, nt, linux, bsd exist");
}

TEST_F(MachineFiles, NamesOfMachines) {
  for (const char* name : {"dos", "Windows-98.se", "a", "x_1+2"}) EXPECT_TRUE(check_machine_name(name).ok()) << name;
  for (const char* name : {"", ".", "..", "-m", "a/b", "a b", "ü"}) EXPECT_FALSE(check_machine_name(name).ok()) << name;
  EXPECT_FALSE(check_machine_name(std::string(65, 'a')).ok());
}

TEST_F(MachineFiles, AMachineIsFoundByItsName) {
  ASSERT_EQ(::setenv("XDG_DATA_HOME", folder_.c_str(), 1), 0);
  fs::create_directories(folder_ / "relic86/machines/games");
  fs::create_directories(folder_ / "relic86/machines/empty");
  std::ofstream(folder_ / "relic86/machines/games/machine.toml") << "memory = 8\ndisk = \"disk.img\"\n";
  EXPECT_EQ(machine_names(), std::vector<std::string>{"games"});
  const auto parsed = parse_command_line(std::vector<std::string>{"games", "-m", "9"});
  ASSERT_TRUE(parsed.ok()) << parsed.message();
  const Options& made = parsed.value().options;
  EXPECT_EQ(made.machine_name, "games");
  EXPECT_EQ(made.name, "games");
  EXPECT_EQ(made.ram_bytes, 9u << 20);
  EXPECT_EQ(made.drives.at(0).file, (folder_ / "relic86/machines/games/disk.img").string());
  const auto image = parse_command_line(std::vector<std::string>{"empty"});
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image.value().options.drives.at(0).file, "empty");
  ::unsetenv("XDG_DATA_HOME");
}

}  // namespace
}  // namespace relic86
