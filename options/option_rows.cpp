#include "options/option_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "options/audio_option.h"
#include "options/blockdev_option.h"
#include "options/chardev_option.h"
#include "options/device_option.h"
#include "options/display_option.h"
#include "options/drive_option.h"
#include "options/firmware_option.h"
#include "options/flash_option.h"
#include "options/foreign_options.h"
#include "options/global_option.h"
#include "options/insight_option.h"
#include "options/machine_option.h"
#include "options/midi_option.h"
#include "options/monitor_option.h"
#include "options/named_machine_option.h"
#include "options/network_option.h"
#include "options/object_option.h"
#include "options/option_text.h"
#include "options/options.h"
#include "options/processors_option.h"
#include "options/run_option.h"
#include "options/sandbox_option.h"
#include "options/short_drive_option.h"
#include "options/speed_option.h"
#include "options/time_option.h"
#include "options/version.h"
#include "options/vnc_option.h"

namespace relic86 {

namespace {

using Text = std::string_view;

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
template <unsigned index>
Result<> floppy(Options& options, Text value) {
  return add_floppy(options, index, value);
}
template <unsigned index>
Result<> hard_disk(Options& options, Text value) {
  return add_hard_disk(options, index, value);
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
    {"M", "pc|q35", "machine type", set_machine},
    {"machine", "pc|q35[,accel=..]", "machine type and properties", set_machine},
    {"no-hpet", "", "as -machine hpet=off",
     [](Options& options, Text) -> Result<> {
       options.hpet = false;
       return {};
     }},
    {"smp", "N[,cores=..]", "number of processors (1, at most 32) and how they lie", set_smp},
    {"fda", "FILE", "floppy image in drive A", floppy<0>},
    {"fdb", "FILE", "floppy image in drive B", floppy<1>},
    {"hda", "FILE", "disk image, primary master", hard_disk<0>},
    {"hdb", "FILE", "disk image, primary slave", hard_disk<1>},
    {"hdc", "FILE", "disk image, secondary master", hard_disk<2>},
    {"hdd", "FILE", "disk image, secondary slave", hard_disk<3>},
    {"cdrom", "FILE", "CD-ROM image, secondary master", add_cdrom},
    {"pflash", "FILE", "flash memory with firmware; -drive if=pflash says more", add_flash},
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
    {"monitor", "DEV", "monitor: stdio, none, unix:PATH,server, tcp:H:P,server, telnet:H:P,server", add_text_monitor},
    {"qmp", "DEV", "monitor in QEMU's machine protocol (JSON), as -monitor", add_qmp},
    {"qmp-pretty", "DEV", "the same with indented answers", add_pretty_qmp},
    {"chardev", "BACKEND,id=ID", "a named character device; 'help' lists backends; mux=on, logfile=F", add_char_device},
    {"mon", "chardev=ID", "monitor on a -chardev; mode=readline|control", add_monitor},
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
    {"midi", "synth|none|chardev=ID",
     "what plays the notes of an MPU-401 (sb16, mpu401); soundfont=FILE, gain=G; without it a synthesizer, if there is "
     "one",
     set_midi},
    {"display", "sdl|vnc=D|none", "window, VNC server, or none", set_display},
    {"full-screen", "", "start with the window in full screen", enable<&Options::full_screen>},
    {"nographic", "", "no window; serial port and monitor on stdio", enable<&Options::nographic>},
    {"nodefaults", "",
     "no display adapter, serial or parallel port, network card, floppy or CD-ROM drive unless asked for",
     enable<&Options::no_defaults>},
    {"sdl", "", "as -display sdl", [](Options& options, Text) { return set_display(options, "sdl"); }},
    {"gtk", "", "as -display sdl", [](Options& options, Text) { return set_display(options, "gtk"); }},
    {"vga", "std|cirrus|none", "display adapter", set_vga},
    {"usb", "", "a USB controller (UHCI) for -device usb-tablet, usb-kbd, usb-storage ..",
     [](Options& options, Text) -> Result<> {
       set_usb(options, true);
       return {};
     }},
    {"usbdevice", "tablet|mouse|keyboard", "-usb and -device usb-tablet or the like in one", add_usb_device},
    {"k", "LAYOUT", "the guest's keyboard layout, for typed text (de, en-gb, en-us, fr); keys are sent by position",
     set_keyboard},
    {"device", "NAME[,P=V]", "add a device; 'help' lists them", add_device},
    {"blockdev", "DRIVER,node-name=N", "an image for -device drive=N; driver=file|host_device|raw, in JSON too",
     add_block_node},
    {"object", "TYPE,id=ID", "secret, memory-backend-ram, filter-dump ..; 'help' lists types; in JSON too", add_object},
    {"set", "device|drive.ID.P=V", "one more property for a -device or -drive with this id", set_property},
    {"netdev", "TYPE,id=ID",
     "what a card's cable leads to: user, socket, stream, dgram, tap, hubport; 'help' lists types", add_netdev},
    {"nic", "TYPE[,model=M]", "a card and its -netdev in one: user,model=e1000,mac=A,hostfwd=..; none: no card",
     add_nic},
    {"net", "nic|TYPE", "the same in QEMU's oldest form, all on one hub; none: no card", add_net},
    {"vnc", "[HOST]:N|unix:PATH",
     "a VNC server on display N (port 5900 + N) of this host; password=on, websocket, to=, none ..", set_vnc},
    {"global", "D.P=V",
     "a device property; isa-debugcon.iobase, PIIX4_PM or ICH9-LPC.disable_s3 and _s4, isa-fdc.fdtypeA and .speed have "
     "an effect",
     set_global},
    {"compat", "POLICY", "accepted: nothing is deprecated", set_compatibility},
    {"seed", "N", "where RDRAND and RDSEED begin", set_seed},
    {"no-reboot", "", "a guest reset ends the run", enable<&Options::no_reboot>},
    {"no-shutdown", "", "a guest power-off pauses instead of ending the run", enable<&Options::no_shutdown>},
    {"action", "EVENT=ACTION",
     "reboot=reset|shutdown, shutdown=poweroff|pause, panic=pause|shutdown|exit-failure|none, "
     "watchdog=reset|shutdown|poweroff|inject-nmi|pause|debug|none",
     set_action},
    {"watchdog-action", "ACTION", "what a watchdog that nobody resets does: as -action watchdog=ACTION",
     set_watchdog_action},
    {"daemonize", "", "go to the background once the machine is ready", enable<&Options::daemonize>},
    {"pidfile", "FILE", "write the process number to a file", store<&Options::pid_file>},
    {"sandbox", "on|off[,..]",
     "give up what a machine needs no more: obsolete=, elevateprivileges=, spawn=, resourcecontrol=", set_sandbox},
    {"name", "TEXT", "the machine's name in the window title", set_name},
    {"loadvm", "TAG", "start from a saved machine", store<&Options::load_vm>},
    {"incoming", "URI",
     "wait for a machine that migrates: tcp:HOST:PORT, unix:PATH, exec:COMMAND, fd:N, file:PATH, defer", set_incoming},
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
    {"disk-threads", "N", "threads that wait for the host's disk while the guest goes on (2); 0: the guest waits",
     set_disk_threads},
    {"state-dir", "DIR", "folder of saved machines (default: the first image's)", store<&Options::state_dir>},
    {"screenshot", "FILE.png", "write the screen at exit", store<&Options::screenshot>},
    {"symbols", "FILE[,offset=N]", "names for --profile, --coverage, --trace: an ELF file, or a list as System.map",
     add_symbols},
    {"profile", "FILE[,every=N]", "where the guest spends its time, as folded stacks; every N microseconds of its time",
     set_profile},
    {"coverage", "FILE[,format=F]", "the code that the guest has run: drcov, or lcov (FILE.info)", set_coverage},
    {"trace", "FILE.json[,calls=C]", "system calls (calls=linux|raw|off), interrupts and exceptions, for Perfetto",
     set_trace},
    {"jit-opt", "LIST", "translator switches: +name,-name,region-threshold=N", store<&Options::jit_opt>},
    {"jit-stats", "", "print translator statistics at exit", enable<&Options::jit_stats>},
    {"host-features", "LIST", "host instructions not to use: -sse3,-aes,-avx and others (docs/vendors.md)",
     store<&Options::host_features>},
    {"deterministic-fpu", "", "FSIN, RCPPS and relatives without the host's unit", enable<&Options::deterministic_fpu>},
};

// Null: not one of ours.
const OptionRow* find_row(Text name) {
  const auto* row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const OptionRow& r) { return r.name == name; });
  return row == std::end(kRows) ? nullptr : row;
}

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

}  // namespace

std::string help_text() {
  std::string text = fmt::format("{}\nusage: relic86 [options] [disk_image | machine]\n\n", kVersionLine);
  for (const OptionRow& row : kRows)
    text +=
        fmt::format("{:<28} {}\n",
                    written_option(row.name) + (row.argument.empty() ? "" : " ") + std::string(row.argument), row.help);
  text +=
      "\nKeys in the window: Ctrl+Alt+M menu, Ctrl+Alt+G grabs and frees mouse and keyboard (a click grabs; a tablet "
      "needs no grab), "
      "Ctrl+Alt+F full screen, "
      "Ctrl+Alt+Q asks\n"
      "the guest to power off (twice: quits; with --on-close ask: asks you), Ctrl+Alt+V types the clipboard, "
      "Ctrl+Alt+P pauses.\n"
      "One dash or two are the same. Exit codes: 0 power-off, quit or expectation seen; 1 usage or host error; 2 "
      "failure text;\n"
      "3 ended before what was expected; 4 time is up; 6 triple fault with -no-reboot; isa-debug-exit gives (value << "
      "1) | 1.\n";
  return text;
}

std::optional<bool> option_takes_argument(std::string_view name) {
  if (const OptionRow* row = find_row(name); row != nullptr) return !row->argument.empty();
  const ForeignOption* foreign = find_foreign_option(name);
  return foreign == nullptr ? std::nullopt : std::optional(foreign->argument);
}

Result<> apply_option(Options& options, std::string_view name, std::string_view written, std::string_view value) {
  if (const OptionRow* row = find_row(name); row != nullptr) return row->apply(options, value);
  return take_foreign_option(options, *find_foreign_option(name), written, value);
}

bool option_names_file(std::string_view name) {
  const OptionRow* row = find_row(name);
  return row != nullptr && (row->argument.starts_with("FILE") || row->argument.starts_with("DIR"));
}

std::string_view option_argument(std::string_view name) {
  const OptionRow* row = find_row(name);
  return row == nullptr ? "VALUE" : row->argument;
}

std::string written_option(std::string_view name) {
  constexpr Text kOurs[] = {"expect-serial",     "expect-screen", "fail-serial", "timeout",   "state-hash",
                            "state-dir",         "screenshot",    "jit-opt",     "jit-stats", "host-features",
                            "deterministic-fpu", "machine-file",  "new",         "list",      "on-close",
                            "disk-threads",      "fresh",         "speed",       "symbols",   "profile",
                            "coverage",          "trace"};
  return (std::find(std::begin(kOurs), std::end(kOurs), name) != std::end(kOurs) ? "--" : "-") + std::string(name);
}

std::vector<std::string_view> option_names() {
  std::vector<std::string_view> names;
  for (const OptionRow& row : kRows) names.push_back(row.name);
  return names;
}

}  // namespace relic86
