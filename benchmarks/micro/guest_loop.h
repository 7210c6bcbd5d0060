// A guest that repeats one sequence of instructions for ever, under the translator: what a micro-benchmark times.
//
//   GuestLoop loop(World::Flat32, {}, {0x8B, 0x06}, 16);   // mov eax, [esi], sixteen times, jmp to the first
//   loop.measure(state);                                   // items are guest instructions
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"

namespace relic86 {

enum class World { Flat32, Real };
using Bytes = std::vector<u8>;

inline Bytes repeated(const Bytes& bytes, unsigned copies) {
  Bytes all;
  for (unsigned i = 0; i < copies; ++i) all.insert(all.end(), bytes.begin(), bytes.end());
  return all;
}

class GuestLoop {
 public:
  static constexpr u32 kCode = 0x1000, kSource = 0x20000, kTarget = 0x40000, kStack = 0x8000;
  static constexpr u64 kSlice = 100'000;  // guest instructions for one iteration of the benchmark

  // prologue runs once; ESI and EDI point to kSource and kTarget (Real: DS and ES do, SI and DI are 0).
  GuestLoop(World world, const Bytes& prologue, const Bytes& body, unsigned copies = 16,
            const jit::TranslatorOptions& options = {})
      : translator_(machine_.cpu(), machine_.bus(), options) {
    constexpr u32 kOsFxsr = 1u << 9;
    machine_.state().cr4 |= kOsFxsr;
    if (world == World::Flat32) {
      machine_.flat32(kCode, kStack);
      machine_.reg(kEsi) = kSource;
      machine_.reg(kEdi) = kTarget;
    } else {
      machine_.set_segment(kDs, kSource >> 4);
      machine_.set_segment(kEs, kTarget >> 4);
      machine_.set_segment(kSs, 0);
      machine_.reg(kEsp) = kStack;
      machine_.real_mode(0, kCode);
    }
    Bytes code = prologue;
    const Bytes unrolled = repeated(body, copies);
    code.insert(code.end(), unrolled.begin(), unrolled.end());
    const unsigned operand = world == World::Flat32 ? 4 : 2;
    const u32 distance = 0u - static_cast<u32>(unrolled.size() + 1 + operand);
    code.push_back(0xE9);  // jmp to the body
    for (unsigned i = 0; i < operand; ++i) code.push_back(static_cast<u8>(distance >> (8 * i)));
    machine_.write(kCode, code);
  }

  CpuTestMachine& machine() { return machine_; }
  jit::Translator& translator() { return translator_; }

  // Gives the guest instructions that were timed; 0: the guest did not stay in translated code.
  u64 measure(benchmark::State& state) {
    translator_.run(kSlice);
    const u64 interpreted = translator_.statistics().interpreted_blocks;
    const u64 before = machine_.cpu().instruction_count();
    u64 slices = 0;
    for (auto unused : state) {
      static_cast<void>(unused);
      if (translator_.run(kSlice) != ExitReason::BudgetSpent) {
        state.SkipWithError("the guest left its loop");
        return 0;
      }
      ++slices;
    }
    // The last blocks of each slice may be too long for what is left of it.
    constexpr u64 kInterpreted = 100;
    if (translator_.statistics().interpreted_blocks > interpreted + kInterpreted * slices) {
      state.SkipWithError("the loop is not translated");
      return 0;
    }
    const u64 count = machine_.cpu().instruction_count() - before;
    state.SetItemsProcessed(static_cast<i64>(count));
    return count;
  }

 private:
  CpuTestMachine machine_;
  jit::Translator translator_;
};

}  // namespace relic86
