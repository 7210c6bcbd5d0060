#include "batch/panics.h"

#include <algorithm>

namespace relic86::batch {

namespace {

constexpr PanicText kTexts[] = {
    {"linux", "Linux kernel panic", "Kernel panic - not syncing"},
    {"linux", "Linux kernel panic", "Kernel panic: "},  // before 2.6
    {"linux", "Linux oops", "BUG: unable to handle "},
    {"linux", "Linux oops", "Unable to handle kernel "},  // before 2.6.25
    {"linux", "Linux oops", "Oops: "},
    {"linux", "Linux general protection fault", "general protection fault: 0000 ["},
    {"linux", "Linux bug", "kernel BUG at "},
    {"linux", "Linux double fault", "double fault: 0000 ["},
    {"linux", "Linux lockup", "BUG: soft lockup"},
    {"linux", "Linux lockup", "Watchdog detected hard LOCKUP"},
    {"linux", "Linux hung task", " blocked for more than "},
    {"linux", "Linux without memory", "Out of memory and no killable processes"},
    {"linux", "Linux kernel that cannot be unpacked", " -- System halted"},
    {"linux", "initramfs without root", "Gave up waiting for root "},
    {"bsd", "BSD panic", "panic: ", true},
    {"bsd", "FreeBSD fatal trap", "Fatal trap "},
    {"bsd", "NetBSD fatal trap", "fatal page fault in supervisor mode"},
    {"bsd", "BSD in its debugger", "Stopped at ", true},
    {"bsd", "FreeBSD asks for a root", "mountroot> ", true},
    {"windows", "Windows stop", "*** STOP: 0x"},
    {"windows", "Windows stop", "A problem has been detected and Windows has been shut down"},
    {"windows", "Windows 9x exception", "A fatal exception "},
    {"windows", "Windows 9x protection error", "Windows protection error"},
    {"windows", "Windows without a file", "Windows could not start because the following file is missing or corrupt"},
    {"dos", "DOS without a shell", "Bad or missing Command Interpreter"},
    {"dos", "DOS without a shell", "Bad or missing command interpreter"},
    {"dos", "FreeDOS invalid opcode", "Invalid Opcode at "},
    {"dos", "DOS divide error", "Divide overflow", true},
    {"dos", "DOS interrupt stacks", "Internal stack overflow", true},
    {"dos", "DOS halted", "System halted", true},
    {"dos", "EMM386 exception", "EMM386 has detected error"},
    {"dos", "Jemm exception", "JemmEx: exception "},
    {"firmware", "nothing to boot", "No bootable device."},
    {"firmware", "boot loader without a system", "Missing operating system"},
    {"firmware", "boot loader without a system", "Non-System disk"},
    {"firmware", "boot loader without a system", "This is not a bootable disk"},
    {"firmware", "GRUB in its rescue shell", "grub rescue>", true},
    {"other", "Mach panic", "panic (cpu "},
    {"other", "kernel panic", "kernel panic: ", true},  // MINIX, and many that are at home
    {"other", "Rust panic", "panicked at "},
    {"other", "Zephyr fatal error", ">>> ZEPHYR FATAL ERROR"},
    {"other", "failed assertion", "assertion failed: ", true},
};

// "[    1.234567] text" of Linux's console.
std::string_view without_time_stamp(std::string_view line) {
  if (!line.starts_with('[')) return line;
  const auto end = line.find("] ");
  if (end == std::string_view::npos ||
      line.substr(1, end - 1).find_first_not_of(" 0123456789.") != std::string_view::npos)
    return line;
  return line.substr(end + 2);
}

}  // namespace

std::span<const PanicText> panic_texts() { return kTexts; }

std::vector<std::string_view> panic_groups() {
  std::vector<std::string_view> groups;
  for (const PanicText& row : kTexts) {
    if (groups.empty() || groups.back() != row.group) groups.push_back(row.group);
  }
  return groups;
}

const PanicText* find_panic(std::string_view line, std::span<const std::string> groups) {
  const std::string_view words = without_time_stamp(line);
  for (const PanicText& row : kTexts) {
    const bool there = row.at_line_start ? words.starts_with(row.text) : words.find(row.text) != std::string_view::npos;
    if (there && std::find(groups.begin(), groups.end(), row.group) != groups.end()) return &row;
  }
  return nullptr;
}

}  // namespace relic86::batch
