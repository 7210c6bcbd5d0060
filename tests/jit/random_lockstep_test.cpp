// Random programs on the interpreter and on the translator: registers, flags and memory must agree after every slice.
#include <gtest/gtest.h>

#include <cstring>
#include <sstream>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"
#include "tests/jit/program_generator.h"

namespace relic86 {

namespace {

std::string show(CpuState& s, Cpu& cpu) {
  std::ostringstream out;
  out << std::hex << "eip " << s.eip() << " eflags " << cpu.eflags();
  for (unsigned i = 0; i < 8; ++i) out << " r" << i << "=" << s.gpr32(i);
  out << " fx";
  const auto* const image = reinterpret_cast<const u32*>(&s.fx);
  for (unsigned i = 0; i < 72; ++i) out << (i % 4 == 0 ? " " : ".") << image[i];
  return out.str();
}

bool same(CpuTestMachine& a, CpuTestMachine& b) {
  if (std::memcmp(a.state().gpr.data(), b.state().gpr.data(), sizeof a.state().gpr) != 0) return false;
  if (a.state().rip != b.state().rip || a.cpu().eflags() != b.cpu().eflags()) return false;
  if (a.cpu().instruction_count() != b.cpu().instruction_count()) return false;
  return std::memcmp(&a.state().fx, &b.state().fx, sizeof a.state().fx) == 0;
}

struct Setup {
  u64 seed;
  bool code32;
  bool cold;
  bool units = false;
  bool patches = false;
};

// Numbers of every kind on a part of the x87's stack and in the XMM registers; random rounding and precision.
void prepare_units(CpuState& state, ProgramGenerator& g) {
  state.cr4 |= 1u << 9;  // OSFXSR
  FxState& fx = state.fx;
  fx.control = static_cast<u16>(0x7F | (g.below(16) << 8));
  fx.status = static_cast<u16>(g.below(8) << 11);
  fx.tags = static_cast<u8>(g.number());
  fx.mxcsr = 0x1F80 | g.below(4) << 13 | (g.one_in(4) ? 0x8040 : 0);
  for (FxState::Slot& slot : fx.st) {
    const u64 mantissa = u64{g.value()} << 32 | g.value() | (g.one_in(8) ? 0 : u64{1} << 63);
    const u16 exponent = static_cast<u16>(g.one_in(4) ? g.value() : 0x3FF0 + g.below(32) + (g.below(2) << 15));
    std::memcpy(slot.bytes, &mantissa, 8);
    std::memcpy(slot.bytes + 8, &exponent, 2);
  }
  for (unsigned i = 0; i < 8; ++i) {
    for (unsigned part = 0; part < 4; ++part) {
      const u32 word = g.one_in(3) ? g.value() : 0x3F800000 + g.below(0x1000000);
      std::memcpy(fx.xmm[i].bytes + part * 4, &word, 4);
    }
  }
}

void prepare(CpuTestMachine& m, const Setup& setup) {
  ProgramGenerator g(setup.seed, setup.code32);
  if (setup.code32) {
    m.flat32(0x1000, 0x8000);
    if (g.one_in(4)) {
      // A segment that is not flat.
      Segment& ds = m.state().segment[kDs];
      ds.base = 0x10;
      ds.limit = 0x7FFFF;
      derive_limits(m.state(), ds);
      m.cpu().update_mode();
    }
  } else {
    for (unsigned name = kEs; name < kSegmentRegisters; ++name) {
      m.set_segment(static_cast<SegmentName>(name), name == kCs ? 0 : static_cast<u16>(name * 0x10));
    }
    m.state().rip = 0x1000;
    m.reg(kEsp) = 0x8000;
    // Real mode's vectors lead to a HLT.
    for (u32 v = 0; v < 256; ++v) m.poke<u32>(v * 4, 0x00000700);
    m.poke<u8>(0x700, 0xF4);
  }
  for (unsigned i = 0; i < 8; ++i) {
    if (i != kEsp) m.reg(static_cast<Gpr>(i)) = g.value();
  }
  m.reg(kEbx) = 0x2800;
  m.reg(kEsi) = 0x3000;
  m.reg(kEbp) = 0x7F00;
  for (u32 at = 0x2000; at < 0x4400; at += 4) m.poke<u32>(at, g.value());
  if (setup.units) prepare_units(m.state(), g);
  ProgramGenerator program(setup.seed ^ 0x5555, setup.code32);
  m.write(0x1000, program.loop(4 + static_cast<unsigned>(setup.seed % 23), setup.cold, setup.units, setup.patches));
}

std::string listing(CpuTestMachine& m) {
  std::ostringstream out;
  for (u32 i = 0; i < 200; ++i) out << std::hex << (m.byte(0x1000 + i) < 16 ? "0" : "") << unsigned{m.byte(0x1000 + i)};
  return out.str();
}

void run_pair(const Setup& setup) {
  CpuTestMachine left, right;
  jit::Translator translator(right.cpu(), right.bus(), jit::eager_options());
  prepare(left, setup);
  prepare(right, setup);
  const std::string code = listing(left);
  ProgramGenerator g(setup.seed + 99, true);
  for (unsigned slice = 0; slice < 40; ++slice) {
    const u32 budget = 1 + g.below(slice < 20 ? 60 : 400);
    const std::string before = show(left.state(), left.cpu());
    const ExitReason a = left.run(budget);
    const ExitReason b = translator.run(budget);
    ASSERT_EQ(a, b) << "seed " << setup.seed << " code " << code;
    ASSERT_TRUE(same(left, right)) << "seed " << setup.seed << " slice " << slice << " budget " << budget << "\nbefore "
                                   << before << "\ninterp " << show(left.state(), left.cpu()) << "\njit    "
                                   << show(right.state(), right.cpu()) << "\ncode " << code;
    if (a != ExitReason::BudgetSpent) break;
  }
  for (u32 at = 0; at < 0x20000; at += 8) {
    ASSERT_EQ(left.peek<u64>(at), right.peek<u64>(at))
        << "seed " << setup.seed << " at " << std::hex << at << " code " << code;
  }
}

u64 programs() {
  const char* const wanted = std::getenv("RELIC86_LOCKSTEP_PROGRAMS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 300;
}

u64 first_program() {
  const char* const wanted = std::getenv("RELIC86_LOCKSTEP_SEED");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 1;
}

TEST(RandomLockstep, Flat32) {
  for (u64 seed = first_program(); seed < first_program() + programs() && !HasFatalFailure(); ++seed)
    run_pair({seed, true, false});
}
TEST(RandomLockstep, Flat32WithColdInstructions) {
  for (u64 seed = first_program(); seed < first_program() + programs() && !HasFatalFailure(); ++seed)
    run_pair({seed + 100000, true, true});
}
TEST(RandomLockstep, Real16) {
  for (u64 seed = first_program(); seed < first_program() + programs() && !HasFatalFailure(); ++seed)
    run_pair({seed + 200000, false, false});
}
TEST(RandomLockstep, Real16WithColdInstructions) {
  for (u64 seed = first_program(); seed < first_program() + programs() && !HasFatalFailure(); ++seed)
    run_pair({seed + 300000, false, true});
}

TEST(RandomLockstep, Flat32Patches) {
  for (u64 seed = first_program(); seed < first_program() + programs() && !HasFatalFailure(); ++seed)
    run_pair({seed + 600000, true, false, false, true});
}
TEST(RandomLockstep, Real16Patches) {
  for (u64 seed = first_program(); seed < first_program() + programs() && !HasFatalFailure(); ++seed)
    run_pair({seed + 700000, false, false, false, true});
}

TEST(RandomLockstep, Flat32Units) {
  for (u64 seed = first_program(); seed < first_program() + programs() && !HasFatalFailure(); ++seed)
    run_pair({seed + 400000, true, false, true});
}
TEST(RandomLockstep, Real16Units) {
  for (u64 seed = first_program(); seed < first_program() + programs() && !HasFatalFailure(); ++seed)
    run_pair({seed + 500000, false, true, true});
}

}  // namespace

}  // namespace relic86
