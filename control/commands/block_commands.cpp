// Drives and what is in them; nodes that -blockdev and blockdev-add name.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "block/disk_throttle.h"
#include "block/drive_medium.h"
#include "block/nbd_file.h"
#include "block/open_image.h"
#include "control/commands/block_nodes.h"
#include "control/commands/command.h"
#include "machine/block_jobs.h"
#include "machine/board_options.h"
#include "machine/disk_exports.h"
#include "machine/guest_inputs.h"
#include "options/blockdev_option.h"
#include "options/json_properties.h"

namespace relic86 {

namespace {

using Drive = Machine::Drive;

CommandError no_device(const std::string& name) {
  return {"DeviceNotFound", fmt::format("Device '{}' not found", name)};
}

// An ImageInfo, with those of the images below.
Json describe_image(const ImageInfo& image) {
  Json info = {{"filename", image.file},
               {"format", image.format},
               {"virtual-size", image.virtual_size},
               {"actual-size", image.actual_size},
               {"dirty-flag", image.dirty}};
  if (image.cluster_size != 0) info["cluster-size"] = image.cluster_size;
  if (!image.backing_file.empty()) info["backing-filename"] = image.backing_file;
  if (!image.backing_format.empty()) info["backing-filename-format"] = image.backing_format;
  for (const ImageSnapshot& snapshot : image.snapshots) {
    constexpr u64 kSecond = 1'000'000'000;
    info["snapshots"].push_back({{"id", snapshot.id},
                                 {"name", snapshot.name},
                                 {"vm-state-size", snapshot.vm_state_size},
                                 {"date-sec", snapshot.date_seconds},
                                 {"date-nsec", snapshot.date_ns},
                                 {"vm-clock-sec", snapshot.vm_clock_ns / kSecond},
                                 {"vm-clock-nsec", snapshot.vm_clock_ns % kSecond}});
  }
  if (image.backing) {
    info["full-backing-filename"] = image.backing->file;
    info["backing-image"] = describe_image(*image.backing);
  }
  return info;
}

// The members of block_set_io_throttle, and of what tells about it.
struct LimitRow {
  const char* name;
  DiskLimit DiskLimits::*limit;
};
constexpr LimitRow kLimits[] = {
    {"bps", &DiskLimits::bytes},     {"bps_rd", &DiskLimits::read_bytes}, {"bps_wr", &DiskLimits::written_bytes},
    {"iops", &DiskLimits::requests}, {"iops_rd", &DiskLimits::reads},     {"iops_wr", &DiskLimits::writes}};

void describe_limits(Json& info, const DiskLimits& limits) {
  for (const LimitRow& row : kLimits) {
    const DiskLimit& limit = limits.*row.limit;
    info[row.name] = limit.average;
    if (limit.burst == 0) continue;
    info[fmt::format("{}_max", row.name)] = limit.burst;
    info[fmt::format("{}_max_length", row.name)] = limit.burst_time;
  }
  if (limits.request_size != 0) info["iops_size"] = limits.request_size;
}

// A BlockDeviceInfo. The host caches writes until the guest flushes them.
Json describe_node(const std::string& name, const std::string& driver, bool read_only, const ImageInfo& image) {
  Json info = {{"iops_rd", 0},
               {"detect_zeroes", "off"},
               {"image", describe_image(image)},
               {"iops_wr", 0},
               {"ro", read_only},
               {"backing_file_depth", image.chain_depth()},
               {"drv", driver},
               {"iops", 0},
               {"bps_wr", 0},
               {"write_threshold", 0},
               {"encrypted", false},
               {"bps", 0},
               {"bps_rd", 0},
               {"cache", {{"no-flush", false}, {"direct", false}, {"writeback", true}}},
               {"file", image.file}};
  if (image.backing) info["backing_file"] = image.backing->file;
  if (!name.empty()) info["node-name"] = name;
  return info;
}

std::string device_path(const Drive& drive) {
  // The drive of QEMU's virtio device is at a part of it that has no id.
  if (!drive.device_id.empty() && drive.name.starts_with("virtio"))
    return "/machine/peripheral/" + drive.device_id + "/virtio-backend";
  return drive.device_id.empty() ? "/machine/unattached/" + drive.name : drive.device_id;
}
// A drive that was made for a -blockdev has no name of its own. A -drive keeps its name when a node comes to fill it.
std::string device_name(const Machine& machine, const Drive& drive) {
  const auto made_for_node = [&](const DriveOption& option) {
    return option.id == drive.id && option.device_id == drive.device_id && !option.node.empty();
  };
  const auto& options = machine.options().drives;
  if (!drive.node.empty() && std::any_of(options.begin(), options.end(), made_for_node)) return "";
  if (!drive.id.empty()) return drive.id == drive.device_id ? "" : drive.id;
  return drive.name;
}

CommandReply query_block(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const Drive& drive : machine.drives()) {
    Json row = {{"device", device_name(machine, drive)},
                {"qdev", device_path(drive)},
                {"locked", drive.locked},
                {"removable", drive.removable},
                {"type", "unknown"}};
    if (drive.name.find("-cd") != std::string::npos) row["tray_open"] = drive.tray_open;
    if (const auto medium = medium_in(machine, drive); medium) {
      row["inserted"] = describe_node(drive.node, medium->info().format, medium->read_only(), medium->info());
      describe_limits(row["inserted"], medium->limits());
      constexpr const char* kConditions[] = {"ok", "failed", "nospace"};
      row["io-status"] = kConditions[static_cast<std::size_t>(medium->condition())];
    }
    list.push_back(std::move(row));
  }
  return list;
}

// What a node holds. One that names a file gives its bytes, which the medium in a drive does not tell about if it is of
// another format.
ImageInfo node_image(Machine& machine, const BlockNode& node) {
  if (const auto drive = drive_of_node(machine, node.name); drive && drive->node == node.name) {
    if (const DriveMedium* medium = medium_in(machine, *drive).get(); medium != nullptr) return medium->info();
  }
  const ImageSource source = image_source(machine.block_nodes(), node.name, "", "");
  if (source.format != ImageFormat::Raw) {
    if (auto opened = open_image(source, HostFile::Access::ReadOnly)) return opened.value()->info();
  }
  // Not opened: whoever writes to it has it locked.
  ImageInfo info;
  info.file = node.file;
  info.format = node.driver;
  std::error_code failure;
  const auto size = std::filesystem::file_size(node.file, failure);
  if (!failure) info.virtual_size = info.actual_size = size;
  return info;
}

CommandReply query_nodes(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const BlockNode& node : machine.block_nodes())
    list.push_back(describe_node(node.name, node.driver, node.read_only, node_image(machine, node)));
  return list;
}

Json describe_counts(const DriveMedium::Counts& counts) {
  Json stats = {{"rd_bytes", counts.read_bytes},
                {"wr_bytes", counts.written_bytes},
                {"rd_operations", counts.reads},
                {"wr_operations", counts.writes},
                {"flush_operations", counts.flushes}};
  for (const char* none :
       {"unmap_bytes", "unmap_operations", "rd_total_time_ns", "wr_total_time_ns", "flush_total_time_ns",
        "unmap_total_time_ns", "wr_highest_offset", "rd_merged", "wr_merged", "unmap_merged", "failed_rd_operations",
        "failed_wr_operations", "failed_flush_operations", "failed_unmap_operations", "invalid_rd_operations",
        "invalid_wr_operations", "invalid_flush_operations", "invalid_unmap_operations"})
    stats[none] = 0;
  stats["account_invalid"] = stats["account_failed"] = true;
  stats["timed_stats"] = Json::array();
  return stats;
}

CommandReply query_stats(Machine& machine, const Arguments& arguments) {
  const DriveMedium::Counts none;
  Json list = Json::array();
  if (arguments.flag("query-nodes")) {
    for (const BlockNode& node : machine.block_nodes()) {
      const auto drive = drive_of_node(machine, node.name);
      const DriveMedium* medium = drive ? medium_in(machine, *drive).get() : nullptr;
      list.push_back(
          {{"node-name", node.name}, {"stats", describe_counts(medium != nullptr ? medium->counts() : none)}});
    }
    return list;
  }
  for (const Drive& drive : machine.drives()) {
    const DriveMedium* medium = medium_in(machine, drive).get();
    Json row = {{"device", device_name(machine, drive)},
                {"qdev", device_path(drive)},
                {"stats", describe_counts(medium != nullptr ? medium->counts() : none)}};
    if (!drive.node.empty()) row["node-name"] = drive.node;
    list.push_back(std::move(row));
  }
  return list;
}

// --- Media ---

// The drive that a command names in one of two ways; "": in neither, or in both.
std::string device_of(const Arguments& arguments) {
  if (arguments.has("id") && arguments.has("device")) return "";
  return arguments.text(arguments.has("id") ? "id" : "device");
}

CommandReply with_drive(Machine& machine, const std::string& name,
                        const std::function<CommandReply(const Drive&)>& act) {
  if (name.empty()) return CommandError{.message = "Need exactly one of 'device' and 'id'"};
  const auto drive = machine.find_drive(name);
  if (!drive) return no_device(name);
  if (!drive->removable) return CommandError{.message = fmt::format("Device '{}' is not removable", name)};
  return act(*drive);
}

CommandReply eject(Machine& machine, const Arguments& arguments) {
  return with_drive(machine, device_of(arguments), [&](const Drive& drive) -> CommandReply {
    return machine.inputs().enter(input::Medium{drive.name, {.file = "", .force = arguments.flag("force")}});
  });
}

CommandReply change_medium(Machine& machine, const Arguments& arguments) {
  const std::string format = arguments.text("format");
  if (!format.empty() && !is_image_format(format))
    return CommandError{.message =
                            fmt::format("Unknown driver '{}'; {} exist", format, fmt::join(image_formats(), ", "))};
  return with_drive(machine, device_of(arguments), [&](const Drive& drive) -> CommandReply {
    MediumChange change{arguments.text("filename"), format, arguments.text("read-only-mode") == "read-only"};
    change.force = arguments.flag("force");
    return machine.inputs().enter(input::Medium{drive.name, change});
  });
}

// A tray of ours opens with what is in it; a floppy drive has none.
CommandReply open_tray(Machine& machine, const Arguments& arguments) {
  return with_drive(machine, device_of(arguments), [&](const Drive& drive) -> CommandReply {
    if (drive.tray_open || drive.name.starts_with("floppy")) return Json::object();
    return machine.inputs().enter(input::Tray{drive.name, true, arguments.flag("force")});
  });
}
CommandReply close_tray(Machine& machine, const Arguments& arguments) {
  return with_drive(machine, device_of(arguments), [&](const Drive& drive) -> CommandReply {
    if (drive.name.starts_with("floppy")) return Json::object();
    return machine.inputs().enter(input::Tray{drive.name, false});
  });
}
CommandReply remove_medium(Machine& machine, const Arguments& arguments) {
  return with_drive(machine, device_of(arguments), [&](const Drive& drive) -> CommandReply {
    // Our trays close again once `eject` has taken out what was in them; QEMU's stay open.
    if (medium_in(machine, drive).get() == nullptr) return Json::object();
    const bool tray = !drive.name.starts_with("floppy");
    if (tray && !drive.tray_open)
      return CommandError{.message = fmt::format("Tray of device '{}' is not open", device_of(arguments))};
    return machine.inputs().enter(input::Medium{drive.name, {.file = "", .force = true}});
  });
}
CommandReply insert_medium(Machine& machine, const Arguments& arguments) {
  const std::string name = arguments.text("node-name");
  const BlockNode* node = find_block_node(machine.block_nodes(), name);
  if (node == nullptr) return CommandError{.message = fmt::format("Node '{}' not found", name)};
  return with_drive(machine, device_of(arguments), [&](const Drive& drive) -> CommandReply {
    if (medium_in(machine, drive).get() != nullptr)
      return CommandError{.message = fmt::format("There already is a medium in device '{}'", device_of(arguments))};
    if (drive_of_node(machine, name)) return CommandError{.message = fmt::format("Node '{}' is already in use", name)};
    MediumChange change{node->file, "", node->read_only};
    change.node = name;
    return machine.inputs().enter(input::Medium{drive.name, change});
  });
}

// --- Nodes ---

Result<> check_node(const std::vector<BlockNode>& nodes, const BlockNode& node) {
  if (node.below.empty() || node.driver == "raw") {
    std::error_code failure;
    // A server tells whether it has the export when something is done with it; waiting for it here would stop the guest.
    if (names_nbd(node.file) || std::filesystem::exists(node.file, failure)) return {};
    return Error{fmt::format("Could not open '{}': No such file or directory", node.file)};
  }
  ImageSource source = image_source(nodes, node.name, "", "");
  // The node below may be in a drive, which writes to it.
  if (source.below == ImageSource::Below::Given) source.below = ImageSource::Below::Nothing;
  auto opened = open_image(source, HostFile::Access::ReadOnly);
  return opened ? Result<>() : opened.error();
}

CommandReply add_node(Machine& machine, const Arguments& arguments) {
  auto properties = parse_json_properties(arguments.all().dump());
  if (!properties) return properties.error();
  auto made = make_block_nodes(machine.block_nodes(), properties.value());
  if (!made) return made.error();
  // The image is there, or its absence is told now rather than when it is put into a drive. A node that names a file
  // may be there for a new image.
  std::vector<BlockNode> nodes = machine.block_nodes();
  for (BlockNode& node : made.value()) nodes.push_back(std::move(node));
  if (auto there = check_node(nodes, nodes.back()); !there) return there;
  machine.block_nodes() = std::move(nodes);
  return Json::object();
}

CommandReply delete_node(Machine& machine, const Arguments& arguments) {
  const std::string name = arguments.text("node-name");
  auto& nodes = machine.block_nodes();
  const auto at = std::find_if(nodes.begin(), nodes.end(), [&](const BlockNode& node) { return node.name == name; });
  if (at == nodes.end()) return CommandError{.message = fmt::format("Failed to find node with node-name='{}'", name)};
  const bool below = std::any_of(nodes.begin(), nodes.end(),
                                 [&](const BlockNode& node) { return node.below == name || node.backing == name; });
  if (below || drive_of_node(machine, name) || machine.block_jobs().of_target(name) != nullptr)
    return CommandError{.message = fmt::format("Node {} is in use", name)};
  if (auto unused = machine.exports().allow_node(name); !unused) return unused;
  nodes.erase(at);
  return Json::object();
}

CommandReply set_throttle(Machine& machine, const Arguments& arguments) {
  const std::string name = device_of(arguments);
  const auto drive = machine.find_drive(name);
  if (!drive) return no_device(name);
  const auto medium = medium_in(machine, *drive);
  if (!medium) return CommandError{.message = fmt::format("Device '{}' has no medium", name)};
  DiskLimits limits;
  for (const auto& [key, value] : arguments.all().items()) {
    if (value.is_number_integer() && value.get<i64>() < 0)
      return CommandError{.message = "bps/iops/max values must be within [0, 1000000000000000]"};
  }
  for (const LimitRow& row : kLimits) {
    DiskLimit& limit = limits.*row.limit;
    limit.average = arguments.number(row.name);
    limit.burst = arguments.number(fmt::format("{}_max", row.name).c_str());
    limit.burst_time = std::max<u64>(arguments.number(fmt::format("{}_max_length", row.name).c_str()), 1);
    if (limit.burst != 0 && limit.burst < limit.average)
      return CommandError{.message = fmt::format("{}_max must be greater than {}, and needs it", row.name, row.name)};
  }
  const auto both = [](const DiskLimit& all, const DiskLimit& one, const DiskLimit& other) {
    return all.average != 0 && (one.average | other.average) != 0;
  };
  if (both(limits.bytes, limits.read_bytes, limits.written_bytes) || both(limits.requests, limits.reads, limits.writes))
    return CommandError{.message = "bps/iops/max total values and read/write values cannot be used at the same time"};
  limits.request_size = arguments.number("iops_size");
  if (limits.any() && machine.options().icount)
    return CommandError{.message = "with -icount disks answer at once; leave the limits at 0"};
  medium->set_limits(limits);
  return Json::object();
}

constexpr Command kCommands[] = {
    {"query-block", "", "[BlockInfo]", query_block},
    {"query-named-block-nodes", "*flat:bool", "[BlockDeviceInfo]", query_nodes},
    {"query-blockstats", "*query-nodes:bool", "[BlockStats]", query_stats},
    {"eject", "*device:str *id:str *force:bool", "", eject},
    {"blockdev-change-medium",
     "*device:str *id:str filename:str *format:str *force:bool *read-only-mode:BlockdevChangeReadOnlyMode", "",
     change_medium},
    {"blockdev-open-tray", "*device:str *id:str *force:bool", "", open_tray},
    {"blockdev-close-tray", "*device:str *id:str", "", close_tray},
    {"blockdev-remove-medium", "id:str", "", remove_medium},
    {"blockdev-insert-medium", "id:str node-name:str", "", insert_medium},
    {"blockdev-add", "driver:str *node-name:str *read-only:bool *auto-read-only:bool ..", "", add_node},
    {"blockdev-del", "node-name:str", "", delete_node},
    {"block_set_io_throttle",
     "*device:str *id:str bps:int bps_rd:int bps_wr:int iops:int iops_rd:int iops_wr:int *bps_max:int *bps_rd_max:int "
     "*bps_wr_max:int *iops_max:int *iops_rd_max:int *iops_wr_max:int *bps_max_length:int *bps_rd_max_length:int "
     "*bps_wr_max_length:int *iops_max_length:int *iops_rd_max_length:int *iops_wr_max_length:int *iops_size:int "
     "*group:str",
     "", set_throttle},
};

}  // namespace

Json describe_tray_move(Machine& machine) {
  const Machine::TrayMove& move = machine.tray_move();
  const auto drive = machine.find_drive(move.drive);
  return {{"device", drive ? device_name(machine, *drive) : ""},
          {"id", move.device_id.empty() ? move.drive : move.device_id},
          {"tray-open", move.open}};
}

Json describe_disk_failure(Machine& machine) {
  const auto& [drive_name, failure] = machine.disk_failure();
  const auto drive = machine.find_drive(drive_name);
  constexpr const char* kActions[] = {"report", "ignore", "stop"};
  Json data = {{"device", drive ? device_name(machine, *drive) : drive_name},
               {"operation", failure.kind == BlockRequest::Kind::Read ? "read" : "write"},
               {"action", kActions[static_cast<std::size_t>(failure.action)]},
               {"nospace", failure.host_is_full},
               {"reason", failure.message}};
  if (drive && !drive->node.empty()) data["node-name"] = drive->node;
  return data;
}

CommandTable block_commands() { return kCommands; }

}  // namespace relic86
