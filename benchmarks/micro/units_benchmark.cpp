// x87 and SSE on the host's own units, and what it costs to leave them.
#include "benchmarks/micro/guest_loop.h"

namespace relic86 {

namespace {

const Bytes kOneAndPi = {0xDB, 0xE3, 0xD9, 0xE8, 0xD9, 0xEB};     // fninit; fld1; fldpi
const Bytes kMultiplyAdd = {0xD8, 0xC9, 0xD8, 0xC1, 0xD8, 0xF1};  // fmul st1; fadd st1; fdiv st1

void units(benchmark::State& state, const Bytes& body, bool on = true) {
  jit::TranslatorOptions options;
  options.units = on;
  GuestLoop loop(World::Flat32, kOneAndPi, body, 16, options);
  loop.measure(state);
}

BENCHMARK_CAPTURE(units, x87_registers, kMultiplyAdd);
BENCHMARK_CAPTURE(units, x87_registers_by_calls, kMultiplyAdd, false);
BENCHMARK_CAPTURE(units, x87_memory, Bytes({0xDD, 0x06, 0xDC, 0x46, 0x08, 0xDD, 0x1F}));  // fld; fadd; fstp
BENCHMARK_CAPTURE(units, x87_sine, Bytes({0xD9, 0xFE}));                                  // fsin
BENCHMARK_CAPTURE(units, x87_control, Bytes({0xD9, 0x3F, 0xD9, 0x2F}));                   // fnstcw [edi]; fldcw [edi]
BENCHMARK_CAPTURE(units, sse_registers, Bytes({0x0F, 0x58, 0xC1, 0x0F, 0x59, 0xD3}));     // addps; mulps
BENCHMARK_CAPTURE(units, sse_memory, Bytes({0x0F, 0x28, 0x06, 0x0F, 0x29, 0x07}));        // movaps both ways
// fadd st1; cpuid: a call to C++, before which the registers are saved.
BENCHMARK_CAPTURE(units, saved_for_a_call, Bytes({0xD8, 0xC1, 0x0F, 0xA2}));

}  // namespace

}  // namespace relic86
