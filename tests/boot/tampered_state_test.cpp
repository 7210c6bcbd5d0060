// Saved machines that somebody changed: each is refused by the field's name, and the machine is as it was.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "tests/boot/boot_machine.h"

namespace relic86 {
namespace {

using test::BootMachine;

// The state with `bytes` at the start of this field's content.
std::vector<u8> with_field(std::vector<u8> state, const std::string& wanted, std::span<const u8> bytes) {
  for (std::size_t at = 0; at < state.size();) {
    u16 name_size = 0;
    u32 size = 0;
    std::memcpy(&name_size, &state[at], sizeof name_size);
    const std::string name(reinterpret_cast<const char*>(&state[at + 2]), name_size);
    std::memcpy(&size, &state[at + 2u + name_size], sizeof size);
    const std::size_t content = at + 2u + name_size + sizeof size;
    if (name == wanted) {
      EXPECT_LE(bytes.size(), size) << wanted;
      std::copy(bytes.begin(), bytes.end(), state.begin() + static_cast<std::ptrdiff_t>(content));
      return state;
    }
    at = content + size;
  }
  ADD_FAILURE() << "no field " << wanted;
  return state;
}

template <class T>
std::vector<u8> with_number(std::vector<u8> state, const std::string& field, T number) {
  return with_field(std::move(state), field, {reinterpret_cast<const u8*>(&number), sizeof number});
}

struct TamperedState : ::testing::Test {
  TamperedState() : disk(test::make_disk(folder)), cdrom(folder.path("cd.iso")) {
    std::ofstream(cdrom, std::ios::binary) << std::string(1 << 18, 'c');
    machine = std::make_unique<BootMachine>(
        std::vector<std::string>{"-hda", disk, "-cdrom", cdrom, "-snapshot", "-vga", "none"}, 60.0);
  }
  void run(u64 instructions) { (*machine)->run_to((*machine)->cpu().instruction_count() + instructions); }
  void out(unsigned port, u32 value, unsigned width = 1) {
    (*machine)->io().write(IoPort(static_cast<u16>(port)), width, value);
  }
  // The CD-ROM drive takes the parameters of MODE SELECT, and has two of their 28 bytes.
  void select_mode() {
    packet({});  // TEST UNIT READY hears that the drive was reset
    packet({0x55, 0x10, 0, 0, 0, 0, 0, 0, 28});
    out(0x170, 0, 2);
  }
  void packet(std::array<u8, 12> bytes) {
    out(0x171, 0), out(0x174, 24), out(0x175, 0), out(0x176, 0), out(0x177, 0xA0);
    run(1000);
    for (unsigned i = 0; i < bytes.size(); i += 2) out(0x170, bytes[i] | bytes[i + 1] << 8, 2);
    run(1000);
  }
  void refuses(const std::vector<u8>& state, const std::string& name) {
    Machine& it = **machine;
    it.pause();
    const auto before = machine->state();
    const auto loaded = it.load_state(state);
    ASSERT_FALSE(loaded.ok()) << name;
    EXPECT_NE(loaded.message().find(name), std::string::npos) << loaded.message();
    EXPECT_EQ(machine->state(), before) << name;
    it.resume();
    run(1000);  // and it goes on
  }

  test::TemporaryFolder folder;
  std::string disk, cdrom;
  std::unique_ptr<BootMachine> machine;
};

constexpr const char* kDrive = "board.piix3_ide.secondary.drive0.drive.";

TEST_F(TamperedState, ItsOwnStateIsTaken) {
  run(100'000);
  select_mode();
  (*machine)->pause();
  const auto state = machine->state();
  ASSERT_TRUE((*machine)->load_state(state).ok()) << (*machine)->load_state(state).message();
  EXPECT_EQ(machine->state(), state);
}

// The parameters would be written outside of the buffer that they are for.
TEST_F(TamperedState, AtapiTransfersOutsideOfTheirBuffer) {
  run(100'000);
  select_mode();
  const auto state = machine->state();
  const std::string drive = kDrive;
  refuses(with_number<u64>(state, drive + "done", 1u << 20), drive);
  refuses(with_number<u64>(with_number<u64>(state, drive + "done", 1u << 20), drive + "length", 1u << 21), drive);
  constexpr u8 kDataOut = 4, kSectors = 1;
  auto outside = with_number<u8>(with_number<u8>(state, drive + "stage", kDataOut), drive + "source", kSectors);
  outside = with_number<u64>(with_number<u64>(outside, drive + "done", 1u << 20), drive + "length", 1u << 21);
  refuses(outside, drive);
  refuses(with_number<u32>(state, drive + "block", 65536), drive);
  refuses(with_number<u8>(state, drive + "stage", 200), drive);
}

// The host's x87 would raise the exception when its instructions work on the guest's registers.
TEST_F(TamperedState, PendingX87ExceptionsWithoutTheirSummary) {
  run(100'000);
  (*machine)->pause();
  FxState fx = (*machine)->cpu().state().fx;
  fx.control = 0x340;
  fx.status = 0x0001;
  const auto state = with_field(machine->state(), "cpu.fx", {reinterpret_cast<const u8*>(&fx), sizeof fx});
  (*machine)->resume();
  refuses(state, "cpu.fx");
}

TEST_F(TamperedState, VirtioDevices) {
  const std::string second = test::make_disk(folder, "second.img");
  machine =
      std::make_unique<BootMachine>(std::vector<std::string>{"-hda", disk, "-drive", "if=virtio,file=" + second,
                                                             "-device", "virtio-net-pci", "-snapshot", "-vga", "none"},
                                    60.0);
  run(100'000);
  const auto state = machine->state();
  const std::string board = "board.virtio-blk-pci.4.", card = "board.virtio-net-pci.3.";
  refuses(with_number<u16>(state, board + "queue0.size", 3), board + "queue0.size");
  refuses(with_number<u16>(state, board + "queue0.size", 0), board + "queue0.size");
  refuses(with_number<u16>(state, board + "queue0.size", 0x8000), board + "queue0.size");
  refuses(with_number<u8>(state, board + "queue0.event_index", 1), board + "queue0.event_index");
  refuses(with_number<u64>(state, board + "negotiated", ~u64{0}), board + "negotiated");
  refuses(with_number<u64>(state, board + "notified", 2), board + "notified");
  refuses(with_number<u8>(state, board + "interrupt_status", 4), board + "interrupt_status");
  refuses(with_number<u8>(state, board + "interrupt_status", 1), "board.pci.interrupt_levels");
  refuses(with_number<u8>(state, board + "device.write_cache", 2), board + "device.write_cache");
  refuses(with_number<u8>(state, card + "device.unicast.count", 65), card + "device.unicast.count");
}

TEST_F(TamperedState, OtherComponents) {
  run(100'000);
  const auto state = machine->state();
  refuses(with_number<i64>(state, "events.i8254.channel0", -5), "events.i8254.channel0");
  refuses(with_number<i64>(state, "clock.time", INT64_MAX), "clock.time");
  refuses(with_number<u64>(state, "cpu.rip", ~u64{0}), "cpu.rip");
  refuses(with_number<u64>(state, "cpu.instruction_count", ~u64{0}), "cpu.instruction_count");
  refuses(with_number<u32>(state, "board.i8042.replies.first", 1000), "board.i8042.replies.first");
  refuses(with_number<u8>(state, "board.i8259.master.lowest", 8), "board.i8259.master.lowest");
  refuses(with_number<u8>(state, "powered_off", 2), "powered_off");
}

TEST_F(TamperedState, CirrusAdapter) {
  machine = std::make_unique<BootMachine>(std::vector<std::string>{"-hda", disk, "-snapshot", "-vga", "cirrus"}, 60.0);
  run(100'000);
  const auto state = machine->state();
  const std::string adapter = "board.cirrus-vga.";
  refuses(with_number<u32>(state, adapter + "blitter.line", 5000), adapter + "blitter.line");
  refuses(with_number<u32>(state, adapter + "blitter.filled", 1u << 20), adapter + "blitter.filled");
  refuses(with_number<u8>(state, adapter + "blitter.transfer", 7), adapter + "blitter.transfer");
  refuses(with_number<u16>(state, adapter + "extensions.cursor_x", 0xFFFF), adapter + "extensions.cursor_x");
  refuses(with_number<u8>(state, adapter + "extensions.mask_reads", 9), adapter + "extensions.mask_reads");
  refuses(with_number<u8>(state, adapter + "extensions.palette_component", 3),
          adapter + "extensions.palette_component");
}

}  // namespace
}  // namespace relic86
