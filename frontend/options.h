// The command line: QEMU's words where QEMU has them (one dash or two), --expect-* and a few more of our own.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

// -drive, -hda.., -fda.., -cdrom: one attached medium.
struct DriveOption {
  enum class Interface : u8 { Ide, Floppy };
  enum class Media : u8 { Disk, Cdrom };
  std::string option;  // as the user wrote it, for messages: "-hda"
  std::string file;    // empty: a drive without a medium
  Interface interface = Interface::Ide;
  Media media = Media::Disk;
  unsigned index = 0;  // IDE 0-3: primary master, slave, secondary master, slave; floppy 0-1
  bool snapshot = false;
  bool read_only = false;
  bool raw = false;                            // format=raw: whatever the file looks like
  std::optional<std::array<u32, 3>> geometry;  // cyls=,heads=,secs=
};

struct IcountOption {
  unsigned shift = 0;  // one instruction takes 2^shift ns, 0 to 10
  bool sleep = true;   // an idle HLT waits in host time
};

// -device NAME,prop=value,...
struct DeviceOption {
  std::string name;
  std::vector<std::pair<std::string, std::string>> properties;
};

struct Options {
  u64 ram_bytes = 128ull << 20;
  std::string cpu_model;  // empty: the default; "MODEL,+feature,-feature"
  enum class Accel : u8 { Default, Interpreter, Jit } accel = Accel::Default;
  std::string jit_opt;
  bool jit_stats = false;
  bool smm = true;  // -machine smm=

  std::vector<DriveOption> drives;
  bool snapshot = false;
  std::string boot_order;  // letters a, c, d, n; empty: c, d, a by what is attached
  bool boot_menu = false;
  std::string kernel, initrd, append;
  std::string bios;
  std::vector<std::string> firmware_dirs;  // -L
  std::vector<std::string> option_roms;

  std::string rtc_base;  // "", "utc", "localtime", "YYYY-MM-DDTHH:MM:SS"
  std::optional<IcountOption> icount;

  std::vector<std::string> serials;  // as written: "stdio", "file:F", ...
  std::vector<std::string> parallels;
  std::vector<std::string> monitors;
  std::string debugcon;
  u16 debugcon_port = 0xE9;      // -global isa-debugcon.iobase=PORT
  std::vector<std::string> gdb;  // "tcp::1234"
  std::string display;           // "sdl", "none"; empty: sdl if one can be opened
  bool full_screen = false;
  bool nographic = false;
  bool no_defaults = false;
  std::string vga = "std";
  std::vector<DeviceOption> devices;

  bool start_paused = false;  // -S
  bool no_reboot = false;
  bool no_shutdown = false;
  std::string name;
  std::string load_vm;
  std::string log_items, log_file;

  std::vector<std::string> expect_serial, expect_screen, fail_serial;
  double timeout_seconds = 0;  // 0: none
  bool state_hash = false;
  std::string state_dir;
  std::string screenshot;
};

// What the command line asks for: a machine, or a text to print (then exit 0).
struct ParsedCommandLine {
  Options options;
  std::optional<std::string> print_and_exit;
};

// arguments: without the program's name. Errors name the option, the cause and the mend.
Result<ParsedCommandLine> parse_command_line(std::span<const std::string> arguments);

// "512", "64M", "1G", "640K": bytes. A bare number counts in unit bytes (-m: MiB).
Result<u64> parse_size(std::string_view text, u64 unit);

// The -help text; its first line contains "QEMU" (harnesses look for it).
std::string help_text();

}  // namespace relic86
