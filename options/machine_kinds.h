// What --new writes: machine files with devices for which a family of systems has drivers.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct MachineKind {
  std::string_view name;     // "dos"
  std::string_view systems;  // for people
  std::string_view memory;
  u64 disk_bytes;
  std::string_view devices;  // lines of the file
};

// Unknown ones get the nearest name.
Result<const MachineKind*> find_machine_kind(std::string_view name);
// The table of `--new help`.
std::string machine_kinds_text();
// The text of a machine file whose disk is disk.img beside it.
std::string machine_file_text(const MachineKind& kind, std::string_view name);

}  // namespace relic86
