// The files of a folder, as a FAT file system is going to have them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct FolderEntry {
  std::string path;           // on the host
  std::u16string long_name;   // empty: the short one says all
  std::array<char, 11> name;  // 8.3, padded with blanks, upper case
  bool folder = false;
  u32 size = 0;      // bytes, of a file
  i64 modified = 0;  // Unix time, seconds
  std::vector<FolderEntry> children;

  // Directory entries that it takes: its own and those of its long name.
  u32 slots() const;
};

struct FolderTree {
  FolderEntry root;
  u64 bytes = 0;        // of all files
  u32 entries = 0;      // of files and folders
  i64 modified_ns = 0;  // the latest change of any of them
};

// Links are followed; what is neither a file nor a folder is left out. The error names what cannot be read.
Result<FolderTree> read_folder_tree(const std::string& folder);

}  // namespace relic86
