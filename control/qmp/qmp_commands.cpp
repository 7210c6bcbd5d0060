#include "control/qmp/qmp_commands.h"

#include <fmt/format.h>

#include "control/commands/schema.h"
#include "control/monitor/monitor.h"

namespace relic86 {

namespace {

CommandReply human_monitor_command(Machine& machine, const Arguments& arguments) {
  std::string text;
  for (const char c : execute_monitor_line(machine, arguments.text("command-line"))) {
    if (c == '\n') text += '\r';
    text += c;
  }
  return Json(text);
}

// What the monitor shows, for programs that show it to people.
CommandReply human_text(Machine& machine, std::string_view line) {
  return Json{{"human-readable-text", execute_monitor_line(machine, line)}};
}
CommandReply query_jit(Machine& machine, const Arguments&) { return human_text(machine, "info jit"); }
CommandReply query_irq(Machine& machine, const Arguments&) { return human_text(machine, "info irq"); }

CommandReply query_commands(Machine&, const Arguments&);
CommandReply query_schema(Machine&, const Arguments&);
// The server answers it before it looks here.
CommandReply capabilities(Machine&, const Arguments&) { return Json::object(); }

constexpr Command kCommands[] = {
    {"qmp_capabilities", "*enable:[QMPCapability]", "", capabilities},
    {"human-monitor-command", "command-line:str *cpu-index:int", "str", human_monitor_command},
    {"query-commands", "", "[CommandInfo]", query_commands},
    {"query-qmp-schema", "", "[any]", query_schema},
    {"x-query-jit", "", "HumanReadableText", query_jit},
    {"x-query-irq", "", "HumanReadableText", query_irq},
};

const std::vector<Command>& commands() {
  static const std::vector<Command> list = [] {
    std::vector<Command> all = all_commands();
    all.insert(all.end(), std::begin(kCommands), std::end(kCommands));
    return all;
  }();
  return list;
}

CommandReply query_commands(Machine&, const Arguments&) {
  Json list = Json::array();
  for (const Command& command : commands()) list.push_back({{"name", command.name}});
  return list;
}
CommandReply query_schema(Machine&, const Arguments&) { return describe_schema(commands()); }

}  // namespace

bool qmp_knows(const std::string& command) { return find_command(commands(), command) != nullptr; }

CommandReply execute_qmp(Machine& machine, const std::string& command, const Json& arguments) {
  const Command* found = find_command(commands(), command);
  if (found == nullptr)
    return CommandError{"CommandNotFound", fmt::format("The command {} has not been found", command)};
  return run_command(*found, machine, arguments);
}

}  // namespace relic86
