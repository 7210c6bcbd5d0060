#include "control/commands/command.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/commands/types.h"

namespace relic86 {

std::vector<Command> all_commands() {
  std::vector<Command> commands;
  for (const CommandTable table : {machine_commands(), block_commands(), job_commands(), export_commands(),
                                   snapshot_commands(), object_commands(), option_commands(), host_commands(),
                                   network_commands(), user_commands(), remote_commands(), migration_commands()})
    commands.insert(commands.end(), table.begin(), table.end());
  return commands;
}

const Command* find_command(std::span<const Command> commands, std::string_view name) {
  const auto at = std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.name == name; });
  return at == commands.end() ? nullptr : &*at;
}

CommandReply run_command(const Command& command, Machine& machine, const Json& arguments) {
  if (auto right = check_members(command.arguments, arguments, ""); !right) return right.error();
  return command.run(machine, Arguments(arguments));
}

CommandReply run_command(std::string_view name, Machine& machine, const Json& arguments) {
  static const std::vector<Command> commands = all_commands();
  const Command* command = find_command(commands, name);
  if (command == nullptr)
    return CommandError{"CommandNotFound", fmt::format("The command {} has not been found", name)};
  return run_command(*command, machine, arguments);
}

}  // namespace relic86
