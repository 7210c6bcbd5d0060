// The command line: QEMU's words where QEMU has them (one dash or two), --expect-* and a few more of our own.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "options/blockdev_option.h"
#include "options/chardev_option.h"
#include "options/insight_option.h"
#include "options/network_option.h"
#include "options/object_option.h"
#include "options/sample_format.h"
#include "options/smp_option.h"
#include "options/virtio_option.h"
#include "options/vnc_option.h"

namespace relic86 {

// -drive, -hda.., -fda.., -cdrom: one attached medium.
struct DriveOption {
  // None: if=none, waits for a -device that gives it a place. Usb: the same, and the machine has USB, so that a device
  // may come later. Ahci: on the ich9-ahci of a machine whose own disks are IDE.
  enum class Interface : u8 { Ide, Floppy, Virtio, Usb, Flash, Ahci, Scsi, None };
  enum class Media : u8 { Disk, Cdrom };
  std::string option;  // as the user wrote it, for messages: "-hda"
  std::string file;    // empty: a drive without a medium
  Interface interface = Interface::Ide;
  Media media = Media::Disk;
  // IDE 0-3: primary master, slave, secondary master, slave; AHCI, and IDE of a q35: the port, 0-5; floppy 0-1; virtio,
  // USB: as they come
  unsigned index = 0;
  struct BusPlace {
    u64 bus = 0, unit = 0;
  };
  std::optional<BusPlace> bus_place;  // bus= and unit= where these say the index, which means different places by board
  bool snapshot = false;
  bool read_only = false;
  std::string format;                          // format=; empty: by the file's signature
  std::optional<std::array<u32, 3>> geometry;  // cyls=,heads=,secs=
  std::string id;                              // the monitor's name for it, beside "ide0-hd0"
  std::string device_id;                       // id= of the -device that gives it its place
  std::string node;                            // the -blockdev that -device drive= names instead of a -drive
  std::optional<unsigned> boot_index;          // -device ..,bootindex=: lower ones are tried first
  std::string serial, model;                   // of a disk; empty: the board's own
  VirtioOption virtio;                         // of a virtio disk
  struct ScsiPlace {
    std::string bus;  // its name (options/scsi_buses.h)
    unsigned target = 0, unit = 0;
  };
  std::optional<ScsiPlace> scsi_place;  // of a disk on a SCSI bus
  std::string write_error, read_error;  // werror=, rerror=: QEMU's words; empty: its defaults
};

// -monitor, -qmp, -mon: who commands the machine.
struct MonitorOption {
  std::string option;    // as the user wrote it, for messages: "-monitor"
  std::string device;    // a character device: "stdio", "chardev:ID"
  bool control = false;  // QMP (JSON) instead of lines of text
  bool pretty = false;   // its answers are indented
};

// -audiodev: a back end for sound.
struct AudioDeviceOption {
  std::string driver;                       // "none", "wav", "sdl"
  std::string id;                           // what cards and the speaker call it
  u32 timer_period = 0;                     // microseconds between two looks at what devices play; 0: the mixer's own
  u32 frequency = 44100;                    // frames a second
  unsigned channels = 2;                    // 1 or 2
  SampleFormat format = SampleFormat::S16;  // of a file
  u32 buffer_length = 0;                    // microseconds that wait for the host's sound system; 0: the output's own
  std::string path = "qemu.wav";            // of a file; the default is QEMU's
};

// -midi: what plays the notes of the guest's MPU-401.
struct MidiOption {
  enum class Kind : u8 { Unnamed, None, Synthesizer, CharDevice } kind = Kind::Unnamed;  // Unnamed: whatever there is
  std::string soundfont;  // of the synthesizer; empty: the host's own
  double gain = 0.5;      // of the synthesizer
  std::string char_device;
};

// -fw_cfg: a file of the firmware configuration interface.
struct FirmwareFileOption {
  std::string name;
  std::string file;    // a file on the host, or
  std::string string;  // the contents themselves
};

enum class RecordReplay : u8 { Off, Record, Replay };

struct IcountOption {
  unsigned shift = 0;                              // one instruction takes 2^shift ns, 0 to 10
  bool sleep = true;                               // an idle HLT waits in host time
  RecordReplay record_replay = RecordReplay::Off;  // rr=
  std::string record_file{};                       // rrfile=
};

// -sandbox: QEMU's words for groups of system calls; true: allowed even in the sandbox.
struct SandboxOption {
  bool on = false;
  bool obsolete = false;         // calls that only old programs make
  bool spawn = true;             // new processes and programs
  bool resource_control = true;  // priorities and processor affinity
  enum class Elevate : u8 { Allow, Deny, NotChildren } elevate_privileges = Elevate::Allow;  // set*uid, set*gid
};

// -device NAME,prop=value,...
struct DeviceOption {
  std::string name;
  std::vector<std::pair<std::string, std::string>> properties;

  // The value of a property, of several the last; empty: it is not there.
  std::string_view property(std::string_view key) const;
};

// An option that was carried out, for messages about it: by a key of a machine file, or on the command line.
struct OptionUse {
  std::string key;     // "memory"; empty: on the command line
  std::string option;  // "-m"
  std::string value;   // what followed it
  unsigned line = 0;
};

struct Options {
  std::vector<std::string> warnings;  // about the command line; told when it is whole and right
  std::string print_and_exit;         // a text that was asked for instead of a machine: "-machine help"
  u64 ram_bytes = 128ull << 20;
  enum class Board : u8 { Pc, Q35 } board = Board::Pc;
  std::optional<bool> hpet;  // -machine hpet=; absent: as the board has it
  std::string cpu_model;     // empty: the default; "MODEL,+feature,-feature"
  // Default is Fastest when nothing was said, which a later -accel may still change.
  enum class Accel : u8 { Default, Fastest, Interpreter, Jit } accel = Accel::Default;
  std::string refused_accel;  // what the last -accel says that named no engine of ours
  std::string jit_opt;
  bool jit_stats = false;
  std::string host_features;       // --host-features: "-sse3,-sse4.2"
  bool deterministic_fpu = false;  // --deterministic-fpu
  std::optional<u64> seed;         // -seed: of RDRAND and RDSEED
  bool smm = true;                 // -machine smm=

  std::vector<DriveOption> drives;
  bool snapshot = false;
  unsigned disk_threads = 2;   // --disk-threads: threads that wait for the host's disk; 0: the guest waits
  bool default_floppy = true;  // drive A and an empty CD-ROM drive are there unless -device places such drives
  bool default_cdrom = true;
  bool floppy_drive_a_absent = false;  // -global isa-fdc.fdtypeA=none
  bool suspend_to_ram = true;          // -global PIIX4_PM.disable_s3=, ICH9-LPC.disable_s3=
  bool suspend_to_disk = true;         // -global PIIX4_PM.disable_s4=, ICH9-LPC.disable_s4=
  std::string boot_order;              // letters a, c, d, n; empty: c, d, a by what is attached
  std::string boot_once;               // until the first reset
  bool boot_menu = false;
  bool boot_strict = false;            // nothing is tried beyond the devices with a bootindex
  bool check_floppy_signature = true;  // -no-fd-bootchk
  bool real_floppy_speed = false;      // -global isa-fdc.speed=real
  std::vector<FirmwareFileOption> firmware_files;
  std::string kernel, initrd, append;
  std::string bios;
  std::vector<std::string> firmware_dirs;  // -L
  std::vector<std::string> option_roms;

  std::string rtc_base;   // "", "utc", "localtime", "YYYY-MM-DDTHH:MM:SS"
  bool rtc_slew = false;  // -rtc driftfix=slew
  std::optional<IcountOption> icount;

  std::vector<std::string> serials;  // as written: "stdio", "file:F", ...
  std::vector<std::string> parallels;
  std::vector<CharDeviceOption> char_devices;
  std::vector<MonitorOption> monitors;
  u8 escape_character = 1;  // -echr, of mon:stdio; 1: Ctrl-A
  std::string debugcon;
  u16 debugcon_port = 0xE9;      // -global isa-debugcon.iobase=PORT
  std::vector<std::string> gdb;  // "tcp::1234"
  std::string display;           // "sdl", "none"; empty: sdl if one can be opened
  std::string display_option;    // as the user wrote it, for messages: "-display gtk"
  std::optional<VncOption> vnc;  // none: there is no VNC server
  bool full_screen = false;
  bool nographic = false;
  bool no_defaults = false;
  std::string vga;              // "std", "cirrus" or "none"; empty: std, with -nodefaults none
  std::string keyboard_layout;  // -k: the guest's, for text that is typed into it; empty: en-us
  NetworkOptions network;
  std::vector<DeviceOption> devices;      // those that the command line's parser has not carried out
  std::vector<DeviceOption> all_devices;  // every -device, as given
  std::vector<ObjectOption> objects;
  std::vector<BlockNode> block_nodes;
  std::string memory_backend;              // -machine memory-backend=
  std::array<std::string, 2> flash_nodes;  // -machine pflash0=, pflash1=
  std::vector<AudioDeviceOption> audio_devices;
  std::string speaker_audio;  // -machine pcspk-audiodev=
  bool vmware_port = true;    // -machine vmport=
  MidiOption midi;

  bool start_paused = false;  // -S
  bool no_reboot = false;
  bool no_shutdown = false;
  // -action watchdog=, -watchdog-action
  enum class WatchdogAction : u8 {
    Reset,
    Shutdown,
    PowerOff,
    InjectNmi,
    Pause,
    Debug,
    None
  } watchdog_action = WatchdogAction::Reset;
  // -action panic=
  enum class PanicAction : u8 { Pause, Shutdown, ExitFailure, None } panic_action = PanicAction::Shutdown;
  std::string name;
  std::string uuid;
  std::string pid_file;
  bool daemonize = false;
  SandboxOption sandbox;
  std::string load_vm;
  std::string incoming;  // -incoming: where a migrating machine comes from; empty: the machine starts by itself
  // What becomes of a machine that is closed (window, signal, quit).
  enum class OnClose : u8 { Quit, Save, Ask } on_close = OnClose::Quit;
  bool fresh = false;            // what was saved when the machine was closed is dropped
  double speed = 0;              // --speed: instructions a second at most, in real time; 0: as fast as it goes
  bool list_machines = false;    // --list
  std::string new_machine_kind;  // --new KIND NAME
  std::string new_machine_name;
  std::string machine_file;  // --machine-file, or that of the machine that was named; empty: none
  std::string machine_name;  // of a machine in the user's folder (options/machine_folder.h); empty: none
  std::vector<OptionUse> option_uses;
  std::string log_items, log_file;

  std::vector<std::string> expect_serial, expect_screen, fail_serial;
  double timeout_seconds = 0;  // 0: none
  bool state_hash = false;
  std::string state_dir;
  std::string screenshot;

  InsightOptions insight;  // --symbols, --profile, --coverage, --trace

  SmpWords smp;                   // as -smp says it
  ProcessorTopology processors;   // and what that amounts to
  bool asks_for_threads = false;  // -accel ..,thread=multi

  static constexpr u32 kDefaultCodeMegabytes = 128;
  u32 code_megabytes = kDefaultCodeMegabytes;  // -accel ..,tb-size=: of translated code, in MiB, of all processors
};

// What the command line asks for: a machine, or a text to print (then exit 0).
struct ParsedCommandLine {
  Options options;
  std::optional<std::string> print_and_exit;
};

// arguments: without the program's name. Errors name the option, the cause and the mend.
Result<ParsedCommandLine> parse_command_line(std::span<const std::string> arguments);

}  // namespace relic86
