// Machines that go on in another program (docs/migration.md).
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "control/commands/command.h"
#include "machine/incoming_migration.h"
#include "machine/migration.h"

namespace relic86 {

namespace {

// What QEMU's clients may ask about. Only "events" has an effect: the others change how QEMU sends. libvirt insists on
// "return-path", which is taken: the other side's end is told by its own events. What libvirt switches on only where it
// is listed ("pause-before-switchover") is not.
constexpr const char* kCapabilities[] = {"events",      "xbzrle",  "auto-converge", "postcopy-ram",
                                         "return-path", "multifd", "dirty-bitmaps", "zero-blocks"};

NamedDescriptor named(Machine& machine) {
  return [&machine](const std::string& name) { return machine.take_descriptor(name); };
}

CommandReply query_migrate(Machine& machine, const Arguments&) {
  const Migration::Progress progress = machine.migration().progress();
  if (progress.status == MigrationStatus::None) return Json::object();
  Json info = {{"status", migration_status_name(progress.status)}};
  if (progress.status == MigrationStatus::Failed) info["error-desc"] = progress.trouble;
  info["total-time"] = progress.total_ms;
  if (progress.status == MigrationStatus::Completed)
    info["downtime"] = progress.downtime_ms;
  else
    info["expected-downtime"] = machine.migration().parameters().downtime_limit;
  info["setup-time"] = 0;
  const double seconds = static_cast<double>(std::max<u64>(progress.total_ms, 1)) / 1000;
  info["ram"] = {{"transferred", progress.sent},
                 {"remaining", progress.remaining},
                 {"total", progress.total},
                 {"duplicate", progress.zero_pages},
                 {"skipped", 0},
                 {"normal", progress.pages},
                 {"normal-bytes", progress.pages * kPageSize},
                 {"dirty-pages-rate", 0},
                 {"mbps", static_cast<double>(progress.sent) * 8 / 1e6 / seconds},
                 {"dirty-sync-count", progress.rounds},
                 {"page-size", kPageSize},
                 {"multifd-bytes", 0},
                 {"pages-per-second", 0},
                 {"postcopy-requests", 0},
                 {"precopy-bytes", progress.sent},
                 {"downtime-bytes", 0},
                 {"postcopy-bytes", 0},
                 {"dirty-sync-missed-zero-copy", 0}};
  return info;
}

CommandReply query_capabilities(Machine& machine, const Arguments&) {
  Json rows = Json::array();
  for (const char* const name : kCapabilities)
    rows.push_back(
        {{"state", name == std::string_view("events") && machine.migration().tells_events()}, {"capability", name}});
  return rows;
}

CommandReply set_capabilities(Machine& machine, const Arguments& arguments) {
  for (const Json& row : arguments.value("capabilities")) {
    const auto name = row["capability"].get<std::string>();
    const bool on = row["state"].get<bool>();
    if (name == "events") {
      machine.migration().tells_events() = on;
    } else if (on && name != "return-path") {
      const bool known = std::find(std::begin(kCapabilities), std::end(kCapabilities), name) != std::end(kCapabilities);
      return CommandError{.message = fmt::format("capability '{}': {}; leave it off", name,
                                                 known ? "does not exist here" : "is unknown")};
    }
  }
  return Json::object();
}

CommandReply query_parameters(Machine& machine, const Arguments&) {
  const MigrationParameters& parameters = machine.migration().parameters();
  return Json{{"max-bandwidth", parameters.max_bandwidth}, {"downtime-limit", parameters.downtime_limit}};
}

CommandReply set_parameters(Machine& machine, const Arguments& arguments) {
  constexpr u64 kMostBandwidth = ~u64{0}, kMostDowntime = 2'000'000;  // as in QEMU: bytes a second, ms
  MigrationParameters& parameters = machine.migration().parameters();
  for (const auto& [key, value] : arguments.all().items()) {
    const bool bandwidth = key == "max-bandwidth";
    if (!bandwidth && key != "downtime-limit") continue;  // of what does not exist here
    if (!value.is_number_unsigned() || value.get<u64>() > (bandwidth ? kMostBandwidth : kMostDowntime))
      return CommandError{.message = fmt::format("Parameter '{}' expects a number up to {}", key,
                                                 bandwidth ? kMostBandwidth : kMostDowntime)};
    (bandwidth ? parameters.max_bandwidth : parameters.downtime_limit) = value.get<u64>();
  }
  return Json::object();
}

CommandReply migrate(Machine& machine, const Arguments& arguments) {
  if (arguments.flag("blk") || arguments.flag("inc"))
    return CommandError{.message = "disks do not migrate; both programs need the same files"};
  if (arguments.flag("resume")) return CommandError{.message = "there is no paused migration to resume"};
  if (machine.incoming() != nullptr) return CommandError{.message = "Guest is waiting for an incoming migration"};
  return machine.migration().start(arguments.text("uri"), named(machine));
}

CommandReply migrate_incoming(Machine& machine, const Arguments& arguments) {
  if (machine.incoming() == nullptr)
    return CommandError{.message = "'-incoming' was not specified on the command line"};
  return machine.incoming()->listen(arguments.text("uri"), named(machine));
}

CommandReply cancel(Machine& machine, const Arguments&) {
  machine.migration().cancel();
  return Json::object();
}

constexpr Command kCommands[] = {
    {"query-migrate", "", "MigrationInfo", query_migrate},
    {"query-migrate-capabilities", "", "[MigrationCapabilityStatus]", query_capabilities},
    {"migrate-set-capabilities", "capabilities:[MigrationCapabilitySetting]", "", set_capabilities},
    {"query-migrate-parameters", "", "MigrationParameters", query_parameters},
    {"migrate-set-parameters", "..", "", set_parameters},
    {"migrate", "uri:str *blk:bool *inc:bool *detach:bool *resume:bool", "", migrate},
    {"migrate-incoming", "uri:str", "", migrate_incoming},
    {"migrate_cancel", "", "", cancel},
};

}  // namespace

CommandTable migration_commands() { return kCommands; }

}  // namespace relic86
