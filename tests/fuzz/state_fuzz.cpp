// Saved machines that were tampered with: fields of a sound state are changed, the result is loaded, and a machine that
// took it runs on with random port accesses in between. Whatever the file said, it is refused and the machine is as it
// was, or the machine goes on without a step outside what it owns.
//
// Input: 1 byte seed state, 1 byte how long the machine runs and whether its picture is drawn, then changes of 12 bytes
// each (tests/fuzz/seed_state.h).
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>

#include "devices/input/keyboard.h"
#include "devices/input/ps2_mouse.h"
#include "machine/machine.h"
#include "options/options.h"
#include "tests/fuzz/seed_state.h"

namespace relic86 {
namespace {

// A machine in the state of one seed. It goes back to it before an input's changes are loaded.
class Victim {
 public:
  explicit Victim(void (Victim::*prepare)()) {
    std::string folder = "/tmp/relic86-fuzz-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) fail("no temporary folder");
    const std::string disk = folder + "/disk", cdrom = folder + "/cdrom", floppy = folder + "/floppy";
    make_file(disk, 1 << 20);
    make_file(cdrom, 1 << 18);
    make_file(floppy, 1474560);
    const char* const engine = std::getenv("RELIC86_FUZZ_ENGINE");
    std::vector<std::string> arguments = {"-display",     "none",
                                          "-m",           "1",
                                          "-bios",        RELIC86_FUZZ_FIRMWARE,
                                          "-icount",      "shift=4,sleep=off",
                                          "-accel",       engine == nullptr ? "interp" : engine,
                                          "-no-shutdown", "-snapshot",
                                          "-hda",         disk,
                                          "-cdrom",       cdrom,
                                          "-fda",         floppy,
                                          "-serial",      "null",
                                          "-parallel",    "null",
                                          "-device",      "pc-testdev",
                                          "-cpu",         "max"};
    auto parsed = parse_command_line(arguments);
    if (!parsed) fail(parsed.message());
    auto made = Machine::create(parsed.value().options, poller_);
    if (!made) fail(made.message());
    machine_ = std::move(made).value();
    std::filesystem::remove_all(folder);
    machine_->resume();
    (this->*prepare)();
    machine_->pause();
    seed_ = std::make_unique<fuzz::SeedState>(state());
    const auto memory = ram();
    memory_.assign(memory.begin(), memory.end());
    go_back();
    home_ = std::make_unique<fuzz::SeedState>(state());
  }

  void run(std::span<const u8> input) {
    if (input.size() < 2 || input.size() > 2 + 12 * 24) return;
    if (left_) go_back();
    fuzz::ChangedFields changed;
    for (auto rest = input.subspan(2); rest.size() >= 12; rest = rest.subspan(12))
      fuzz::change(*seed_, changed, rest.first(12));
    const auto loaded = machine_->load_state(seed_->with(changed));
    if (!loaded) {
      if (std::getenv("RELIC86_FUZZ_VERBOSE") != nullptr)
        std::fprintf(stderr, "refused: %s\n", loaded.message().c_str());
      if (auto now = state(); now != home_->bytes())
        fail("a refused state (" + loaded.message() +
             ") has changed the machine:" + home_->difference(fuzz::SeedState(now)));
      return;
    }
    left_ = true;
    machine_->after_load();
    std::seed_seq from(input.begin(), input.end());
    std::mt19937 random(from);
    machine_->resume();
    const u64 length = input[1] % 32 == 0 ? 10'000 : 200;
    for (unsigned round = 0; round < 10; round++) {
      advance(length);
      for (unsigned i = 0; i < 8; i++) access(random);
    }
    if (input[1] / 32 % 4 == 0) look();
    machine_->pause();
    whole_ = fuzz::SeedState(state()).number(kCard).has_value();
  }
  // No card has been ejected: without it the seed does not load any more.
  bool whole() const { return whole_; }

  // --- The seeds ---

  void early() { advance(2000); }
  // Transfers from drives, half done: a CD-ROM block, a disk sector, a floppy sector by DMA.
  void transfers_in() {
    begin_cdrom();
    start_packet({0x28, 0, 0, 0, 0, 1, 0, 0, 2}, 2048);
    advance(2000);
    for (unsigned i = 0; i < 100; i++) in(0x170, 2);
    start_floppy(0xE6);
    advance(2000);
    type();
    start_disk(kReadMultiple, 7);
    advance(400);
    for (unsigned i = 0; i < 40; i++) in(0x1F0, 2);
    expect(kCdrom + "phase", kDataIn), expect(kCdrom + "drive.done", 0), expect(kCdrom + "drive.block", 2048);
    expect(kDisk + "phase", kDataIn), expect(kDisk + "limit", 4 * 512);
  }
  // Transfers to drives: parameters of MODE SELECT, several sectors, a floppy sector without DMA.
  void transfers_out() {
    begin_cdrom();
    start_packet({0x55, 0x10, 0, 0, 0, 0, 0, 0, 28}, 24);
    advance(2000);
    for (unsigned i = 0; i < 5; i++) out(0x170, 0, 2);
    start_disk(kWriteMultiple, 8);
    advance(2000);
    for (unsigned i = 0; i < 300; i++) out(0x1F0, i, 2);
    for (const unsigned byte : {0x03, 0xDF, 0x03}) out(0x3F5, byte);
    start_floppy(0xC5);
    for (unsigned i = 0; i < 60; i++) advance(500);
    machine_->board().mouse().move(3, 4, 0);
    out(0x3D4, 0x11);
    out(0x1CE, 1, 2), out(0x1CF, 640, 2), out(0x1CE, 2, 2), out(0x1CF, 400, 2), out(0x1CE, 3, 2), out(0x1CF, 32, 2);
    out(0x1CE, 4, 2), out(0x1CF, 0x41, 2);
    expect(kCdrom + "phase", kDataOut), expect(kCdrom + "position", 10), expect(kCdrom + "drive.block", 24);
    expect(kDisk + "phase", kDataOut), expect(kDisk + "position", 600), expect(kDisk + "limit", 4 * 512);
  }
  // Protected mode with paging; timers of every kind.
  void protected_mode() {
    advance(60'000);
    out(0x70, 0x8A), out(0x71, 0x26), out(0x70, 0x8B), out(0x71, 0x72);
    machine_->bus().write(PhysAddr(0xFEE000F0), 4, 0x1FF);
    machine_->bus().write(PhysAddr(0xFEE003E0), 4, 0xB);
    machine_->bus().write(PhysAddr(0xFEE00320), 4, 0x20040);
    machine_->bus().write(PhysAddr(0xFEE00380), 4, 30'000);
    out(0x43, 0xB6), out(0x42, 0x80), out(0x42, 4), out(0x61, 3);
    out(0x3F8 + 2, 7), out(0x3F8 + 3, 0x83), out(0x3F8, 1), out(0x3F9, 0), out(0x3FB, 3), out(0x3F9, 0xF);
    for (unsigned i = 0; i < 10; i++) out(0x3F8, 'a' + i);
    advance(5'000);
    type();
    expect("cpu.cr0", 0xE0000031);  // PG, NE, PE; CD and NW as after reset
  }
  // Both drives wait for the bus master, which has not been told where in memory their data lies.
  void transfers_by_dma() {
    begin_cdrom();
    out(0x171, 1), start_packet({0x28, 0, 0, 0, 0, 1, 0, 0, 2}, 0);
    advance(2000);
    start_disk(kWriteDma, 9);
    advance(2000);
    expect(kCdrom + "phase", kDmaIn), expect(kCdrom + "limit", 4096);
    expect(kDisk + "phase", kDmaOut), expect(kDisk + "limit", 9 * 512);
  }

 private:
  [[noreturn]] static void fail(const std::string& message) {
    std::fprintf(stderr, "state_fuzz: %s\n", message.c_str());
    std::abort();
  }
  static void make_file(const std::string& path, std::size_t size) {
    std::ofstream file(path, std::ios::binary);
    for (std::size_t i = 0; i < size; i++) file.put(static_cast<char>(i * 7 + i / 512));
  }

  void out(unsigned port, u32 value, unsigned width = 1) {
    machine_->io().write(IoPort(static_cast<u16>(port)), width, value);
  }
  u32 in(unsigned port, unsigned width = 1) { return machine_->io().read(IoPort(static_cast<u16>(port)), width); }
  void advance(u64 instructions) {
    constexpr GuestTime kLongestHalt = 2'000'000;
    machine_->run_to(machine_->cpu().instruction_count() + instructions, kLongestHalt);
    if (machine_->paused()) machine_->resume();  // the guest powered off
  }
  void look() {
    Frame frame;
    machine_->board().render(frame);
    machine_->board().text_screen();
  }

  std::span<u8> ram() { return machine_->bus().store().bytes(BackingOffset(0), machine_->bus().store().ram_size()); }
  std::vector<u8> state() {
    StateWriter writer;
    machine_->state(writer);
    return writer.data();
  }
  // A seed that does not hold what it is there for would search in the wrong place.
  void expect(const std::string& field, u64 value) {
    const auto found = fuzz::SeedState(state()).number(field);
    if (!found) fail("no field " + field);
    if (*found != value) fail("the seed has " + std::to_string(*found) + " in " + field);
  }
  // The seed's own state always loads.
  void go_back() {
    left_ = false;
    const auto memory = ram();
    if (std::memcmp(memory.data(), memory_.data(), memory.size()) != 0)
      std::memcpy(memory.data(), memory_.data(), memory.size());
    if (auto loaded = machine_->load_state(seed_->bytes()); !loaded) fail("the seed is refused: " + loaded.message());
    machine_->after_load();
  }

  // The drive tells once that it was reset; after that it obeys.
  void begin_cdrom() {
    advance(2000);
    start_packet({}, 4096);
    advance(2000);
  }
  void start_packet(std::array<u8, 12> packet, u32 limit) {
    out(0x174, limit & 0xFF), out(0x175, limit >> 8), out(0x176, 0), out(0x177, 0xA0);
    advance(2000);
    for (unsigned i = 0; i < 12; i += 2) out(0x170, packet[i] | packet[i + 1] << 8, 2);
  }
  void start_disk(u8 command, u8 count) {
    out(0x1F2, 4), out(0x1F7, kSetMultiple);
    advance(400);
    out(0x1F2, count), out(0x1F3, 5), out(0x1F4, 0), out(0x1F5, 0), out(0x1F6, 0xE0), out(0x1F7, command);
  }
  void start_floppy(u8 command) {
    out(0x3F2, 0x1C);
    advance(2000);
    out(0x0A, 6), out(0x0B, 0x46), out(0x04, 0), out(0x04, 0x10), out(0x05, 0xFF), out(0x05, 1), out(0x81, 0);
    out(0x0A, 2);
    for (const unsigned byte : {u32{command}, 0u, 0u, 0u, 1u, 2u, 18u, 0x1Bu, 0xFFu}) out(0x3F5, byte);
  }
  void type() {
    for (const KeyCode key : {KeyCode::A, KeyCode::ShiftLeft, KeyCode::Delete})
      machine_->board().keyboard().key(key, true);
  }

  // A random access to a register of the board.
  void access(std::mt19937& random) {
    if (random() % 4 == 0) {
      const auto ranges = machine_->bus().ranges();
      const PhysRange& range = ranges[random() % ranges.size()];
      if (range.size == 0 || range.read.kind != PageTarget::Kind::Mmio) return;
      const PhysAddr place(range.first.raw + (random() % range.size & ~u64{3}));
      if (random() % 2 == 0)
        machine_->bus().read(place, 4);
      else
        machine_->bus().write(place, 4, random());
      return;
    }
    const auto& ranges = machine_->io().ranges();
    const IoRange& range = ranges[random() % ranges.size()];
    const auto port = static_cast<u16>(range.first.raw + random() % std::max<u32>(range.count, 1));
    const unsigned width = 1u << random() % 3;
    if (random() % 2 == 0)
      in(port, width);
    else
      out(port, random() % 2 == 0 ? random() : random() % 256, width);
  }

  // Of AtaDevice: the phases of a transfer.
  static constexpr u64 kDataIn = 2, kDataOut = 3, kDmaIn = 6, kDmaOut = 7;
  static constexpr u8 kReadMultiple = 0xC4, kWriteMultiple = 0xC5, kWriteDma = 0xCA, kSetMultiple = 0xC6;
  static constexpr std::string_view kCard = "board.e1000.3.config";
  const std::string kDisk = "board.piix3_ide.primary.drive0.", kCdrom = "board.piix3_ide.secondary.drive0.";

  HostPoller poller_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<fuzz::SeedState> seed_;
  std::unique_ptr<fuzz::SeedState> home_;  // what the machine saves once it is back: all keys are up
  std::vector<u8> memory_;
  bool left_ = false;  // an input was taken: the machine is somewhere else
  bool whole_ = true;
};

// One machine for each seed: a refused input costs no way back.
class Victims {
 public:
  Victims() {
    for (const auto prepare : kSeeds) list_.push_back(std::make_unique<Victim>(prepare));
  }
  void run(std::span<const u8> input) {
    if (input.empty()) return;
    const std::size_t seed = input[0] % list_.size();
    list_[seed]->run(input);
    if (!list_[seed]->whole()) list_[seed] = std::make_unique<Victim>(kSeeds[seed]);
  }

 private:
  static constexpr void (Victim::*kSeeds[])() = {&Victim::early, &Victim::transfers_in, &Victim::transfers_out,
                                                 &Victim::protected_mode, &Victim::transfers_by_dma};
  std::vector<std::unique_ptr<Victim>> list_;
};

}  // namespace
}  // namespace relic86

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static relic86::Victims victims;
  victims.run({data, size});
  return 0;
}
