// The words that may follow -cpu MODEL: what QEMU's users write, whether this processor has it or not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relic86 {

// QEMU's names of CPUID flags, in its spelling with '-'.
const std::vector<std::string_view>& known_cpu_flags();

// One spelling for all: "sse4_1" and "sse4-1" are sse4.1, "sse3" is pni, "xd" is nx.
std::string canonical_cpu_flag(std::string_view name);

// A property of QEMU's processors that is no flag, and how it is answered: None: unknown.
enum class CpuProperty : unsigned char { None, Harmless, WithoutEffect };
CpuProperty known_cpu_property(std::string_view name);

}  // namespace relic86
