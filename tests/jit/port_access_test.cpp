// IN and OUT by translated code: a device that only answers, and one that remaps memory, ends the slice, stops the
// processor or writes over the code that runs. The same program on both engines agrees after every slice, and the
// device sees each access at the same instruction.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u16 kPorts = 0x100;
enum Effect : u16 { kNone, kFlush, kShorten, kStop, kWriteCode, kEffects };
constexpr u32 kProgram = 0x1000;

class Meddler final : public RegionHandler {
 public:
  explicit Meddler(CpuTestMachine& machine) : machine_(machine) {}
  u64 read(RegionId, u64 offset, unsigned width) override {
    note(offset, width, 0);
    return seen;
  }
  void write(RegionId, u64 offset, unsigned width, u64 value) override {
    note(offset, width, value);
    switch (offset / 4) {
      case kFlush: machine_.cpu().mmu().flush_all(); break;
      case kShorten: machine_.cpu().shorten_slice(1); break;
      case kStop: machine_.cpu().request(kPendingStop); break;
      case kWriteCode: machine_.poke<u8>(immediates[value % immediates.size()], static_cast<u8>(seen)); break;
      default: break;
    }
  }

  std::vector<u32> immediates{};  // where the program's lie
  u64 seen = 0;                   // of every access, with its moment

 private:
  void note(u64 offset, unsigned width, u64 value) {
    constexpr u64 kMultiplier = 0x9E3779B97F4A7C15;
    seen = (seen ^ offset ^ u64{width} << 8 ^ value << 16 ^ machine_.cpu().instruction_count() << 40) * kMultiplier;
    seen ^= seen >> 29;
  }
  CpuTestMachine& machine_;
};

struct World {
  World(bool translates, bool code32) : device(m) {
    (void)m.io().map_fixed({"meddler", IoPort(kPorts), kEffects * 4, &device, 0, 4});
    if (code32) {
      m.flat32(kProgram, 0x8000);
    } else {
      for (const SegmentName name : {kSs, kDs, kEs, kFs, kGs}) m.set_segment(name, 0);
      m.real_mode(0, kProgram);
      m.reg(kEsp) = 0x8000;
    }
    if (!translates) return;
    jit::TranslatorOptions options = jit::eager_options();
    translator.emplace(m.cpu(), m.bus(), options);
  }
  ExitReason run(u64 budget) { return translator ? translator->run(budget) : m.run(budget); }

  CpuTestMachine m;
  Meddler device;
  std::optional<jit::Translator> translator{};
};

struct Program {
  std::vector<u8> code{};
  std::vector<u32> immediates{};  // bytes that the device writes over
};

// Thirty rounds of port accesses of every size between arithmetic whose flags go on over them, and memory accesses
// whose checks do.
Program make_program(bool code32, bool meddles, std::mt19937_64& random) {
  Program program;
  std::vector<u8>& code = program.code;
  const auto put = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
  const auto below = [&](u32 n) { return static_cast<u32>(random() % n); };
  const auto wide = [&](u32 value) {
    for (unsigned i = 0; i < (code32 ? 4u : 2u); i++) code.push_back(static_cast<u8>(value >> (i * 8)));
  };
  put({0xBD}), wide(30);      // mov (e)bp, 30
  put({0xBB}), wide(0x3000);  // mov (e)bx, 3000h
  put({0xBF}), wide(0x3000);  // mov (e)di, 3000h
  const std::size_t top = code.size();
  for (unsigned i = 0; i < 10; i++) {
    const u32 effect = meddles && below(3) == 0 ? below(kEffects) : u32{kNone};
    put({0xBA}), wide(kPorts + effect * 4);                        // mov (e)dx
    put({0x80, 0xC1}), code.push_back(static_cast<u8>(random()));  // add cl
    program.immediates.push_back(kProgram + static_cast<u32>(code.size()) - 1);
    put({0x88, 0x4F, static_cast<u8>(below(4))});  // mov [bx + n], [edi + n], cl
    if (below(3) == 0) put({0x66});
    constexpr u8 kAccesses[] = {0xEC, 0xED, 0xEE, 0xEF};
    put({kAccesses[below(4)]});
    put({0x80, 0xD1, static_cast<u8>(random())});  // adc cl
    put({0x02, 0x47, static_cast<u8>(below(4))});  // add al, [bx + n], [edi + n]
  }
  put({0x4D, 0x0F, 0x85});  // dec (e)bp; jnz
  wide(static_cast<u32>(top - code.size() - (code32 ? 4 : 2)));
  put({0xF4});
  return program;
}

// Gives how many accesses the translator made without its handlers' way through CpuState.
u64 compare_worlds(u64 seed, bool code32, bool meddles) {
  std::mt19937_64 random(seed);
  const Program program = make_program(code32, meddles, random);
  World interpreted(false, code32), translated(true, code32);
  for (World* world : {&interpreted, &translated}) {
    world->m.write(kProgram, program.code);
    world->device.immediates = program.immediates;
  }
  for (unsigned slice = 0; slice < 4000; slice++) {
    const u64 budget = 1 + random() % (slice % 2 == 0 ? 30 : 400);
    const ExitReason reason = interpreted.run(budget);
    EXPECT_EQ(translated.run(budget), reason) << "seed " << seed << " slice " << slice;
    const CpuState &wanted = interpreted.m.state(), &got = translated.m.state();
    EXPECT_EQ(got.gpr, wanted.gpr) << "seed " << seed << " slice " << slice;
    EXPECT_EQ(got.rip, wanted.rip) << "seed " << seed << " slice " << slice;
    EXPECT_EQ(translated.m.cpu().eflags(), interpreted.m.cpu().eflags()) << "seed " << seed << " slice " << slice;
    EXPECT_EQ(translated.m.cpu().instruction_count(), interpreted.m.cpu().instruction_count()) << "seed " << seed;
    EXPECT_EQ(translated.device.seen, interpreted.device.seen) << "seed " << seed << " slice " << slice;
    EXPECT_EQ(translated.m.peek<u32>(0x3000), interpreted.m.peek<u32>(0x3000)) << "seed " << seed;
    for (World* world : {&interpreted, &translated}) world->m.cpu().state().pending &= ~u32{kPendingStop};
    if (reason == ExitReason::Halted || testing::Test::HasFailure()) break;
  }
  return translated.translator->statistics().ports;
}

constexpr u64 kPrograms = 60;

TEST(PortAccess, AnswersComeWhileTranslatedCodeGoesOn) {
  u64 ports = 0;
  for (u64 seed = 1; seed <= kPrograms && !HasFailure(); seed++) ports += compare_worlds(seed, seed % 2 == 0, false);
  EXPECT_GT(ports, kPrograms * 100);
}

TEST(PortAccess, WhatADeviceChangesIsSeenAtOnce) {
  u64 ports = 0;
  for (u64 seed = 1; seed <= kPrograms && !HasFailure(); seed++)
    ports += compare_worlds(seed + 1000, seed % 2 == 0, true);
  EXPECT_GT(ports, kPrograms * 10);
}

}  // namespace

}  // namespace relic86
