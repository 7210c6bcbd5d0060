// What the host's threads must not change between processors and their local APICs: start-up, NMIs that come close
// together, timers that are due.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "build_features.h"
#include "machine/machine.h"
#include "options/options.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

// At F000:0000. The first processor writes a far jump to 10000h, starts the second one there, and writes something else
// over the jump at once. The second one says that it is there, at 1000h, gets two NMIs, one right after the other, and a
// word at 1001h once both are sent. Then it has time for both, and ends the program with 10h and the number of NMIs.
constexpr u8 kProgram[] = {
    0x2E, 0x0F, 0x01, 0x16, 0xB8, 0x00, 0x0F, 0x20, 0xC0, 0x40,  // 00: cs lgdt [0B8h]; mov eax, cr0; inc ax
    0x0F, 0x22, 0xC0, 0xBB, 0x08, 0x00, 0x8E, 0xDB,              // 0A: mov cr0, eax; mov bx, 8; mov ds, bx
    0x48, 0x0F, 0x22, 0xC0, 0x66, 0xBE, 0x00, 0x00, 0xE0, 0xFE,  // 12: dec ax; mov cr0, eax; mov esi, 0FEE00000h
    0x66, 0x67, 0x8B, 0x5E, 0x20, 0x66, 0xC1, 0xEB, 0x18,        // 1C: mov ebx, [esi+20h]; shr ebx, 24
    0x75, 0x6B, 0x66, 0xC7, 0x06, 0x08, 0x00,                    // 25: jnz 92h; mov dword [8], F000:00B3 (NMI)
    0xB3, 0x00, 0x00, 0xF0,                                      //
    0x66, 0x67, 0xC7, 0x05, 0x00, 0x00, 0x01, 0x00,              // 30: mov dword [10000h], 0EAh (jmp F000:0000)
    0xEA, 0x00, 0x00, 0x00,                                      //
    0x67, 0xC6, 0x05, 0x04, 0x00, 0x01, 0x00, 0xF0,              // 3C: mov byte [10004h], 0F0h
    0x66, 0x67, 0xC7, 0x86, 0x00, 0x03, 0x00, 0x00,              // 44: mov dword [esi+300h], 0C4500h (INIT)
    0x00, 0x45, 0x0C, 0x00,                                      //
    0x66, 0x67, 0xC7, 0x86, 0x00, 0x03, 0x00, 0x00,              // 50: mov dword [esi+300h], 0C4610h (start-up)
    0x10, 0x46, 0x0C, 0x00,                                      //
    0x66, 0x67, 0xC7, 0x05, 0x00, 0x00, 0x01, 0x00,              // 5C: mov dword [10000h], 0F4E602B0h
    0xB0, 0x02, 0xE6, 0xF4,                                      // (mov al, 2; out 0F4h, al)
    0xF3, 0x90, 0x80, 0x3E, 0x00, 0x10, 0x00, 0x74, 0xF7,        // 68: pause; cmp byte [1000h], 0; je 68h
    0x66, 0x67, 0xC7, 0x86, 0x00, 0x03, 0x00, 0x00,              // 71: mov dword [esi+300h], 0C4400h (NMI)
    0x00, 0x44, 0x0C, 0x00,                                      //
    0x66, 0x67, 0xC7, 0x86, 0x00, 0x03, 0x00, 0x00,              // 7D: the same
    0x00, 0x44, 0x0C, 0x00,                                      //
    0xC6, 0x06, 0x01, 0x10, 0x01, 0xF3, 0x90, 0xEB, 0xFC,        // 89: mov byte [1001h], 1; 8E: pause; jmp 8Eh
    0xBC, 0x00, 0x20, 0xC6, 0x06, 0x00, 0x10, 0x01,              // 92: mov sp, 2000h; mov byte [1000h], 1
    0xF3, 0x90, 0x80, 0x3E, 0x01, 0x10, 0x00, 0x74, 0xF7,        // 9A: pause; cmp byte [1001h], 0; je 9Ah
    0x66, 0xB9, 0xA0, 0x86, 0x01, 0x00, 0x67, 0xE2, 0xFD,        // A3: mov ecx, 100000; A9: loop A9h
    0xA0, 0x02, 0x10, 0x0C, 0x10, 0xE6, 0xF4,                    // AC: mov al, [1002h]; or al, 10h; out 0F4h, al
    0xFE, 0x06, 0x02, 0x10, 0xCF,                                // B3: inc byte [1002h]; iret
    0x0F, 0x00, 0xB6, 0x00, 0x0F, 0x00,                          // B8: limit and address of the table, 8 bytes below:
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x92, 0x8F, 0x00};             // BE: a flat data segment
// Arms the local APIC's timer for a moment that has passed, and ends with the number of interrupts that an instruction
// later have come.
constexpr u8 kDeadline[] = {
    0x2E, 0x0F, 0x01, 0x16, 0x5E, 0x00, 0x0F, 0x20, 0xC0, 0x40,  // 00: cs lgdt [5Eh]; mov eax, cr0; inc ax
    0x0F, 0x22, 0xC0, 0xBB, 0x08, 0x00, 0x8E, 0xDB,              // 0A: mov cr0, eax; mov bx, 8; mov ds, bx
    0x48, 0x0F, 0x22, 0xC0, 0xBC, 0x00, 0x20,                    // 12: dec ax; mov cr0, eax; mov sp, 2000h
    0x66, 0xBE, 0x00, 0x00, 0xE0, 0xFE,                          // 19: mov esi, 0FEE00000h
    0x66, 0xC7, 0x06, 0x00, 0x01, 0x59, 0x00, 0x00, 0xF0,        // 1F: mov dword [100h], F000:0059 (vector 40h)
    0x66, 0x67, 0xC7, 0x86, 0xF0, 0x00, 0x00, 0x00,              // 28: mov dword [esi+0F0h], 1FFh
    0xFF, 0x01, 0x00, 0x00,                                      //
    0x66, 0x67, 0xC7, 0x86, 0x20, 0x03, 0x00, 0x00,              // 34: mov dword [esi+320h], 40040h (deadline)
    0x40, 0x00, 0x04, 0x00,                                      //
    0xFB, 0x66, 0x31, 0xD2, 0x66, 0xB9, 0xE0, 0x06, 0x00, 0x00,  // 40: sti; xor edx, edx; mov ecx, 6E0h
    0x66, 0xB8, 0x01, 0x00, 0x00, 0x00, 0x0F, 0x30, 0x90,        // 4A: mov eax, 1; wrmsr; nop
    0xA0, 0x00, 0x10, 0xFA, 0xE6, 0xF4,                          // 53: mov al, [1000h]; cli; out 0F4h, al
    0xFE, 0x06, 0x00, 0x10, 0xCF,                                // 59: inc byte [1000h]; iret
    0x0F, 0x00, 0x5C, 0x00, 0x0F, 0x00,                          // 5E: limit and address of the table, 8 bytes below:
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x92, 0x8F, 0x00};             // 64: a flat data segment
constexpr int kOneInterrupt = 1 << 1 | 1;
constexpr std::size_t kWrittenOver = 0x64;
constexpr u8 kFarJump[] = {0xEA, 0x00, 0x00, 0x00};
constexpr int kWentAstray = 2 << 1 | 1, kTwoNmis = 0x12 << 1 | 1;

struct ProcessorMessages : ::testing::TestWithParam<const char*> {
  // The exit code of the program.
  int run(std::span<const u8> program) {
    std::string rom(0x10000, '\xF4');
    std::ranges::copy(program, rom.begin());
    const u8 entry[] = {0xEA, 0x00, 0x00, 0x00, 0xF0};  // jmp F000:0000
    std::ranges::copy(entry, rom.begin() + 0xFFF0);
    const std::vector<std::string> arguments{"-m",          "4",
                                             "-bios",       folder.write("rom", rom),
                                             "-cpu",        "qemu32,+tsc-deadline",
                                             "-smp",        "2",
                                             "-accel",      GetParam(),
                                             "-device",     "isa-debug-exit,iobase=0xf4,iosize=0x04",
                                             "-vga",        "none",
                                             "-display",    "none",
                                             "-nodefaults", "--state-dir",
                                             folder.path()};
    auto parsed = parse_command_line(arguments);
    EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.message());
    HostPoller poller;
    auto machine = Machine::create(parsed.value().options, poller);
    EXPECT_TRUE(machine.ok()) << (machine.ok() ? "" : machine.message());
    EXPECT_EQ(machine.value()->run(), End::DebugExit);
    return machine.value()->exit_code();
  }

  test::TemporaryFolder folder;
};

// Firmware writes the code that others start with to memory in use, and restores that when it has heard of them; or at
// once: SeaBIOS 1.16 counts them in memory that is read-only after suspend to RAM.
TEST_P(ProcessorMessages, OneThatIsStartedRunsBeforeTheSenderGoesOn) { EXPECT_NE(run(kProgram), kWentAstray); }

// A processor takes an NMI between two instructions and keeps one more that comes before IRET (SDM 3A 6.7.1). That the
// host has not let it carry out any makes one of two no less.
TEST_P(ProcessorMessages, TwoNmisAreTwo) {
  std::vector<u8> program(std::begin(kProgram), std::end(kProgram));
  std::ranges::copy(kFarJump, program.begin() + kWrittenOver);
  EXPECT_EQ(run(program), kTwoNmis);
}

TEST_P(ProcessorMessages, ATimerThatIsDueInterruptsAtOnce) { EXPECT_EQ(run(kDeadline), kOneInterrupt); }

const auto name_of = [](const auto& accelerator) {
  std::string name = accelerator.param;
  std::erase_if(name, [](char c) { return c == ',' || c == '='; });
  return name;
};
INSTANTIATE_TEST_SUITE_P(Interpreter, ProcessorMessages, ::testing::Values("interp", "interp,thread=multi"), name_of);
#ifdef RELIC86_JIT
INSTANTIATE_TEST_SUITE_P(Translator, ProcessorMessages, ::testing::Values("jit", "jit,thread=multi"), name_of);
#endif

}  // namespace
}  // namespace relic86
