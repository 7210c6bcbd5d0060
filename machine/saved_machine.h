// savevm, loadvm, delvm: a whole machine in one file, DIR/TAG.relic86 (docs/saved-machines.md). Call these on the
// machine's thread, between two instructions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

class Machine;
struct Options;
struct StateFolder;

// The tag of a machine that was closed and goes on at the next start (--on-close save).
inline constexpr const char* kClosedTag = "closed";

// The running machine goes on; what was saved under this tag before is replaced.
Result<> save_machine(Machine& machine, const std::string& tag);
// Checks everything first: after most errors the machine is as it was and goes on. After an error that the message says
// came too late for that, the machine is paused.
Result<> load_machine(Machine& machine, const std::string& tag);
// The same in another folder than the machine's own.
Result<> save_machine(Machine& machine, const StateFolder& folder, const std::string& tag);
Result<> load_machine(Machine& machine, const StateFolder& folder, const std::string& tag);
Result<> delete_saved_machine(Machine& machine, const std::string& tag);
// Where the machine with these options is saved; may be relative.
std::string state_folder(const Options& options);
// Whether there is a file of this tag, sound or not.
bool is_saved(const Options& options, const std::string& tag);
// Whether loading this one would take back what the guest writes to its disks from now on.
bool would_undo_writes(Machine& machine, const std::string& tag);
// The screen of a saved machine as a PNG file beside it; it need not be there.
std::string saved_picture(Machine& machine, const std::string& tag);

struct SavedMachine {
  std::string tag;
  u64 bytes = 0;
  i64 saved_at = 0;    // Unix time, seconds
  i64 guest_time = 0;  // nanoseconds
};
// Those of the state folder whose files can be read, by tag.
std::vector<SavedMachine> list_saved_machines(Machine& machine);
// The table of info snapshots.
std::string describe_saved_machines(Machine& machine);
// Writable images whose saved machines are in the state folder go on keeping what they overwrite. Called when media
// have been put into drives.
void attach_journals(Machine& machine);

}  // namespace relic86
