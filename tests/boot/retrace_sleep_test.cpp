// The host sleeps while a program does nothing but wait for the vertical retrace (machine/retrace_sleep.h), and runs one
// that counts its looks.
#include "build_features.h"
#include "tests/boot/boot_machine.h"

namespace relic86 {
namespace {

using test::make_disk;

constexpr u32 kProgress = 0x500, kLooks = 0x504;
enum Progress : u8 { kBegun = 1, kWaited = 2, kCounted = 3 };
constexpr u64 kWaits = 40;

class RetraceSleepTest : public testing::TestWithParam<const char*> {
 protected:
  // In real time, unlike BootMachine.
  void boot(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{
        "-display",  "none",     "-m",      "4",
        "-nic",      "none",     "-hda",    make_disk(folder, "disk.img", "retrace_wait.bin"),
        "-accel",    GetParam(), "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "--timeout", "120"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto parsed = parse_command_line(arguments);
    ASSERT_TRUE(parsed.ok()) << parsed.message();
    auto made = Machine::create(parsed.value().options, poller);
    ASSERT_TRUE(made.ok()) << made.message();
    machine = std::move(made).value();
  }
  u64 run_to(Progress progress) {
    const auto there = [&] { return machine->bus().read(PhysAddr(kProgress), 1) >= progress; };
    machine->run_until(there);
    EXPECT_TRUE(there());
    return machine->instruction_count();
  }

  test::TemporaryFolder folder;
  HostPoller poller;
  std::unique_ptr<Machine> machine;
};

// A wait of 14 ms is found after some hundred instructions; the last 50 us before each change are run. Without a sleep
// the interpreter alone runs several hundred thousand in each.
TEST_P(RetraceSleepTest, WaitsCostNothing) {
  constexpr u64 kMostForOne = 60'000;
  boot();
  const u64 begun = run_to(kBegun);
  EXPECT_LT(run_to(kWaited) - begun, kWaits * kMostForOne);
}

// Each look takes a microsecond or less on a PC: what is counted in ten frames of 14 ms is no small number.
TEST_P(RetraceSleepTest, LooksThatAreCountedAreMade) {
  constexpr u32 kFewest = 1000;  // on a host that is as busy as can be
  boot();
  run_to(kCounted);
  EXPECT_GT(machine->bus().read(PhysAddr(kLooks), 4), kFewest);
}

TEST_P(RetraceSleepTest, CountedTimeHasNoSleep) {
  boot({"-icount", "shift=4,sleep=off"});
  constexpr u64 kFrame = 14'268'000;  // ns: 720 by 400 at 70 Hz
  constexpr u64 kFewest = kWaits * kFrame / 16 / 2;
  const u64 begun = run_to(kBegun);
  EXPECT_GT(run_to(kWaited) - begun, kFewest);
}

INSTANTIATE_TEST_SUITE_P(Engines, RetraceSleepTest,
#ifdef RELIC86_JIT
                         testing::Values("jit", "interp"),
#else
                         testing::Values("interp"),
#endif
                         [](const testing::TestParamInfo<const char*>& engine) { return std::string(engine.param); });

}  // namespace
}  // namespace relic86
