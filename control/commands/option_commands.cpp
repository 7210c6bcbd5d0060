// What the command line knows, for clients that look before they write it.
#include "control/commands/command.h"
#include "options/command_line_groups.h"

namespace relic86 {

namespace {

// query-command-line-options names option groups; these are the ones that are written otherwise on the command line.
std::string group_of(std::string_view option) {
  if (option == "boot") return "boot-opts";
  if (option == "smp") return "smp-opts";
  if (option == "m") return "memory";
  return std::string(option);
}

CommandReply query_options(Machine&, const Arguments& arguments) {
  const std::string wanted = arguments.text("option");
  Json list = Json::array();
  for (const CommandLineGroup& group : command_line_groups()) {
    const std::string name = group_of(group.option);
    if (!wanted.empty() && wanted != name) continue;
    Json parameters = Json::array();
    for (const std::string& property : group.properties) parameters.push_back({{"name", property}, {"type", "string"}});
    list.push_back({{"option", name}, {"parameters", std::move(parameters)}});
  }
  if (!wanted.empty() && list.empty()) return CommandError{.message = "invalid option name: " + wanted};
  return list;
}

constexpr Command kCommands[] = {
    {"query-command-line-options", "*option:str", "[CommandLineOptionInfo]", query_options},
};

}  // namespace

CommandTable option_commands() { return kCommands; }

}  // namespace relic86
