// What of the host's instructions translated code may use beyond x86-64's first.
#pragma once

namespace relic86::jit::x64 {

// POPCNT, LZCNT, BMI1 and BMI2.
bool host_has_bit_instructions();
// CMPXCHG16B.
bool host_has_compare_exchange16();
// All loads and stores before it come before all behind it: MFENCE.
void fence();

}  // namespace relic86::jit::x64
