// Two processors under the monitor, QMP and gdb, in saved machines, recordings and replays.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "build_features.h"
#include "control/commands/command.h"
#include "control/gdb/gdb_session.h"
#include "control/monitor/monitor.h"
#include "control/qmp/qmp_commands.h"
#include "machine/guest_inputs.h"
#include "machine/machine.h"
#include "options/options.h"

namespace relic86 {
namespace {

// At F000:0000, where both processors begin. Each takes a flat segment, the first one starts the second one. Both
// count, the first at 1000h, the second at 1004h, until the second has counted to 60,000; then the program ends with
// code 1.
constexpr u8 kProgram[] = {
    0x2E, 0x0F, 0x01, 0x16, 0x55, 0x00, 0x0F, 0x20, 0xC0, 0x40,  // 00: cs lgdt [55h]; mov eax, cr0; inc ax
    0x0F, 0x22, 0xC0, 0xBB, 0x08, 0x00, 0x8E, 0xDB,              // 0A: mov cr0, eax; mov bx, 8; mov ds, bx
    0x48, 0x0F, 0x22, 0xC0,                                      // 12: dec ax; mov cr0, eax
    0x66, 0x67, 0x8B, 0x1D, 0x20, 0x00, 0xE0, 0xFE,              // 16: mov ebx, [0FEE00020h]
    0x66, 0xC1, 0xEB, 0x16, 0x75, 0x18,                          // 1E: shr ebx, 22; jnz 3Ch
    0x66, 0x67, 0xC7, 0x05, 0x00, 0x03, 0xE0, 0xFE,              // 24: mov dword [0FEE00300h], 0C4500h (INIT)
    0x00, 0x45, 0x0C, 0x00,                                      //
    0x66, 0x67, 0xC7, 0x05, 0x00, 0x03, 0xE0, 0xFE,              // 30: mov dword [0FEE00300h], 0C46F0h (start-up)
    0xF0, 0x46, 0x0C, 0x00,                                      //
    0x66, 0x67, 0xFF, 0x83, 0x00, 0x10, 0x00, 0x00,              // 3C: inc dword [ebx+1000h]
    0x66, 0x81, 0x3E, 0x04, 0x10, 0x60, 0xEA, 0x00, 0x00,        // 44: cmp dword [1004h], 60000
    0x72, 0xED, 0xB0, 0x01, 0xE6, 0xF4, 0xFA, 0xF4,              // 4D: jb 3Ch; mov al, 1; out 0F4h, al; cli; hlt
    0x0F, 0x00, 0x53, 0x00, 0x0F, 0x00,                          // 55: limit and address of the table, 8 bytes below:
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x92, 0x8F, 0x00};             // 5B: a flat data segment
constexpr u64 kBothRun = 50'000, kLater = 150'000;               // instructions, before the end of the program

constexpr const char* kSame = "ended in the state of the recorded run";

struct SeveralProcessors : ::testing::TestWithParam<const char*> {
  SeveralProcessors() {
    std::string pattern = std::filesystem::temp_directory_path() / "relic86-several-XXXXXX";
    folder = mkdtemp(pattern.data());
    std::vector<char> rom(0x10000, '\xF4');
    std::copy(std::begin(kProgram), std::end(kProgram), rom.begin());
    const u8 entry[] = {0xEA, 0x00, 0x00, 0x00, 0xF0};  // jmp F000:0000
    std::copy(std::begin(entry), std::end(entry), rom.begin() + 0xFFF0);
    std::ofstream(folder + "/rom", std::ios::binary).write(rom.data(), static_cast<std::streamsize>(rom.size()));
  }
  ~SeveralProcessors() override {
    session.reset();
    machine.reset();
    std::filesystem::remove_all(folder);
  }

  std::unique_ptr<Machine> make(const std::string& smp = "2", const std::string& icount = "shift=4,sleep=off") {
    const std::vector<std::string> arguments{
        "-m",   "4",           "-bios",       folder + "/rom", "-smp",
        smp,    "-icount",     icount,        "-device",       "isa-debug-exit,iobase=0xf4,iosize=0x04",
        "-vga", "none",        "-accel",      GetParam(),      "-display",
        "none", "-nodefaults", "--state-dir", folder};
    auto parsed = parse_command_line(arguments);
    EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.message());
    auto made = Machine::create(parsed.value().options, poller);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.message());
    return std::move(made).value();
  }
  std::string recorded(std::string_view mode) {
    return "shift=4,sleep=off,rr=" + std::string(mode) + ",rrfile=" + folder + "/recording";
  }
  void record() {
    machine = make("2", recorded("record"));
    ASSERT_EQ(machine->run(), End::DebugExit);
    machine.reset();
  }
  u32 counted(unsigned processor) { return machine->bus().read(PhysAddr(0x1000 + 4 * processor), 4); }
  std::string monitor(std::string_view line) { return execute_monitor_line(*machine, line); }

  void attach() {
    session = std::make_unique<GdbSession>(*machine, [this](std::string_view bytes) { sent += bytes; });
    session->attach();
  }
  // A packet, and its answer when the machine stands or has ended.
  std::string ask(std::string_view data) {
    u8 sum = 0;
    for (const char c : data) sum = static_cast<u8>(sum + static_cast<u8>(c));
    sent.clear();
    for (const char c : fmt::format("${}#{:02x}", data, sum)) session->receive(static_cast<u8>(c));
    (void)machine->run_until([&] { return sent.find('$') != sent.npos; });
    const auto first = sent.find('$'), last = sent.rfind('#');
    return first == sent.npos ? "" : sent.substr(first + 1, last - first - 1);
  }

  std::string folder;
  HostPoller poller;
  std::unique_ptr<Machine> machine;
  std::string sent;
  std::unique_ptr<GdbSession> session;
};

TEST_P(SeveralProcessors, TheMonitorLooksAtOne) {
  machine = make();
  machine->run_to(kBothRun);
  EXPECT_GT(counted(0), 0u);
  EXPECT_GT(counted(1), 0u);
  EXPECT_EQ(monitor("cpu 2"), "invalid CPU index\n");
  EXPECT_NE(monitor("info registers").find("EBX=00000000"), std::string::npos);
  EXPECT_EQ(monitor("cpu 1"), "");
  EXPECT_NE(monitor("info registers").find("EBX=00000004"), std::string::npos);
  EXPECT_NE(monitor("info cpus").find("* CPU #1"), std::string::npos);
  const std::string all = monitor("info registers -a");
  EXPECT_NE(all.find("EBX=00000000"), std::string::npos);
  EXPECT_NE(all.find("EBX=00000004"), std::string::npos);
}

TEST_P(SeveralProcessors, ClientsSeeBoth) {
  machine = make();
  const auto processors = execute_qmp(*machine, "query-cpus-fast", Json::object());
  ASSERT_TRUE(static_cast<bool>(processors));
  ASSERT_EQ(processors.value().size(), 2u);
  std::vector<std::string> paths;
  for (const Json& row : processors.value()) {
    paths.push_back(row["qom-path"].get<std::string>());
    const auto type = execute_qmp(*machine, "qom-get", {{"path", paths.back()}, {"property", "type"}});
    ASSERT_TRUE(static_cast<bool>(type)) << paths.back();
    EXPECT_EQ(type.value(), "qemu32-i386-cpu");
  }
  EXPECT_NE(paths[0], paths[1]);
}

// Else guest time would stand still with -icount, and the host would be busy without it.
TEST_P(SeveralProcessors, HeldBackWorkLeavesThemIdle) {
  machine = make();
  Vcpu& second = machine->processors()[1];
  second.waits_for_startup = false;
  second.cpu().state().nmi_blocked = true;  // it halted in the handler of an NMI, and another one is pending
  second.cpu().request(kPendingNmi);
  for (unsigned n = 0; n < 2; n++) machine->processors()[n].cpu().state().halted = true;
  const u64 before = machine->instruction_count();
  EXPECT_EQ(machine->processors().run(1000), ExitReason::Halted);
  EXPECT_EQ(machine->instruction_count(), before);
}

TEST_P(SeveralProcessors, SavedMachinesGoOn) {
  machine = make();
  machine->run_to(kBothRun);
  machine->pause();
  EXPECT_EQ(monitor("savevm both"), "");
  machine->resume();
  machine->run_to(kLater);
  const u64 there = machine->state_hash(), count = machine->instruction_count();
  EXPECT_GT(count, kBothRun);
  machine = make();
  EXPECT_EQ(monitor("loadvm both"), "");
  machine->resume();
  machine->run_to(kLater);
  EXPECT_EQ(machine->instruction_count(), count);
  EXPECT_EQ(machine->state_hash(), there);
  machine = make("3");
  EXPECT_NE(monitor("loadvm both").find("processors=2 of 2"), std::string::npos);
}

// INIT that waits for the end of system management mode is still waiting after loadvm (SDM 3C 34.3.1).
TEST_P(SeveralProcessors, ALatchedInitIsSaved) {
  machine = make();
  machine->run_to(kBothRun);
  Vcpu& second = machine->processors()[1];
  ASSERT_FALSE(second.waits_for_startup);
  machine->pause();
  second.cpu().state().in_smm = true;
  machine->processors().request_init(1);
  EXPECT_EQ(monitor("savevm latched"), "");
  machine = make();
  EXPECT_EQ(monitor("loadvm latched"), "");
  Vcpu& loaded = machine->processors()[1];
  EXPECT_FALSE(loaded.waits_for_startup);
  loaded.cpu().state().in_smm = false;
  machine->processors().carry_out_inits();
  EXPECT_TRUE(loaded.waits_for_startup);
}

TEST_P(SeveralProcessors, AReplayIsTheRecordedRun) {
  ASSERT_NO_FATAL_FAILURE(record());
  machine = make("2", recorded("replay"));
  EXPECT_EQ(machine->run(), End::DebugExit) << machine->end_message();
  EXPECT_NE(machine->end_message().find(kSame), std::string::npos) << machine->end_message();
}

// Steps of either processor, with the other or without, do not change whose turn it was in the recorded run.
TEST_P(SeveralProcessors, AReplayIsTheRecordedRunInSteps) {
  ASSERT_NO_FATAL_FAILURE(record());
  machine = make("2", recorded("replay"));
  attach();
  ASSERT_EQ(ask("Z0,f003c,1"), "OK");
  EXPECT_EQ(ask("c").substr(0, 3), "T05");
  ASSERT_EQ(ask("z0,f003c,1"), "OK");
  for (int i = 0; i < 5; i++) {  // each step takes a turn of the other, too
    EXPECT_EQ(ask("vCont;s:1"), "T05thread:01;");
    EXPECT_EQ(ask("vCont;s:2;c"), "T05thread:02;");
  }
  EXPECT_NE(ask("vCont;c").find("replaylog:end;"), std::string::npos);
  machine->quit();
  EXPECT_EQ(machine->run(), End::Quit);
  EXPECT_NE(machine->end_message().find(kSame), std::string::npos) << machine->end_message();
}

// However early it is told to run back: it has kept its first state before it carried anything out.
TEST_P(SeveralProcessors, AReplayRunsBackToItsBeginning) {
  ASSERT_NO_FATAL_FAILURE(record());
  machine = make("2", recorded("replay"));
  attach();
  machine->post([this] { machine->resume(); });
  (void)machine->run_until([this] { return machine->instruction_count() != 0; });
  machine->pause();
  EXPECT_EQ(ask("bc"), "T05thread:01;replaylog:begin;");
  EXPECT_EQ(machine->instruction_count(), 0u);
}

#ifdef RELIC86_JIT
INSTANTIATE_TEST_SUITE_P(Engines, SeveralProcessors, ::testing::Values("interp", "jit"),
                         [](const auto& engine) { return std::string(engine.param); });
#else
INSTANTIATE_TEST_SUITE_P(Engines, SeveralProcessors, ::testing::Values("interp"),
                         [](const auto& engine) { return std::string(engine.param); });
#endif

}  // namespace
}  // namespace relic86
