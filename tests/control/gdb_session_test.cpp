// The remote serial protocol on a machine: framing, registers, memory, points, running. tests/gdb runs the real gdb.
#include "control/gdb/gdb_session.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "build_features.h"
#include "control/gdb/gdb_registers.h"
#include "options/options.h"
#include "tests/cpu/cpu_test_machine.h"

namespace relic86 {
namespace {

std::string framed(std::string_view data) {
  u8 sum = 0;
  for (const char c : data) sum = static_cast<u8>(sum + static_cast<u8>(c));
  return fmt::format("${}#{:02x}", data, sum);
}

struct GdbTest : ::testing::TestWithParam<const char*> {
  GdbTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "relic86-gdb-XXXXXX";
    folder = mkdtemp(pattern.data());
    // F000:FFF0 jmp F000:E000; at E000: mov ax,1; mov [1000h],ax; inc ax; jmp E003
    std::vector<char> rom(0x10000, '\x90');
    const auto put = [&](std::size_t at, std::initializer_list<int> bytes) {
      for (const int byte : bytes) rom[at++] = static_cast<char>(byte);
    };
    put(0xFFF0, {0xEA, 0x00, 0xE0, 0x00, 0xF0});
    put(0xE000, {0xB8, 0x01, 0x00, 0xA3, 0x00, 0x10, 0x40, 0xEB, 0xFA});
    std::ofstream(folder + "/rom", std::ios::binary).write(rom.data(), static_cast<std::streamsize>(rom.size()));
    const std::vector<std::string> arguments{"-m",     "4",        "-bios",   folder + "/rom",    "-display",
                                             "none",   "-vga",     "none",    "-nodefaults",      "-S",
                                             "-accel", GetParam(), "-icount", "shift=4,sleep=off"};
    auto parsed = parse_command_line(arguments);
    EXPECT_TRUE(parsed.ok());
    auto made = Machine::create(parsed.value().options, poller);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.message());
    machine = std::move(made).value();
    session = std::make_unique<GdbSession>(*machine, [this](std::string_view bytes) { sent += bytes; });
    session->attach();
  }
  ~GdbTest() override {
    session.reset();
    std::filesystem::remove_all(folder);
  }
  void receive(std::string_view bytes) {
    for (const char byte : bytes) session->receive(static_cast<u8>(byte));
  }
  // What is sent back, without framing and acknowledgement.
  std::string ask(std::string_view data) {
    sent.clear();
    receive(framed(data));
    return answer();
  }
  std::string answer() {
    const auto first = sent.find('$'), last = sent.rfind('#');
    return first == sent.npos ? "" : sent.substr(first + 1, last - first - 1);
  }
  // Goes on until the machine stops by itself.
  std::string run(std::string_view data) {
    EXPECT_EQ(ask(data), "");
    machine->run_to(machine->instruction_count() + 100'000);
    EXPECT_TRUE(machine->paused()) << data;
    return answer();
  }
  u32 eip() { return machine->cpu().state().eip(); }

  std::string folder;
  HostPoller poller;
  std::unique_ptr<Machine> machine;
  std::string sent;
  std::unique_ptr<GdbSession> session;
};

TEST_P(GdbTest, PacketsAreAcknowledgedAndRepeated) {
  receive(framed("qC"));
  EXPECT_EQ(sent, "+" + framed("QC1"));
  sent.clear();
  receive("-");
  EXPECT_EQ(sent, framed("QC1"));
  sent.clear();
  receive("$qC#00");
  EXPECT_EQ(sent, "-");
  EXPECT_EQ(ask("QStartNoAckMode"), "OK");
  sent.clear();
  receive("$qC#00");
  EXPECT_EQ(sent, framed("QC1"));
  EXPECT_EQ(ask("vMustReplyEmpty"), "");
  EXPECT_EQ(ask("?"), "T05thread:01;");
}

TEST_P(GdbTest, DescriptionFitsTheRegisters) {
  EXPECT_NE(ask("qSupported:swbreak+").find("qXfer:features:read+"), std::string::npos);
  std::string xml, part;
  do {
    part = ask(fmt::format("qXfer:features:read:target.xml:{:x},100", xml.size()));
    ASSERT_FALSE(part.empty());
    xml += part.substr(1);
  } while (part[0] == 'm');
  EXPECT_NE(xml.find("<architecture>i386</architecture>"), std::string::npos);
  unsigned bits = 0, registers = 0;
  for (auto at = xml.find("bitsize=\""); at != xml.npos; at = xml.find("bitsize=\"", at + 1)) {
    bits += static_cast<unsigned>(std::stoi(xml.substr(at + 9)));
    registers++;
  }
  EXPECT_EQ(registers, gdb_register_count(machine->cpu()));
  EXPECT_EQ(ask("g").size(), bits / 4);
  EXPECT_EQ(ask("qXfer:features:read:target.xml:fffffff,100"), "l");
  EXPECT_EQ(ask("qXfer:features:read:other.xml:0,100"), "E00");
}

// Control registers and flags are shown by their bits: every type that a register has is one of gdb's or defined
// before.
TEST_P(GdbTest, RegistersHaveTypes) {
  const std::string xml = gdb_target_description(machine->cpu());
  for (const char* type : {"i386_eflags", "i386_cr0", "i386_cr4", "i386_efer", "i386_mxcsr"}) {
    const auto defined = xml.find(fmt::format("<flags id=\"{}\"", type));
    const auto used = xml.find(fmt::format("type=\"{}\"", type));
    ASSERT_NE(defined, std::string::npos) << type;
    ASSERT_NE(used, std::string::npos) << type;
    EXPECT_LT(defined, used) << type;
  }
  EXPECT_NE(xml.find("<field name=\"IOPL\" start=\"12\" end=\"13\"/>"), std::string::npos);
  EXPECT_NE(xml.find("<field name=\"PG\" start=\"31\" end=\"31\"/>"), std::string::npos);
}

// A processor that has long mode: amd64's registers, whatever its mode.
TEST(GdbAmd64, RegistersAreWide) {
  CpuTestMachine m("qemu64");
  Cpu& cpu = m.cpu();
  const std::string xml = gdb_target_description(cpu);
  EXPECT_NE(xml.find("<architecture>i386:x86-64</architecture>"), std::string::npos);
  EXPECT_NE(xml.find("<reg name=\"rip\" bitsize=\"64\" type=\"code_ptr\"/>"), std::string::npos);
  EXPECT_NE(xml.find("<reg name=\"eflags\" bitsize=\"32\" type=\"i386_eflags\"/>"), std::string::npos);
  EXPECT_NE(xml.find("<reg name=\"xmm15\""), std::string::npos);
  unsigned bits = 0, bytes = 0;
  for (auto at = xml.find("bitsize=\""); at != xml.npos; at = xml.find("bitsize=\"", at + 1))
    bits += static_cast<unsigned>(std::stoi(xml.substr(at + 9)));
  for (unsigned i = 0; i < gdb_register_count(cpu); i++) bytes += gdb_register_size(cpu, i);
  EXPECT_EQ(bits, bytes * 8);
  // gdb's second register is RBX.
  const std::vector<u8> value{1, 2, 3, 4, 5, 6, 7, 8};
  m.state().mode.code64 = true;
  EXPECT_TRUE(write_gdb_register(cpu, 1, value));
  EXPECT_EQ(m.state().gpr[kEbx], 0x0807060504030201u);
  EXPECT_EQ(read_gdb_register(cpu, 1), value);
  EXPECT_TRUE(write_gdb_register(cpu, 15, value));
  EXPECT_EQ(m.state().gpr[15], 0x0807060504030201u);
  EXPECT_FALSE(write_gdb_register(cpu, 16, value));  // RIP: not canonical
}

// A gdb that says multiprocess+ names the processor as a thread of a process; others never see it.
TEST_P(GdbTest, ThreadsOfProcesses) {
  EXPECT_EQ(ask("qSupported:swbreak+").find("multiprocess"), std::string::npos);
  EXPECT_EQ(ask("qfThreadInfo"), "m1");
  EXPECT_NE(ask("qSupported:multiprocess+;swbreak+").find(";multiprocess+"), std::string::npos);
  EXPECT_EQ(ask("?"), "T05thread:p01.01;");
  EXPECT_EQ(ask("qC"), "QCp1.1");
  EXPECT_EQ(ask("qfThreadInfo"), "mp1.1");
  EXPECT_EQ(ask("qsThreadInfo"), "l");
  EXPECT_EQ(ask("Hgp1.1"), "OK");
  EXPECT_EQ(ask("Tp1.1"), "OK");
  EXPECT_EQ(ask("vAttach;1"), "T05thread:p01.01;");
  EXPECT_EQ(run("vCont;s:p1.1;c:p1.-1"), "T05thread:p01.01;");
  EXPECT_EQ(ask("D;1"), "OK");
}

// Two processors are two threads; the second one waits to be started.
TEST_P(GdbTest, ProcessorsAreThreads) {
  const std::vector<std::string> arguments{
      "-m",   "4", "-bios", folder + "/rom", "-display", "none",     "-vga",    "none",
      "-smp", "2", "-S",    "-nodefaults",   "-accel",   GetParam(), "-icount", "shift=4,sleep=off"};
  auto parsed = parse_command_line(arguments);
  ASSERT_TRUE(parsed.ok());
  session.reset();
  auto made = Machine::create(parsed.value().options, poller);
  ASSERT_TRUE(made.ok()) << made.message();
  machine = std::move(made).value();
  session = std::make_unique<GdbSession>(*machine, [this](std::string_view bytes) { sent += bytes; });
  session->attach();
  EXPECT_EQ(ask("qfThreadInfo"), "m1,2");
  EXPECT_EQ(ask("T2"), "OK");
  EXPECT_EQ(ask("T3"), "E22");
  EXPECT_EQ(ask("Hg3"), "E22");
  EXPECT_EQ(run("s"), "T05thread:01;");
  EXPECT_EQ(ask("p8"), "00e00000");
  EXPECT_EQ(ask("Hg2"), "OK");
  EXPECT_EQ(ask("p8"), "f0ff0000") << "it has not moved";
  EXPECT_EQ(ask("qC"), "QC2");
  EXPECT_EQ(ask("P0=78563412"), "OK");
  EXPECT_EQ(machine->processors()[1].cpu().state().gpr32(kEax), 0x12345678u);
  EXPECT_NE(machine->processors()[0].cpu().state().gpr32(kEax), 0x12345678u);
  // Started, it runs beside the other, and its breakpoint is told as its own.
  machine->processors().start_up(1, 0x02);
  machine->bus().write(PhysAddr(0x2000), 4, 0xFCEB4040);  // inc ax; inc ax; jmp 2000h
  EXPECT_EQ(ask("Z0,2002,1"), "OK");
  EXPECT_EQ(run("vCont;c"), "T05thread:02;");
  EXPECT_EQ(ask("p8"), "02000000");
  EXPECT_EQ(ask("z0,2002,1"), "OK");
  EXPECT_EQ(run("vCont;s:2"), "T05thread:02;");
  EXPECT_EQ(ask("p8"), "00000000");
  const u64 before = machine->processors()[0].cpu().instruction_count();
  EXPECT_EQ(run("vCont;s:2"), "T05thread:02;");
  EXPECT_EQ(machine->processors()[0].cpu().instruction_count(), before) << "the first one stands still";
  EXPECT_EQ(run("vCont;s:2;c"), "T05thread:02;");
  EXPECT_GT(machine->processors()[0].cpu().instruction_count(), before);
}

TEST_P(GdbTest, RegistersAreReadAndWritten) {
  EXPECT_EQ(ask("p8"), "f0ff0000");
  EXPECT_EQ(ask("pa"), "00f00000");  // CS
  EXPECT_EQ(ask("P3=78563412"), "OK");
  EXPECT_EQ(machine->cpu().state().gpr32(kEbx), 0x12345678u);
  EXPECT_EQ(ask("Pc=00200000"), "OK");  // DS in real mode
  EXPECT_EQ(machine->cpu().state().segment[kDs].base, 0x20000u);
  EXPECT_EQ(ask("P28=ffffffff"), "OK");  // MXCSR: reserved bits stay clear
  EXPECT_EQ(machine->cpu().state().fx.mxcsr & 0xFFFF0000u, 0u);
  EXPECT_EQ(ask("P9=d70f3d00"), "OK");  // EFLAGS: all but VM
  EXPECT_FALSE(machine->cpu().state().mode.v86);
  const std::string all = ask("g");
  EXPECT_EQ(ask("G" + all), "OK");
  EXPECT_EQ(ask("g"), all);
  EXPECT_EQ(ask("P2f=01000000"), "E22");  // CR0 is not for writing
  EXPECT_EQ(ask("pff"), "E22");
  EXPECT_EQ(ask("P3=1234"), "E22");
  EXPECT_EQ(ask("Gzz"), "E22");
}

TEST_P(GdbTest, MemoryIsReadAndWritten) {
  EXPECT_EQ(ask("m fff0,1"), "E22");
  EXPECT_EQ(ask("mffff0,5"), "ea00e000f0");
  EXPECT_EQ(ask("M2000,3:010203"), "OK");
  EXPECT_EQ(ask(std::string_view("X2003,2:}\x03z")), "OK");  // an escaped #
  EXPECT_EQ(ask("m2000,5"), "010203237a");
  EXPECT_EQ(ask("Mfffe8,1:cc"), "OK");  // ROM too
  EXPECT_EQ(ask("mfffe8,1"), "cc");
  EXPECT_EQ(ask("M2000,3:0102"), "E22");
  EXPECT_EQ(ask("m2000,"), "E22");
  EXPECT_EQ(ask("m2000,0"), "");
  EXPECT_EQ(ask("m0,ffffffff").size(), GdbPackets::kLongest - 2);
}

TEST_P(GdbTest, BreakpointsStopBeforeTheInstructionEachTime) {
  EXPECT_EQ(ask("Z0,fe006,1"), "OK");
  for (u32 round = 1; round < 100; round++) {
    EXPECT_EQ(run("c"), "T05thread:01;");  // EIP is not the linear address here: a plain trap
    EXPECT_EQ(eip(), 0xE006u);
    ASSERT_EQ(machine->cpu().state().gpr32(kEax), round);
  }
  EXPECT_EQ(ask("z0,fe006,1"), "OK");
  EXPECT_EQ(ask("z0,fe006,1"), "E22");
  EXPECT_EQ(ask("Z1,fe003,1"), "OK");
  EXPECT_EQ(run("vCont;c:1"), "T05thread:01;");
  EXPECT_EQ(eip(), 0xE003u);
}

TEST_P(GdbTest, HotCodeIsCutWhereABreakpointComes) {
  EXPECT_EQ(ask("c"), "");
  machine->run_to(90'000);
  receive("\x03");
  EXPECT_EQ(answer(), "T02thread:01;");
  EXPECT_EQ(ask("Z0,fe006,1"), "OK");
  EXPECT_EQ(run("c"), "T05thread:01;");
  EXPECT_EQ(eip(), 0xE006u);
  EXPECT_LE(machine->cpu().instruction_count(), 90'000u + 2 * 64);
}

TEST_P(GdbTest, WatchpointsStopBehindTheAccess) {
  EXPECT_EQ(ask("Z2,1001,1"), "OK");
  EXPECT_EQ(run("c"), "T05thread:01;watch:1001;");
  EXPECT_EQ(eip(), 0xE006u);
  EXPECT_EQ(run("c"), "T05thread:01;watch:1001;");
  EXPECT_EQ(ask("m1000,2"), "0200");
  EXPECT_EQ(ask("z2,1001,1"), "OK");
  EXPECT_EQ(ask("Z3,1000,2"), "OK");  // nobody reads
  EXPECT_EQ(ask("c"), "");
  machine->run_to(machine->cpu().instruction_count() + 1000);
  EXPECT_FALSE(machine->paused());
  EXPECT_EQ(ask("Z4,1000,2"), "OK");
  EXPECT_EQ(run("c"), "T05thread:01;awatch:1000;");
  EXPECT_EQ(ask("Z5,1000,2"), "");
  EXPECT_EQ(ask("Z2,1000,10000"), "E22");
}

TEST_P(GdbTest, Steps) {
  EXPECT_EQ(run("s"), "T05thread:01;");
  EXPECT_EQ(eip(), 0xE000u);
  EXPECT_EQ(machine->cpu().instruction_count(), 1u);
  EXPECT_EQ(run("vCont;s:1;c"), "T05thread:01;");
  EXPECT_EQ(eip(), 0xE003u);
  EXPECT_EQ(run("vCont;re003,e007:1;c"), "T05thread:01;");
  EXPECT_EQ(eip(), 0xE007u);
  EXPECT_EQ(run("sE000"), "T05thread:01;");
  EXPECT_EQ(eip(), 0xE003u);
  EXPECT_EQ(ask("qqemu.sstep"), "0x7");
  EXPECT_EQ(ask("Qqemu.sstep=1"), "OK");
  EXPECT_EQ(ask("qqemu.sstep"), "0x1");
}

TEST_P(GdbTest, DetachingLetsTheMachineRun) {
  EXPECT_EQ(ask("Z0,fe006,1"), "OK");
  EXPECT_EQ(ask("D"), "OK");
  machine->run_to(1000);
  EXPECT_FALSE(machine->paused());
  EXPECT_EQ(machine->cpu().instruction_count(), 1000u);
  session->attach();  // the next client
  EXPECT_TRUE(machine->paused());
  session->leave();  // and it is gone
  EXPECT_FALSE(machine->paused());
}

TEST_P(GdbTest, KillEndsTheMachine) {
  EXPECT_EQ(ask("k"), "");
  EXPECT_TRUE(machine->ended());
}

TEST_P(GdbTest, MonitorCommandsAnswer) {
  const std::string answer = ask("qRcmd," + to_hex(std::string_view("info status")));
  EXPECT_TRUE(answer.starts_with("O" + to_hex(std::string_view("VM status: paused (prelaunch)\n")))) << answer;
  EXPECT_TRUE(answer.ends_with("OK"));  // frames in between
  EXPECT_EQ(ask("qRcmd,1"), "E22");
  EXPECT_NE(ask("qRcmd," + to_hex(std::string_view("gdbserver none"))), "");
  EXPECT_EQ(ask("qC"), "QC1");
}

TEST_P(GdbTest, ResetKeepsTheBreakpoints) {
  EXPECT_EQ(ask("Z0,fe006,1"), "OK");
  run("c");
  machine->reset();
  EXPECT_EQ(ask("p8"), "f0ff0000");
  EXPECT_EQ(run("c"), "T05thread:01;");
  EXPECT_EQ(eip(), 0xE006u);
}

// Any bytes are survived, and the session answers afterwards.
TEST_P(GdbTest, SurvivesAnything) {
  static constexpr std::string_view kSeeds[] = {"g",
                                                "G00000000",
                                                "p8",
                                                "P8=f0ff0000",
                                                "m1000,10",
                                                "M1000,2:0102",
                                                "X1000,2:ab",
                                                "Z0,fe0,1",
                                                "z0,fe0,1",
                                                "Z2,10,4",
                                                "vCont;c:1",
                                                "vCont;r1,2:1",
                                                "s",
                                                "c1000",
                                                "C05;1000",
                                                "qSupported:a+",
                                                "H g-1",
                                                "qXfer:features:read:target.xml:0,fff",
                                                "qRcmd,3f",
                                                "!",
                                                "R00",
                                                "T1",
                                                "D;1",
                                                "Qqemu.PhyMemMode:1",
                                                "Qqemu.sstep=5",
                                                "?"};
  std::mt19937 random(4242);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  for (unsigned round = 0; round < 20'000; round++) {
    std::string data(kSeeds[below(std::size(kSeeds))]);
    for (std::size_t changes = below(4); changes > 0; changes--) {
      const std::size_t at = below(data.size() + 1);
      switch (below(4)) {
        case 0: data.insert(at, 1, static_cast<char>(random())); break;
        case 1: data.resize(at); break;
        case 2: data.insert(at, "ffffffff"); break;
        default:
          if (at < data.size()) data[at] = static_cast<char>(random());
      }
    }
    if (data.find("qRcmd") != data.npos && data != "qRcmd,3f") continue;  // no random words for the monitor
    if (data == "k" || data.starts_with("vKill;")) continue;
    receive(below(8) == 0 ? data : framed(data));
    if (below(50) == 0) machine->run_to(machine->cpu().instruction_count() + 50);
    sent.clear();
  }
  receive("#00#00");
  session->leave();
  session->attach();
  EXPECT_EQ(ask("qC"), "QC1");
}

#ifdef RELIC86_JIT
INSTANTIATE_TEST_SUITE_P(Engines, GdbTest, ::testing::Values("interp", "jit"),
                         [](const auto& engine) { return std::string(engine.param); });
#else
INSTANTIATE_TEST_SUITE_P(Engines, GdbTest, ::testing::Values("interp"),
                         [](const auto& engine) { return std::string(engine.param); });
#endif

}  // namespace
}  // namespace relic86
