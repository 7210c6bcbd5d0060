// The Linux kernel's Landlock (landlock(7)): the process keeps the files that it has open and the folders that it names
// here; everything else of the file system is out of its reach.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace relic86 {

struct FileAccess {
  std::vector<std::string> readable;  // folders and files; what does not exist is left out
  std::vector<std::string> writable;  // folders (or files) to read, to write, and to make and delete files in
};

enum class Landlocked : bool { No, Yes };
// For this thread and those that it makes. No: the kernel has no Landlock (before Linux 5.13, or switched off).
Result<Landlocked> restrict_files(const FileAccess& access);

}  // namespace relic86
