#include "options/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "base/log.h"
#include "base/nearest.h"
#include "options/audio_option.h"
#include "options/display_option.h"
#include "options/drive_option.h"
#include "options/foreign_options.h"
#include "options/json_properties.h"
#include "options/machine_file.h"
#include "options/machine_folder.h"
#include "options/machine_kinds.h"
#include "options/machine_option.h"
#include "options/option_rows.h"
#include "options/option_text.h"
#include "options/port_device.h"
#include "options/sandbox_option.h"
#include "options/speed_option.h"
#include "options/version.h"

namespace relic86 {
namespace {

using Text = std::string_view;

// -m [size=]SIZE[,slots=N,maxmem=SIZE]: what may be added later is nothing, because no memory can be plugged in.
Result<> set_ram(Options& options, Text value) {
  for (const auto& [key, word] : parse_properties(value)) {
    const bool bare = word.empty() && key == parse_properties(value).front().first;
    if (key == "slots" && parse_number(word)) continue;
    if (!bare && key != "size" && key != "maxmem")
      return Error{fmt::format("-m {}={}: unknown property; size, slots=N and maxmem are known", key, word)};
    const auto size = parse_size(bare ? key : word, 1u << 20);
    if (!size)
      return Error{fmt::format("-m {}: {}; give megabytes or a size such as 64M or 1G", value, size.message())};
    if (key == "maxmem") continue;
    constexpr u64 kLeast = 1u << 20, kMost = 512ull << 30;
    if (size.value() < kLeast || size.value() > kMost)
      return Error{fmt::format("-m {}: guest RAM must be from 1M to 512G", value)};
    options.ram_bytes = size.value() & ~u64{0xFFFF};
  }
  return {};
}

// -smp N or [cpus=]N,sockets=..,cores=..,threads=..,maxcpus=..: what it amounts to must be one processor.
Result<> set_smp(Options&, Text value) {
  u64 count = 0, product = 1;
  for (const auto& [key, word] : parse_properties(value)) {
    const bool bare = word.empty();
    const auto number = parse_number(bare ? key : word);
    if (!number) return Error{fmt::format("-smp {}: {}; give the number of processors, 1", value, number.message())};
    if (bare || key == "cpus" || key == "maxcpus") {
      count = std::max(count, number.value());
    } else if (key == "sockets" || key == "dies" || key == "clusters" || key == "cores" || key == "threads") {
      product = number.value() < 0x10000 && product < 0x10000 ? product * number.value() : number.value();
    } else {
      return Error{
          fmt::format("-smp {}={}: unknown property; cpus, maxcpus, sockets, cores and threads are known", key, word)};
    }
  }
  const u64 processors = count != 0 || value == "0" ? std::max(count, product == 1 ? count : product) : product;
  if (processors != 1)
    return Error{fmt::format("Invalid SMP CPUs {}. The max CPUs supported by machine 'pc' is 1", processors)};
  return {};
}

void add_drive(Options& options, Text option, Text file, DriveOption::Interface interface, unsigned index,
               DriveOption::Media media) {
  DriveOption drive;
  drive.option = option;
  drive.file = file;
  drive.interface = interface;
  drive.index = index;
  drive.media = media;
  options.drives.push_back(drive);
}

template <unsigned index>
Result<> set_floppy(Options& options, Text value) {
  add_drive(options, index == 0 ? "-fda" : "-fdb", value, DriveOption::Interface::Floppy, index,
            DriveOption::Media::Disk);
  return {};
}
template <unsigned index>
Result<> set_hard_disk(Options& options, Text value) {
  constexpr Text kNames[] = {"-hda", "-hdb", "-hdc", "-hdd"};
  add_drive(options, kNames[index], value, DriveOption::Interface::Ide, index, DriveOption::Media::Disk);
  return {};
}
Result<> set_cdrom(Options& options, Text value) {
  add_drive(options, "-cdrom", value, DriveOption::Interface::Ide, 2, DriveOption::Media::Cdrom);
  return {};
}

Result<> set_boot(Options& options, Text value) {
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "menu" || key == "strict") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("-boot {}={}: {}", key, word, on.message())};
      (key == "menu" ? options.boot_menu : options.boot_strict) = on.value();
      continue;
    }
    if (key == "splash") continue;  // a picture for a boot menu that shows text
    if (key == "splash-time" || key == "reboot-timeout") {
      if (!parse_number(word) && word != "-1")
        return Error{fmt::format("-boot {}={}: a number of milliseconds is expected", key, word)};
      continue;
    }
    const bool named = key == "order" || key == "once";
    if (!named && !word.empty())
      return Error{fmt::format("-boot {}={}: unknown property; order, once, menu and strict are known", key, word)};
    const Text order = named ? Text(word) : Text(key);
    if (order.empty() || order.find_first_not_of("acdn") != Text::npos) {
      return Error{fmt::format(
          "-boot {}: letters of a boot order are a (floppy), c (hard disk), d (CD-ROM) and n (network)", value)};
    }
    (key == "once" ? options.boot_once : options.boot_order) = order;
  }
  return {};
}

Result<> set_icount(Options& options, Text value) {
  IcountOption icount;
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "shift" || word.empty()) {
      const Text number = key == "shift" ? Text(word) : Text(key);
      const auto shift = number == "auto" ? Result<u64>(u64{3}) : parse_number(number);
      if (!shift || shift.value() > 10)
        return Error{fmt::format("-icount {}: shift must be a number from 0 to 10", value)};
      icount.shift = static_cast<unsigned>(shift.value());
    } else if (key == "sleep") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("-icount sleep={}: {}", word, on.message())};
      icount.sleep = on.value();
    } else if (key == "align") {
      const auto on = parse_switch(word);
      if (!on || on.value())
        return Error{fmt::format("-icount align={}: only off exists; guest time never waits for the host's", word)};
    } else if (key == "rr" && (word == "record" || word == "replay")) {
      icount.record_replay = word == "record" ? RecordReplay::Record : RecordReplay::Replay;
    } else if (key == "rr") {
      return Error{fmt::format("-icount rr={}: record and replay are known", word)};
    } else if (key == "rrfile") {
      icount.record_file = word;
    } else if (key == "rrsnapshot") {
      return Error{
          fmt::format("-icount rrsnapshot={}: a recording begins with the machine's start; leave it out", word)};
    } else {
      return Error{
          fmt::format("-icount {}={}: unknown property; shift, sleep, align, rr and rrfile are known", key, word)};
    }
  }
  if (icount.record_replay == RecordReplay::Off && !icount.record_file.empty())
    return Error{fmt::format("-icount rrfile={}: rr=record or rr=replay is missing", icount.record_file)};
  if (icount.record_replay != RecordReplay::Off && icount.record_file.empty())
    return Error{"-icount rr=: rrfile=FILE is missing: where the recording goes, or comes from"};
  options.icount = icount;
  return {};
}

Result<> set_rtc(Options& options, Text value) {
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "base") {
      options.rtc_base = word;
    } else if (key == "clock") {
      if (word != "host" && word != "rt" && word != "vm")
        return Error{fmt::format("-rtc clock={}: unknown clock; host, rt and vm exist", word)};
    } else if (key == "driftfix") {
      if (word != "slew" && word != "none")
        return Error{fmt::format("-rtc driftfix={}: unknown word; slew and none exist", word)};
      options.rtc_slew = word == "slew";
    } else {
      return Error{fmt::format(
          "-rtc {}: unknown property; base=utc, base=localtime and base=YYYY-MM-DDTHH:MM:SS are known", key)};
    }
  }
  return {};
}

Result<> set_char_device(Options& options, Text value) {
  if (asks_for_help(value)) {
    options.print_and_exit = chardev_help_text();
    return {};
  }
  auto device = parse_chardev(value);
  if (!device) return device.error();
  for (const CharDeviceOption& other : options.char_devices) {
    if (other.id == device.value().id)
      return Error{fmt::format("-chardev id={}: another character device has this id; give each its own", other.id)};
  }
  options.char_devices.push_back(std::move(device).value());
  return {};
}

Result<> set_text_monitor(Options& options, Text value) {
  options.monitors.push_back({"-monitor", std::string(value), false, false});
  return {};
}
template <bool pretty>
Result<> set_control_monitor(Options& options, Text value) {
  options.monitors.push_back({pretty ? "-qmp-pretty" : "-qmp", std::string(value), true, pretty});
  return {};
}

// -mon [chardev=]ID,mode=readline|control,pretty=on|off
Result<> set_monitor(Options& options, Text value) {
  MonitorOption monitor;
  monitor.option = "-mon";
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "chardev" || (word.empty() && monitor.device.empty())) {
      monitor.device = "chardev:" + (key == "chardev" ? word : key);
    } else if (key == "mode") {
      if (word != "readline" && word != "control")
        return Error{fmt::format("-mon mode={}: unknown mode; readline and control exist", word)};
      monitor.control = word == "control";
    } else if (key == "pretty") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("-mon pretty={}: {}", word, on.message())};
      monitor.pretty = on.value();
    } else if (key != "id") {
      return Error{fmt::format("-mon {}={}: unknown property; chardev, mode and pretty are known", key, word)};
    }
  }
  if (monitor.device.empty()) return Error{"-mon: chardev=ID is missing; name a -chardev"};
  options.monitors.push_back(monitor);
  return {};
}

// -fw_cfg [name=]NAME,file=F|string=S
Result<> set_firmware_file(Options& options, Text value) {
  FirmwareFileOption file;
  bool contents = false;
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "name" || (word.empty() && file.name.empty())) {
      file.name = key == "name" ? word : key;
    } else if (key == "file" || key == "string") {
      (key == "file" ? file.file : file.string) = word;
      contents = true;
    } else {
      return Error{fmt::format("-fw_cfg {}={}: unknown property; name, file and string are known", key, word)};
    }
  }
  constexpr std::size_t kLongestName = 55;
  if (file.name.empty() || file.name.size() > kLongestName || !contents)
    return Error{fmt::format("-fw_cfg {}: name=NAME of at most {} bytes and file=F or string=S are expected", value,
                             kLongestName)};
  options.firmware_files.push_back(file);
  return {};
}

Result<> set_uuid(Options& options, Text value) {
  constexpr Text kPattern = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  bool right = value.size() == kPattern.size();
  for (std::size_t i = 0; right && i < value.size(); i++)
    right = kPattern[i] == '-' ? value[i] == '-' : Text("0123456789abcdefABCDEF").find(value[i]) != Text::npos;
  if (!right) return Error{fmt::format("-uuid {}: not a UUID; write {} in hexadecimal digits", value, kPattern)};
  options.uuid = value;
  return {};
}

Result<> set_name(Options& options, Text value) {
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "guest" || word.empty()) {
      if (options.name.empty() || key == "guest") options.name = key == "guest" ? word : key;
    } else if (key != "process" && key != "debug-threads") {
      return Error{fmt::format("-name {}={}: unknown property; guest is known", key, word)};
    }
  }
  return {};
}

Result<> set_escape(Options& options, Text value) {
  const auto number = value.size() == 1 && (value[0] < '0' || value[0] > '9')
                          ? Result<u64>(u64{static_cast<u8>(value[0]) & 0x1Fu})
                          : parse_number(value);
  if (!number || number.value() < 1 || number.value() > 26)
    return Error{fmt::format("-echr {}: give the number of a control character, 1 (Ctrl-A) to 26 (Ctrl-Z)", value)};
  options.escape_character = static_cast<u8>(number.value());
  return {};
}

// -action EVENT=ACTION: QEMU's general form of -no-reboot and -no-shutdown. A panic device and a watchdog do not exist,
// so that their actions are never taken.
Result<> set_action(Options& options, Text value) {
  struct Row {
    Text event, actions;
  };
  constexpr Row kEvents[] = {{"reboot", "reset shutdown"},
                             {"shutdown", "poweroff pause"},
                             {"panic", "pause shutdown exit-failure none"},
                             {"watchdog", "reset shutdown poweroff inject-nmi pause debug none"}};
  for (const auto& [key, word] : parse_properties(value)) {
    const Row* row =
        std::find_if(std::begin(kEvents), std::end(kEvents), [&event = key](const Row& r) { return r.event == event; });
    if (row == std::end(kEvents))
      return Error{fmt::format("-action {}: unknown event; reboot, shutdown, panic and watchdog exist", key)};
    const auto actions = split_words(row->actions, ' ');
    if (std::find(actions.begin(), actions.end(), word) == actions.end())
      return Error{fmt::format("-action {}={}: unknown action; {} exist", key, word, fmt::join(actions, ", "))};
    if (key == "reboot") options.no_reboot = word == "shutdown";
    if (key == "shutdown") options.no_shutdown = word == "pause";
  }
  return {};
}

// -set GROUP.ID.PROPERTY=VALUE: one more word for a -device or -drive that stands before it.
Result<> set_property(Options& options, Text value) {
  const auto equals = value.find('=');
  const auto parts = split_words(value.substr(0, equals), '.');
  if (equals == Text::npos || parts.size() < 3)
    return Error{fmt::format("-set {}: write GROUP.ID.PROPERTY=VALUE, such as drive.d0.file=disk.img", value)};
  const std::string key = fmt::format("{}", fmt::join(parts.begin() + 2, parts.end(), "."));
  const std::string word(value.substr(equals + 1));
  if (parts[0] == "device") {
    for (DeviceOption& device : options.devices) {
      const bool named = std::any_of(device.properties.begin(), device.properties.end(), [&](const auto& property) {
        return property.first == "id" && property.second == parts[1];
      });
      if (!named) continue;
      device.properties.emplace_back(key, word);
      return {};
    }
  } else if (parts[0] == "drive") {
    for (DriveOption& drive : options.drives) {
      if (drive.id == parts[1] && !parts[1].empty()) return set_drive_property(drive, key, word);
    }
  } else {
    return Error{fmt::format("-set {}: only device and drive exist as groups; write the property where the {} stands",
                             value, parts[0])};
  }
  return Error{fmt::format("-set {}: there is no -{} with id={} before it; -set stands after what it changes", value,
                           parts[0], parts[1])};
}

// -compat deprecated-input=..: nothing here is deprecated or unstable, so that every policy holds.
Result<> set_compatibility(Options&, Text value) {
  for (const auto& [key, word] : parse_properties(value)) {
    const bool input = key == "deprecated-input" || key == "unstable-input";
    const bool output = key == "deprecated-output" || key == "unstable-output";
    const bool known =
        word == "accept" || (input && (word == "reject" || word == "crash")) || (output && word == "hide");
    if ((!input && !output) || !known)
      return Error{
          fmt::format("-compat {}={}: unknown; deprecated-input and unstable-input take accept, reject and "
                      "crash, deprecated-output and unstable-output accept and hide",
                      key, word)};
  }
  return {};
}

Result<> set_seed(Options& options, Text value) {
  const auto number = parse_number(value);
  if (!number) return Error{fmt::format("-seed {}: {}; give a number", value, number.message())};
  options.seed = number.value();
  return {};
}

// -hdachs CYLS,HEADS,SECS[,TRANS]: the geometry of the first disk, in QEMU's oldest form.
Result<> set_first_geometry(Options& options, Text value) {
  for (DriveOption& drive : options.drives) {
    if (drive.interface != DriveOption::Interface::Ide || drive.index != 0) continue;
    const auto words = split_words(value, ',');
    std::array<u32, 3> geometry{};
    for (std::size_t i = 0; i < 3 && i < words.size(); i++) {
      const auto number = parse_number(words[i]);
      if (number && number.value() <= 0xFFFF) geometry[i] = static_cast<u32>(number.value());
    }
    if (geometry[0] < 1 || geometry[1] < 1 || geometry[1] > 16 || geometry[2] < 1 || geometry[2] > 63) break;
    drive.geometry = geometry;
    return {};
  }
  return Error{
      fmt::format("-hdachs {}: say -hda FILE first, then cylinders, heads (1 to 16) and sectors (1 to 63)", value)};
}

Result<> set_device(Options& options, Text value) {
  const auto properties = option_properties("-device", value, "driver");
  if (!properties) return properties.error();
  DeviceOption device;
  for (const auto& [key, word] : properties.value()) {
    if (key == "driver") {
      device.name = word;
    } else {
      device.properties.emplace_back(key, word);
    }
  }
  if (device.name.empty()) return Error{"-device: a device's name is missing; -device help lists them"};
  options.devices.push_back(device);
  return {};
}

// -usbdevice NAME: a device of the USB controller's, in QEMU's oldest form.
Result<> set_usb_device(Options& options, Text value) {
  if (value != "tablet")
    return Error{
        fmt::format("-usbdevice {}: there is no such USB device; tablet exists, and the PS/2 mouse and keyboard "
                    "are there in any case",
                    value)};
  set_usb(options, true);
  return set_device(options, "usb-tablet");
}

Result<> set_debugcon_port(Options& options, Text word) {
  const auto port = parse_number(word);
  if (!port || port.value() > 0xFFFF) return Error{"the port must be 0 to 0xffff"};
  options.debugcon_port = static_cast<u16>(port.value());
  return {};
}
template <bool Options::*can>
Result<> set_sleep_state(Options& options, Text word) {
  const auto number = parse_number(word);
  const auto off = number && number.value() <= 1 ? Result<bool>(number.value() == 1) : parse_switch(word);
  if (!off) return Error{"0, 1, on and off exist"};
  options.*can = !off.value();
  return {};
}

Result<> set_floppy_speed(Options& options, Text word) {
  if (word != "fast" && word != "real") return Error{"fast and real (a turning disk's) exist"};
  options.real_floppy_speed = word == "real";
  return {};
}

// -global DRIVER.PROPERTY=VALUE, or driver=DRIVER,property=PROPERTY,value=VALUE. What tunes devices that do not exist,
// or that a guest cannot see, is taken without an effect.
Result<> set_global(Options& options, Text value) {
  struct Row {
    Text driver, property;
    Result<> (*apply)(Options&, Text);
  };
  static constexpr Row kServed[] = {
      {"isa-debugcon", "iobase", set_debugcon_port},
      {"PIIX4_PM", "disable_s3", set_sleep_state<&Options::suspend_to_ram>},
      {"PIIX4_PM", "disable_s4", set_sleep_state<&Options::suspend_to_disk>},
      {"isa-fdc", "fdtypeA",
       [](Options& given, Text word) -> Result<> {
         given.floppy_drive_a_absent = word == "none";
         return {};
       }},
      {"isa-fdc", "speed", set_floppy_speed},
  };
  std::string driver, property, word;
  if (value.starts_with("driver=")) {
    for (const auto& [key, text] : parse_properties(value)) {
      if (key == "driver") driver = text;
      if (key == "property") property = text;
      if (key == "value") word = text;
    }
  } else {
    const auto point = value.find('.'), equals = value.find('=');
    if (point < equals && equals != Text::npos) {
      driver = value.substr(0, point);
      property = value.substr(point + 1, equals - point - 1);
      word = value.substr(equals + 1);
    }
  }
  if (driver.empty() || property.empty()) return Error{fmt::format("-global {}: write DRIVER.PROPERTY=VALUE", value)};
  for (const Row& row : kServed) {
    if (row.driver != driver || row.property != property) continue;
    if (auto applied = row.apply(options, word); !applied)
      return Error{fmt::format("-global {}: {}", value, applied.message())};
  }
  return {};
}

Result<> set_timeout(Options& options, Text value) {
  double seconds = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (failure != std::errc{} || end != value.data() + value.size() || !(seconds > 0) || !std::isfinite(seconds) ||
      seconds > 1e9) {
    return Error{fmt::format("--timeout {}: give a number of seconds above 0", value)};
  }
  options.timeout_seconds = seconds;
  return {};
}

Result<> set_firmware_dir(Options& options, Text value) {
  options.firmware_dirs.emplace_back(value);
  return {};
}

// --new KIND NAME: the name is the next word without a dash.
Result<> set_new_machine(Options& options, Text value) {
  if (asks_for_help(value)) {
    options.print_and_exit = machine_kinds_text();
    return {};
  }
  const auto kind = find_machine_kind(value);
  if (!kind) return kind.error();
  options.new_machine_kind = value;
  return {};
}

Result<> set_on_close(Options& options, Text value) {
  using enum Options::OnClose;
  if (value != "quit" && value != "save" && value != "ask")
    return Error{fmt::format("--on-close {}: unknown word; quit, save and ask exist", value)};
  options.on_close = value == "save" ? Save : value == "ask" ? Ask : Quit;
  return {};
}

Result<> name_machine_file(Options& options, Text value) { return take_machine_file(options, std::string(value)); }

// An option that only stores its word, appends it, or sets a flag.
template <std::string Options::*member>
Result<> store(Options& options, Text value) {
  options.*member = value;
  return {};
}
template <std::vector<std::string> Options::*member>
Result<> append(Options& options, Text value) {
  (options.*member).emplace_back(value);
  return {};
}
template <bool Options::*member>
Result<> enable(Options& options, Text) {
  options.*member = true;
  return {};
}
struct OptionRow {
  Text name;
  Text argument;  // what follows, for -help; empty: nothing follows
  Text help;
  Result<> (*apply)(Options&, Text);
};

constexpr OptionRow kRows[] = {
    {"m", "SIZE", "guest RAM, in MiB or with K, M, G (default 128M, at most 512G)", set_ram},
    {"cpu", "MODEL[,+F,-F]", "processor model; 'help' lists them", store<&Options::cpu_model>},
    {"accel", "jit|interp", "execution engine (tcg is the faster one of the two)", set_accel},
    {"M", "pc", "machine type", set_machine},
    {"machine", "pc[,accel=..]", "machine type and properties", set_machine},
    {"smp", "N", "number of processors (1)", set_smp},
    {"fda", "FILE", "floppy image in drive A", set_floppy<0>},
    {"fdb", "FILE", "floppy image in drive B", set_floppy<1>},
    {"hda", "FILE", "disk image, primary master", set_hard_disk<0>},
    {"hdb", "FILE", "disk image, primary slave", set_hard_disk<1>},
    {"hdc", "FILE", "disk image, secondary master", set_hard_disk<2>},
    {"hdd", "FILE", "disk image, secondary slave", set_hard_disk<3>},
    {"cdrom", "FILE", "CD-ROM image, secondary master", set_cdrom},
    {"drive", "file=F,if=..",
     "a drive: format=, if=ide|virtio|floppy|none, id=, index=, media=disk|cdrom, snapshot=, readonly=, "
     "cyls=,heads=,secs=",
     add_drive_option},
    {"hdachs", "C,H,S", "geometry of -hda", set_first_geometry},
    {"snapshot", "", "writes go to temporary files and are dropped at the end", enable<&Options::snapshot>},
    {"boot", "[order=]acdn", "boot order: a floppy, c hard disk, d CD-ROM; once=acd, menu=on|off, strict=on|off",
     set_boot},
    {"no-fd-bootchk", "", "boot floppies without a boot sector's signature, too",
     [](Options& options, Text) -> Result<> {
       options.check_floppy_signature = false;
       return {};
     }},
    {"kernel", "FILE", "boot this Linux bzImage or multiboot kernel", store<&Options::kernel>},
    {"initrd", "FILE", "initial RAM disk, or multiboot modules 'a args,b args'", store<&Options::initrd>},
    {"append", "TEXT", "kernel command line", store<&Options::append>},
    {"bios", "FILE", "system ROM image (default: SeaBIOS)", store<&Options::bios>},
    {"L", "DIR", "folder to look for firmware in", set_firmware_dir},
    {"option-rom", "FILE", "additional option ROM", append<&Options::option_roms>},
    {"localtime", "", "as -rtc base=localtime",
     [](Options& options, Text) { return set_rtc(options, "base=localtime"); }},
    {"startdate", "DATE", "as -rtc base=DATE",
     [](Options& options, Text value) {
       return set_rtc(options, "base=" + std::string(value == "now" ? "utc" : value));
     }},
    {"rtc", "base=..", "clock base: utc, localtime or YYYY-MM-DDTHH:MM:SS", set_rtc},
    {"fw_cfg", "NAME,file=F|string=S", "a file for the guest's firmware", set_firmware_file},
    {"uuid", "UUID", "the machine's UUID in the SMBIOS tables", set_uuid},
    {"icount", "shift=N", "deterministic time: 2^N ns an instruction; sleep=on|off; rr=record|replay,rrfile=FILE",
     set_icount},
    {"serial", "DEV",
     "serial port: stdio, mon:stdio, file:F, pipe:F, null, none, pty, /dev/tty.., chardev:ID, "
     "[tcp|telnet]:H:P[,server][,nowait], unix:PATH[,server]",
     append<&Options::serials>},
    {"parallel", "DEV", "parallel port, as -serial", append<&Options::parallels>},
    {"debugcon", "DEV", "debug console on port E9h, as -serial", store<&Options::debugcon>},
    {"monitor", "DEV", "monitor: stdio, none, unix:PATH,server, tcp:H:P,server, telnet:H:P,server", set_text_monitor},
    {"qmp", "DEV", "monitor in QEMU's machine protocol (JSON), as -monitor", set_control_monitor<false>},
    {"qmp-pretty", "DEV", "the same with indented answers", set_control_monitor<true>},
    {"chardev", "BACKEND,id=ID", "a named character device; 'help' lists backends; mux=on, logfile=F", set_char_device},
    {"mon", "chardev=ID", "monitor on a -chardev; mode=readline|control", set_monitor},
    {"echr", "N", "control character before the commands of mon:stdio (1: Ctrl-A)", set_escape},
    {"gdb", "DEV", "serve gdb on tcp::PORT, unix:PATH, stdio or pty", append<&Options::gdb>},
    {"s", "", "shorthand for -gdb tcp::1234",
     [](Options& options, Text) -> Result<> {
       options.gdb.emplace_back("tcp::1234");
       return {};
     }},
    {"S", "", "do not start the processor; 'cont' in the monitor starts it", enable<&Options::start_paused>},
    {"audiodev", "sdl|wav|none,id=ID",
     "where sound goes; path=, out.frequency=, out.channels=, out.format=, timer-period=; 'help' lists drivers",
     add_audio_device},
    {"audio", "DRIVER[,model=M]", "-audiodev and a card in one; without a card the PC speaker's", set_audio},
    {"audio-help", "", "how to write the sound options that were given",
     [](Options& options, Text) -> Result<> {
       options.print_and_exit = "-audiodev none,id=audio0\n";
       return {};
     }},
    {"display", "sdl|none", "window, or none", set_display},
    {"full-screen", "", "start with the window in full screen", enable<&Options::full_screen>},
    {"nographic", "", "no window; serial port and monitor on stdio", enable<&Options::nographic>},
    {"nodefaults", "", "no serial port, parallel port, network card, floppy or CD-ROM drive unless asked for",
     enable<&Options::no_defaults>},
    {"sdl", "", "as -display sdl", [](Options& options, Text) { return set_display(options, "sdl"); }},
    {"gtk", "", "as -display sdl", [](Options& options, Text) { return set_display(options, "gtk"); }},
    {"vga", "std|cirrus|none", "display adapter", set_vga},
    {"usb", "", "a USB controller (UHCI) for -device usb-tablet",
     [](Options& options, Text) -> Result<> {
       set_usb(options, true);
       return {};
     }},
    {"usbdevice", "tablet", "-usb and -device usb-tablet in one", set_usb_device},
    {"k", "LAYOUT", "the guest's keyboard layout, for typed text (de, en-gb, en-us, fr); keys are sent by position",
     set_keyboard},
    {"device", "NAME[,P=V]", "add a device; 'help' lists them", set_device},
    {"blockdev", "DRIVER,node-name=N", "an image for -device drive=N; driver=file|host_device|raw, in JSON too",
     add_block_node},
    {"object", "TYPE,id=ID", "secret, memory-backend-ram, filter-dump ..; 'help' lists types; in JSON too", add_object},
    {"set", "device|drive.ID.P=V", "one more property for a -device or -drive with this id", set_property},
    {"netdev", "TYPE,id=ID",
     "what a card's cable leads to: user, socket, stream, dgram, tap, hubport; 'help' lists types", add_netdev},
    {"nic", "TYPE[,model=M]", "a card and its -netdev in one: user,model=e1000,mac=A,hostfwd=..; none: no card",
     add_nic},
    {"net", "nic|TYPE", "the same in QEMU's oldest form, all on one hub; none: no card", add_net},
    {"vnc", "none", "accepted for scripts", set_vnc},
    {"global", "D.P=V",
     "a device property; isa-debugcon.iobase, PIIX4_PM.disable_s3 and _s4, isa-fdc.fdtypeA and .speed have an effect",
     set_global},
    {"compat", "POLICY", "accepted: nothing is deprecated", set_compatibility},
    {"seed", "N", "where RDRAND and RDSEED begin", set_seed},
    {"no-reboot", "", "a guest reset ends the run", enable<&Options::no_reboot>},
    {"no-shutdown", "", "a guest power-off pauses instead of ending the run", enable<&Options::no_shutdown>},
    {"action", "EVENT=ACTION", "reboot=reset|shutdown, shutdown=poweroff|pause", set_action},
    {"daemonize", "", "go to the background once the machine is ready", enable<&Options::daemonize>},
    {"pidfile", "FILE", "write the process number to a file", store<&Options::pid_file>},
    {"sandbox", "on|off[,..]",
     "give up what a machine needs no more: obsolete=, elevateprivileges=, spawn=, resourcecontrol=", set_sandbox},
    {"name", "TEXT", "the machine's name in the window title", set_name},
    {"loadvm", "TAG", "start from a saved machine", store<&Options::load_vm>},
    {"machine-file", "FILE.toml", "a machine's options from a file: a key for each option (docs/machines.md)",
     name_machine_file},
    {"new", "KIND NAME", "make a machine that 'relic86 NAME' starts; '--new help' lists kinds", set_new_machine},
    {"list", "", "list the machines that were made", enable<&Options::list_machines>},
    {"on-close", "quit|save|ask",
     "what becomes of the machine when its window is closed: save lets it go on at the next start", set_on_close},
    {"speed", "free|SPEED", "the processor's speed in real time: '386-33' and the like, or instructions a second",
     set_speed},
    {"fresh", "", "start anew: what was saved when the machine was closed is dropped", enable<&Options::fresh>},
    {"d", "LIST", "log items, such as in_asm,int,exec; 'help' lists them", store<&Options::log_items>},
    {"D", "FILE", "log to a file", store<&Options::log_file>},
    {"expect-serial", "REGEX", "exit 0 when COM1 has shown this", append<&Options::expect_serial>},
    {"expect-screen", "REGEX", "exit 0 when the text screen shows this", append<&Options::expect_screen>},
    {"fail-serial", "REGEX", "exit 2 when COM1 has shown this", append<&Options::fail_serial>},
    {"timeout", "SECONDS", "exit 4 after this long (guest time with -icount; the wait for a busy host does not count)",
     set_timeout},
    {"state-hash", "", "print a hash of the whole machine's state at exit", enable<&Options::state_hash>},
    {"state-dir", "DIR", "folder of saved machines (default: the first image's)", store<&Options::state_dir>},
    {"screenshot", "FILE.png", "write the screen at exit", store<&Options::screenshot>},
    {"jit-opt", "LIST", "translator switches: +name,-name", store<&Options::jit_opt>},
    {"jit-stats", "", "print translator statistics at exit", enable<&Options::jit_stats>},
    {"host-features", "LIST", "host instructions not to use: -sse3,-ssse3", store<&Options::host_features>},
    {"deterministic-fpu", "", "FSIN, RCPPS and relatives without the host's unit", enable<&Options::deterministic_fpu>},
};

std::string dashed(Text name) {
  constexpr Text kOurs[] = {
      "expect-serial", "expect-screen", "fail-serial",   "timeout",           "state-hash",   "state-dir", "screenshot",
      "jit-opt",       "jit-stats",     "host-features", "deterministic-fpu", "machine-file", "new",       "list",
      "on-close",      "fresh",         "speed"};
  return (std::find(std::begin(kOurs), std::end(kOurs), name) != std::end(kOurs) ? "--" : "-") + std::string(name);
}

}  // namespace

Result<u64> parse_size(std::string_view text, u64 unit) {
  u64 factor = unit;
  std::string_view digits = text;
  if (!digits.empty()) {
    switch (digits.back()) {
      case 'b':
      case 'B': factor = 1; break;
      case 'k':
      case 'K': factor = 1u << 10; break;
      case 'm':
      case 'M': factor = 1u << 20; break;
      case 'g':
      case 'G': factor = 1u << 30; break;
      default: factor = 0;
    }
    if (factor != 0)
      digits.remove_suffix(1);
    else
      factor = unit;
  }
  u64 number = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || failure != std::errc{} || end != digits.data() + digits.size()) {
    return Error{fmt::format("'{}' is not a size", text)};
  }
  if (number > UINT64_MAX / factor) return Error{fmt::format("'{}' is too large", text)};
  return number * factor;
}

std::string help_text() {
  std::string text = fmt::format("{}\nusage: relic86 [options] [disk_image | machine]\n\n", kVersionLine);
  for (const OptionRow& row : kRows)
    text += fmt::format("{:<28} {}\n", dashed(row.name) + (row.argument.empty() ? "" : " ") + std::string(row.argument),
                        row.help);
  text +=
      "\nKeys in the window: Ctrl+Alt+M menu, Ctrl+Alt+G grabs and frees mouse and keyboard (a click grabs; a tablet "
      "needs no grab), "
      "Ctrl+Alt+F full screen, "
      "Ctrl+Alt+Q asks\n"
      "the guest to power off (twice: quits), Ctrl+Alt+V types the clipboard, Ctrl+Alt+P pauses.\n"
      "One dash or two are the same. Exit codes: 0 power-off, quit or expectation seen; 1 usage or host error; 2 "
      "failure text;\n"
      "3 ended before what was expected; 4 time is up; 6 triple fault with -no-reboot; isa-debug-exit gives (value << "
      "1) | 1.\n";
  return text;
}

namespace {

// What QEMU has and we do not, or what needs no effect. Warnings are printed at the end: a later error stands alone.
Result<> take_foreign_option(Options& options, const ForeignOption& option, Text written, Text value) {
  if (!option.words.empty()) {
    const auto words = split_words(option.words, ' ');
    if (std::find(words.begin(), words.end(), value) == words.end())
      return Error{fmt::format("{} {}: unknown word; {} exist", written, value, fmt::join(words, ", "))};
  }
  if (option.answer == ForeignOption::Answer::Refuse) return Error{fmt::format("{}: {}", written, option.reason)};
  if (option.answer == ForeignOption::Answer::Warn)
    options.warnings.push_back(fmt::format("{}: {}", written, option.reason));
  return {};
}

// -device words may stand before the drives and character devices that they name.
Result<> resolve_devices(Options& options) {
  std::vector<DeviceOption> others;
  options.all_devices = options.devices;
  for (const DeviceOption& device : options.devices) {
    const bool wants_help = std::any_of(device.properties.begin(), device.properties.end(),
                                        [](const auto& property) { return asks_for_help(property.first); });
    auto taken = wants_help ? Result<bool>(false) : attach_drive_device(options, device);
    if (taken && !taken.value() && !wants_help) taken = attach_port_device(options, device);
    if (taken && !taken.value() && !wants_help) taken = attach_network_device(options, device);
    if (!taken) return taken.error();
    if (!taken.value()) others.push_back(device);
  }
  options.devices = std::move(others);
  for (const DriveOption& drive : options.drives) {
    if (drive.interface == DriveOption::Interface::None)
      options.warnings.push_back(
          fmt::format("-drive if=none,id={}: no -device uses it; -device ide-hd,drive={} does", drive.id, drive.id));
  }
  return {};
}

// Null: not one of ours.
const OptionRow* find_row(Text name) {
  const auto* row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const OptionRow& r) { return r.name == name; });
  return row == std::end(kRows) ? nullptr : row;
}

// What stands without a dash: the name for --new, a machine's name, or a disk image.
Result<> take_plain_word(Options& options, Text word) {
  if (!options.new_machine_kind.empty() && options.new_machine_name.empty()) {
    options.new_machine_name = word;
    return {};
  }
  std::error_code failure;
  if (!std::filesystem::exists(word, failure)) {
    if (const auto file = find_machine(word)) {
      if (auto taken = take_machine_file(options, *file); !taken) return taken;
      options.machine_name = word;
      if (options.name.empty()) options.name = word;
      return {};
    }
  }
  if (auto done = set_hard_disk<0>(options, word); !done) return done;
  options.drives.back().option = "disk image";
  return {};
}

// What concerns several options, once all are known.
Result<> resolve(Options& options) {
  if (auto done = resolve_accel(options); !done) return done;
  if (auto done = check_memory_backend(options); !done) return done;
  if (auto done = resolve_devices(options); !done) return done;
  if (auto done = resolve_network(options); !done) return done;
  return check_audio_names(options);
}

}  // namespace

std::optional<bool> option_takes_argument(std::string_view name) {
  if (const OptionRow* row = find_row(name); row != nullptr) return !row->argument.empty();
  const ForeignOption* foreign = find_foreign_option(name);
  return foreign == nullptr ? std::nullopt : std::optional(foreign->argument);
}

Result<> apply_option(Options& options, std::string_view name, std::string_view written, std::string_view value) {
  if (const OptionRow* row = find_row(name); row != nullptr) return row->apply(options, value);
  return take_foreign_option(options, *find_foreign_option(name), written, value);
}

std::string written_option(std::string_view name) { return dashed(name); }

std::vector<std::string_view> option_names() {
  std::vector<std::string_view> names;
  for (const OptionRow& row : kRows) names.push_back(row.name);
  return names;
}

Result<ParsedCommandLine> parse_command_line(std::span<const std::string> arguments) {
  ParsedCommandLine parsed;
  Options& options = parsed.options;
  for (std::size_t i = 0; i < arguments.size(); i++) {
    Text word = arguments[i];
    if (!word.starts_with('-') || word == "-") {
      if (auto done = take_plain_word(options, word); !done) return done.error();
    } else {
      word.remove_prefix(word.starts_with("--") ? 2 : 1);
      if (word == "help" || word == "h") {
        parsed.print_and_exit = help_text();
        return parsed;
      }
      if (word == "version") {
        parsed.print_and_exit = std::string(kVersionLine) + "\n";
        return parsed;
      }
      const auto argument = option_takes_argument(word);
      if (!argument) {
        const Text near = nearest_word(word, option_names());
        return Error{fmt::format("{}: unknown option; the nearest is {}; -help lists all", arguments[i], dashed(near))};
      }
      const Text written = arguments[i];
      Text value;
      if (*argument) {
        if (i + 1 >= arguments.size()) {
          const OptionRow* row = find_row(word);
          return Error{fmt::format("{}: needs an argument ({})", written, row == nullptr ? "VALUE" : row->argument)};
        }
        value = arguments[++i];
      }
      if (auto done = apply_option(options, word, written, value); !done) return done.error();
    }
    if (!options.print_and_exit.empty()) {
      parsed.print_and_exit = options.print_and_exit;
      return parsed;
    }
  }
  if (!options.new_machine_kind.empty() && options.new_machine_name.empty())
    return Error{fmt::format("--new {}: a name is missing; write --new {} NAME", options.new_machine_kind,
                             options.new_machine_kind)};
  if (auto done = resolve(options); !done) return Error{blame_machine_file(options, done.message())};
  for (const std::string& warning : options.warnings) log::warning(warning);
  return parsed;
}

}  // namespace relic86
