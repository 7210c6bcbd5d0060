#include "frontend/closed_machine.h"

#include <fmt/format.h>

#include "machine/closed_media.h"
#include "machine/saved_machine.h"

namespace relic86 {

Result<> resume_closed(Machine& machine) {
  const Options& options = machine.options();
  if (!is_saved(options, kClosedTag)) return {};
  if (options.fresh) return delete_saved_machine(machine, kClosedTag);
  if (!options.load_vm.empty() || options.on_close == Options::OnClose::Quit) {
    const bool other = !options.load_vm.empty();
    const bool replaces = options.on_close != Options::OnClose::Quit;
    if (!replaces && !would_undo_writes(machine, kClosedTag)) return {};
    return Error{
        fmt::format("{}: this machine was saved when it was closed, and {} would write over it or over the disks that "
                    "belong to it; "
                    "{} to go on with it, or add --fresh to drop it",
                    StateFolder{state_folder(options)}.machine_file(kClosedTag),
                    other ? "-loadvm " + options.load_vm : "a start with --on-close quit",
                    other ? "leave -loadvm out" : "say --on-close save")};
  }
  if (auto loaded = load_with_its_media(machine, kClosedTag); !loaded)
    return Error{loaded.message() + "; --fresh starts the machine anew"};
  return delete_saved_machine(machine, kClosedTag);
}

Result<> save_closed(Machine& machine) {
  if (machine.end() != End::Quit || machine.options().on_close != Options::OnClose::Save) return {};
  return save_machine(machine, kClosedTag);
}

}  // namespace relic86
