// Surroundings for random programs: a mode of the processor, segments, pages, a handler that goes on in the program
// wherever an exception has led, so that a program never ends by one.
#pragma once

#include <span>
#include <string_view>

#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/program_generator.h"

namespace relic86 {

struct World {
  const char* name;
  bool code32;
  bool real = false;
  bool virtual86 = false;
  bool user = false;      // ring 3
  bool segments = false;  // bases and limits of all kinds
  bool paging = false;    // missing, read-only and doubled pages
  bool writes_code = false;
  bool crosses_page = false;  // the program's code does
  bool breakpoints = false;   // in DR0 to DR3, among the program and its data
  bool aligned = false;       // EFLAGS.AC and CR0.AM, mostly
  bool crowded = false;       // the TLB has room for a few pages only
};

std::span<const World> worlds();

// Which instructions are favoured.
struct Group {
  const char* name;
  bool (*rows)(const InstructionRow&);
  bool cold;
  bool units;
  u32 sequence_rate = 24;  // one in so many instructions is one of the Sequences
  bool unmasked = false;   // x87 and SSE exceptions, in masks that change all the time
  bool transfers = false;  // far transfers and the system's instructions are among those
};

std::span<const Group> groups();

// The program's first byte, linear, and its length.
struct Place {
  u32 first = 0;
  u32 length = 0;
  std::vector<std::size_t> starts;
};

// Resets the processor and sets everything up for the program of this seed.
Place prepare(CpuTestMachine& machine, const World& world, const Group& group, u64 seed);

}  // namespace relic86
