// The command line: QEMU's words, what each leads to, and what the answers to wrong ones say.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cpu/cpu_feature_names.h"
#include "machine/board_options.h"
#include "options/option_text.h"
#include "options/options.h"
#include "options/version.h"

namespace relic86 {
namespace {

using Words = std::vector<std::string>;

Options parse(const Words& words) {
  auto parsed = parse_command_line(words);
  EXPECT_TRUE(parsed.ok()) << parsed.message();
  return parsed ? parsed.value().options : Options{};
}

std::string refusal(const Words& words) {
  const auto parsed = parse_command_line(words);
  EXPECT_FALSE(parsed.ok());
  return parsed ? "" : parsed.error().message;
}

TEST(SandboxOption, GroupsAreAllowedAndDenied) {
  EXPECT_FALSE(parse({}).sandbox.on);
  EXPECT_FALSE(parse({"-sandbox", "off"}).sandbox.on);
  const SandboxOption plain = parse({"-sandbox", "on"}).sandbox;
  EXPECT_TRUE(plain.on && !plain.obsolete && plain.spawn && plain.resource_control);
  EXPECT_EQ(plain.elevate_privileges, SandboxOption::Elevate::Allow);
  const SandboxOption strict =
      parse({"-sandbox", "on,obsolete=allow,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"}).sandbox;
  EXPECT_TRUE(strict.on && strict.obsolete && !strict.spawn && !strict.resource_control);
  EXPECT_EQ(strict.elevate_privileges, SandboxOption::Elevate::Deny);
  EXPECT_EQ(parse({"-sandbox", "enable=on,elevateprivileges=children"}).sandbox.elevate_privileges,
            SandboxOption::Elevate::NotChildren);
  EXPECT_EQ(refusal({"-sandbox", "on,spawn=children"}), "-sandbox spawn=children: allow or deny is expected");
  EXPECT_EQ(refusal({"-sandbox", "perhaps"}), "-sandbox perhaps: on or off is expected");
  EXPECT_NE(refusal({"-sandbox", "on,network=deny"}).find("-sandbox network: unknown"), std::string::npos);
}

TEST(DriveOptions, VirtioDisks) {
  const Options options = parse({"-drive", "if=virtio,file=a.img", "-drive", "if=none,id=b,file=b.img",  //
                                 "-device", "virtio-blk-pci,drive=b,addr=0x7,bootindex=1,serial=S,disable-legacy=on",
                                 "-drive", "if=none,id=c,file=c.img", "-device", "virtio-blk,drive=c,event_idx=off"});
  ASSERT_EQ(options.drives.size(), 3u);
  for (unsigned i = 0; i < 3; i++) {
    EXPECT_EQ(options.drives[i].interface, DriveOption::Interface::Virtio);
    EXPECT_EQ(options.drives[i].index, i);
  }
  EXPECT_EQ(options.drives[1].virtio.slot, 7u);
  EXPECT_FALSE(options.drives[1].virtio.legacy);
  EXPECT_TRUE(options.drives[1].virtio.modern);
  EXPECT_EQ(options.drives[1].boot_index, 1u);
  EXPECT_EQ(options.drives[1].serial, "S");
  EXPECT_TRUE(options.drives[2].virtio.legacy && options.drives[2].virtio.modern);
  EXPECT_FALSE(options.drives[2].virtio.event_index);
  EXPECT_TRUE(options.default_cdrom);
  const Options modern =
      parse({"-drive", "if=none,id=d,file=d.img", "-device", "virtio-blk-pci-non-transitional,drive=d"});
  EXPECT_FALSE(modern.drives[0].virtio.legacy);
  const auto wrong = [](const std::string& words) {
    return refusal({"-drive", "if=none,id=d,file=d.img", "-device", "virtio-blk-pci" + words});
  };
  EXPECT_NE(wrong("").find("drive= is missing"), std::string::npos);
  EXPECT_NE(wrong(",drive=d,disable-legacy=on,disable-modern=on").find("leave no interface"), std::string::npos);
  EXPECT_NE(wrong(",drive=d,packed=on").find("does not exist here"), std::string::npos);
  EXPECT_NE(wrong(",drive=d,addr=99").find("not a place on the PCI bus"), std::string::npos);
  EXPECT_NE(wrong(",drive=d,bus=ide.0").find("unknown bus; pci.0 exists"), std::string::npos);
  EXPECT_NE(wrong(",drive=d,serail=x").find("the nearest is serial"), std::string::npos);
}

TEST(DriveOptions, FlashMemory) {
  const Options drives = parse({"-drive", "if=pflash,format=raw,unit=1,file=vars.fd",  //
                                "-drive", "if=pflash,format=raw,unit=0,readonly=on,file=code.fd"});
  ASSERT_EQ(drives.drives.size(), 2u);
  EXPECT_EQ(drives.drives[0].interface, DriveOption::Interface::Flash);
  EXPECT_EQ(drives.drives[0].index, 1u);
  EXPECT_EQ(drives.drives[1].index, 0u);
  EXPECT_TRUE(drives.drives[1].read_only);
  const Options in_turn = parse({"-pflash", "code.fd", "-pflash", "vars.fd"});
  ASSERT_EQ(in_turn.drives.size(), 2u);
  EXPECT_EQ(in_turn.drives[1].file, "vars.fd");
  EXPECT_EQ(in_turn.drives[1].index, 1u);
  const Options nodes = parse({"-machine", "pc,pflash0=code,pflash1=vars", "-blockdev",
                               "driver=file,filename=code.fd,node-name=code,read-only=on",  //
                               "-drive", "if=none,id=vars,file=vars.fd"});
  ASSERT_EQ(nodes.drives.size(), 2u);
  for (const DriveOption& drive : nodes.drives) {
    EXPECT_EQ(drive.interface, DriveOption::Interface::Flash);
    EXPECT_EQ(drive.file, drive.index == 0 ? "code.fd" : "vars.fd");
    EXPECT_EQ(drive.read_only, drive.index == 0);
  }
  EXPECT_FALSE(parse({"-pflash", "code.fd", "-bios", "other.fd"}).warnings.empty());
  EXPECT_NE(refusal({"-drive", "if=pflash,unit=1,file=v.fd"}).find("there is no unit 0"), std::string::npos);
  EXPECT_NE(refusal({"-drive", "if=pflash,unit=2,file=v.fd"}).find("out of range"), std::string::npos);
  EXPECT_NE(refusal({"-drive", "if=pflash"}).find("file= is missing"), std::string::npos);
  EXPECT_NE(refusal({"-pflash", "a", "-pflash", "b", "-pflash", "c"}).find("2 chips already"), std::string::npos);
  EXPECT_NE(refusal({"-machine", "pflash0=nothing"}).find("there is no -blockdev"), std::string::npos);
  EXPECT_NE(refusal({"-machine", "pflash0=d", "-pflash", "a", "-drive", "if=none,id=d,file=d"}).find("leave one out"),
            std::string::npos);
}

TEST(DriveOptions, DevicesGiveDrivesTheirPlaces) {
  const Options options = parse({"-device", "ide-hd,drive=root,bus=ide.1,unit=1,serial=S1,bootindex=2",  //
                                 "-drive", "if=none,id=root,file=a.img,format=raw",                      //
                                 "-drive", "file=b.img,if=none,id=cd", "-device", "ide-cd,drive=cd,bootindex=1",
                                 "-drive", "file=c.img,if=none,id=small", "-device", "floppy,drive=small,unit=1"});
  ASSERT_EQ(options.drives.size(), 3u);
  EXPECT_EQ(options.drives[0].interface, DriveOption::Interface::Ide);
  EXPECT_EQ(options.drives[0].index, 3u);
  EXPECT_EQ(options.drives[0].serial, "S1");
  EXPECT_EQ(options.drives[0].boot_index, 2u);
  EXPECT_EQ(options.drives[1].media, DriveOption::Media::Cdrom);
  EXPECT_EQ(options.drives[1].index, 0u);
  EXPECT_EQ(options.drives[2].interface, DriveOption::Interface::Floppy);
  EXPECT_EQ(options.drives[2].index, 1u);
  EXPECT_FALSE(options.default_cdrom);
  EXPECT_FALSE(options.default_floppy);
  EXPECT_TRUE(options.devices.empty());
}

TEST(DriveOptions, FreePlacesAreTakenInOrder) {
  const Options options = parse({"-hda", "a", "-drive", "file=b", "-drive", "file=c,media=cdrom", "-drive",
                                 "file=d,if=none,id=d", "-device", "ide-hd,drive=d"});
  ASSERT_EQ(options.drives.size(), 4u);
  EXPECT_EQ(options.drives[1].index, 1u);
  EXPECT_EQ(options.drives[2].index, 2u);
  EXPECT_EQ(options.drives[3].index, 3u);
}

// As QEMU 7.2's `info block` says it: a CD-ROM drive without a place takes the first free one, too.
TEST(DriveOptions, CdromDrivesTakeTheFirstFreePlace) {
  const Options options =
      parse({"-drive", "file=a,media=cdrom", "-drive", "file=b,media=cdrom", "-drive", "file=c,bus=1"});
  ASSERT_EQ(options.drives.size(), 3u);
  EXPECT_EQ(options.drives[0].index, 0u);
  EXPECT_EQ(options.drives[1].index, 1u);
  EXPECT_EQ(options.drives[2].index, 2u);
}

// A channel of a pc has two units; a port of a q35 is a bus with one. The board may be named after the drives.
TEST(DriveOptions, ThePlacesOfAQ35AreItsPorts) {
  const Options options = parse({"-hda", "a", "-cdrom", "b", "-drive", "file=c,bus=5", "-drive", "file=d,bus=1,unit=0",
                                 "-drive", "file=e,if=none,id=e", "-device", "ide-hd,drive=e,bus=ide.4", "-M", "q35"});
  const Words names{"ide0-hd0", "ide2-cd0", "ide5-hd0", "ide1-hd0", "ide4-hd0"};
  ASSERT_EQ(options.drives.size(), names.size());
  for (std::size_t i = 0; i < names.size(); i++) EXPECT_EQ(drive_name(options, options.drives[i]), names[i]);
  EXPECT_EQ(parse({"-drive", "file=a,bus=1,unit=1"}).drives[0].index, 3u);
  EXPECT_NE(refusal({"-M", "q35", "-drive", "file=a,bus=1,unit=1"}).find("6 buses of one unit"), std::string::npos);
  EXPECT_NE(refusal({"-M", "q35", "-drive", "file=a,index=6"}).find("there are 6 places"), std::string::npos);
  EXPECT_NE(refusal({"-drive", "file=a,index=4"}).find("there are 4 places"), std::string::npos);
  EXPECT_NE(refusal({"-drive", "file=a,bus=2"}).find("2 buses of two units"), std::string::npos);
  const Words second_unit{"-M", "q35", "-drive", "file=a,if=none,id=a", "-device", "ide-hd,drive=a,unit=1"};
  EXPECT_NE(refusal(second_unit).find("unit 0 alone"), std::string::npos);
}

TEST(DriveOptions, AnAhciCardOfAPcHasBusesOfItsName) {
  const Words card{"-device", "ahci,id=sata,addr=0x7"}, drive{"-drive", "file=a,if=none,id=a"};
  const auto with = [&](const Words& more) {
    Words words = card;
    words.insert(words.end(), drive.begin(), drive.end());
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const Options options = parse(with({"-device", "ide-hd,drive=a,bus=sata.5"}));
  ASSERT_EQ(options.drives.size(), 1u);
  EXPECT_EQ(options.drives[0].interface, DriveOption::Interface::Ahci);
  EXPECT_EQ(drive_name(options, options.drives[0]), "ahci5-hd0");
  ASSERT_EQ(options.devices.size(), 1u);
  EXPECT_EQ(options.devices[0].name, "ich9-ahci");
  EXPECT_NE(refusal(with({"-device", "ide-hd,drive=a,bus=sata.6"})).find("unknown bus"), std::string::npos);
  EXPECT_NE(refusal(with({"-device", "ide-hd,drive=a,bus=stat.0"})).find("ide.0 and ide.1 exist"), std::string::npos);
  Options plain;
  plain.vga = "none";
  plain.devices = options.devices;
  const auto plan = board_plan_for(plain);
  ASSERT_TRUE(plan.ok()) << plan.message();
  EXPECT_EQ(plan.value().config.ahci.value().slot, 7u);
  plain.devices.push_back(options.devices[0]);
  EXPECT_NE(board_plan_for(plain).message().find("only one is possible"), std::string::npos);
  plain.devices.pop_back();
  plain.board = Options::Board::Q35;
  EXPECT_NE(board_plan_for(plain).message().find("a q35 has one already"), std::string::npos);
}

TEST(MachineOption, AQ35HasAnEventTimerAndAPcGetsOne) {
  const auto has_timer = [](const Words& words) {
    Options options = parse(words);
    options.vga = "none";
    const auto plan = board_plan_for(options);
    EXPECT_TRUE(plan.ok()) << plan.message();
    return plan.ok() && plan.value().config.hpet;
  };
  EXPECT_FALSE(has_timer({}));
  EXPECT_TRUE(has_timer({"-M", "pc,hpet=on"}));
  EXPECT_TRUE(has_timer({"-M", "pc-q35-7.2"}));
  EXPECT_FALSE(has_timer({"-M", "q35", "-no-hpet"}));
  EXPECT_FALSE(has_timer({"-M", "q35,hpet=off"}));
}

// NixOS's test driver says index= of a drive that its -device attaches.
TEST(DriveOptions, APlaceOfADriveForADeviceChangesNothing) {
  const Options options = parse({"-drive", "if=none,index=1,id=d,file=a", "-device", "virtio-blk-pci,drive=d"});
  ASSERT_EQ(options.drives.size(), 1u);
  EXPECT_EQ(options.drives[0].interface, DriveOption::Interface::Virtio);
  EXPECT_EQ(options.drives[0].index, 0u);
}

TEST(OptionText, NothingFollowsACommaAtTheEnd) {
  const Properties expected{{"user", ""}, {"id", "n"}};
  EXPECT_EQ(parse_properties("user,id=n,"), expected);
  EXPECT_EQ(parse_properties("user,id=n"), expected);
  EXPECT_EQ(parse_properties(""), (Properties{{"", ""}}));
}

// What programs that drive QEMU read of `-version`: labgrid and os-autoinst the first number with points, mkosi the
// fourth word, avocado-vt the first words and what is in parentheses.
TEST(Version, ReadsAsQemus) {
  const std::string line(kVersionLine);
  const std::string version = fmt::format("{}.{}.{}", kQemuMajor, kQemuMinor, kQemuMicro);
  EXPECT_EQ(line, fmt::format("QEMU emulator version {} (relic86 {})", version, kVersion));
}

TEST(DriveOptions, WrongOnesAreRefused) {
  EXPECT_EQ(refusal({"-drive", "file=a,fomat=raw"}).find("-drive fomat=raw: unknown property; the nearest is format"),
            0u);
  EXPECT_EQ(refusal({"-device", "ide-hd,drive=x"}),
            "-device ide-hd: drive=x: there is no -drive with id=x, nor a -blockdev with this node-name");
  EXPECT_EQ(refusal({"-device", "ide-hd"}), "-device ide-hd: drive= is missing; name the id of a -drive with if=none");
  EXPECT_NE(refusal({"-device", "ide-cd,bus=ide.7"}).find("a pc has ide.0 and ide.1, a q35 ide.0 to ide.5"),
            std::string::npos);
  EXPECT_NE(refusal({"-device", "ide-cd,dirve=a"}).find("the nearest is drive"), std::string::npos);
  EXPECT_NE(refusal({"-drive", "if=none,id=a,file=a", "-drive", "id=a,file=b"}).find("another drive has this id"),
            std::string::npos);
  EXPECT_NE(refusal({"-drive", "id=a,file=a", "-device", "ide-hd,drive=a"}).find("give that -drive if=none"),
            std::string::npos);
  EXPECT_NE(
      refusal({"-device", "ide-cd", "-device", "ide-cd", "-device", "ide-cd", "-device", "ide-cd", "-device", "ide-cd"})
          .find("no free place"),
      std::string::npos);
  EXPECT_NE(refusal({"-drive", "file=a,cache=soon"}).find("writeback"), std::string::npos);
}

TEST(DriveOptions, BootOrders) {
  const Options options = parse({"-boot", "once=d,order=ca,menu=on,strict=on"});
  EXPECT_EQ(options.boot_once, "d");
  EXPECT_EQ(options.boot_order, "ca");
  EXPECT_TRUE(options.boot_menu);
  EXPECT_TRUE(options.boot_strict);
  EXPECT_NE(refusal({"-boot", "oder=c"}).find("unknown property"), std::string::npos);
}

TEST(CharacterOptions, NamedDevices) {
  const Options options = parse({"-chardev", "socket,id=a,path=/tmp/x,server=on,wait=off", "-chardev",
                                 "socket,id=b,host=localhost,port=4,telnet=on,server,nowait", "-chardev",
                                 "file,id=c,path=f,logfile=l,mux=on", "-mon", "chardev=a,mode=control,pretty=on",
                                 "-mon", "b", "-device", "isa-serial,chardev=c,index=1"});
  ASSERT_EQ(options.char_devices.size(), 3u);
  EXPECT_EQ(options.char_devices[0].spec, "unix:/tmp/x,server,nowait");
  EXPECT_EQ(options.char_devices[1].spec, "telnet:localhost:4,server,nowait");
  EXPECT_EQ(options.char_devices[2].spec, "file:f");
  EXPECT_EQ(options.char_devices[2].log_file, "l");
  EXPECT_TRUE(options.char_devices[2].mux);
  ASSERT_EQ(options.monitors.size(), 2u);
  EXPECT_TRUE(options.monitors[0].control);
  EXPECT_TRUE(options.monitors[0].pretty);
  EXPECT_EQ(options.monitors[1].device, "chardev:b");
  EXPECT_EQ(options.serials, (Words{"none", "chardev:c"}));
  EXPECT_NE(refusal({"-chardev", "sokcet,id=a"}).find("the nearest is socket"), std::string::npos);
  EXPECT_NE(refusal({"-chardev", "null"}).find("id= is missing"), std::string::npos);
  EXPECT_NE(refusal({"-chardev", "null,id=a", "-chardev", "null,id=a"}).find("another character device"),
            std::string::npos);
  EXPECT_NE(refusal({"-device", "isa-serial,index=4"}).find("index=4"), std::string::npos);
  EXPECT_NE(refusal({"-serial", "null", "-device", "isa-serial,index=0"}).find("is there already"), std::string::npos);
}

TEST(JsonOptions, AreTheSameAsPlainOnes) {
  const Options options =
      parse({"-blockdev", R"({"driver":"file","filename":"a,b.img","node-name":"s","auto-read-only":true})",
             "-blockdev", R"({"node-name":"f","read-only":true,"driver":"raw","file":"s"})",  //
             "-blockdev", "driver=raw,node-name=g,file.driver=file,file.filename=c",          //
             "-device",   R"({"driver":"ide-hd","bus":"ide.0","unit":1,"drive":"f","id":"d0","bootindex":1})",
             "-device",   "ide-cd,drive=g,bus=ide.1",  //
             "-object",   R"({"qom-type":"memory-backend-ram","id":"pc.ram","size":33554432})",
             "-m",        "32",  //
             "-machine",  "pc,memory-backend=pc.ram",
             "-audiodev", R"({"id":"a","driver":"none"})",
             "-object",   "secret,id=key,data=abc",
             "-chardev",  "socket,id=m,fd=29,server=on,wait=off"});
  ASSERT_EQ(options.drives.size(), 2u);
  EXPECT_EQ(options.drives[0].file, "a,b.img");
  EXPECT_TRUE(options.drives[0].read_only);
  EXPECT_EQ(options.drives[0].node, "f");
  EXPECT_EQ(options.drives[0].index, 1u);
  EXPECT_EQ(options.drives[0].boot_index, 1u);
  EXPECT_EQ(options.drives[0].device_id, "d0");
  EXPECT_EQ(options.drives[1].file, "c");
  EXPECT_EQ(options.drives[1].index, 2u);
  EXPECT_EQ(options.objects.size(), 2u);
  EXPECT_EQ(options.block_nodes.size(), 4u);
  EXPECT_EQ(options.char_devices[0].spec, "fd:29,server,nowait");
}

TEST(JsonOptions, WrongOnesAreRefused) {
  EXPECT_NE(refusal({"-device", "{\"driver\":\"VGA\""}).find("-device: JSON: a comma or a closing brace"),
            std::string::npos);
  EXPECT_NE(refusal({"-device", "{\"driver\":\"VGA\"}x"}).find("after the object"), std::string::npos);
  EXPECT_NE(refusal({"-device", "{\"driver\":}"}).find("a value is expected"), std::string::npos);
  EXPECT_NE(refusal({"-device", "{driver:1}"}).find("a name in quotes"), std::string::npos);
  std::string deep = "{\"a\":";
  for (int i = 0; i < 1000; i++) deep += "[";
  EXPECT_NE(refusal({"-object", deep}).find("too many levels"), std::string::npos);
  EXPECT_NE(
      refusal({"-object", "memory-backend-ram,id=r,size=1M", "-machine", "memory-backend=r"}).find("not that of -m"),
      std::string::npos);
  EXPECT_NE(refusal({"-machine", "memory-backend=r"}).find("there is no -object"), std::string::npos);
  EXPECT_NE(refusal({"-object", "secret,id=s"}).find("either data= or file="), std::string::npos);
  EXPECT_NE(refusal({"-object", "sceret,id=s"}).find("the nearest is secret"), std::string::npos);
  EXPECT_NE(refusal({"-object", "secret,id=s,data=a", "-object", "secret,id=s,data=a"}).find("another object"),
            std::string::npos);
  EXPECT_NE(refusal({"-object", "tls-creds-x509,id=t"}).find("there is no TLS"), std::string::npos);
  EXPECT_NE(refusal({"-blockdev", "driver=qed,node-name=a,file=b"}).find("qemu-img convert"), std::string::npos);
  EXPECT_NE(refusal({"-blockdev", "driver=file,filename=a"}).find("node-name= is missing"), std::string::npos);
  EXPECT_NE(refusal({"-blockdev", "raw,node-name=a,file=b"}).find("no -blockdev with this node-name"),
            std::string::npos);
  EXPECT_NE(refusal({"-blockdev", "file,node-name=a,filename=b,raed-only=on"}).find("the nearest is read-only"),
            std::string::npos);
}

TEST(ForeignOptions, HaveAnAnswer) {
  parse({"-no-hpet", "-k", "de", "-M", "pc-i440fx-7.2", "-overcommit", "mem-lock=off", "-accel", "tcg,thread=single",
         "-net", "none", "-smp", "1,cores=1", "-name", "guest=x,process=y", "-rtc", "base=utc,clock=vm"});
  EXPECT_NE(refusal({"-enable-kvm"}).find("pure software"), std::string::npos);
  EXPECT_NE(refusal({"-soundhw", "sb16"}).find("write -device sb16"), std::string::npos);
  EXPECT_NE(refusal({"-k", "dee"}).find("the nearest is de"), std::string::npos);
  EXPECT_NE(refusal({"-M", "pc-i440fx-latest"}).find("unknown machine"), std::string::npos);
  EXPECT_NE(refusal({"-rtc", "clock=moon"}).find("host, rt and vm"), std::string::npos);
  for (const char* option : {"-M", "-accel", "-display", "-vga", "-k", "-chardev"}) {
    const std::vector<std::string> words{option, "help"};
    const auto parsed = parse_command_line(words);
    ASSERT_TRUE(parsed.ok()) << option;
    EXPECT_TRUE(parsed.value().print_and_exit.has_value()) << option;
  }
}

// Completed and refused as QEMU 7.2 does.
TEST(Smp, Topologies) {
  const auto shape = [](const std::vector<std::string>& words) {
    const ProcessorTopology t = parse(words).processors;
    return std::vector<unsigned>{t.count, t.most, t.sockets, t.dies, t.cores, t.threads};
  };
  using Shape = std::vector<unsigned>;
  EXPECT_EQ(shape({}), (Shape{1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(shape({"-smp", "4"}), (Shape{4, 4, 1, 1, 4, 1}));
  EXPECT_EQ(shape({"-smp", "0"}), (Shape{1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(shape({"-smp", "4,sockets=2"}), (Shape{4, 4, 2, 1, 2, 1}));
  EXPECT_EQ(shape({"-smp", "4,cores=2"}), (Shape{4, 4, 2, 1, 2, 1}));
  EXPECT_EQ(shape({"-smp", "sockets=2,cores=3"}), (Shape{6, 6, 2, 1, 3, 1}));
  EXPECT_EQ(shape({"-smp", "1,maxcpus=4"}), (Shape{1, 4, 1, 1, 4, 1}));
  EXPECT_EQ(shape({"-smp", "maxcpus=4,sockets=2"}), (Shape{4, 4, 2, 1, 2, 1}));
  EXPECT_EQ(shape({"-smp", "2,dies=2"}), (Shape{2, 2, 1, 2, 1, 1}));
  EXPECT_EQ(shape({"-smp", "8,cores=2,threads=2"}), (Shape{8, 8, 2, 1, 2, 2}));
  EXPECT_EQ(shape({"-smp", "2", "-smp", "3"}), (Shape{3, 3, 1, 1, 3, 1}));
  EXPECT_EQ(
      refusal({"-smp", "2,maxcpus=1"}),
      "-smp: Invalid CPU topology: maxcpus must be equal to or greater than smp: sockets (1) * dies (1) * cores (1) * "
      "threads (1) == maxcpus (1) < smp_cpus (2)");
  EXPECT_EQ(
      refusal({"-smp", "5,cores=2"}),
      "-smp: Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (2) * dies (1) * cores (2) * "
      "threads (1) != maxcpus (5)");
  EXPECT_EQ(
      refusal({"-smp", "2,sockets=2", "-smp", "cores=2"}),
      "-smp: Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (2) * dies (1) * cores (2) * "
      "threads (0) != maxcpus (2)");
  EXPECT_EQ(refusal({"-smp", "33"}), "-smp: Invalid SMP CPUs 33. The max CPUs supported by machine 'pc' is 32");
  EXPECT_EQ(refusal({"-smp", "99999999999"}),
            "-smp: Invalid SMP CPUs 65535. The max CPUs supported by machine 'pc' is 32");
  EXPECT_NE(refusal({"-smp", "2,clusters=2"}).find("clusters not supported"), std::string::npos);
  EXPECT_NE(refusal({"-smp", "corse=1"}).find("unknown property"), std::string::npos);
}

TEST(Smp, ApicIdsLeaveRoomForPowersOfTwo) {
  const ProcessorTopology dense = parse({"-smp", "4"}).processors;
  EXPECT_EQ(dense.apic_id(3), 3u);
  EXPECT_EQ(dense.apic_id_limit(), 4u);
  const ProcessorTopology sparse = parse({"-smp", "sockets=2,cores=3,threads=2"}).processors;
  EXPECT_EQ(sparse.apic_id(1), 1u);
  EXPECT_EQ(sparse.apic_id(5), 5u);
  EXPECT_EQ(sparse.apic_id(6), 8u);
  EXPECT_EQ(sparse.apic_id_limit(), 14u);
  EXPECT_EQ(sparse.package_bits(), 3u);
  EXPECT_EQ(sparse.thread_bits(), 1u);
}

TEST(Smp, ThreadsOfTheAccelerator) {
  parse({"-accel", "tcg,thread=multi", "-smp", "2"});
  parse({"-accel", "jit,thread=single", "-icount", "shift=3"});
  EXPECT_NE(refusal({"-accel", "tcg,thread=foo"}).find("Invalid 'thread' setting foo"), std::string::npos);
  EXPECT_NE(refusal({"-accel", "tcg,thread=multi", "-icount", "shift=3"}).find("No MTTCG when icount is enabled"),
            std::string::npos);
  EXPECT_NE(refusal({"-accel", "tcg,thread=multi", "-smp", "2", "--speed", "386-33"}).find("thread=single"),
            std::string::npos);
  parse({"-accel", "tcg,thread=multi", "--speed", "386-33"});  // one processor runs as ever
}

TEST(Option, SizeOfTranslatedCode) {
  EXPECT_EQ(parse({"-accel", "tcg"}).code_megabytes, Options::kDefaultCodeMegabytes);
  EXPECT_EQ(parse({"-accel", "tcg,tb-size=48"}).code_megabytes, 48u);
  EXPECT_EQ(parse({"-accel", "tcg,tb-size=0"}).code_megabytes, Options::kDefaultCodeMegabytes);
  EXPECT_EQ(parse({"-accel", "tcg,tb-size=1000000"}).code_megabytes, 1024u);
  EXPECT_NE(refusal({"-accel", "tcg,tb-size=much"}).find("tb-size=much: 'much' is not a number"), std::string::npos);
}

// -icount counts by instructions: another speed beside it would be silently without effect.
TEST(SpeedOption, ExcludesIcount) {
  EXPECT_EQ(parse({"--speed", "386-33"}).speed, 4.8e6);
  EXPECT_NE(refusal({"-icount", "3", "--speed", "386-33"}).find("-icount sets the processor's speed"),
            std::string::npos);
  EXPECT_EQ(parse({"--speed", "386-33", "-icount", "3", "--speed", "free"}).speed, 0);
}

TEST(ForeignOptions, FormsOfQemusWords) {
  parse({"-smp", "cpus=1,maxcpus=1,sockets=1", "-smp", "cores=1", "-icount", "shift=auto,align=off,sleep=on", "-global",
         "mc146818rtc.lost_tick_policy=slew"});
  EXPECT_NE(refusal({"-icount", "align=on"}).find("only off exists"), std::string::npos);
  EXPECT_NE(refusal({"-global", "nonsense"}).find("DRIVER.PROPERTY=VALUE"), std::string::npos);
  EXPECT_FALSE(parse({"-global", "isa-fdc.speed=fast"}).real_floppy_speed);
  EXPECT_TRUE(parse({"-global", "isa-fdc.speed=real"}).real_floppy_speed);
  EXPECT_NE(refusal({"-global", "isa-fdc.speed=warp"}).find("fast and real"), std::string::npos);
  EXPECT_FALSE(parse({"-rtc", "driftfix=none"}).rtc_slew);
  EXPECT_TRUE(parse({"-rtc", "base=utc,driftfix=slew"}).rtc_slew);
}

TEST(ProcessorOptions, HostUnits) {
  const Options options = parse({"--host-features", "-sse3,-ssse3", "--deterministic-fpu"});
  EXPECT_EQ(options.host_features, "-sse3,-ssse3");
  EXPECT_TRUE(options.deterministic_fpu);
  EXPECT_FALSE(parse({}).deterministic_fpu);
}

TEST(ProcessorOptions, UnknownFeaturesAreErrorsKnownOnesAreNot) {
  const auto model = [](const char* text) {
    Options options;
    options.cpu_model = text;
    return cpu_model_for(options);
  };
  EXPECT_EQ(model("pentium3,+sse9").error().message,
            "-cpu pentium3,+sse9: unknown feature; the nearest is sse; '-cpu help' lists those that relic86 has");
  EXPECT_FALSE(model("pentium3,frob=on").ok());
  EXPECT_FALSE(model("pentium3,sse2=maybe").ok());
  EXPECT_NE(model("pentum").error().message.find("the nearest is pentium;"), std::string::npos);
  // Known to QEMU, absent here: off is no news, on is warned of, enforce makes it an error.
  EXPECT_TRUE(model("pentium3,-avx512f,sse4_1=off,kvm=off,hv-time=off,migratable=no").ok());
  for (const std::string_view flag : known_cpu_flags()) {
    EXPECT_TRUE(model(fmt::format("pentium3,-{}", flag).c_str()).ok()) << flag;
    EXPECT_FALSE(flag.starts_with('-') || flag.ends_with('-')) << flag;
  }
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(model("pentium3,+avx512f,level=4").ok());
  const std::string warnings = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(warnings.find("warning: -cpu pentium3: avx512f is not supported and stays off\n"), std::string::npos);
  EXPECT_NE(warnings.find("warning: -cpu pentium3: level is not supported and has no effect\n"), std::string::npos);
  EXPECT_FALSE(model("pentium3,enforce,+avx512f").ok());
  EXPECT_EQ(model("486-v1").value().name, "486");
  EXPECT_NE(model("pentium3,sse3=on").value().features_ecx & kCpuidSse3, 0u);
}

}  // namespace
}  // namespace relic86
