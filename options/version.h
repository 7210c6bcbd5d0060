// The program's name and version as harnesses see it.
#pragma once

#include <string_view>

namespace relic86 {

inline constexpr std::string_view kVersion = "0.1.0";
// Test harnesses look for the word QEMU in the first line of -help.
inline constexpr std::string_view kVersionLine = "relic86 emulator version 0.1.0 (QEMU-compatible)";

// The version of QEMU whose protocol and options these are.
inline constexpr int kQemuMajor = 7, kQemuMinor = 2, kQemuMicro = 0;

}  // namespace relic86
