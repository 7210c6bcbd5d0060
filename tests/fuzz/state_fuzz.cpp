// Saved machines that were tampered with: fields of a sound state are changed, the result is loaded, and a machine that
// took it runs on with random port accesses in between. Whatever the file said, it is refused and the machine is as it
// was, or the machine goes on without a step outside what it owns.
//
// Input: 1 byte seed state, 1 byte how long the machine runs, then changes of 12 bytes each: u16 field, u16 place in
// it, u8 what is done (Deed), 7 bytes of a number.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "devices/input/ps2_keyboard.h"
#include "devices/input/ps2_mouse.h"
#include "machine/machine.h"
#include "options/options.h"

namespace relic86 {
namespace {

using Fields = std::vector<std::pair<std::string, std::vector<u8>>>;

Fields take_apart(std::span<const u8> state) {
  Fields fields;
  while (!state.empty()) {
    u16 name_size = 0;
    u32 size = 0;
    std::memcpy(&name_size, state.data(), sizeof name_size);
    const auto name = state.subspan(sizeof name_size, name_size);
    state = state.subspan(sizeof name_size + name_size);
    std::memcpy(&size, state.data(), sizeof size);
    const auto content = state.subspan(sizeof size, size);
    fields.push_back({{name.begin(), name.end()}, {content.begin(), content.end()}});
    state = state.subspan(sizeof size + size);
  }
  return fields;
}

std::vector<u8> put_together(const Fields& fields) {
  std::vector<u8> state;
  const auto append = [&state](const void* from, std::size_t count) {
    const auto* bytes = static_cast<const u8*>(from);
    state.insert(state.end(), bytes, bytes + count);
  };
  for (const auto& [name, content] : fields) {
    const auto name_size = static_cast<u16>(name.size());
    const auto size = static_cast<u32>(content.size());
    append(&name_size, sizeof name_size);
    append(name.data(), name.size());
    append(&size, sizeof size);
    append(content.data(), content.size());
  }
  return state;
}

enum Deed : u8 { kSet8, kSet16, kSet32, kSet64, kFlip, kFill, kShorten, kLengthen, kRemove, kDeeds };

void change(Fields& fields, std::span<const u8> what) {
  u16 field = 0, place = 0;
  u64 number = 0;
  std::memcpy(&field, what.data(), sizeof field);
  std::memcpy(&place, what.data() + 2, sizeof place);
  std::memcpy(&number, what.data() + 5, 7);
  auto& [name, content] = fields[field % fields.size()];
  const auto set = [&](std::size_t size) {
    if (content.empty()) return;
    // The sign is extended: deeds near either end of a number are what goes wrong.
    number = static_cast<u64>(static_cast<i64>(number << 8) >> 8);
    const std::size_t at = content.size() <= size ? 0 : place % (content.size() - size + 1);
    std::memcpy(content.data() + at, &number, std::min(size, content.size()));
  };
  switch (what[4] % kDeeds) {
    case kSet8: return set(1);
    case kSet16: return set(2);
    case kSet32: return set(4);
    case kSet64: return set(8);
    case kFlip:
      if (!content.empty()) content[place % content.size()] ^= static_cast<u8>(1u << number % 8);
      return;
    case kFill: return std::fill(content.begin(), content.end(), static_cast<u8>(number));
    case kShorten: return content.resize(content.size() - std::min<std::size_t>(content.size(), 1 + place % 16));
    case kLengthen: return content.resize(content.size() + (number % 256 == 0 ? place : place % 64));
    default: name += "x";
  }
}

class Victim {
 public:
  Victim() {
    std::string folder = "/tmp/relic86-fuzz-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) fail("no temporary folder");
    const std::string disk = folder + "/disk", cdrom = folder + "/cdrom", floppy = folder + "/floppy";
    make_file(disk, 1 << 20);
    make_file(cdrom, 1 << 18);
    make_file(floppy, 1474560);
    const char* const engine = std::getenv("RELIC86_FUZZ_ENGINE");
    std::vector<std::string> arguments = {"-display",     "none",
                                          "-m",           "2",
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
    make_seeds();
  }

  void run(std::span<const u8> input) {
    if (input.size() < 2 || input.size() > 2 + 12 * 24) return;
    const Seed& seed = seeds_[input[0] % seeds_.size()];
    go_back(seed);
    StateWriter before;  // with all keys up, which a loaded machine's are
    machine_->state(before);
    Fields fields = seed.fields;
    for (auto rest = input.subspan(2); rest.size() >= 12; rest = rest.subspan(12)) change(fields, rest.first(12));
    const auto loaded = machine_->load_state(put_together(fields));
    if (!loaded) {
      if (std::getenv("RELIC86_FUZZ_VERBOSE") != nullptr)
        std::fprintf(stderr, "refused: %s\n", loaded.message().c_str());
      StateWriter now;
      machine_->state(now);
      if (now.data() != before.data()) {
        const Fields first = take_apart(before.data()), after = take_apart(now.data());
        std::string changed;
        for (std::size_t i = 0; i < after.size(); i++) {
          if (after[i] != first[i]) changed += " " + after[i].first;
        }
        fail("a refused state (" + loaded.message() + ") has changed the machine:" + changed);
      }
      return;
    }
    machine_->after_load();
    std::seed_seq from(input.begin(), input.end());
    std::mt19937 random(from);
    machine_->resume();
    const u64 length = input[1] % 32 == 0 ? 10'000 : 200;
    for (unsigned round = 0; round < 10; round++) {
      advance(length);
      for (unsigned i = 0; i < 8; i++) access(random);
    }
    look();
    machine_->pause();
  }

 private:
  struct Seed {
    std::vector<u8> state;
    Fields fields;
    std::vector<u8> memory;
  };
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
    machine_->state_hash();
    machine_->end_message();
  }

  void save_seed() {
    machine_->pause();
    Seed seed;
    StateWriter writer;
    machine_->state(writer);
    seed.state = writer.data();
    seed.fields = take_apart(seed.state);
    const auto memory = machine_->bus().store().bytes(BackingOffset(0), kKeptMemory);
    seed.memory.assign(memory.begin(), memory.end());
    seeds_.push_back(std::move(seed));
    machine_->resume();
  }
  // The seed's own state always loads.
  void go_back(const Seed& seed) {
    machine_->pause();
    u8* const memory = machine_->bus().store().host(BackingOffset(0));
    if (std::memcmp(memory, seed.memory.data(), kKeptMemory) != 0) std::memcpy(memory, seed.memory.data(), kKeptMemory);
    if (auto loaded = machine_->load_state(seed.state); !loaded) fail("the seed is refused: " + loaded.message());
    machine_->after_load();
  }

  void make_seeds() {
    advance(2000);
    save_seed();
    // Transfers from drives, half done: a disk sector, a CD-ROM block, a floppy sector by DMA.
    start_packet({}, 4096);  // hears that the drive was reset
    advance(2000);
    start_packet({0x28, 0, 0, 0, 0, 1, 0, 0, 2}, 4096);
    advance(2000);
    for (unsigned i = 0; i < 100; i++) in(0x170, 2);
    start_disk(0x20, 3);
    advance(2000);
    for (unsigned i = 0; i < 40; i++) in(0x1F0, 2);
    start_floppy(0xE6);
    advance(2000);
    type();
    save_seed();
    // Transfers to drives: parameters of MODE SELECT, several sectors, a floppy sector without DMA.
    start_packet({0x55, 0x10, 0, 0, 0, 0, 0, 0, 28}, 24);
    advance(2000);
    for (unsigned i = 0; i < 5; i++) out(0x170, 0, 2);
    start_disk(0xC6, 4);
    advance(2000);
    start_disk(0xC5, 8);
    advance(2000);
    for (unsigned i = 0; i < 300; i++) out(0x1F0, i, 2);
    for (const unsigned byte : {0x03, 0xDF, 0x03}) out(0x3F5, byte);
    start_floppy(0xC5);
    for (unsigned i = 0; i < 60; i++) advance(500);
    machine_->board().mouse().move(3, 4, 0);
    out(0x3D4, 0x11);
    out(0x1CE, 1, 2), out(0x1CF, 640, 2), out(0x1CE, 2, 2), out(0x1CF, 400, 2), out(0x1CE, 3, 2), out(0x1CF, 32, 2);
    out(0x1CE, 4, 2), out(0x1CF, 0x41, 2);
    save_seed();
    // Protected mode with paging; timers of every kind.
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
    save_seed();
  }
  void start_packet(std::array<u8, 12> packet, u32 limit) {
    out(0x171, 0), out(0x174, limit & 0xFF), out(0x175, limit >> 8), out(0x176, 0), out(0x177, 0xA0);
    advance(2000);
    for (unsigned i = 0; i < 12; i += 2) out(0x170, packet[i] | packet[i + 1] << 8, 2);
  }
  void start_disk(u8 command, u8 count) {
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

  static constexpr u64 kKeptMemory = 1 << 20;
  HostPoller poller_;
  std::unique_ptr<Machine> machine_;
  std::vector<Seed> seeds_;
};

}  // namespace
}  // namespace relic86

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static relic86::Victim victim;
  victim.run({data, size});
  return 0;
}
