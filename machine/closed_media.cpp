#include "machine/closed_media.h"

#include <fmt/format.h>

#include <map>

#include "machine/machine.h"
#include "machine/saved_machine.h"
#include "snapshot/saved_drive_files.h"

namespace relic86 {

namespace {

MediumChange put(const std::string& file) { return {.file = file, .force = true}; }

}  // namespace

Result<> load_with_its_media(Machine& machine, const std::string& tag) {
  const std::string path = StateFolder{state_folder(machine.options())}.machine_file(tag);
  const auto saved = saved_drive_files(path);
  if (!saved) return load_machine(machine, tag);  // which says what is wrong with the file
  std::map<std::string, MediumChange> wanted;
  for (const Machine::Drive& drive : machine.drives()) {
    if (!drive.removable) continue;
    const auto held = saved.value().find(drive.name);
    const auto holds = machine.media().find(drive.name);
    const std::string then = held == saved.value().end() ? "" : held->second;
    if (holds != machine.media().end()) {
      if (holds->second->identity().path == then) continue;
      MediumChange change = put(holds->second->file());
      change.read_only = holds->second->read_only();
      change.node = drive.node;
      wanted[drive.name] = change;
    } else if (then.empty()) {
      continue;
    }
    if (auto changed = machine.change_medium(drive.name, put(then)); !changed)
      return Error{fmt::format("{}: drive {} held {} when the machine was saved: {}", path, drive.name, then,
                               changed.message())};
  }
  if (auto loaded = load_machine(machine, tag); !loaded) return loaded;
  for (const auto& [drive, change] : wanted) {
    if (auto changed = machine.change_medium(drive, change); !changed) return changed;
  }
  return {};
}

}  // namespace relic86
