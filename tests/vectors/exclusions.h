// What later processors define otherwise than the 80286 that was captured, by name, with the manual's words.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cpu/fault.h"

namespace relic86::vectors {

// A test that differs.
struct Outcome {
  const std::string& opcode;
  const nlohmann::json& test;
  const Fault& fault;  // the last one that the emulated processor raised
};

struct Exclusion {
  const char* name;
  bool (*applies)(const Outcome& outcome);
  const char* reason;
};

// The exclusion that explains it, or nullptr.
const Exclusion* find_exclusion(const Outcome& outcome);

}  // namespace relic86::vectors
