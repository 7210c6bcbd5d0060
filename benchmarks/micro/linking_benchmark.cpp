// Ways from block to block: patched jumps, the inline lookup of indirect branches, calls and returns, the dispatcher.
#include "benchmarks/micro/guest_loop.h"

namespace relic86 {

namespace {

// All of them take 16 steps from block to block in an iteration of the loop.
const Bytes kJump = {0xEB, 0x00};                     // jmp $+2
const Bytes kConditional = {0x85, 0xF6, 0x75, 0x00};  // test esi, esi; jnz $+2
const Bytes kIndirect = {0xE8, 0,    0,    0,    0,   0x58,
                         0x83, 0xC0, 0x06, 0xFF, 0xE0};       // call $+5; pop eax; add eax, 6; jmp eax
const Bytes kCall = {0xE8, 0x02, 0, 0, 0, 0xEB, 0x01, 0xC3};  // call f; jmp over; f: ret

void link(benchmark::State& state, const Bytes& body, bool jit::TranslatorOptions::*off) {
  jit::TranslatorOptions options;
  if (off != nullptr) options.*off = false;
  GuestLoop loop(World::Flat32, {}, body, 16, options);
  loop.measure(state);
}

void real_mode(benchmark::State& state, const Bytes& body) {
  GuestLoop loop(World::Real, {}, body, 16);
  loop.measure(state);
}

BENCHMARK_CAPTURE(link, jump, kJump, nullptr);
BENCHMARK_CAPTURE(link, jump_through_dispatcher, kJump, &jit::TranslatorOptions::link);
BENCHMARK_CAPTURE(link, conditional, kConditional, nullptr);
BENCHMARK_CAPTURE(link, indirect, kIndirect, nullptr);
BENCHMARK_CAPTURE(link, call_return, kCall, nullptr);
BENCHMARK_CAPTURE(link, call_return_by_lookup, kCall, &jit::TranslatorOptions::returns);
BENCHMARK_CAPTURE(real_mode, call_return, Bytes({0xE8, 0x02, 0, 0xEB, 0x01, 0xC3}));

}  // namespace

}  // namespace relic86
