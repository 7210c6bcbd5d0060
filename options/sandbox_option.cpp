#include "options/sandbox_option.h"

#include <fmt/format.h>

#include "options/option_text.h"

namespace relic86 {

namespace {

using Text = std::string_view;

Result<bool> parse_allow(Text key, Text word) {
  if (word == "allow") return true;
  if (word == "deny") return false;
  return Error{fmt::format("-sandbox {}={}: allow or deny is expected", key, word)};
}

}  // namespace

Result<> set_sandbox(Options& options, Text value) {
  SandboxOption sandbox;
  for (const auto& [key, word] : parse_properties(value)) {
    if (word.empty() || key == "enable") {
      const auto on = parse_switch(word.empty() ? Text(key) : Text(word));
      if (!on) return Error{fmt::format("-sandbox {}: on or off is expected", word.empty() ? key : word)};
      sandbox.on = on.value();
      continue;
    }
    if (key == "elevateprivileges" && word == "children") {
      sandbox.elevate_privileges = SandboxOption::Elevate::NotChildren;
      continue;
    }
    bool* const allowed = key == "obsolete"          ? &sandbox.obsolete
                          : key == "spawn"           ? &sandbox.spawn
                          : key == "resourcecontrol" ? &sandbox.resource_control
                                                     : nullptr;
    if (allowed == nullptr && key != "elevateprivileges") {
      return Error{fmt::format(
          "-sandbox {}: unknown; on, off, obsolete, elevateprivileges, spawn and resourcecontrol are known", key)};
    }
    const auto allow = parse_allow(key, word);
    if (!allow) return allow.error();
    if (allowed != nullptr)
      *allowed = allow.value();
    else
      sandbox.elevate_privileges = allow.value() ? SandboxOption::Elevate::Allow : SandboxOption::Elevate::Deny;
  }
  options.sandbox = sandbox;
  return {};
}

}  // namespace relic86
