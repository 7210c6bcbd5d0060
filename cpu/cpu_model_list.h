// What there is to choose from with -cpu, for those who list it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cpu/cpuid.h"

namespace relic86 {

std::vector<std::string> cpu_model_names();

// Every feature that -cpu MODEL,+F can name, by QEMU's name, and whether the model has it.
std::vector<std::pair<std::string, bool>> cpu_feature_states(const CpuModel& model);

}  // namespace relic86
