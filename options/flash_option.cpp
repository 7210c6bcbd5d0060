#include "options/flash_option.h"

#include <fmt/format.h>

#include <algorithm>

#include "options/drive_option.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Interface = DriveOption::Interface;

bool has_chip(const Options& options, unsigned unit) {
  return std::any_of(options.drives.begin(), options.drives.end(), [unit](const DriveOption& drive) {
    return drive.interface == Interface::Flash && drive.index == unit;
  });
}

// A -blockdev by its node name, or a -drive with if=none by its id.
Result<> take_named(Options& options, unsigned unit, const std::string& name) {
  const auto failure = [&](std::string_view text) {
    return Error{fmt::format("-machine pflash{}={}: {}", unit, name, text)};
  };
  if (has_chip(options, unit)) return failure("there is a -drive if=pflash in this place already; leave one out");
  if (const BlockNode* node = find_block_node(options.block_nodes, name); node != nullptr) {
    DriveOption drive;
    drive.option = "-blockdev " + name;
    drive.file = node->file;
    drive.node = name;
    drive.read_only = node->read_only;
    drive.interface = Interface::Flash;
    drive.index = unit;
    options.drives.push_back(drive);
    return {};
  }
  const auto found = std::find_if(options.drives.begin(), options.drives.end(),
                                  [&](const DriveOption& drive) { return drive.id == name; });
  if (found == options.drives.end())
    return failure("there is no -blockdev with this node-name, nor a -drive with this id");
  if (found->interface != Interface::None) return failure("the drive has a place already; give that -drive if=none");
  found->interface = Interface::Flash;
  found->index = unit;
  return {};
}

}  // namespace

Result<> add_flash(Options& options, std::string_view value) {
  DriveOption drive;
  drive.option = "-pflash";
  drive.file = value;
  drive.interface = Interface::Flash;
  drive.index = free_drive_place(options, Interface::Flash, 0);
  if (drive.index >= options.flash_nodes.size())
    return Error{fmt::format("-pflash {}: there are {} chips already; leave one out", value, drive.index)};
  options.drives.push_back(drive);
  return {};
}

Result<> resolve_flash(Options& options) {
  for (unsigned unit = 0; unit < options.flash_nodes.size(); unit++) {
    if (options.flash_nodes[unit].empty()) continue;
    if (auto taken = take_named(options, unit, options.flash_nodes[unit]); !taken) return taken;
  }
  for (const DriveOption& drive : options.drives) {
    if (drive.interface != Interface::Flash) continue;
    if (drive.file.empty()) return Error{fmt::format("{} if=pflash: file= is missing; name an image", drive.option)};
  }
  if (has_chip(options, 1) && !has_chip(options, 0))
    return Error{"-drive if=pflash,unit=1: there is no unit 0, which the processor starts in; give its image, too"};
  if (has_chip(options, 0) && !options.bios.empty())
    options.warnings.push_back(
        fmt::format("-bios {}: not used, because the firmware is in flash memory (-drive if=pflash)", options.bios));
  return {};
}

}  // namespace relic86
