// The drives of a saved machine: which image each held, and what brings its content back.
//
//   section "DRIV", one for each medium: u32 length, text of "key=value" lines, then for an overlay its blocks to the
//   section's end: u64 offset, u32 bytes, u32 compressed bytes, content by zstd
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "block/drive_medium.h"
#include "snapshot/state_file.h"

namespace relic86 {

// Where saved machines live, and how their files are called.
struct StateFolder {
  std::string folder;
  std::string machine_file(const std::string& tag) const { return folder + "/" + tag + ".relic86"; }
  std::string journal_file(const std::string& tag, const std::string& drive, u64 generation) const;
};

// New journals for the media that are written through; nothing is left behind after an error.
Result<> start_journals(const DriveMedia& media, const StateFolder& folder, const std::string& tag, u64 generation);
void drop_journals(const DriveMedia& media, const StateFolder& folder, const std::string& tag, u64 generation);
// Journals of this tag that do not belong to the generation, in use or not, are deleted (0: all). Returns how many.
std::size_t delete_journals(const DriveMedia& media, const StateFolder& folder, const std::string& tag,
                            u64 but_generation);

// A medium that is written through keeps what it overwrites for the saved machine of this tag: loading that one takes
// those writes back.
bool has_journals(const DriveMedia& media, const StateFolder& folder, const std::string& tag);

// False: the journal was left by a savevm that the host cut short, and no saved machine will ever ask for it. A saved
// machine that cannot be read counts as one that may.
bool has_saved_machine(const StateFolder& folder, const std::string& journal_name, u64 generation);

Result<> save_drives(StateFileWriter& file, const DriveMedia& media, u64 generation);

// Loading in two steps: open() checks all and changes nothing, apply() changes the media.
class SavedDrives {
 public:
  static Result<SavedDrives> open(const StateFileReader& file, const DriveMedia& media, const StateFolder& folder,
                                  const std::string& tag);
  Result<> apply(const StateFileReader& file);

 private:
  struct Drive {
    std::shared_ptr<DriveMedium> medium;
    const StateSection* section = nullptr;
    u64 blocks_at = 0;                           // in the section: the overlay's blocks
    bool overlay = false;                        // the saved medium had one
    DiskJournal* journal = nullptr;              // in use by the medium
    std::unique_ptr<DiskJournal> other_journal;  // only read
  };
  Result<> open_drive(const StateFileReader& file, const StateSection& section, const DriveMedia& media,
                      const StateFolder& folder, const std::string& tag, std::string& name);
  std::vector<Drive> drives_;
};

}  // namespace relic86
