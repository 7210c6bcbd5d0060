// Which images are in which drives, by the names of nodes (-blockdev, blockdev-add) and files.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "block/drive_medium.h"
#include "machine/machine.h"

namespace relic86 {

// Null: there is none of this name.
BlockNode* find_node(Machine& machine, const std::string& name);
// For a node that the user has not named: no name of the user's begins with '#'.
std::string unused_node_name(Machine& machine);
// The drive that a node is in, at the top or below.
std::optional<Machine::Drive> drive_of_node(Machine& machine, const std::string& node);
// Null: the drive is empty.
std::shared_ptr<DriveMedium> medium_in(Machine& machine, const Machine::Drive& drive);

// A drive with its images, of which index 0 is the one that the guest writes to.
struct DriveImages {
  Machine::Drive drive;
  std::shared_ptr<DriveMedium> medium;
  std::shared_ptr<DiskImage> top{};  // nothing is under way with it
  std::size_t count = 0;
  std::size_t named = 0;  // the image that the name stood for
};
// name: of a drive, a device, or a node in a drive. An error where the images are not to be moved about.
Result<DriveImages> images_of(Machine& machine, const std::string& name);

// The index of a node's image, or of a file's; none: it is not there.
std::optional<std::size_t> index_of_node(Machine& machine, const DriveImages& images, const std::string& node);
std::optional<std::size_t> index_of_file(const DriveImages& images, const std::string& file);
// The node that an image is; null: it has no name.
BlockNode* node_at(Machine& machine, const DriveImages& images, std::size_t index);
// The nodes have changed: the drive's medium is opened so the next time.
void follow_nodes(Machine& machine, const std::string& drive);

}  // namespace relic86
