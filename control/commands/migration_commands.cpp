// Machines do not migrate. What clients ask and set before every start has an answer all the same; a migration that is
// asked for is refused.
#include <fmt/format.h>

#include "control/commands/command.h"

namespace relic86 {

namespace {

constexpr const char* kNoMigration = "relic86 does not migrate machines; savevm and loadvm save and load them";

CommandReply query_migrate(Machine&, const Arguments&) { return Json::object(); }

// "events" is about telling MIGRATION, of which there is never one to tell.
CommandReply query_capabilities(Machine&, const Arguments&) {
  return Json::array({{{"state", false}, {"capability", "events"}}});
}
CommandReply set_capabilities(Machine&, const Arguments& arguments) {
  for (const Json& row : arguments.value("capabilities")) {
    const std::string name = row["capability"].get<std::string>();
    if (name != "events" && row["state"].get<bool>())
      return CommandError{.message = fmt::format("capability '{}': {}", name, kNoMigration)};
  }
  return Json::object();
}
CommandReply query_parameters(Machine&, const Arguments&) {
  constexpr u64 kBandwidth = 134217728, kDowntime = 300;  // bytes a second, ms: QEMU's
  return Json{{"max-bandwidth", kBandwidth}, {"downtime-limit", kDowntime}};
}
CommandReply set_parameters(Machine&, const Arguments&) { return Json::object(); }
CommandReply refuse(Machine&, const Arguments&) { return CommandError{.message = kNoMigration}; }

constexpr Command kCommands[] = {
    {"query-migrate", "", "MigrationInfo", query_migrate},
    {"query-migrate-capabilities", "", "[MigrationCapabilityStatus]", query_capabilities},
    {"migrate-set-capabilities", "capabilities:[MigrationCapabilitySetting]", "", set_capabilities},
    {"query-migrate-parameters", "", "MigrationParameters", query_parameters},
    {"migrate-set-parameters", "..", "", set_parameters},
    {"migrate", "uri:str *blk:bool *inc:bool *detach:bool *resume:bool", "", refuse},
    {"migrate-incoming", "uri:str", "", refuse},
    {"migrate_cancel", "", "", query_migrate},
};

}  // namespace

CommandTable migration_commands() { return kCommands; }

}  // namespace relic86
