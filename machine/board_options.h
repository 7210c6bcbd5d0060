// From the command line to a board: opens images, finds firmware, loads kernels. Messages name option and file.
#pragma once

#include "base/result.h"
#include "block/drive_medium.h"
#include "block/open_image.h"
#include "cpu/cpuid.h"
#include "devices/board/board_config.h"
#include "options/options.h"

namespace relic86 {

// A board, and what the machine's user knows of the media in its drives.
struct BoardPlan {
  BoardConfig config;
  DriveMedia media;
  // Disks on SCSI buses, whose controllers come later.
  std::vector<std::pair<DriveOption, ScsiUnitConfig>> scsi_disks{};
};
// random: the host's numbers for entropy devices; null: runs are to be alike.
Result<BoardPlan> board_plan_for(const Options& options, RandomSource* random = nullptr);
Result<CpuModel> cpu_model_for(const Options& options);

// What a drive's image is: the block node of that name, with what it stands on, or else the file, whose format may be
// left open (empty).
ImageSource image_source(const std::vector<BlockNode>& nodes, const std::string& node, const std::string& file,
                         const std::string& format);
// A medium for a drive: opened, locked, with an overlay for -snapshot. read_only: a CD-ROM, or readonly=on.
Result<std::shared_ptr<DriveMedium>> open_medium(const std::string& option, const ImageSource& source, bool read_only,
                                                 bool snapshot);
// The board's place (PcBoard::disk()) of a drive on IDE or AHCI, and its name as QEMU calls it: "ide0-hd0", "ide1-cd0",
// "ide2-cd0" of a q35; "ahci0-hd0" on the ich9-ahci of a pc.
unsigned drive_place(const Options& options, const DriveOption& drive);
std::string drive_place_name(const Options& options, unsigned place, DriveOption::Media media);
DriveOption::Interface interface_of_place(const Options& options, unsigned place);
// Of any drive in its place: "floppy0", "virtio0" and the above.
std::string drive_name(const Options& options, const DriveOption& drive);

// The text of -device help.
std::string device_help_text();
// The devices that -device takes, and the properties of one; an unknown one has none.
std::vector<std::string> device_names();
std::vector<std::string> device_property_names(const std::string& name);
// The text of -device NAME,help; an error: there is no such device.
Result<std::string> device_properties_text(const std::string& name);

}  // namespace relic86
