#include "frontend/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/log.h"
#include "base/nearest.h"
#include "frontend/version.h"

namespace relic86 {
namespace {

using Text = std::string_view;

std::vector<std::string> split(Text text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == Text::npos) return parts;
    text = text.substr(at + 1);
  }
}

// "a=b,c" as pairs; a ",," stands for one comma (QEMU's escape).
std::vector<std::pair<std::string, std::string>> properties(Text text) {
  std::vector<std::string> words{""};
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] == ',' && i + 1 < text.size() && text[i + 1] == ',') {
      words.back() += ',', i++;
    } else if (text[i] == ',') {
      words.emplace_back();
    } else {
      words.back() += text[i];
    }
  }
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    pairs.emplace_back(word.substr(0, equals), equals == std::string::npos ? "" : word.substr(equals + 1));
  }
  return pairs;
}

Result<u64> parse_number(Text text) {
  u64 value = 0;
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) base = 16, text.remove_prefix(2);
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failure != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return Error{fmt::format("'{}' is not a number", text)};
  }
  return value;
}

Result<bool> parse_switch(Text text) {
  if (text == "on" || text == "yes" || text == "true" || text.empty()) return true;
  if (text == "off" || text == "no" || text == "false") return false;
  return Error{fmt::format("'{}' is neither on nor off", text)};
}

Result<> set_ram(Options& options, Text value) {
  const std::string original(value);
  if (value.starts_with("size=")) value.remove_prefix(5);
  const auto size = parse_size(value.substr(0, value.find(',')), 1u << 20);
  if (!size)
    return Error{fmt::format("-m {}: {}; give megabytes or a size such as 64M or 1G", original, size.message())};
  constexpr u64 kLeast = 1u << 20, kMost = 3ull << 30;
  if (size.value() < kLeast || size.value() > kMost) {
    return Error{fmt::format("-m {}: guest RAM must be from 1M to 3G", original)};
  }
  options.ram_bytes = size.value() & ~u64{0xFFFF};
  return {};
}

Result<> set_accel(Options& options, Text value) {
  const Text word = value.substr(0, value.find(','));
  if (word == "jit" || word == "tcg" || word == "accel=tcg") {
    options.accel = Options::Accel::Jit;
  } else if (word == "interp") {
    options.accel = Options::Accel::Interpreter;
  } else {
    return Error{fmt::format("-accel {}: unknown accelerator; jit (alias tcg) and interp exist", value)};
  }
  return {};
}

Result<> set_machine(Options& options, Text value) {
  for (const auto& [key, word] : properties(value)) {
    if (key == "accel") {
      // "kvm:tcg" names fallbacks in order: the first one that exists counts.
      bool found = false;
      for (const std::string& choice : split(word, ':')) found = found || set_accel(options, choice).ok();
      if (!found)
        return Error{fmt::format("-machine accel={}: unknown accelerator; jit (alias tcg) and interp exist", word)};
    } else if (key == "smm") {
      const auto on = word == "auto" ? Result<bool>(true) : parse_switch(word);
      if (!on) return Error{fmt::format("-machine smm={}: {}; auto, on and off exist", word, on.error().message)};
      options.smm = on.value();
    } else if (key == "pit" || key == "usb" || key == "graphics" || key == "dump-guest-core") {
      continue;  // the machine has these or never had them; harnesses say them by habit
    } else if (key == "type" || word.empty()) {
      const Text type = key == "type" ? Text(word) : Text(key);
      if (type != "pc" && !type.starts_with("pc-i440fx") && type != "none") {
        return Error{fmt::format("-machine {}: unknown machine; pc (i440FX + PIIX3) exists", type)};
      }
    } else {
      return Error{fmt::format("-machine {}={}: unknown property; type, accel, pit and smm are known", key, word)};
    }
  }
  return {};
}

Result<> set_smp(Options&, Text value) {
  Text count = value.substr(0, value.find(','));
  if (count.starts_with("cpus=")) count.remove_prefix(5);
  const auto number = parse_number(count);
  if (!number) return Error{fmt::format("-smp {}: {}; give the number of processors, 1", value, number.message())};
  if (number.value() != 1) {
    return Error{fmt::format("Invalid SMP CPUs {}. The max CPUs supported by machine 'pc' is 1", number.value())};
  }
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

Result<> set_drive(Options& options, Text value) {
  DriveOption drive;
  drive.option = "-drive";
  std::optional<u64> index, bus, unit;
  std::array<u32, 3> chs{};
  const auto bad = [&](Text key, Text word, Text mend) {
    return Error{fmt::format("-drive {}={}: {}", key, word, mend)};
  };
  for (const auto& [key, word] : properties(value)) {
    if (key == "file") {
      drive.file = word;
    } else if (key == "format") {
      if (word != "raw") return bad(key, word, "unknown format; raw is accepted");
      drive.raw = true;
    } else if (key == "if") {
      if (word == "floppy") {
        drive.interface = DriveOption::Interface::Floppy;
      } else if (word != "ide" && !word.empty()) {
        return bad(key, word, "unknown interface; ide and floppy exist");
      }
    } else if (key == "media") {
      if (word != "disk" && word != "cdrom") return bad(key, word, "unknown medium; disk and cdrom exist");
      drive.media = word == "cdrom" ? DriveOption::Media::Cdrom : DriveOption::Media::Disk;
    } else if (key == "snapshot" || key == "readonly" || key == "read-only") {
      const auto on = parse_switch(word);
      if (!on) return bad(key, word, on.message());
      (key == "snapshot" ? drive.snapshot : drive.read_only) = on.value();
    } else if (key == "index" || key == "bus" || key == "unit" || key == "cyls" || key == "heads" || key == "secs") {
      const auto number = parse_number(word);
      if (!number) return bad(key, word, number.message());
      if (number.value() > 0xFFFF) return bad(key, word, "the number must be 0 to 65535");
      if (key == "index") index = number.value();
      if (key == "bus") bus = number.value();
      if (key == "unit") unit = number.value();
      if (key == "cyls") chs[0] = static_cast<u32>(number.value());
      if (key == "heads") chs[1] = static_cast<u32>(number.value());
      if (key == "secs") chs[2] = static_cast<u32>(number.value());
    } else if (key != "cache" && key != "aio" && key != "id" && key != "werror" && key != "rerror" &&
               key != "discard" && key != "serial") {
      return bad(key, word,
                 "unknown property; file, format, if, index, bus, unit, media, snapshot, readonly, cyls, heads and "
                 "secs are known");
    }
  }
  if (chs[0] != 0 || chs[1] != 0 || chs[2] != 0) {
    if (chs[0] < 1 || chs[0] > 65535 || chs[1] < 1 || chs[1] > 16 || chs[2] < 1 || chs[2] > 63) {
      return Error{"-drive: geometry must have cyls 1 to 65535, heads 1 to 16 and secs 1 to 63"};
    }
    drive.geometry = chs;
  }
  if (!index && (bus || unit)) index = bus.value_or(0) * 2 + unit.value_or(0);
  const unsigned most = drive.interface == DriveOption::Interface::Floppy ? 2 : 4;
  if (!index) {
    // As QEMU: the first free place, a CD-ROM from the second channel on.
    index = drive.media == DriveOption::Media::Cdrom ? 2 : 0;
    const auto taken = [&](u64 place) {
      return std::any_of(options.drives.begin(), options.drives.end(),
                         [&](const DriveOption& d) { return d.interface == drive.interface && d.index == place; });
    };
    while (*index < most && taken(*index)) ++*index;
  }
  if (*index >= most)
    return Error{fmt::format("-drive: index {} is out of range; there are {} places of this kind", *index, most)};
  drive.index = static_cast<unsigned>(*index);
  options.drives.push_back(drive);
  return {};
}

Result<> set_boot(Options& options, Text value) {
  for (const auto& [key, word] : properties(value)) {
    if (key == "menu") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("-boot menu={}: {}", word, on.message())};
      options.boot_menu = on.value();
      continue;
    }
    if (key == "splash" || key == "splash-time" || key == "reboot-timeout" || key == "strict") continue;
    const Text order = key == "order" || key == "once" ? Text(word) : Text(key);
    if (order.empty() || order.find_first_not_of("acdn") != Text::npos) {
      return Error{fmt::format(
          "-boot {}: letters of a boot order are a (floppy), c (hard disk), d (CD-ROM) and n (network)", value)};
    }
    options.boot_order = order;
  }
  return {};
}

Result<> set_icount(Options& options, Text value) {
  IcountOption icount;
  for (const auto& [key, word] : properties(value)) {
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
    } else {
      return Error{fmt::format("-icount {}={}: unknown property; shift and sleep are known", key, word)};
    }
  }
  options.icount = icount;
  return {};
}

Result<> set_rtc(Options& options, Text value) {
  for (const auto& [key, word] : properties(value)) {
    if (key == "base") {
      options.rtc_base = word;
    } else if (key != "clock" && key != "driftfix") {
      return Error{fmt::format(
          "-rtc {}: unknown property; base=utc, base=localtime and base=YYYY-MM-DDTHH:MM:SS are known", key)};
    }
  }
  return {};
}

Result<> set_display(Options& options, Text value) {
  const Text word = value.substr(0, value.find(','));
  if (word != "sdl" && word != "none" && word != "gtk" && word != "default") {
    return Error{fmt::format("-display {}: unknown display; sdl and none exist", value)};
  }
  options.display = word == "none" ? "none" : "sdl";
  return {};
}

Result<> set_vga(Options& options, Text value) {
  if (value != "std" && value != "none")
    return Error{fmt::format("-vga {}: unknown adapter; std and none exist", value)};
  options.vga = value;
  return {};
}

Result<> set_device(Options& options, Text value) {
  DeviceOption device;
  for (const auto& [key, word] : properties(value)) {
    if (device.name.empty()) {
      device.name = key;
    } else {
      device.properties.emplace_back(key, word);
    }
  }
  if (device.name.empty()) return Error{"-device: a device's name is missing; -device help lists them"};
  options.devices.push_back(device);
  return {};
}

Result<> set_global(Options& options, Text value) {
  constexpr Text kPort = "isa-debugcon.iobase=";
  if (!value.starts_with(kPort)) return {};
  const auto port = parse_number(value.substr(kPort.size()));
  if (!port || port.value() > 0xFFFF) return Error{fmt::format("-global {}: the port must be 0 to 0xffff", value)};
  options.debugcon_port = static_cast<u16>(port.value());
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
Result<> ignore(Options&, Text) { return {}; }
// -nic and -net: there is no network card yet; "none" says so, and -nodefaults-minded scripts do.
Result<> set_network(Options&, Text value) {
  if (value == "none") return {};
  return Error{fmt::format("-nic {}: no network card exists; only none is accepted, or leave the option out", value)};
}
Result<> set_vnc(Options&, Text value) {
  if (value == "none") return {};
  return Error{
      fmt::format("-vnc {}: there is no VNC server; only none is accepted; -display sdl shows a window", value)};
}

struct OptionRow {
  Text name;
  Text argument;  // what follows, for -help; empty: nothing follows
  Text help;
  Result<> (*apply)(Options&, Text);
};

constexpr OptionRow kRows[] = {
    {"m", "SIZE", "guest RAM, in MiB or with K, M, G (default 128M, at most 3G)", set_ram},
    {"cpu", "MODEL[,+F,-F]", "processor model; 'help' lists them", store<&Options::cpu_model>},
    {"accel", "jit|interp", "execution engine (tcg is an alias of jit)", set_accel},
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
     "a drive: format=, if=ide|floppy, index=, media=disk|cdrom, snapshot=, readonly=, cyls=,heads=,secs=", set_drive},
    {"snapshot", "", "writes go to temporary files and are dropped at the end", enable<&Options::snapshot>},
    {"boot", "[order=]acdn", "boot order: a floppy, c hard disk, d CD-ROM; menu=on|off", set_boot},
    {"kernel", "FILE", "boot this Linux bzImage or multiboot kernel", store<&Options::kernel>},
    {"initrd", "FILE", "initial RAM disk, or multiboot modules 'a args,b args'", store<&Options::initrd>},
    {"append", "TEXT", "kernel command line", store<&Options::append>},
    {"bios", "FILE", "system ROM image (default: SeaBIOS)", store<&Options::bios>},
    {"L", "DIR", "folder to look for firmware in", set_firmware_dir},
    {"option-rom", "FILE", "additional option ROM", append<&Options::option_roms>},
    {"rtc", "base=..", "clock base: utc, localtime or YYYY-MM-DDTHH:MM:SS", set_rtc},
    {"icount", "shift=N", "deterministic time: 2^N ns an instruction; sleep=on|off", set_icount},
    {"serial", "DEV",
     "serial port: stdio, mon:stdio, file:F, null, none, pty, tcp:H:P[,server][,nowait], unix:PATH[,server]",
     append<&Options::serials>},
    {"parallel", "DEV", "parallel port, as -serial", append<&Options::parallels>},
    {"debugcon", "DEV", "debug console on port E9h, as -serial", store<&Options::debugcon>},
    {"monitor", "DEV", "monitor: stdio, none, unix:PATH,server, tcp:H:P,server", append<&Options::monitors>},
    {"gdb", "DEV", "serve gdb on tcp::PORT, unix:PATH, stdio or pty", append<&Options::gdb>},
    {"s", "", "shorthand for -gdb tcp::1234",
     [](Options& options, Text) -> Result<> {
       options.gdb.emplace_back("tcp::1234");
       return {};
     }},
    {"S", "", "do not start the processor; 'cont' in the monitor starts it", enable<&Options::start_paused>},
    {"display", "sdl|none", "window, or none", set_display},
    {"full-screen", "", "start with the window in full screen", enable<&Options::full_screen>},
    {"nographic", "", "no window; serial port and monitor on stdio", enable<&Options::nographic>},
    {"nodefaults", "", "no serial port, parallel port, floppy or CD-ROM drive unless asked for",
     enable<&Options::no_defaults>},
    {"vga", "std|none", "display adapter", set_vga},
    {"device", "NAME[,P=V]", "add a device; 'help' lists them", set_device},
    {"net", "none", "accepted for scripts", set_network},
    {"nic", "none", "accepted for scripts", set_network},
    {"vnc", "none", "accepted for scripts", set_vnc},
    {"global", "D.P=V", "a device property; isa-debugcon.iobase=PORT has an effect, others are accepted", set_global},
    {"no-user-config", "", "accepted for scripts", ignore},
    {"no-reboot", "", "a guest reset ends the run", enable<&Options::no_reboot>},
    {"no-shutdown", "", "a guest power-off pauses instead of ending the run", enable<&Options::no_shutdown>},
    {"name", "TEXT", "the machine's name in the window title", store<&Options::name>},
    {"loadvm", "TAG", "start from a saved machine", store<&Options::load_vm>},
    {"d", "LIST", "log items, such as in_asm,int,exec; 'help' lists them", store<&Options::log_items>},
    {"D", "FILE", "log to a file", store<&Options::log_file>},
    {"expect-serial", "REGEX", "exit 0 when COM1 has shown this", append<&Options::expect_serial>},
    {"expect-screen", "REGEX", "exit 0 when the text screen shows this", append<&Options::expect_screen>},
    {"fail-serial", "REGEX", "exit 2 when COM1 has shown this", append<&Options::fail_serial>},
    {"timeout", "SECONDS", "exit 4 after this long (guest time with -icount)", set_timeout},
    {"state-hash", "", "print a hash of the whole machine's state at exit", enable<&Options::state_hash>},
    {"state-dir", "DIR", "folder of saved machines (default: the first image's)", store<&Options::state_dir>},
    {"screenshot", "FILE.png", "write the screen at exit", store<&Options::screenshot>},
    {"jit-opt", "LIST", "translator switches: +name,-name", store<&Options::jit_opt>},
    {"jit-stats", "", "print translator statistics at exit", enable<&Options::jit_stats>},
};

Text nearest(Text word) {
  std::vector<Text> names;
  for (const OptionRow& row : kRows) names.push_back(row.name);
  return nearest_word(word, names);
}

std::string dashed(Text name) {
  constexpr Text kOurs[] = {"expect-serial", "expect-screen", "fail-serial", "timeout",  "state-hash",
                            "state-dir",     "screenshot",    "jit-opt",     "jit-stats"};
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
  std::string text = fmt::format("{}\nusage: relic86 [options] [disk_image]\n\n", kVersionLine);
  for (const OptionRow& row : kRows)
    text += fmt::format("{:<28} {}\n", dashed(row.name) + (row.argument.empty() ? "" : " ") + std::string(row.argument),
                        row.help);
  text +=
      "\nOne dash or two are the same. Exit codes: 0 power-off, quit or expectation seen; 1 usage or host error; 2 "
      "failure text;\n"
      "3 ended before what was expected; 4 time is up; 6 triple fault with -no-reboot; isa-debug-exit gives (value << "
      "1) | 1.\n";
  return text;
}

Result<ParsedCommandLine> parse_command_line(std::span<const std::string> arguments) {
  ParsedCommandLine parsed;
  for (std::size_t i = 0; i < arguments.size(); i++) {
    Text word = arguments[i];
    if (!word.starts_with('-') || word == "-") {
      if (auto done = set_hard_disk<0>(parsed.options, word); !done) return done.error();
      parsed.options.drives.back().option = "disk image";
      continue;
    }
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    if (word == "help" || word == "h") {
      parsed.print_and_exit = help_text();
      return parsed;
    }
    if (word == "version") {
      parsed.print_and_exit = std::string(kVersionLine) + "\n";
      return parsed;
    }
    const auto row =
        std::find_if(std::begin(kRows), std::end(kRows), [&](const OptionRow& r) { return r.name == word; });
    if (row == std::end(kRows)) {
      return Error{
          fmt::format("{}: unknown option; the nearest is {}; -help lists all", arguments[i], dashed(nearest(word)))};
    }
    Text value;
    if (!row->argument.empty()) {
      if (i + 1 >= arguments.size())
        return Error{fmt::format("{}: needs an argument ({})", arguments[i], row->argument)};
      value = arguments[++i];
    }
    if (auto done = row->apply(parsed.options, value); !done) return done.error();
  }
  return parsed;
}

}  // namespace relic86
