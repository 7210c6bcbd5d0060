// "fat:FOLDER": a folder of the host as a disk with a FAT file system, so that its files are there in a guest without
// making an image first. The disk is what the folder held when it was opened; the folder itself is never written.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "block/image_file.h"

namespace relic86 {

// The prefix, with what may follow it: "fat:floppy:FOLDER" is a floppy, "fat:FOLDER" a hard disk with one partition.
inline constexpr std::string_view kFolderPrefix = "fat:";
inline bool names_folder_disk(std::string_view file) { return file.starts_with(kFolderPrefix); }
// The folder that such a name holds.
std::string folder_of_disk(std::string_view file);

// A read-only file with the disk's bytes. Errors name the folder or the file in it, the cause and the mend.
Result<std::unique_ptr<ImageFile>> open_folder_disk(const std::string& file);

}  // namespace relic86
