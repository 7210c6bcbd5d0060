// What it costs to translate: nanoseconds of the translator itself (the time that --jit-stats shows) for a guest
// instruction of straight code, and to change code that is translated.
#include <chrono>

#include "benchmarks/micro/guest_loop.h"

namespace relic86 {

namespace {

i64 now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Eight instructions as compilers write them, then a jump to the next block.
const Bytes kBlock = {0x8B, 0x46, 0x08,  // mov eax, [esi+8]
                      0x03, 0x47, 0x04,  // add eax, [edi+4]
                      0x89, 0x47, 0x10,  // mov [edi+16], eax
                      0x83, 0xF8, 0x10,  // cmp eax, 16
                      0x0F, 0x92, 0xC1,  // setb cl
                      0x8D, 0x14, 0x98,  // lea edx, [eax+ebx*4]
                      0x31, 0xD3,        // xor ebx, edx
                      0x85, 0xDB,        // test ebx, ebx
                      0x75, 0x00};       // jnz $+2

void translate(benchmark::State& state) {
  jit::TranslatorOptions options;
  options.threshold = 1;
  options.host_nanoseconds = &now;
  GuestLoop loop(World::Flat32, {}, kBlock, 100, options);
  const jit::TranslatorStatistics& statistics = loop.translator().statistics();
  u64 instructions = 0;
  for (auto unused : state) {
    static_cast<void>(unused);
    loop.translator().flush_code();
    const u64 before = statistics.translation_nanoseconds, translated = statistics.translated_instructions;
    loop.translator().run(4 * 900);
    state.SetIterationTime(static_cast<double>(statistics.translation_nanoseconds - before) * 1e-9);
    instructions += statistics.translated_instructions - translated;
  }
  if (instructions == 0) state.SkipWithError("nothing was translated");
  state.SetItemsProcessed(static_cast<i64>(instructions));
}
BENCHMARK(translate)->UseManualTime();

// mov [operand of the next instruction], ecx; mov eax, imm32; inc ecx
void self_modifying(benchmark::State& state, bool patches) {
  jit::TranslatorOptions options;
  options.patches = patches;
  const Bytes code = {0x89, 0x0D, 0x07, 0x10, 0, 0, 0xB8, 0, 0, 0, 0, 0x41};
  GuestLoop loop(World::Flat32, {}, code, 1, options);
  loop.translator().run(GuestLoop::kSlice);
  u64 count = 0;
  for (auto unused : state) {
    static_cast<void>(unused);
    loop.translator().run(GuestLoop::kSlice);
    count += GuestLoop::kSlice;
  }
  state.SetItemsProcessed(static_cast<i64>(count));
}
BENCHMARK_CAPTURE(self_modifying, in_place, true);
BENCHMARK_CAPTURE(self_modifying, decoded_again, false);

}  // namespace

}  // namespace relic86
