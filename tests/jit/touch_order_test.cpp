// An instruction that faults for another reason must not have touched its memory operand first: A bits and TLB entries
// would tell.
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kProgram = 0x1000, kTss = 0xF04000, kSystemStack = 0xF05800;
constexpr u16 kTssSelector = 0x18;

// Virtual-8086 mode at kProgram, every exception leads to a HLT in ring 0.
void enter_v86(CpuTestMachine& machine, u32 iopl) {
  CpuState& state = machine.state();
  state.halted = false;
  machine.flat32();
  state.system_flags = kVM | iopl << 12;
  state.mode.cpl = 3;
  for (unsigned name = kEs; name < kSegmentRegisters; ++name) {
    Segment& segment = state.segment[name];
    segment.selector = Selector(0);
    segment.base = 0;
    segment.limit = 0xFFFF;
    segment.attributes = 0xF3;
    derive_limits(state, segment);
  }
  Segment& task = state.segment[kTr];
  task.selector = Selector(kTssSelector);
  task.base = kTss;
  task.limit = 0x67;
  task.attributes = 0x8B;
  machine.poke<u32>(kTss + 4, kSystemStack);
  machine.poke<u16>(kTss + 8, 0x10);
  state.rip = kProgram;
  machine.cpu().update_mode();
}

class TouchOrder : public testing::TestWithParam<bool> {
 protected:
  ExitReason run() { return GetParam() ? translator_.run(1000) : m_.run(1000); }
  u64 entries_of(u32 linear) {
    const Tlb& tlb = m_.cpu().mmu().tlb();
    return tlb.read_entry(LinAddr(linear), Privilege::User) | tlb.write_entry(LinAddr(linear), Privilege::User);
  }

  CpuTestMachine m_;
  jit::Translator translator_{m_.cpu(), m_.bus(), jit::eager_options()};
};

// Without IOPL 3 both raise #GP(0) before they look at the stack (SDM 2B, POPF and PUSHF).
TEST_P(TouchOrder, PopfAndPushfOfVirtual8086ModeLeaveTheStackAlone) {
  for (const std::initializer_list<u8> instruction : {std::initializer_list<u8>{0x9D}, {0x9C}, {0x66, 0x9D}}) {
    std::vector<u8> code{0x90, 0x40};  // nop; inc ax
    code.insert(code.end(), instruction);
    code.push_back(0xF4);  // HLT: #GP(0)
    m_.write(kProgram, code);
    for (u32 round = 0; round < 10; ++round) {
      const u32 stack = 0x4000 + (round & 7) * kPageSize + 0x800;
      enter_v86(m_, round < 6 ? 3 : 0);
      m_.poke<u32>(stack, 2);
      m_.poke<u32>(stack - 4, 2);
      m_.reg(kEsp) = stack;
      m_.cpu().mmu().flush_all();
      ASSERT_EQ(run(), ExitReason::Halted);
      EXPECT_EQ(m_.cpu().fault().vector, Vector::GeneralProtection);
      EXPECT_EQ(entries_of(stack) != 0, round < 6) << round;
    }
  }
  if (GetParam()) {
    EXPECT_GT(translator_.statistics().translated, 0u);
  }
}

// #UD comes before the operand is read (SDM 2C, VERR and VERW).
TEST_P(TouchOrder, VerwOfVirtual8086ModeLeavesItsOperandAlone) {
  constexpr u32 kOperand = 0x6800;
  m_.write(kProgram, std::vector<u8>{0x40, 0x0F, 0x00, 0x2E, kOperand & 0xFF, kOperand >> 8});  // inc ax; verw [6800h]
  for (u32 round = 0; round < 10; ++round) {
    enter_v86(m_, 3);
    m_.cpu().mmu().flush_all();
    ASSERT_EQ(run(), ExitReason::Halted);
    EXPECT_EQ(m_.cpu().fault().vector, Vector::InvalidOpcode);
    EXPECT_EQ(entries_of(kOperand), 0u) << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, TouchOrder, testing::Bool(), [](const testing::TestParamInfo<bool>& engine) {
  return engine.param ? "Translator" : "Interpreter";
});

}  // namespace

}  // namespace relic86
