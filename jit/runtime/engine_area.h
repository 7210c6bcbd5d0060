// The translator's own words behind CpuState: what translated code keeps in memory.
#pragma once

#include <cstddef>

#include "cpu/state.h"

namespace relic86::jit {

inline constexpr unsigned kSlots = 192;

// AsInState: CpuState::ymm_high holds them: zero, or out of the guest's reach by XCR0. Used: the host's registers do.
// Cleared: they are zero.
enum class Upper : u32 { AsInState, Used, Cleared };

struct EngineArea {
  // The home of the guest's flags between blocks (jit/runtime/flags.h): a full step and, behind it, an INC or DEC. Both
  // descriptors 0: CpuState::flags holds.
  u32 home_step = 0;
  u32 home_partial = 0;
  u32 home_operand[3] = {};
  u32 home_partial_result = 0;
  u64 exit_point = 0;  // ExitPoint* through which translated code left
  u64 target = 0;      // RIP of an indirect branch that missed
  u64 value = 0;       // what a slow access read or is to write
  u64 saved_temporaries[4] = {};
  u64 aside = 0;        // as a TLB entry, for one access to a page that has no fast one (x64/page_thunks.h)
  u64 dropped[2] = {};  // where stores go that nobody takes
  // The host's stack while translated code runs (x64/branches_calls.cpp): as it was found, the first frame, how far
  // frames may reach.
  u64 host_stack = 0, first_frame = 0, frame_limit = 0;
  // Offset in CS of the first byte of the code page: 32 bits, but for limited code, where it is negative if offset 0
  // lies within the page, and for 64-bit code.
  i64 page_eip = 0;
  // Of limited code: where in the page CS's limit ends, 16-bit code 64 KiB at the latest. Beyond the page, too.
  i64 page_end = 0;
  u32 units = 0;       // 1: the host's x87 and SSE registers hold the guest's, CpuState::fx all but FIP to FDS is stale
  u32 host_mxcsr = 0;  // for C++
  u32 slots[kSlots] = {};  // operands kept for the flags, within a block
  // home_operand and home_partial_result of steps of eight bytes; the third operand is a number of four.
  u64 home_wide[3] = {};
  u64 home_partial_wide = 0;
  // While units is 1: what bits 255:128 of the host's YMM registers are, the guest's. CpuState::ymm_high is stale but
  // for Upper::AsInState.
  u32 upper = 0;
  // FIP and FDP of 64-bit code while the host's units hold the guest's registers: one store each, which FXSAVE's layout
  // would make two of. CpuState::fx has them whenever C++ runs.
  u64 long_fip = 0, long_fdp = 0;
  // Video memory of planes that fixed code may access (x64/plane_thunks.h): a region of whom, and its window; of the bus
  // the first 4 MiB's pages. 0: none has been met yet.
  u64 plane_handler = 0, planes = 0, plane_pages = 0;
  u32 plane_region = 0;
  u64 real[2] = {};  // a number of 80 bits on its way to the x87
};
static_assert(sizeof(EngineArea) <= sizeof(VcpuMemory::engine));
static_assert(offsetof(VcpuMemory, state) == 0);
// page_eip is read in most blocks. On AMD Zen 5 x87 programs took up to twice their time while it stood 400h bytes
// behind FXSAVE's FDP, which every x87 access to memory writes: as if loads were predicted to read what was stored
// there.
static_assert((offsetof(VcpuMemory, engine) + offsetof(EngineArea, page_eip) - offsetof(CpuState, fx)) % 0x400 >= 32);

inline EngineArea& engine_area(CpuState& state) {
  return *reinterpret_cast<EngineArea*>(reinterpret_cast<VcpuMemory&>(state).engine);
}

}  // namespace relic86::jit
