// relic86 --new and --list, and what a machine with a name has beside its options: it runs once at a time.
#pragma once

#include <string>

#include "base/result.h"
#include "options/options.h"

namespace relic86 {

// Makes the machine's folder with machine.toml and an empty disk. The text says how to start it.
Result<std::string> make_machine(const Options& options);
// The table of --list, with what to do where it is empty.
std::string list_machines();

// Held while a machine with a name runs.
class NamedMachineLock {
 public:
  // A machine without a name has no lock. The error says that it runs already.
  static Result<NamedMachineLock> take(const Options& options);
  NamedMachineLock(NamedMachineLock&& other) noexcept;
  NamedMachineLock& operator=(NamedMachineLock&&) = delete;
  ~NamedMachineLock();

 private:
  NamedMachineLock() = default;
  int file_ = -1;
};

}  // namespace relic86
