#include "control/commands/block_nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "block/image_chain.h"
#include "machine/board_options.h"

namespace relic86 {

BlockNode* find_node(Machine& machine, const std::string& name) {
  auto& nodes = machine.block_nodes();
  const auto at = std::find_if(nodes.begin(), nodes.end(), [&](const BlockNode& node) { return node.name == name; });
  return at == nodes.end() || name.empty() ? nullptr : &*at;
}

std::string unused_node_name(Machine& machine) {
  for (unsigned number = 1;; number++) {
    std::string name = fmt::format("#block{}", number);
    if (find_node(machine, name) == nullptr) return name;
  }
}

namespace {

// Whether `name` is this node or the file under it.
bool stands_for(Machine& machine, const BlockNode& node, const std::string& name) {
  for (const BlockNode* at = &node; at != nullptr; at = find_block_node(machine.block_nodes(), at->below)) {
    if (at->name == name) return true;
  }
  return false;
}

// Of the chain that begins with this node.
std::optional<std::size_t> place_of(Machine& machine, const std::string& top, const std::string& name) {
  std::size_t index = 0;
  for (const BlockNode* at = find_node(machine, top); at != nullptr; at = find_node(machine, at->backing), index++) {
    if (stands_for(machine, *at, name)) return index;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Machine::Drive> drive_of_node(Machine& machine, const std::string& node) {
  if (node.empty()) return std::nullopt;
  for (Machine::Drive& drive : machine.drives()) {
    if (!drive.node.empty() && place_of(machine, drive.node, node)) return drive;
  }
  return std::nullopt;
}

std::shared_ptr<DriveMedium> medium_in(Machine& machine, const Machine::Drive& drive) {
  const auto at = machine.media().find(drive.name);
  return at == machine.media().end() ? nullptr : at->second;
}

Result<DriveImages> images_of(Machine& machine, const std::string& name) {
  auto drive = machine.find_drive(name);
  const bool by_node = !drive;
  if (!drive) drive = drive_of_node(machine, name);
  if (!drive) return Error{fmt::format("Cannot find device='{}' nor node-name='{}'", name, name)};
  DriveImages images{.drive = *drive, .medium = medium_in(machine, *drive)};
  if (!images.medium) return Error{fmt::format("Device '{}' has no medium", name)};
  images.top = images.medium->shared_image();
  if (!images.top)
    return Error{
        fmt::format("drive {}: what the guest writes is not in an image of its own (-snapshot), or the image "
                    "is another program's now",
                    drive->name)};
  for (std::shared_ptr<DiskImage> image = images.top; image; image = image->below()) images.count++;
  if (by_node) images.named = place_of(machine, drive->node, name).value_or(0);
  return images;
}

std::optional<std::size_t> index_of_node(Machine& machine, const DriveImages& images, const std::string& node) {
  const auto index = place_of(machine, images.drive.node, node);
  return index && *index < images.count ? index : std::nullopt;
}

std::optional<std::size_t> index_of_file(const DriveImages& images, const std::string& file) {
  std::size_t index = 0;
  for (std::shared_ptr<DiskImage> image = images.top; image; image = image->below(), index++) {
    std::error_code failure;
    if (image->info().file == file || std::filesystem::equivalent(image->info().file, file, failure)) return index;
  }
  return std::nullopt;
}

BlockNode* node_at(Machine& machine, const DriveImages& images, std::size_t index) {
  BlockNode* node = find_node(machine, images.drive.node);
  for (; node != nullptr && index > 0; index--) node = find_node(machine, node->backing);
  return node;
}

void follow_nodes(Machine& machine, const std::string& name) {
  const auto drive = machine.find_drive(name);
  if (!drive || drive->node.empty()) return;
  if (const auto medium = medium_in(machine, *drive); medium)
    medium->set_source(image_source(machine.block_nodes(), drive->node, "", ""));
}

}  // namespace relic86
