// String instructions: page runs with a repeat prefix, single elements without; bytes a second.
#include "benchmarks/micro/guest_loop.h"

namespace relic86 {

namespace {

// mov ecx, count; mov esi, kSource; mov edi, kTarget; rep ...
Bytes repeat(u32 count, const Bytes& instruction) {
  Bytes code;
  const auto load = [&](u8 opcode, u32 value) {
    code.push_back(opcode);
    for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(value >> (8 * i)));
  };
  load(0xB9, count);
  load(0xBE, GuestLoop::kSource);
  load(0xBF, GuestLoop::kTarget);
  code.insert(code.end(), instruction.begin(), instruction.end());
  return code;
}

// A repetition counts as one instruction each time.
void repeated_string(benchmark::State& state, const Bytes& instruction, u32 element) {
  const u32 count = static_cast<u32>(state.range(0)) / element;
  GuestLoop loop(World::Flat32, {}, repeat(count, instruction), 1);
  const u64 instructions = loop.measure(state);
  state.SetBytesProcessed(static_cast<i64>(instructions * count / (count + 4) * element));
}

// cld; lodsw; stosw from a segment to another
void single_real(benchmark::State& state) {
  GuestLoop loop(World::Real, {}, {0xAD, 0xAB}, 16);
  state.SetBytesProcessed(static_cast<i64>(loop.measure(state)));
}

constexpr i64 kShort = 32, kLong = 65536;
BENCHMARK_CAPTURE(repeated_string, movsb, Bytes({0xF3, 0xA4}), 1)->Arg(kShort)->Arg(kLong);
BENCHMARK_CAPTURE(repeated_string, movsd, Bytes({0xF3, 0xA5}), 4)->Arg(kShort)->Arg(kLong);
BENCHMARK_CAPTURE(repeated_string, stosd, Bytes({0xF3, 0xAB}), 4)->Arg(kShort)->Arg(kLong);
BENCHMARK_CAPTURE(repeated_string, repe_cmpsb, Bytes({0xF3, 0xA6}), 1)->Arg(kShort)->Arg(kLong);
BENCHMARK_CAPTURE(repeated_string, repne_scasb, Bytes({0x40, 0xF2, 0xAE, 0x48}), 1)->Arg(kShort)->Arg(kLong);
BENCHMARK(single_real);

}  // namespace

}  // namespace relic86
