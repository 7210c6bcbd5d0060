// Which options have which properties: for clients that look before they write a command line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relic86 {

struct CommandLineGroup {
  std::string_view option;  // "drive"
  std::vector<std::string> properties;
};
std::vector<CommandLineGroup> command_line_groups();

}  // namespace relic86
