// Every option that QEMU 7.2 for i386 has ('qemu-system-i386 -help', 7.2.22) has an answer of its own kind here: it is
// served, accepted because nothing could differ, warned of, or refused with the reason and with what to do instead.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "machine/board_options.h"
#include "options/options.h"

namespace relic86 {
namespace {

enum class Answer : u8 { Taken, Printed, Warned, Refused };

struct Row {
  const char* name;
  const char* argument;  // a usual one; null: nothing follows
  Answer answer;
};
using enum Answer;

// In the order of subjects: processor and memory, time, media, boot, screen, sound, network, characters, control, host.
constexpr Row kOptions[] = {
    {"machine", "pc", Taken},
    {"M", "pc", Taken},
    {"cpu", "qemu32", Taken},
    {"accel", "tcg", Taken},
    {"smp", "1", Taken},
    {"m", "64", Taken},
    {"mem-path", "/dev/hugepages", Taken},
    {"mem-prealloc", nullptr, Taken},
    {"numa", "node", Refused},
    {"enable-kvm", nullptr, Refused},
    {"xen-domid", "1", Refused},
    {"xen-attach", nullptr, Refused},
    {"xen-domid-restrict", nullptr, Refused},
    {"singlestep", nullptr, Taken},
    {"win2k-hack", nullptr, Taken},
    {"no-hpet", nullptr, Taken},
    {"no-acpi", nullptr, Warned},
    {"no-fd-bootchk", nullptr, Taken},
    {"acpitable", "sig=ABCD", Refused},
    {"smbios", "type=1", Warned},
    {"global", "isa-fdc.driver=x", Taken},
    {"set", "device.none.prop=1", Refused},
    {"device", "isa-debug-exit", Taken},
    {"uuid", "01234567-89ab-cdef-0123-456789abcdef", Taken},
    {"name", "x", Taken},
    {"rtc", "base=utc", Taken},
    {"icount", "shift=2", Taken},
    {"watchdog-action", "reset", Taken},
    {"action", "reboot=shutdown", Taken},
    {"seed", "1", Taken},

    {"fda", "f", Taken},
    {"fdb", "f", Taken},
    {"hda", "f", Taken},
    {"hdb", "f", Taken},
    {"hdc", "f", Taken},
    {"hdd", "f", Taken},
    {"cdrom", "f", Taken},
    {"drive", "file=f", Taken},
    {"blockdev", "driver=file,filename=f,node-name=n", Taken},
    {"snapshot", nullptr, Taken},
    {"mtdblock", "f", Refused},
    {"sd", "f", Refused},
    {"pflash", "f", Taken},
    {"fsdev", "local,id=a,path=/tmp", Refused},
    {"virtfs", "local,path=/tmp", Refused},
    {"iscsi", "user=me", Refused},
    {"tpmdev", "passthrough,id=t", Refused},
    {"usb", nullptr, Taken},
    {"usbdevice", "tablet", Taken},

    {"boot", "order=c", Taken},
    {"bios", "f", Taken},
    {"kernel", "f", Taken},
    {"append", "x", Taken},
    {"initrd", "f", Taken},
    {"dtb", "f", Refused},
    {"option-rom", "f", Taken},
    {"L", "/tmp", Taken},
    {"fw_cfg", "name=opt/x,string=y", Taken},
    {"loadvm", "tag", Taken},
    {"incoming", "defer", Taken},
    {"only-migratable", nullptr, Taken},
    {"dump-vmstate", "f", Refused},

    {"display", "none", Taken},
    {"nographic", nullptr, Taken},
    {"vga", "std", Taken},
    {"full-screen", nullptr, Taken},
    {"portrait", nullptr, Taken},
    {"rotate", "90", Taken},
    {"k", "de", Taken},
    {"spice", "port=1", Refused},
    {"vnc", ":0", Taken},
    {"audiodev", "none,id=a", Taken},
    {"audio", "none", Taken},
    {"audio-help", nullptr, Printed},

    {"netdev", "user,id=n", Warned},
    {"nic", "none", Taken},
    {"net", "none", Taken},

    {"chardev", "null,id=c", Taken},
    {"serial", "null", Taken},
    {"parallel", "null", Taken},
    {"monitor", "none", Taken},
    {"qmp", "none", Taken},
    {"qmp-pretty", "none", Taken},
    {"mon", "c", Taken},
    {"debugcon", "null", Taken},
    {"echr", "20", Taken},
    {"gdb", "tcp::1234", Taken},
    {"s", nullptr, Taken},
    {"S", nullptr, Taken},
    {"d", "int", Taken},
    {"D", "f", Taken},
    {"dfilter", "0..1", Warned},
    {"trace", "enable=x", Warned},
    {"plugin", "f", Refused},
    {"object", "secret,id=s,data=x", Taken},

    {"add-fd", "fd=3,set=1", Refused},
    {"compat", "deprecated-input=accept", Taken},
    {"pidfile", "f", Taken},
    {"preconfig", nullptr, Refused},
    {"overcommit", "mem-lock=off", Taken},
    {"no-reboot", nullptr, Taken},
    {"no-shutdown", nullptr, Taken},
    {"daemonize", nullptr, Taken},
    {"chroot", "/", Refused},
    {"runas", "nobody", Refused},
    {"sandbox", "off", Taken},
    {"readconfig", "f", Refused},
    {"no-user-config", nullptr, Taken},
    {"nodefaults", nullptr, Taken},
    {"async-teardown", nullptr, Taken},
    {"msg", "timestamp=on", Taken},
    {"enable-sync-profile", nullptr, Taken},
    {"help", nullptr, Printed},
    {"h", nullptr, Printed},
    {"version", nullptr, Printed},
};

class QemuOption : public ::testing::TestWithParam<Row> {};

TEST_P(QemuOption, HasAnAnswerOfItsOwn) {
  const Row& row = GetParam();
  for (const std::string dash : {"-", "--"}) {
    std::vector<std::string> words{dash + row.name};
    if (row.argument != nullptr) words.emplace_back(row.argument);
    ::testing::internal::CaptureStderr();
    const auto parsed = parse_command_line(words);
    const std::string warned = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(parsed.ok(), row.answer != Refused) << (parsed.ok() ? "" : parsed.message());
    if (!parsed) {
      const std::string& text = parsed.message();
      EXPECT_LE(text.find(std::string("-") + row.name), 1u) << text;  // with one dash or two
      EXPECT_EQ(text.find("unknown option"), std::string::npos) << text;
      EXPECT_NE(text.find("; "), std::string::npos) << "no mend: " << text;
      continue;
    }
    EXPECT_EQ(parsed.value().print_and_exit.has_value(), row.answer == Printed);
    EXPECT_EQ(warned.starts_with("warning: "), row.answer == Warned) << warned;
  }
  // An option with an argument says so when there is none.
  if (row.argument == nullptr) return;
  const std::vector<std::string> alone{std::string("-") + row.name};
  const auto parsed = parse_command_line(alone);
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.message().find("needs an argument"), std::string::npos) << parsed.message();
}

INSTANTIATE_TEST_SUITE_P(All, QemuOption, ::testing::ValuesIn(kOptions), [](const auto& each) {
  std::string name = each.param.name;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

// What QEMU dropped and old scripts still say.
TEST(OldOptions, HaveAnAnswer) {
  const auto parse = [](std::vector<std::string> words) { return parse_command_line(words); };
  EXPECT_EQ(parse({"-localtime"}).value().options.rtc_base, "localtime");
  EXPECT_EQ(parse({"-startdate", "2001-02-03"}).value().options.rtc_base, "2001-02-03");
  EXPECT_TRUE(parse({"-no-kvm", "-no-quit", "-tdf", "-rtc-td-hack", "-alt-grab", "-balloon", "none", "-nodefconfig"}));
  for (const char* option : {"-soundhw", "-redir", "-tftp", "-smb", "-bootp", "-bt", "-semihosting-config"})
    EXPECT_NE(parse({option, "x"}).message().find("; "), std::string::npos) << option;
}

TEST(Accelerators, AreAListOfPreferences) {
  using Accel = Options::Accel;
  const auto accel = [](std::vector<std::string> words) {
    const auto parsed = parse_command_line(words);
    EXPECT_TRUE(parsed.ok()) << parsed.message();
    return parsed.ok() ? parsed.value().options.accel : Accel::Default;
  };
  EXPECT_EQ(accel({"-accel", "kvm", "-accel", "hvf", "-accel", "tcg"}), Accel::Fastest);
  EXPECT_EQ(accel({"-accel", "interp", "-accel", "jit"}), Accel::Interpreter);
  EXPECT_EQ(accel({"-accel", "kvm", "-machine", "accel=xen:interp"}), Accel::Interpreter);
  EXPECT_EQ(accel({"-machine", "accel=kvm:tcg"}), Accel::Fastest);
  EXPECT_EQ(accel({}), Accel::Default);
  const auto refusal = [](std::vector<std::string> words) {
    const auto parsed = parse_command_line(words);
    return parsed.ok() ? std::string() : parsed.message();
  };
  EXPECT_NE(refusal({"-accel", "kvm", "-accel", "hvf"}).find("-accel hvf: relic86 is pure software"),
            std::string::npos);
  EXPECT_NE(refusal({"-accel", "tcg", "-accel", "kmv"}).find("unknown accelerator"), std::string::npos);
  EXPECT_NE(refusal({"-accel", "tcg,thraed=single"}).find("the nearest is thread"), std::string::npos);
}

TEST(Properties, OfOptionsHaveAnAnswerToo) {
  const auto refusal = [](std::vector<std::string> words) {
    const auto parsed = parse_command_line(words);
    EXPECT_FALSE(parsed.ok()) << words.back();
    return parsed.ok() ? std::string() : parsed.message();
  };
  const auto warning = [](std::vector<std::string> words) {
    ::testing::internal::CaptureStderr();
    const auto parsed = parse_command_line(words);
    EXPECT_TRUE(parsed.ok()) << parsed.message();
    return ::testing::internal::GetCapturedStderr();
  };
  // Displays and adapters of QEMU's that are missing here, and those that nobody has.
  for (const char* display : {"vnc", "curses", "spice-app", "egl-headless", "dbus", "cocoa"})
    EXPECT_EQ(refusal({"-display", display}).find("unknown"), std::string::npos) << display;
  EXPECT_NE(refusal({"-display", "sdk"}).find("the nearest is sdl"), std::string::npos);
  EXPECT_NE(refusal({"-display", "gtk,zoom=1"}).find("-display gtk,zoom: unknown property"), std::string::npos);
  EXPECT_EQ(warning({"-display", "gtk,gl=off,full-screen=on"}), "");
  const std::vector<std::vector<std::string>> cirrus = {{"-vga", "cirrus"}, {"-device", "cirrus-vga,vgamem_mb=4"}};
  for (const auto& words : cirrus) {
    const auto parsed = parse_command_line(words);
    ASSERT_TRUE(parsed.ok()) << parsed.message();
    EXPECT_EQ(parsed.value().options.vga, "cirrus");
  }
  EXPECT_NE(refusal({"-device", "cirrus-vga,vgamem_mb=16"}).find("has 4 MiB"), std::string::npos);
  for (const char* adapter : {"vmware", "qxl", "virtio", "xenfb", "tcx", "cg3"})
    EXPECT_EQ(refusal({"-vga", adapter}).find("unknown"), std::string::npos) << adapter;
  for (const char* machine : {"isapc", "microvm", "xenpv", "pc-1.0", "x-remote"})
    EXPECT_NE(refusal({"-M", machine}).find("relic86 does not build this machine"), std::string::npos) << machine;
  // A machine's properties: what is so anyway is taken in silence.
  EXPECT_EQ(warning({"-machine", "pc,usb=off,hpet=off,vmport=auto,mem-merge=off,kernel-irqchip=split,acpi=on"}), "");
  EXPECT_EQ(warning({"-machine", "pc,acpi=off"}).find("warning: -machine acpi=off: "), 0u);
  EXPECT_EQ(warning({"-machine", "usb=on", "-device", "usb-tablet"}), "");
  EXPECT_NE(refusal({"-machine", "usb=maybe"}).find("-machine usb=maybe: "), std::string::npos);
  EXPECT_NE(refusal({"-usbdevice", "disk:x"}).find("there is no such USB device"), std::string::npos);
  // Sound: a name that is used exists.
  EXPECT_EQ(warning({"-machine", "type=pc,accel=tcg,pcspk-audiodev=s", "-audiodev", "none,id=s"}), "");
  EXPECT_NE(refusal({"-machine", "pcspk-audiodev=s"}).find("there is no -audiodev with id=s"), std::string::npos);
  EXPECT_EQ(warning({"-audiodev", "pa,id=a,server=/x"}).find("warning: -audiodev pa: "), 0u);
  EXPECT_NE(refusal({"-audiodev", "nnoe,id=a"}).find("the nearest is none"), std::string::npos);
  EXPECT_NE(refusal({"-audio", "none,model=gus"}).find("there is no such card"), std::string::npos);
  EXPECT_NE(refusal({"-audio", "none,model=sb16", "-device", "adlib,audiodev=b"}).find("no -audiodev with id=b"),
            std::string::npos);
  EXPECT_EQ(warning({"-audio", "none,model=sb16", "-audiodev",
                     "wav,id=b,path=x,timer-period=5000,out.frequency=48000,"
                     "out.channels=1,out.format=s32,out.buffer-length=1000,in.voices=0"}),
            "");
  EXPECT_NE(refusal({"-audiodev", "wav,id=a,out.frequncy=1"}).find("the nearest is out.frequency"), std::string::npos);
  EXPECT_NE(refusal({"-audiodev", "wav,id=a,out.frequency=1"}).find("8000"), std::string::npos);
  EXPECT_NE(refusal({"-audiodev", "sdl,id=a,path=x"}).find("unknown property"), std::string::npos);
  // Memory, actions, policies.
  EXPECT_EQ(warning({"-m", "size=1M,slots=2,maxmem=1M", "-action", "panic=none,watchdog=pause"}), "");
  EXPECT_NE(refusal({"-m", "64,solts=2"}).find("unknown property"), std::string::npos);
  EXPECT_NE(refusal({"-action", "panic=dance"}).find("unknown action"), std::string::npos);
  EXPECT_NE(refusal({"-watchdog-action", "bark"}).find("inject-nmi"), std::string::npos);
  EXPECT_NE(refusal({"-compat", "deprecated-input=hide"}).find("unknown"), std::string::npos);
  EXPECT_NE(refusal({"-seed", "many"}).find("give a number"), std::string::npos);
  EXPECT_NE(refusal({"-icount", "shift=1,rr=record"}).find("rrfile=FILE is missing"), std::string::npos);
  EXPECT_NE(refusal({"-icount", "shift=1,rrfile=f"}).find("rr=record or rr=replay"), std::string::npos);
  EXPECT_NE(refusal({"-icount", "shift=1,rr=both,rrfile=f"}).find("record and replay are known"), std::string::npos);
  EXPECT_NE(refusal({"-icount", "shift=1,rr=replay,rrfile=f,rrsnapshot=s"}).find("leave it out"), std::string::npos);
  EXPECT_NE(refusal({"-drive", "file=f,if=scsi"}).find("if=ide"), std::string::npos);
  for (const char* backend : {"udp,id=a", "msmouse,id=a", "braille,id=a", "parport,id=a", "spicevmc,id=a"})
    EXPECT_EQ(refusal({"-chardev", backend}).find("unknown backend"), std::string::npos) << backend;
}

TEST(SetOption, ChangesWhatStandsBeforeIt) {
  const std::vector<std::string> words{"-drive",  "if=none,id=d,file=a,format=raw",
                                       "-set",    "drive.d.file=b",
                                       "-device", "ide-hd,drive=d,id=h",
                                       "-set",    "device.h.serial=S"};
  const auto parsed = parse_command_line(words);
  ASSERT_TRUE(parsed.ok()) << parsed.message();
  EXPECT_EQ(parsed.value().options.drives[0].file, "b");
  EXPECT_EQ(parsed.value().options.drives[0].serial, "S");
}

TEST(GlobalOption, SomePropertiesHaveAnEffect) {
  const std::vector<std::string> words{"-global", "PIIX4_PM.disable_s3=1",
                                       "-global", "driver=PIIX4_PM,property=disable_s4,value=on",
                                       "-global", "isa-fdc.fdtypeA=none"};
  const auto parsed = parse_command_line(words);
  ASSERT_TRUE(parsed.ok()) << parsed.message();
  EXPECT_FALSE(parsed.value().options.suspend_to_ram);
  EXPECT_FALSE(parsed.value().options.suspend_to_disk);
  EXPECT_TRUE(parsed.value().options.floppy_drive_a_absent);
  const std::vector<std::string> q35{"-M", "q35", "-global", "ICH9-LPC.disable_s3=1"};
  EXPECT_FALSE(parse_command_line(q35).value().options.suspend_to_ram);
  const std::vector<std::string> wrong{"-global", "PIIX4_PM.disable_s3=2"};
  EXPECT_FALSE(parse_command_line(wrong).ok());
}

TEST(ForeignDevices, AreRefusedWithAReason) {
  for (const char* device : {"e1000", "scsi-cd", "usb-audio", "usb-ehci", "piix4-usb-uhci", "gus", "lsi53c895a", "nvme",
                             "isa-cirrus-vga", "nec-usb-xhci", "hda-input", "vfio-pci", "isa-fdc"}) {
    Options options;
    options.devices.push_back({device, {}});
    const auto plan = board_plan_for(options);
    ASSERT_FALSE(plan.ok()) << device;
    EXPECT_EQ(plan.message().find("unknown device"), std::string::npos) << plan.message();
    EXPECT_NE(plan.message().find("; "), std::string::npos) << plan.message();
  }
}

TEST(UsbDevices, TakeQemusProperties) {
  using Properties = std::vector<std::pair<std::string, std::string>>;
  const auto answer = [](bool usb, const std::vector<std::pair<const char*, Properties>>& devices) {
    Options options;
    options.vga = "none";
    if (usb) options.devices.push_back({"piix3-usb-uhci", {}});
    for (const auto& [name, properties] : devices) options.devices.push_back({name, properties});
    const auto plan = board_plan_for(options);
    if (!plan.ok()) return plan.message();
    std::string ports;
    for (const UsbDeviceConfig& device : plan.value().config.usb_devices)
      ports += std::string(usb_device_name(device.kind)) + ":" + device.port + " ";
    return ports;
  };
  EXPECT_EQ(answer(true, {{"usb-tablet", {}}, {"usb-kbd", {{"port", "2.1"}, {"usb_version", "1"}}}}),
            "usb-tablet: usb-kbd:2.1 ");
  EXPECT_EQ(answer(true, {{"usb-mouse", {{"serial", "42"}}}, {"usb-hub", {}}}), "usb-mouse: usb-hub: ");
  EXPECT_EQ(answer(false, {{"piix3-usb-uhci", {{"id", "usb"}, {"bus", "pci.0"}, {"addr", "0x1.0x2"}}},
                           {"usb-tablet", {{"id", "input0"}, {"bus", "usb.0"}, {"port", "2"}}}}),
            "usb-tablet:2 ");
  EXPECT_NE(answer(false, {{"usb-tablet", {}}}).find("there is no USB controller before it; add -usb"),
            std::string::npos);
  EXPECT_NE(answer(true, {{"piix3-usb-uhci", {}}}).find("only one is possible"), std::string::npos);
  EXPECT_NE(answer(false, {{"piix3-usb-uhci", {{"addr", "5"}}}}).find("addr=5: it is function 2"), std::string::npos);
  EXPECT_NE(answer(true, {{"usb-kbd", {{"serial", std::string(127, 'x')}}}}).find("at most 126"), std::string::npos);
  EXPECT_NE(answer(true, {{"usb-storage", {}}}).find("name the id of a -drive"), std::string::npos);
  EXPECT_NE(answer(true, {{"usb-tablet", {{"prot", "1"}}}}).find("the nearest is port"), std::string::npos);
}

TEST(Nodefaults, LeavesTheDisplayOut) {
  using Display = BoardConfig::Display;
  const auto display = [](const std::vector<std::string>& words) {
    return board_plan_for(parse_command_line(words).value().options).value().config.display;
  };
  EXPECT_EQ(display({"-S"}), Display::Std);
  EXPECT_EQ(display({"-nodefaults"}), Display::None);
  EXPECT_EQ(display({"-nodefaults", "-vga", "cirrus"}), Display::Cirrus);
  EXPECT_EQ(display({"-device", "VGA", "-nodefaults"}), Display::Std);
}

// As libvirt names them.
TEST(UsbDevices, EhciHasCompanions) {
  using Named = std::pair<const char*, std::vector<std::pair<std::string, std::string>>>;
  const auto answer = [](const std::vector<Named>& devices) {
    Options options;
    options.vga = "none";
    for (const auto& [name, properties] : devices) options.devices.push_back({name, properties});
    const auto plan = board_plan_for(options);
    if (!plan.ok()) return plan.message();
    const UsbControllerConfig& usb = *plan.value().config.usb_controller;
    return fmt::format("{} {} {}", usb.kind == UsbControllerConfig::Kind::Ehci, usb.slot.value_or(0), usb.companions);
  };
  const Named ehci{"ich9-usb-ehci1", {{"id", "usb"}, {"bus", "pci.0"}, {"addr", "0x4.0x7"}}};
  const Named first{
      "ich9-usb-uhci1",
      {{"masterbus", "usb.0"}, {"firstport", "0"}, {"bus", "pci.0"}, {"multifunction", "on"}, {"addr", "0x4"}}};
  const Named second{"ich9-usb-uhci2",
                     {{"masterbus", "usb.0"}, {"firstport", "2"}, {"bus", "pci.0"}, {"addr", "0x4.0x1"}}};
  const Named third{"ich9-usb-uhci3", {{"masterbus", "usb.0"}, {"firstport", "4"}}};
  EXPECT_EQ(answer({ehci, first, second, third}), "true 4 3");
  EXPECT_EQ(answer({{"ich9-usb-ehci1", {{"id", "usb"}}}, first}), "true 4 1");
  EXPECT_NE(answer({ehci}).find("add -device ich9-usb-uhci1"), std::string::npos);
  EXPECT_NE(answer({first}).find("it is a companion of an EHCI"), std::string::npos);
  EXPECT_NE(answer({ehci, second}).find("ich9-usb-uhci1 is the next companion"), std::string::npos);
  EXPECT_NE(answer({ehci, ehci}).find("only one is possible"), std::string::npos);
  EXPECT_NE(answer({ehci, {"ich9-usb-uhci1", {{"masterbus", "other.0"}}}}).find("masterbus=ID.0"), std::string::npos);
  EXPECT_NE(answer({ehci, {"ich9-usb-uhci1", {{"masterbus", "usb.0"}, {"addr", "5"}}}}).find("the slot of its EHCI"),
            std::string::npos);
  EXPECT_NE(answer({{"ich9-usb-ehci1", {{"addr", "4"}}}}).find("it is function 7"), std::string::npos);
}

TEST(UsbDevices, XhciHasAsManyPortsAsIsSaid) {
  const auto answer = [](std::vector<std::pair<std::string, std::string>> properties) {
    Options options;
    options.vga = "none";
    options.devices.push_back({"qemu-xhci", std::move(properties)});
    const auto plan = board_plan_for(options);
    if (!plan.ok()) return plan.message();
    const UsbControllerConfig& usb = *plan.value().config.usb_controller;
    EXPECT_EQ(usb.kind, UsbControllerConfig::Kind::Xhci);
    return fmt::format("{} {} {}", usb.slot.value_or(0), usb.usb2_ports, usb.usb3_ports);
  };
  EXPECT_EQ(answer({{"p2", "15"}, {"p3", "15"}, {"id", "usb"}, {"bus", "pci.0"}, {"addr", "0x4"}}), "4 15 15");
  EXPECT_EQ(answer({}), "0 4 4");
  EXPECT_EQ(answer({{"p3", "0"}}), "0 4 0");
  EXPECT_NE(answer({{"p2", "0"}}).find("a number from 1 to 15"), std::string::npos);
  EXPECT_NE(answer({{"p3", "16"}}).find("a number from 0 to 15"), std::string::npos);
  EXPECT_NE(answer({{"p4", "1"}}).find("the nearest is"), std::string::npos);
}

TEST(UsbDevices, DisksHaveDrives) {
  const auto refusal = [](const std::vector<std::string>& given) { return parse_command_line(given).message(); };
  const std::vector<std::string> words{"-usb",
                                       "-drive",
                                       "if=none,id=a,file=a.img",
                                       "-drive",
                                       "if=none,id=b,file=b.img",
                                       "-device",
                                       "usb-storage,drive=b,removable=on"};
  const auto parsed = parse_command_line(words);
  ASSERT_TRUE(parsed.ok()) << parsed.message();
  const Options& options = parsed.value().options;
  // The other one waits for device_add, and nobody is warned of it.
  ASSERT_EQ(options.drives.size(), 2u);
  for (const DriveOption& drive : options.drives) EXPECT_EQ(drive.interface, DriveOption::Interface::Usb);
  EXPECT_EQ(options.drives[1].index, 0u);
  EXPECT_EQ(options.drives[0].index, 1u);
  EXPECT_TRUE(options.warnings.empty());
  EXPECT_EQ(refusal({"-usb", "-device", "usb-storage"}),
            "-device usb-storage: drive= is missing; name the id of a -drive with if=none");
  EXPECT_NE(refusal({"-usb", "-device", "usb-storage,drive=c"}).find("there is no -drive with id=c"),
            std::string::npos);
  EXPECT_NE(refusal({"-usb", "-drive", "if=none,id=c,media=cdrom,file=c.iso", "-device", "usb-storage,drive=c"})
                .find("CD-ROM drives exist on IDE"),
            std::string::npos);
  const std::vector<std::string> old{"-usbdevice", "keyboard", "-usbdevice", "mouse"};
  EXPECT_EQ(parse_command_line(old).value().options.devices.size(), 3u);  // with the controller
}

TEST(SoundCards, TakeQemusProperties) {
  const auto answer = [](const char* name, std::vector<std::pair<std::string, std::string>> properties) {
    Options options;
    options.vga = "none";
    options.devices.push_back({name, std::move(properties)});
    const auto plan = board_plan_for(options);
    return plan.ok() ? std::string() : plan.message();
  };
  EXPECT_EQ(answer("sb16", {{"iobase", "0x240"},
                            {"irq", "7"},
                            {"dma", "3"},
                            {"dma16", "7"},
                            {"version", "0x40d"},
                            {"audiodev", "a"},
                            {"id", "i"}}),
            "");
  EXPECT_NE(answer("sb16", {{"irq", "9"}}).find("irq=9: 2, 5, 7, 10 are possible"), std::string::npos);
  EXPECT_NE(answer("sb16", {{"irqq", "5"}}).find("the nearest is irq"), std::string::npos);
  EXPECT_EQ(answer("adlib", {{"freq", "44100"}}), "");
  EXPECT_EQ(answer("AC97", {{"addr", "5"}, {"bus", "pci.0"}}), "");
  EXPECT_NE(answer("AC97", {{"addr", "99"}}).find("addr="), std::string::npos);
  EXPECT_EQ(answer("ES1370", {}), "");
}

TEST(SoundCards, HdaCodecsHangOnTheirController) {
  using Properties = std::vector<std::pair<std::string, std::string>>;
  const auto answer = [](const std::vector<std::pair<const char*, Properties>>& devices) {
    Options options;
    options.vga = "none";
    for (const auto& [name, properties] : devices) options.devices.push_back({name, properties});
    const auto plan = board_plan_for(options);
    return plan.ok() ? std::string() : plan.message();
  };
  EXPECT_EQ(answer({{"intel-hda", {{"id", "sound0"}, {"bus", "pci.0"}, {"addr", "0x4"}, {"msi", "off"}}},
                    {"hda-micro", {{"id", "sound0-codec0"}, {"bus", "sound0.0"}, {"cad", "0"}, {"audiodev", "a"}}},
                    {"hda-output", {}}}),
            "");
  EXPECT_EQ(answer({{"ich9-intel-hda", {}}, {"hda-duplex", {{"bus", "hda.0"}, {"cad", "14"}}}}), "");
  EXPECT_NE(answer({{"hda-duplex", {}}}).find("write -device intel-hda before it"), std::string::npos);
  EXPECT_NE(answer({{"intel-hda", {}}, {"ich9-intel-hda", {}}}).find("only one is possible"), std::string::npos);
  EXPECT_NE(answer({{"intel-hda", {{"audiodev", "a"}}}}).find("audiodev=a: unknown property"), std::string::npos);
  for (const char* const msi : {"on", "off", "auto"}) EXPECT_EQ(answer({{"intel-hda", {{"msi", msi}}}}), "") << msi;
  EXPECT_NE(answer({{"intel-hda", {{"msi", "maybe"}}}}).find("-device intel-hda: msi=maybe: "), std::string::npos);
  EXPECT_NE(answer({{"intel-hda", {}}, {"hda-output", {{"bus", "pci.0"}}}}).find("the controller's is hda.0"),
            std::string::npos);
  EXPECT_NE(answer({{"intel-hda", {}}, {"hda-output", {}}, {"hda-micro", {{"cad", "0"}}}}).find("cad=0: another codec"),
            std::string::npos);
  EXPECT_NE(answer({{"intel-hda", {}}, {"hda-output", {{"cad", "15"}}}}).find("cad=15"), std::string::npos);
  const std::vector<std::string> both{"-audio", "none,model=hda"};
  const auto parsed = parse_command_line(both);
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed.value().options.devices.size(), 2u);
  EXPECT_EQ(parsed.value().options.devices[1].name, "hda-duplex");
}

TEST(Processors, OfQemuHaveAnAnswer) {
  const auto model = [](const char* name) {
    Options options;
    options.cpu_model = name;
    return cpu_model_for(options);
  };
  for (const char* name :
       {"486", "pentium", "pentium2", "pentium3", "qemu32", "qemu64", "kvm32", "kvm64", "coreduo", "host", "max",
        "athlon", "n270", "Conroe-v1", "core2duo", "phenom", "Opteron_G1", "Icelake-Server", "Snowridge-v4"})
    EXPECT_TRUE(model(name).ok()) << name;
  for (const char* name : {"KnightsMill", "SapphireRapids", "SapphireRapids-v1", "Icelake-Client", "base"})
    EXPECT_NE(model(name).message().find("does not have this processor"), std::string::npos) << name;
}

}  // namespace
}  // namespace relic86
