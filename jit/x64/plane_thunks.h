// Fixed code for single bytes of video memory that is planes (memory/plane_window.h): read into the latch, written by
// way of it. A program that plots pixels makes such accesses one by one.
#pragma once

#include <cstddef>

#include "jit/x64/registers.h"
#include "memory/plane_window.h"

namespace relic86::jit::x64 {

// Places in the assembler's code: see Thunks. By user.
struct PlaneThunks {
  std::size_t load[2] = {};
  std::size_t store[2] = {};
};

PlaneThunks emit_plane_thunks(x86::Assembler& a);

}  // namespace relic86::jit::x64
