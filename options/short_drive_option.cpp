#include "options/short_drive_option.h"

#include <fmt/format.h>

#include <array>

#include "options/option_text.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

void add_drive(Options& options, Text option, Text file, DriveOption::Interface interface, unsigned index,
               DriveOption::Media media) {
  DriveOption drive;
  drive.option = option;
  drive.file = file;
  drive.interface = interface;
  drive.index = index;
  drive.media = media;
  options.drives.push_back(drive);
}

}  // namespace

Result<> add_floppy(Options& options, unsigned index, Text value) {
  add_drive(options, index == 0 ? "-fda" : "-fdb", value, DriveOption::Interface::Floppy, index,
            DriveOption::Media::Disk);
  return {};
}

Result<> add_hard_disk(Options& options, unsigned index, Text value) {
  constexpr Text kNames[] = {"-hda", "-hdb", "-hdc", "-hdd"};
  add_drive(options, kNames[index], value, DriveOption::Interface::Ide, index, DriveOption::Media::Disk);
  return {};
}

Result<> add_cdrom(Options& options, Text value) {
  add_drive(options, "-cdrom", value, DriveOption::Interface::Ide, 2, DriveOption::Media::Cdrom);
  return {};
}

Result<> set_first_geometry(Options& options, Text value) {
  for (DriveOption& drive : options.drives) {
    if (drive.interface != DriveOption::Interface::Ide || drive.index != 0) continue;
    const auto words = split_words(value, ',');
    std::array<u32, 3> geometry{};
    for (std::size_t i = 0; i < 3 && i < words.size(); i++) {
      const auto number = parse_number(words[i]);
      if (number && number.value() <= 0xFFFF) geometry[i] = static_cast<u32>(number.value());
    }
    if (geometry[0] < 1 || geometry[1] < 1 || geometry[1] > 16 || geometry[2] < 1 || geometry[2] > 63) break;
    drive.geometry = geometry;
    return {};
  }
  return Error{
      fmt::format("-hdachs {}: say -hda FILE first, then cylinders, heads (1 to 16) and sectors (1 to 63)", value)};
}

}  // namespace relic86
