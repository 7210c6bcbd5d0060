// The soft TLB's hit path: one check an access, one check for a group of accesses, none at all to compare with; and
// what a miss costs.
#include "benchmarks/micro/guest_loop.h"

namespace relic86 {

namespace {

const Bytes kLoad = {0x8B, 0x06};             // mov eax, [esi]
const Bytes kStore = {0x89, 0x07};            // mov [edi], eax
const Bytes kUpdate = {0x01, 0x07};           // add [edi], eax
const Bytes kPushPop = {0x50, 0x5A};          // push eax; pop edx
const Bytes kNoAccess = {0x89, 0xF0};         // mov eax, esi
const Bytes kUnaligned = {0x8B, 0x46, 0x01};  // mov eax, [esi+1]
// mov eax, [esi]; add esi, 1000h; and esi, 3FFFFh: 64 pages, each with a check of its own.
const Bytes kPages = {0x8B, 0x06, 0x81, 0xC6, 0x00, 0x10, 0x00, 0x00, 0x81, 0xE6, 0xFF, 0xFF, 0x03, 0x00};

void access(benchmark::State& state, const Bytes& body, bool share) {
  jit::TranslatorOptions options;
  options.share = share;
  GuestLoop loop(World::Flat32, {}, body, 16, options);
  loop.measure(state);
}

// invlpg [edi]; mov eax, [edi]: a page walk (paging is off) and the fill of an entry.
void miss(benchmark::State& state) {
  GuestLoop loop(World::Flat32, {}, {0x0F, 0x01, 0x3F, 0x8B, 0x07}, 4);
  loop.measure(state);
}

void real_mode(benchmark::State& state, const Bytes& body) {
  GuestLoop loop(World::Real, {}, body, 16);
  loop.measure(state);
}

BENCHMARK_CAPTURE(access, none, kNoAccess, true);
BENCHMARK_CAPTURE(access, load, kLoad, false);
BENCHMARK_CAPTURE(access, load_shared, kLoad, true);
BENCHMARK_CAPTURE(access, load_unaligned, kUnaligned, false);
BENCHMARK_CAPTURE(access, load_64_pages, kPages, true);
BENCHMARK_CAPTURE(access, store, kStore, false);
BENCHMARK_CAPTURE(access, store_shared, kStore, true);
BENCHMARK_CAPTURE(access, read_modify_write, kUpdate, false);
BENCHMARK_CAPTURE(access, read_modify_write_shared, kUpdate, true);
BENCHMARK_CAPTURE(access, push_pop, kPushPop, false);
BENCHMARK_CAPTURE(access, push_pop_shared, kPushPop, true);
BENCHMARK(miss);
BENCHMARK_CAPTURE(real_mode, load, Bytes({0x8B, 0x04}));                // mov ax, [si]
BENCHMARK_CAPTURE(real_mode, store, Bytes({0x26, 0x89, 0x05}));         // mov es:[di], ax
BENCHMARK_CAPTURE(real_mode, load_segment, Bytes({0x8E, 0xDA, 0xAD}));  // mov ds, dx; lodsw

}  // namespace

}  // namespace relic86
