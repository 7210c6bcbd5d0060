// The program's name and version as harnesses see it.
#pragma once

#include <string_view>

namespace relic86 {

inline constexpr std::string_view kVersion = "0.1.0";
// The version of QEMU whose protocol and options these are.
inline constexpr int kQemuMajor = 7, kQemuMinor = 2, kQemuMicro = 0;
// What -version and -help begin with. Programs that drive QEMU take the first number that they find, or the fourth
// word, for QEMU's version and choose their options by it (labgrid, os-autoinst, avocado-vt, mkosi, packer).
inline constexpr std::string_view kVersionLine = "QEMU emulator version 7.2.0 (relic86 0.1.0)";

}  // namespace relic86
