// A processor in 64-bit mode with RAM and nothing else.
#pragma once

#include "cpu/long_mode.h"
#include "tests/cpu/cpu_test_machine.h"

namespace relic86 {

// 64-bit code in ring 0 at kCode, memory below 4 GiB mapped as it is by pages of 2 MiB, the first of them at kHigh too.
class LongMachine : public CpuTestMachine {
 public:
  static constexpr u64 kCode = 0x1000, kHigh = 0xFFFFFF8000000000;
  static constexpr u32 kTop = 0x800000;

  explicit LongMachine(const char* model = "qemu64") : LongMachine(make_cpu_model(model).value()) {}
  explicit LongMachine(const CpuModel& model) : CpuTestMachine(model) {
    flat32(kCode);
    poke<u64>(kTop, (kTop + 0x1000) | 7);
    poke<u64>(kTop + 511 * 8, (kTop + 0x1000) | 7);
    for (u32 i = 0; i < 4; i++) poke<u64>(kTop + 0x1000 + i * 8, (kTop + 0x2000 + i * 0x1000) | 7);
    for (u64 i = 0; i < 2048; i++) poke<u64>(kTop + 0x2000 + static_cast<u32>(i) * 8, i << 21 | 0x87);
    state().cr4 = 0x20;
    (void)cpu().mmu().load_cr3(kTop);
    state().cr3 = kTop;
    state().efer = kEferLme | kEferLma | kEferNxe;
    state().cr0 |= 0x80000000;
    state().segment[kCs].attributes = 0xA09B;
    cpu().update_mode();
  }
  void step() {
    const u64 before = cpu().instruction_count();
    while (cpu().instruction_count() == before && run(1) == ExitReason::BudgetSpent) {
    }
  }
};

}  // namespace relic86
