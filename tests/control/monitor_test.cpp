#include "control/monitor/monitor.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "control/gdb/gdb_server.h"
#include "cpu/control_bits.h"
#include "devices/chipset/mc146818.h"
#include "options/options.h"

namespace relic86 {
namespace {

// A machine that was never started, with a ROM of known bytes; its processor stands at the reset vector.
struct MonitorSession : ::testing::Test {
  MonitorSession() {
    std::string pattern = std::filesystem::temp_directory_path() / "relic86-monitor-XXXXXX";
    folder = mkdtemp(pattern.data());
    std::vector<char> rom(0x10000, '\x90');
    const unsigned char start[] = {0x43, 0x24, 0x83, 0xB8, 0x34, 0x12, 0xF4};  // inc bx; and al,83h; mov ax,1234h; hlt
    for (std::size_t i = 0; i < std::size(start); i++) rom[i] = static_cast<char>(start[i]);
    std::ofstream(folder + "/rom", std::ios::binary).write(rom.data(), static_cast<std::streamsize>(rom.size()));
    const std::vector<std::string> arguments{"-m",          "4",    "-bios", folder + "/rom",
                                             "-display",    "none", "-vga",  "none",
                                             "-nodefaults", "-S",   "-name", "under test"};
    auto parsed = parse_command_line(arguments);
    EXPECT_TRUE(parsed.ok());
    auto made = Machine::create(parsed.value().options, poller);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.message());
    machine = std::move(made).value();
    for (unsigned i = 0; i < sizeof kPattern; i++) machine->bus().write(PhysAddr(0x1000 + i), 1, kPattern[i]);
  }
  ~MonitorSession() override { std::filesystem::remove_all(folder); }
  std::string run(std::string_view line) { return execute_monitor_line(*machine, line); }

  static constexpr u8 kPattern[8] = {0xF8, 0x03, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0x7F};
  std::string folder;
  HostPoller poller;
  std::unique_ptr<Machine> machine;
};

// The expected texts are what qemu-system-i386 7.2 prints for the same memory.
TEST_F(MonitorSession, MemoryDumpsAreLaidOutAsQemuDoes) {
  EXPECT_EQ(run("x /2xw 0x1000"), "00001000: 0x000003f8 0x7fffffff\n");
  EXPECT_EQ(run("x/2xw 0x1000"), "00001000: 0x000003f8 0x7fffffff\n");
  EXPECT_EQ(run("xp /4xb 4096"), "0000000000001000: 0xf8 0x03 0x00 0x00\n");
  EXPECT_EQ(run("x /3db 0x1000"), "00001000: 248   3   0\n");
  EXPECT_EQ(run("x /2uh 0x1000"), "00001000:  1016     0\n");
  EXPECT_EQ(run("x /2dw 0x1000"), "00001000:       1016 2147483647\n");
  EXPECT_EQ(run("x /3ob 0x1000"), "00001000: 0370  03   0\n");
  EXPECT_EQ(run("x /1gx 0x1000"), "00001000: 0x7fffffff000003f8\n");
}

TEST_F(MonitorSession, CodeIsDisassembledInTheProcessorsMode) {
  EXPECT_EQ(run("x /4i 0xf0000"),
            "0x000f0000:  43                       inc      %bx\n"
            "0x000f0001:  24 83                    and      $0x83, %al\n"
            "0x000f0003:  b8 34 12                 mov      $0x1234, %ax\n"
            "0x000f0006:  f4                       hlt\n");
}

TEST_F(MonitorSession, PrintEvaluates) {
  EXPECT_EQ(run("p $eip"), "65520\n");
  EXPECT_EQ(run("print /x 255"), "0xff\n");
  EXPECT_EQ(run("p 1 + 6"), "7\n");
  EXPECT_EQ(run("p /o 8"), "010\n");
}

TEST_F(MonitorSession, RegistersAtResetReadAsQemuPrintsThem) {
  const std::string text = run("info registers");
  EXPECT_TRUE(text.starts_with("\nCPU#0\nEAX=00000000 ")) << text;
  EXPECT_NE(text.find("\nEIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n"), text.npos) << text;
  EXPECT_NE(text.find("\nCS =f000 ffff0000 0000ffff 00009300\n"), text.npos) << text;
  EXPECT_NE(text.find("XMM00=0000000000000000 0000000000000000 XMM01="), text.npos) << text;
}

// As qemu-system-i386 7.2 prints the same tables.
TEST_F(MonitorSession, PageTablesAreListed) {
  EXPECT_EQ(run("info mem"), "PG disabled\n");
  EXPECT_EQ(run("info tlb"), "PG disabled\n");
  CpuState& state = machine->cpu().state();
  state.cr3 = 0x10000;
  state.cr4 = 0x10;
  state.cr0 |= 0x80000001;
  const auto put = [&](u64 at, u64 value, unsigned size) { machine->bus().write(PhysAddr(at), size, value); };
  put(0x10000, 0x11003, 4);           // the first 4 MiB by pages
  put(0x10000 + 0x300 * 4, 0xE3, 4);  // C0000000h: a large page, dirty and accessed
  put(0x11000, 0x5027, 4);
  put(0x11004, 0x6001, 4);
  put(0x11008, 0x7107, 4);  // user, but for the directory's entry
  EXPECT_EQ(run("info tlb"),
            "0000000000000000: 0000000000005000 ----A--UW\n"
            "0000000000001000: 0000000000006000 ---------\n"
            "0000000000002000: 0000000000007000 -G-----UW\n"
            "00000000c0000000: 0000000000000000 --PDA---W\n");
  EXPECT_EQ(run("info mem"),
            "0000000000000000-0000000000001000 0000000000001000 -rw\n"
            "0000000000001000-0000000000002000 0000000000001000 -r-\n"
            "0000000000002000-0000000000003000 0000000000001000 -rw\n"
            "00000000c0000000-00000000c0400000 0000000000400000 -rw\n");
  // PAE: the same linear pages with 8-byte entries.
  state.cr4 = 0x20;
  state.cr3 = 0x20020;
  put(0x20020, 0x21001, 8);
  put(0x21000, 0x22007, 8);
  put(0x21008, 0x200087, 8);
  put(0x22000, 0x8000000000005005, 8);
  EXPECT_EQ(run("info tlb"),
            "0000000000000000: 0000000000005000 X------U-\n"
            "0000000000200000: 0000000000200000 --P----UW\n");
  EXPECT_EQ(run("info mem"),
            "0000000000000000-0000000000001000 0000000000001000 ur-\n"
            "0000000000200000-0000000000400000 0000000000200000 urw\n");
}

// As qemu-system-x86_64 7.2 prints the same tables: addresses are canonical, rights those of all levels together.
TEST_F(MonitorSession, PageTablesOfLongModeAreListed) {
  CpuState& state = machine->cpu().state();
  state.cr3 = 0x10000;
  state.cr4 = 0x20;
  state.cr0 |= 0x80000001;
  state.efer = 0x500;
  machine->cpu().update_mode();
  EXPECT_TRUE(machine->cpu().mmu().load_cr3(state.cr3));
  const auto put = [&](u64 at, u64 value) { machine->bus().write(PhysAddr(at), 8, value); };
  put(0x10000, 0x11007);            // the first 512 GiB
  put(0x10000 + 511 * 8, 0x12003);  // the last
  put(0x11000, 0x13007);            // its first GiB by directories
  put(0x11008, 0x40000087);         // the second in one piece
  put(0x13000, 0x14005);            // read-only, whatever its pages say
  put(0x14000, 0x5067);
  put(0x12000 + 510 * 8, 0x15003);
  put(0x15000 + 8 * 8, 0x2001E3);  // FFFFFFFF81000000h
  EXPECT_EQ(run("info tlb"),
            "0000000000000000: 0000000000005000 ---DA--UW\n"
            "0000000040000000: 0000000040000000 --P----UW\n"
            "ffffffff81000000: 0000000000200000 -GPDA---W\n");
  EXPECT_EQ(run("info mem"),
            "0000000000000000-0000000000001000 0000000000001000 ur-\n"
            "0000000040000000-0000000080000000 0000000040000000 urw\n"
            "ffffffff81000000-ffffffff81200000 0000000000200000 -rw\n");
  machine->bus().write(PhysAddr(0x200000), 8, 0x1122334455667788);
  EXPECT_EQ(run("gva2gpa 0xffffffff81000010"), "gpa: 0x200010\n");
  EXPECT_TRUE(run("x /1xg 0xffffffff81000000").ends_with(": 0x1122334455667788\n"));
  // 5-level paging: the last 512 GiB, of the lower half and of the upper one.
  state.cr4 |= kCr4La57;
  state.cr3 = 0x20000;
  machine->cpu().update_mode();
  EXPECT_TRUE(machine->cpu().mmu().load_cr3(state.cr3));
  put(0x20000 + 255 * 8, 0x21007);
  put(0x20000 + 511 * 8, 0x21001);
  put(0x21000 + 511 * 8, 0x12003);
  EXPECT_EQ(run("info mem"),
            "00ffffff81000000-00ffffff81200000 0000000000200000 -rw\n"
            "ffffffff81000000-ffffffff81200000 0000000000200000 -r-\n");
  EXPECT_EQ(run("gva2gpa 0xffffff81000010"), "gpa: 0x200010\n");
}

TEST_F(MonitorSession, ServesGdbWhereItIsTold) {
  const GdbService service(*machine, poller);
  EXPECT_EQ(run("gdbserver unix:" + folder + "/gdb"),
            "Waiting for gdb connection on device 'unix:" + folder + "/gdb'\n");
  EXPECT_TRUE(std::filesystem::exists(folder + "/gdb"));
  EXPECT_NE(run("gdbserver nonsense").find("-gdb nonsense: unknown"), std::string::npos);
  EXPECT_EQ(run("gdbserver none"), "Disabled gdbserver\n");
  EXPECT_FALSE(std::filesystem::exists(folder + "/gdb"));
}

TEST_F(MonitorSession, SavesMemory) {
  EXPECT_EQ(run("pmemsave 0x1000 8 " + folder + "/dump"), "");
  std::ifstream file(folder + "/dump", std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(content, std::string(reinterpret_cast<const char*>(kPattern), sizeof kPattern));
  EXPECT_NE(run("memsave 0 16 /nonexistent/dump").find("No such file"), std::string::npos);
}

TEST_F(MonitorSession, RunStateFollowsStopAndCont) {
  EXPECT_EQ(run("cont"), "");
  EXPECT_EQ(run("info status"), "VM status: running\n");
  EXPECT_EQ(run("stop"), "");
  EXPECT_EQ(run("info status"), "VM status: paused\n");
  EXPECT_EQ(run("info name"), "under test\n");
  EXPECT_FALSE(machine->ended());
  EXPECT_EQ(run("quit"), "");
  EXPECT_TRUE(machine->ended());
}

TEST_F(MonitorSession, Expressions) {
  EXPECT_EQ(run("p (1+2)*3"), "9\n");
  EXPECT_EQ(run("p 10/3 + 10%3"), "4\n");
  EXPECT_EQ(run("p 1|6&3"), "3\n");  // from left to right
  EXPECT_EQ(run("p /x ~0"), "0xffffffffffffffff\n");
  EXPECT_EQ(run("p -1+2"), "1\n");
  EXPECT_EQ(run("p 'A'"), "65\n");
  EXPECT_EQ(run("p /x $cs"), "0xf000\n");
  EXPECT_EQ(run("p /x $eip"), "0xfff0\n");
  EXPECT_EQ(run("p /x $pc"), "0xfffffff0\n");
  machine->cpu().state().gpr[13] = 0x1122334455667788;
  EXPECT_EQ(run("p /x $r13 + $rip - $rax - $eip"), "0x1122334455667788\n");
  EXPECT_EQ(run("x /2xw (0x800 + 0x800)"), "00001000: 0x000003f8 0x7fffffff\n");
  for (const char* wrong : {"p 1/0", "p 1%0", "p (1", "p 1)", "p $nope", "p 1+", "p 09", "p ''", "p 1<<4"})
    EXPECT_EQ(run(wrong), "p: an expression is missing or not understood\n") << wrong;
  EXPECT_EQ(run("p " + std::string(5000, '(')), "p: an expression is missing or not understood\n");
  EXPECT_EQ(run("p " + std::string(5000, '-') + "1"), "p: an expression is missing or not understood\n");
}

TEST_F(MonitorSession, SmallCommandsOfQemusUsers) {
  EXPECT_EQ(run("sum 0x1000 8"), "07520\n");  // what sum(1) -r says of the eight bytes
  EXPECT_EQ(run("gva2gpa 0x1234"), "gpa: 0x1234\n");
  EXPECT_EQ(run("boot_set d"), "");
  EXPECT_EQ(machine->board().clock().cmos(0x3D) & 0x0F, 3);
  EXPECT_NE(run("boot_set z").find("letters"), std::string::npos);
  EXPECT_EQ(run("cpu 0"), "");
  EXPECT_EQ(run("cpu 1"), "invalid CPU index\n");
  EXPECT_EQ(run("nmi"), "");
  EXPECT_EQ(run("info memory_size_summary"), "base memory: 4194304\nplugged memory: 0\n");
  EXPECT_EQ(run("info uuid"), "00000000-0000-0000-0000-000000000000\n");
  EXPECT_EQ(run("help frobnicate"), "unknown command: 'frobnicate'\n");
}

TEST_F(MonitorSession, TranslationsAreListed) {
  constexpr u8 kLoop[] = {0x40, 0x3C, 0x07, 0xEB, 0xFB};  // inc ax; cmp al,7; jmp to inc
  constexpr u32 kAt = 0x2000;
  for (unsigned i = 0; i < std::size(kLoop); i++) machine->bus().write(PhysAddr(kAt + i), 1, kLoop[i]);
  CpuState& state = machine->cpu().state();
  state.segment[kCs].base = 0;
  state.rip = kAt;
  EXPECT_EQ(run("translation 0x2001"), "No translation: this code has not run often, or the interpreter runs it\n");
  machine->engine().run(5000);
  if (run("info jit").find("translator:") == std::string::npos) GTEST_SKIP() << "built without the translator";
  const std::string text = run("translation 0x2001");  // within the block
  for (const char* part : {"translation of 00002000: 3 instructions", "  00002001  cmp al, 0x07\n", "v1 = Inc.2 v0\n",
                           "    flags: not needed\n", "    flags: an exit may show them\n", "jmp"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  EXPECT_NE(run("translation 0x1000").find("No translation"), std::string::npos);
}

TEST_F(MonitorSession, NonsenseGetsAnAnswer) {
  for (const char* line : {"x",
                           "x /z 0",
                           "x /4",
                           "x /99999999999xw 0",
                           "xp",
                           "p",
                           "p $nope",
                           "p /i 3",
                           "i",
                           "o 0x80",
                           "i /g 0x80",
                           "sendkey",
                           "sendkey nope",
                           "change",
                           "eject",
                           "eject nope",
                           "info nope",
                           "nope",
                           "mouse_move",
                           "mouse_move a b",
                           "mouse_button 99",
                           "screendump",
                           "memsave",
                           "memsave 0 16"}) {
    EXPECT_FALSE(run(line).empty()) << line;
  }
  EXPECT_EQ(run(""), "");
  EXPECT_EQ(run("  "), "");
}

}  // namespace
}  // namespace relic86
