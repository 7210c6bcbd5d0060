// Suspend to RAM over the whole machine: asleep, woken in every way, saved and loaded in between.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "control/monitor/monitor.h"
#include "devices/input/keyboard.h"
#include "machine/machine.h"
#include "options/options.h"

namespace relic86 {
namespace {

// From the reset vector on: enables the power management block and suspends; if CMOS 0Fh says FEh (resume) and memory
// still holds the word left there, ends with the upper half of PM1_STS: bit 0 the power button, bit 2 the clock, bit 4
// set by the program. Whatever else happens ends with 0.
constexpr u8 kProgram[] = {
    0x31, 0xC0, 0x8E, 0xD8,                                      // 00: xor ax, ax; mov ds, ax
    0xB0, 0x0F, 0xE6, 0x70, 0xE4, 0x71, 0x88, 0xC3,              // 04: mov al, 0Fh; out 70h, al; in al, 71h; mov bl, al
    0xBA, 0xF8, 0x0C, 0x66, 0xB8, 0x40, 0x0B, 0x00, 0x80,        // 0C: mov dx, 0CF8h; mov eax, 80000B40h
    0x66, 0xEF, 0xB2, 0xFC, 0x66, 0xB8, 0x01, 0xB0, 0,    0,     // 15: out dx, eax; mov dl, 0FCh; mov eax, 0B001h
    0x66, 0xEF, 0xB2, 0xF8, 0x66, 0xB8, 0x80, 0x0B, 0,    0x80,  // 1F: out dx, eax; mov dl, 0F8h; mov eax, 80000B80h
    0x66, 0xEF, 0xB2, 0xFC, 0xB0, 0x01, 0xEE,                    // 29: out dx, eax; mov dl, 0FCh; mov al, 1; out dx, al
    0x80, 0xFB, 0xFE, 0x74, 0x11,                                // 30: cmp bl, 0FEh; je 46h
    0xC7, 0x06, 0x34, 0x12, 0xEF, 0xBE,                          // 35: mov word [1234h], 0BEEFh
    0xBA, 0x04, 0xB0, 0xB8, 0x00, 0x24, 0xEF,                    // 3B: mov dx, 0B004h; mov ax, 2400h; out dx, ax
    0x30, 0xC0, 0xE6, 0xF4,                                      // 42: xor al, al; out 0F4h, al
    0x81, 0x3E, 0x34, 0x12, 0xEF, 0xBE, 0x75, 0xF4,              // 46: cmp word [1234h], 0BEEFh; jne 42h
    0xBA, 0x01, 0xB0, 0xEC, 0x24, 0x7F, 0x0C, 0x10,  // 4E: mov dx, 0B001h; in al, dx; and al, 7Fh; or al, 10h
    0xE6, 0xF4, 0xF4};                               // 56: out 0F4h, al; hlt

struct Suspended : ::testing::Test {
  Suspended() {
    std::string pattern = std::filesystem::temp_directory_path() / "relic86-suspend-XXXXXX";
    folder = mkdtemp(pattern.data());
    std::vector<char> rom(0x10000, '\xF4');
    std::copy(std::begin(kProgram), std::end(kProgram), rom.begin());
    rom[0xFFF0] = '\xE9';  // jmp 0
    rom[0xFFF1] = 0x0D;
    rom[0xFFF2] = 0;
    std::ofstream(folder + "/rom", std::ios::binary).write(rom.data(), static_cast<std::streamsize>(rom.size()));
    machine = make();
    machine->run_to(kInstructions);
  }
  ~Suspended() override { std::filesystem::remove_all(folder); }

  std::unique_ptr<Machine> make() {
    const std::vector<std::string> arguments{"-m",
                                             "4",
                                             "-bios",
                                             folder + "/rom",
                                             "-display",
                                             "none",
                                             "-vga",
                                             "none",
                                             "-nodefaults",
                                             "-device",
                                             "isa-debug-exit,iobase=0xf4,iosize=0x04",
                                             "-icount",
                                             "shift=0,sleep=off",
                                             "--state-dir",
                                             folder};
    auto parsed = parse_command_line(arguments);
    EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.message());
    auto made = Machine::create(parsed.value().options, poller);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.message());
    return std::move(made).value();
  }
  // The exit code after the program was woken.
  int woken() {
    machine->run_to(2 * kInstructions);
    EXPECT_TRUE(machine->ended());
    return machine->exit_code();
  }

  static constexpr u64 kInstructions = 1000;
  static constexpr int kNothing = 0x10 << 1 | 1, kButton = 0x11 << 1 | 1;
  std::string folder;
  HostPoller poller;
  std::unique_ptr<Machine> machine;
};

TEST_F(Suspended, SleepsUntilTheMonitorWakesIt) {
  EXPECT_FALSE(machine->ended());
  EXPECT_EQ(execute_monitor_line(*machine, "info status"), "VM status: paused (suspended)\n");
  const u64 count = machine->cpu().instruction_count();
  machine->run_to(kInstructions);
  EXPECT_EQ(machine->cpu().instruction_count(), count);
  EXPECT_EQ(execute_monitor_line(*machine, "system_wakeup"), "");
  EXPECT_EQ(woken(), kNothing);
}

TEST_F(Suspended, ThePowerButtonWakesIt) {
  EXPECT_EQ(execute_monitor_line(*machine, "system_powerdown"), "");
  EXPECT_EQ(woken(), kButton);
}

TEST_F(Suspended, AKeyWakesIt) {
  machine->board().keyboard().key(KeyCode::A, true);
  EXPECT_EQ(woken(), kNothing);
}

TEST_F(Suspended, AResetStartsItAnew) {
  EXPECT_EQ(execute_monitor_line(*machine, "system_reset"), "");
  EXPECT_EQ(machine->status(), "running");
}

TEST_F(Suspended, IsSavedAndLoadedAsleep) {
  EXPECT_EQ(execute_monitor_line(*machine, "savevm asleep"), "");
  machine = make();
  machine->resume();
  EXPECT_EQ(machine->status(), "running");
  EXPECT_EQ(execute_monitor_line(*machine, "loadvm asleep"), "");
  EXPECT_EQ(machine->status(), "paused (suspended)");
  machine->run_to(kInstructions);
  EXPECT_FALSE(machine->ended());
  machine->wake();
  EXPECT_EQ(execute_monitor_line(*machine, "savevm waking"), "");
  machine = make();
  machine->resume();
  EXPECT_EQ(execute_monitor_line(*machine, "loadvm waking"), "");
  EXPECT_EQ(woken(), kNothing);
}

}  // namespace
}  // namespace relic86
