#include "options/machine_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/nearest.h"

namespace relic86 {

namespace {

constexpr u64 kMiB = u64{1} << 20;

// Disks stay below what the family's older members can address: DOS before 7 sees 504 MiB through INT 13h, Windows 95
// with FAT16 makes no partition beyond 2 GiB, Windows NT 4 starts from below 4 GiB. DOS and Windows keep local time in
// the clock.
constexpr MachineKind kKinds[] = {
    {"dos", "MS-DOS, FreeDOS, Windows 1 to 3.11, DOS games", "32M", 503 * kMiB,
     R"(rtc = { base = "localtime" }
vga = "std"
audiodev = "sdl,id=sound"
machine = { type = "pc", pcspk-audiodev = "sound" }
device = ["sb16,audiodev=sound"]
nic = "user,model=ne2k_pci"
)"},
    {"win9x", "Windows 95, 98 and ME", "128M", 2040 * kMiB,
     R"(rtc = { base = "localtime" }
vga = "cirrus"
audiodev = "sdl,id=sound"
machine = { type = "pc", pcspk-audiodev = "sound" }
device = ["sb16,audiodev=sound"]
nic = "user,model=pcnet"
)"},
    {"nt", "Windows NT 3.51 and 4, 2000, XP; OS/2", "256M", 4000 * kMiB,
     R"(rtc = { base = "localtime" }
vga = "cirrus"
audiodev = "sdl,id=sound"
machine = { type = "pc", pcspk-audiodev = "sound" }
device = ["ES1370,audiodev=sound"]
nic = "user,model=pcnet"
)"},
    {"linux", "Linux", "512M", 8000 * kMiB,
     R"(vga = "std"
audiodev = "sdl,id=sound"
machine = { type = "pc", usb = true, pcspk-audiodev = "sound" }
device = ["AC97,audiodev=sound", "usb-tablet"]
nic = "user,model=e1000"
)"},
    {"bsd", "FreeBSD, NetBSD, OpenBSD", "256M", 4000 * kMiB,
     R"(vga = "std"
audiodev = "sdl,id=sound"
machine = { type = "pc", pcspk-audiodev = "sound" }
device = ["ES1370,audiodev=sound"]
nic = "user,model=e1000"
)"},
};

}  // namespace

Result<const MachineKind*> find_machine_kind(std::string_view name) {
  std::vector<std::string_view> names;
  for (const MachineKind& kind : kKinds) {
    if (kind.name == name) return &kind;
    names.push_back(kind.name);
  }
  return Error{fmt::format("--new {}: unknown kind of machine; the nearest is {}; {} exist", name,
                           nearest_word(name, names), fmt::join(names, ", "))};
}

std::string machine_kinds_text() {
  std::string text;
  for (const MachineKind& kind : kKinds) text += fmt::format("{:<8} {}\n", kind.name, kind.systems);
  return text;
}

std::string machine_file_text(const MachineKind& kind, std::string_view name) {
  return fmt::format(
      R"(# A machine of relic86 for {}.
# Each option of `relic86 -help` is a key without its dash; paths count from this folder (docs/machines.md).
name = "{}"
memory = "{}"
vcpus = 1
boot = "acd"          # the order: a floppy, c hard disk, d CD-ROM
disk = "disk.img"
# fda = "floppy.img"
# cdrom = "install.iso"
{}on-close = "save"     # the closed machine is saved and goes on at the next start; "quit" ends it, "ask" asks
)",
      kind.systems, name, kind.memory, kind.devices);
}

}  // namespace relic86
