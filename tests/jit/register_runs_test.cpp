// Runs of a device's registers (RegionHandler) by string instructions and by translated code: the same program on both
// engines, on a device that takes runs and on one that does not, agrees after every slice.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kDevice = 0x20000, kDeviceSize = 0x4000;  // linear and physical
constexpr u32 kRam = 0x28000;

// Memory with a latch: what is written depends on the byte that was read last, so that every order of accesses shows.
class LatchedMemory final : public RegionHandler {
 public:
  explicit LatchedMemory(bool takes_runs) : takes_runs_(takes_runs) {
    for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<u8>(i * 37 + i / 256);
  }
  u64 read(RegionId, u64 offset, unsigned width) override {
    u64 value = 0;
    for (unsigned i = 0; i < width; i++) value |= u64{read_byte(offset + i)} << (i * 8);
    return value;
  }
  void write(RegionId, u64 offset, unsigned width, u64 value) override {
    for (unsigned i = 0; i < width; i++) write_byte(offset + i, static_cast<u8>(value >> (i * 8)));
  }
  bool read_run(RegionId, u64 offset, std::span<u8> into) override {
    if (!takes_runs_) return false;
    runs++;
    for (u8& byte : into) byte = read_byte(offset++);
    return true;
  }
  bool write_run(RegionId, u64 offset, std::span<const u8> from) override {
    if (!takes_runs_) return false;
    runs++;
    for (const u8 byte : from) write_byte(offset++, byte);
    return true;
  }
  bool copy_run(RegionId, u64 from, u64 to, unsigned width, u32 count) override {
    if (!takes_runs_) return false;
    runs++;
    for (u32 i = 0; i < count; i++, from += width, to += width) {
      std::array<u8, 4> element{};
      for (unsigned n = 0; n < width; n++) element[n] = read_byte(from + n);
      for (unsigned n = 0; n < width; n++) write_byte(to + n, element[n]);
    }
    return true;
  }

  std::array<u8, kDeviceSize> bytes{};
  u8 latch = 0;
  unsigned runs = 0;

 private:
  u8 read_byte(u64 offset) { return latch = bytes[offset]; }
  void write_byte(u64 offset, u8 value) { bytes[offset] = static_cast<u8>((value & 0x5F) ^ (latch & 0xB3)); }
  bool takes_runs_;
};

class World {
 public:
  World(bool translates, bool takes_runs, bool code32, u64 seed) : device(takes_runs) {
    m.bus().map_movable(m.bus().new_key(),
                        mmio_range("latched", PhysAddr(kDevice), kDeviceSize, &device, 0, 4, Priority::Window));
    m.bus().on_topology_change([this] { m.cpu().mmu().flush_all(); });
    if (code32) {
      m.flat32(0x1000, 0x8000);
    } else {
      for (const SegmentName name : {kSs, kFs, kGs}) m.set_segment(name, 0);
      m.set_segment(kDs, kDevice / 16);
      m.set_segment(kEs, kDevice / 16);
      m.real_mode(0, 0x1000);
      m.reg(kEsp) = 0x8000;
      for (u32 vector = 0; vector < 256; vector++) m.poke<u32>(vector * 4, 0x00000700);
      m.poke<u8>(0x700, 0xF4);
    }
    std::mt19937_64 random(seed);
    for (u32 at = 0; at < 0x4000; at++) m.poke<u8>(kRam + at, static_cast<u8>(random()));
    if (translates) {
      translator_.emplace(m.cpu(), m.bus(), jit::eager_options());
    }
  }
  ExitReason run(u64 budget) { return translator_ ? translator_->run(budget) : m.run(budget); }

  CpuTestMachine m;
  LatchedMemory device;
  unsigned watched = 0;  // hits of a debugger's watchpoint

 private:
  std::optional<jit::Translator> translator_;
};

// Fifty rounds of string instructions, repeated and not, and of plain loads and stores, on the device's pages and in
// between them and RAM; offsets and lengths lie about page borders.
std::vector<u8> program(bool code32, std::mt19937_64& random) {
  std::vector<u8> code;
  const auto put = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
  const auto number = [&](u32 value) {
    for (unsigned i = 0; i < (code32 ? 4u : 2u); i++) code.push_back(static_cast<u8>(value >> (i * 8)));
  };
  const auto below = [&](u32 n) { return static_cast<u32>(random() % n); };
  const auto place = [&] {
    const u32 in_device = below(kDeviceSize / kPageSize - 1) * kPageSize + (kPageSize - 40) + below(80);
    const bool ram = below(3) == 0;
    return code32 ? (ram ? kRam : kDevice) + in_device : (ram ? kRam - kDevice : 0) + in_device;
  };
  put({0xBD}), number(50);  // mov (e)bp, 50
  const std::size_t top = code.size();
  for (unsigned i = 0; i < 12; i++) {
    put({0xBE}), number(place());
    put({0xBF}), number(place());
    put({0xB9}), number(below(4) == 0 ? below(3) : below(150));
    put({below(8) == 0 ? u8{0xFD} : u8{0xFC}});  // std, cld
    if (below(3) == 0) put({0x66});              // the other operand size
    if (below(4) != 0) put({0xF3});
    constexpr u8 kStrings[] = {0xA4, 0xA5, 0xAA, 0xAB, 0xAC, 0xAD, 0xA6, 0xAE, 0xAF};
    put({kStrings[below(std::size(kStrings))]});
    constexpr u8 kPlain[][2] = {{0x8A, 0x06}, {0x8B, 0x06}, {0x88, 0x06}, {0x89, 0x06},
                                {0x08, 0x06}, {0x86, 0x06}, {0x30, 0x06}, {0x01, 0x06}};  // AL or (E)AX and [disp]
    const auto& plain = kPlain[below(std::size(kPlain))];
    put({plain[0], code32 ? u8{0x05} : plain[1]}), number(place());
    put({0x05}), number(static_cast<u32>(random()));  // add (e)ax
  }
  put({0x4D, 0x0F, 0x85});  // dec (e)bp; jnz
  number(static_cast<u32>(top - code.size() - (code32 ? 4 : 2)));
  put({0xF4});
  return code;
}

enum class Watch : u8 { Nobody, Debugger, Guest };

// runs: grows by those that the devices took.
void compare_worlds(u64 seed, bool code32, Watch watch, u64& runs) {
  std::mt19937_64 random(seed);
  const std::vector<u8> code = program(code32, random);
  std::vector<std::unique_ptr<World>> worlds;
  for (const bool translates : {false, true}) {
    for (const bool takes_runs : {false, true})
      worlds.push_back(std::make_unique<World>(translates, takes_runs, code32, seed));
  }
  const u32 watched = kDevice + kPageSize + static_cast<u32>(random() % 64) - 32;
  for (auto& world : worlds) {
    world->m.write(0x1000, code);
    if (watch == Watch::Debugger)
      world->m.cpu().mmu().set_watchpoints({{watched, 2, true, true}},
                                           [&w = *world](const Mmu::Watchpoint&) { w.watched++; });
    if (watch == Watch::Guest) {
      world->m.state().dr[0] = watched;
      world->m.state().dr[7] = 0x30701;  // DR0: reads and writes of a byte
      world->m.cpu().mmu().set_breakpoint_pages({watched >> kPageShift});
    }
  }
  World& first = *worlds.front();
  for (unsigned slice = 0; slice < 4000; slice++) {
    const u64 budget = 1 + random() % (slice % 2 == 0 ? 30 : 400);
    std::vector<ExitReason> reasons;
    for (auto& world : worlds) reasons.push_back(world->run(budget));
    for (std::size_t i = 1; i < worlds.size(); i++) {
      World& other = *worlds[i];
      ASSERT_EQ(reasons[i], reasons[0]) << "seed " << seed << " world " << i;
      ASSERT_EQ(other.m.state().gpr, first.m.state().gpr) << "seed " << seed << " world " << i << " slice " << slice;
      ASSERT_EQ(other.m.state().rip, first.m.state().rip) << "seed " << seed << " world " << i << " slice " << slice;
      ASSERT_EQ(other.m.cpu().eflags(), first.m.cpu().eflags()) << "seed " << seed << " world " << i;
      ASSERT_EQ(other.m.cpu().instruction_count(), first.m.cpu().instruction_count()) << "seed " << seed;
      ASSERT_EQ(other.m.state().dr[6], first.m.state().dr[6]) << "seed " << seed << " world " << i;
      ASSERT_EQ(other.device.latch, first.device.latch) << "seed " << seed << " world " << i << " slice " << slice;
      ASSERT_EQ(other.device.bytes, first.device.bytes) << "seed " << seed << " world " << i << " slice " << slice;
    }
    if (reasons[0] == ExitReason::Halted) break;
  }
  for (std::size_t i = 0; i < worlds.size(); i++) {
    const World& world = *worlds[i];
    ASSERT_EQ(world.watched, first.watched) << "seed " << seed << " world " << i;
    runs += world.device.runs;
  }
  for (u32 at = 0; at < 0x4000; at += 8) {
    for (auto& world : worlds)
      ASSERT_EQ(world->m.peek<u64>(kRam + at), first.m.peek<u64>(kRam + at)) << "seed " << seed;
  }
}

constexpr u64 kPrograms = 60;

TEST(RegisterRuns, AgreeWithSingleAccesses) {
  u64 runs = 0;
  for (u64 seed = 1; seed <= kPrograms && !HasFatalFailure(); seed++)
    compare_worlds(seed, seed % 2 == 0, Watch::Nobody, runs);
  EXPECT_GT(runs, 1000u);
}

TEST(RegisterRuns, LeaveWatchedPagesToSingleAccesses) {
  u64 runs = 0;
  for (u64 seed = 1; seed <= kPrograms && !HasFatalFailure(); seed++)
    compare_worlds(seed + 1000, seed % 2 == 0, Watch::Debugger, runs);
  EXPECT_EQ(runs, 0u);
}

TEST(RegisterRuns, LeaveTheGuestsBreakpointsToSingleAccesses) {
  u64 runs = 0;
  for (u64 seed = 1; seed <= kPrograms && !HasFatalFailure(); seed++)
    compare_worlds(seed + 2000, seed % 2 == 0, Watch::Guest, runs);
  EXPECT_EQ(runs, 0u);
}

}  // namespace

}  // namespace relic86
