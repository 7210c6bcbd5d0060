#include "frontend/closed_machine.h"

#include "machine/saved_machine.h"

namespace relic86 {

Result<> resume_closed(Machine& machine) {
  const Options& options = machine.options();
  const bool wanted = options.on_close != Options::OnClose::Quit && options.load_vm.empty();
  if ((!wanted && !options.fresh) || !is_saved(machine, kClosedTag)) return {};
  if (!options.fresh) {
    if (auto loaded = load_machine(machine, kClosedTag); !loaded)
      return Error{loaded.message() + "; --fresh starts the machine anew"};
  }
  return delete_saved_machine(machine, kClosedTag);
}

Result<> save_closed(Machine& machine) {
  if (machine.end() != End::Quit || machine.options().on_close != Options::OnClose::Save) return {};
  return save_machine(machine, kClosedTag);
}

}  // namespace relic86
