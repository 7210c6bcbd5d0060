// What there is to choose from with -cpu, for those who list it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cpu/cpuid.h"

namespace relic86 {

std::vector<std::string> cpu_model_names();

// By QEMU's name of the feature; false: relic86 has none of it.
enum class FeatureState : unsigned char { Off, On };
bool set_cpu_feature(CpuModel& model, std::string_view flag, FeatureState state);
// The models that have more than Nehalem, which must be there.
void add_later_models(std::vector<CpuModel>& models);

// Every feature that -cpu MODEL,+F can name, by QEMU's name, and whether the model has it.
std::vector<std::pair<std::string, bool>> cpu_feature_states(const CpuModel& model);

}  // namespace relic86
