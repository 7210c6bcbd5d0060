// Guest flags as host flags: fused comparisons, flags that nobody reads, flags over block borders, images of them.
#include "benchmarks/micro/guest_loop.h"

namespace relic86 {

namespace {

void flags(benchmark::State& state, const Bytes& body, bool lazy = true) {
  jit::TranslatorOptions options;
  options.lazy_flags = lazy;
  GuestLoop loop(World::Flat32, {}, body, 16, options);
  loop.measure(state);
}

BENCHMARK_CAPTURE(flags, unread, Bytes({0x01, 0xD8}));                             // add eax, ebx
BENCHMARK_CAPTURE(flags, carry_chain, Bytes({0x01, 0xD8, 0x11, 0xCA}));            // add eax, ebx; adc edx, ecx
BENCHMARK_CAPTURE(flags, compare_and_set, Bytes({0x39, 0xD8, 0x0F, 0x92, 0xC1}));  // cmp eax, ebx; setb cl
// cmp eax, [esi]; mov edx, [edi]; setb cl: the check of the second access destroys the host's flags.
BENCHMARK_CAPTURE(flags, over_an_access, Bytes({0x3B, 0x06, 0x8B, 0x17, 0x0F, 0x92, 0xC1}));
// add eax, ebx; jnc $+2: the next block may read them all.
BENCHMARK_CAPTURE(flags, over_blocks, Bytes({0x01, 0xD8, 0x73, 0x00}));
BENCHMARK_CAPTURE(flags, over_blocks_written_home, Bytes({0x01, 0xD8, 0x73, 0x00}), false);
BENCHMARK_CAPTURE(flags, shift_by_cl, Bytes({0xD3, 0xE0, 0x72, 0x00}));     // shl eax, cl; jc $+2
BENCHMARK_CAPTURE(flags, pushf_popf, Bytes({0x01, 0xD8, 0x9C, 0x9D}));      // add eax, ebx; pushf; popf
BENCHMARK_CAPTURE(flags, multiply, Bytes({0x0F, 0xAF, 0xC3, 0x71, 0x00}));  // imul eax, ebx; jno $+2

}  // namespace

}  // namespace relic86
