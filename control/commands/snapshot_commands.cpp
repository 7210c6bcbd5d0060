// Images that change places while the guest runs: snapshots outside of an image, transactions, sizes.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/log.h"
#include "block/image_chain.h"
#include "block/qcow2_new.h"
#include "control/commands/block_nodes.h"
#include "control/commands/command.h"
#include "control/commands/types.h"
#include "machine/block_jobs.h"
#include "machine/board_options.h"

namespace relic86 {

namespace {

using Access = HostFile::Access;

// A part of a transaction that is sure to succeed when it is carried out.
struct Prepared {
  std::function<void()> carry_out;
  std::function<void()> undo;  // instead; may be null
};

// The guest writes to `overlay` from now on, and what it has written so far shows through.
Result<Prepared> put_over(Machine& machine, const DriveImages& images, std::shared_ptr<DiskImage> overlay,
                          const std::string& overlay_node) {
  if (overlay->size_bytes() != images.top->size_bytes()) {
    if (auto resized = overlay->resize(images.top->size_bytes()); !resized) return resized.error();
  }
  // Formats without backing files say so now.
  if (auto stands = overlay->stand_on(images.top); !stands) return stands.error();
  if (auto apart = overlay->stand_on(nullptr); !apart) return apart.error();
  // A full host disk refuses it here, before anything has changed.
  if (auto flushed = images.medium->flush(); !flushed) return flushed.error();
  return Prepared{.carry_out =
                      [&machine, drive = images.drive.name, overlay, overlay_node] {
                        auto now = images_of(machine, drive);
                        if (!now) return;
                        DriveImages& chain = now.value();
                        if (auto flushed = chain.medium->flush(); !flushed) log::warning(flushed.message());
                        (void)overlay->stand_on(chain.top);
                        chain.top.reset();
                        ImageSource source = layer_source(*overlay);
                        source.below = ImageSource::Below::AsItSays;
                        BlockNode* const node = find_node(machine, overlay_node);
                        if (node != nullptr) {
                          node->backing = chain.drive.node;
                          machine.put_node(drive, overlay_node);
                          source = image_source(machine.block_nodes(), overlay_node, "", "");
                        } else {
                          machine.put_node(drive, "");
                        }
                        chain.medium->replace_image(overlay, source);
                        // It stays as it is; others may read it.
                        if (auto closed = reopen_below(*overlay, Access::ReadOnly); !closed)
                          log::warning(closed.message());
                      },
                  .undo = {}};
}

Result<Prepared> prepare_snapshot(Machine& machine, const Arguments& arguments) {
  const std::string name = arguments.text("overlay");
  const BlockNode* const node = find_node(machine, name);
  if (node == nullptr) return Error{fmt::format("Cannot find device='{}' nor node-name='{}'", name, name)};
  auto found = images_of(machine, arguments.text("node"));
  if (!found) return found.error();
  const DriveImages& images = found.value();
  if (const auto* const job = machine.block_jobs().of_target(name); job != nullptr) {
    if (job->plan.drive != images.drive.name)
      return Error{fmt::format("Node '{}' is the target of job '{}' of drive {}; name a node of that drive", name,
                               job->plan.id, job->plan.drive)};
    // A copy of the top alone gets what it stands on before it takes the top's place.
    auto stands = job->plan.target->stand_on(chain_place(images.top, images.named).image);
    if (!stands) return stands.error();
    return Prepared{.carry_out =
                        [&machine, name, below = arguments.text("node")] {
                          BlockNode* const overlay = find_node(machine, name);
                          overlay->backing = below;
                        },
                    .undo = [target = job->plan.target] { (void)target->stand_on(nullptr); }};
  }
  if (images.named != 0)
    return Error{fmt::format("Node '{}' is not the one that the guest writes to", arguments.text("node"))};
  if (drive_of_node(machine, name)) return Error{"The overlay is already in use"};
  if (auto idle = machine.block_jobs().allow_drive(images.drive.name); !idle) return idle.error();
  auto overlay = open_layer(image_source(machine.block_nodes(), name, "", ""), Access::ReadWrite);
  if (!overlay) return overlay.error();
  return put_over(machine, images, std::move(overlay).value(), name);
}

Result<Prepared> prepare_snapshot_sync(Machine& machine, const Arguments& arguments) {
  auto found = images_of(machine, arguments.text(arguments.has("node-name") ? "node-name" : "device"));
  if (!found) return found.error();
  const DriveImages& images = found.value();
  const std::string file = arguments.text("snapshot-file");
  std::string name = arguments.text("snapshot-node-name");
  if (name.empty() && arguments.has("node-name")) return Error{"New overlay node name missing"};
  // A drive that nodes fill goes on being filled by one.
  if (name.empty() && !images.drive.node.empty()) name = unused_node_name(machine);
  if (arguments.text("format", "qcow2") != "qcow2")
    return Error{fmt::format("format={}: snapshots are qcow2 images here", arguments.text("format"))};
  if (!name.empty() && find_node(machine, name) != nullptr) return Error{"New overlay node name is already in use"};
  if (images.named != 0) return Error{"only what the guest writes to gets a snapshot"};
  if (auto idle = machine.block_jobs().allow_drive(images.drive.name); !idle) return idle.error();
  if (arguments.text("mode", "absolute-paths") != "existing") {
    auto made = HostFile::open_new(file);
    if (!made) return made.error();
    auto created = create_qcow2(*made.value(), {.size = images.top->size_bytes(),
                                                .backing_file = backing_name(*images.top),
                                                .backing_format = images.top->info().format});
    if (!created) return created.error();
  }
  auto overlay = open_layer({.file = file, .format = ImageFormat::Qcow2}, Access::ReadWrite);
  if (!overlay) return overlay.error();
  auto prepared = put_over(machine, images, std::move(overlay).value(), name);
  if (!prepared || name.empty()) return prepared;
  BlockNode node;
  node.driver = "qcow2";
  node.file = file;
  node.name = name;
  machine.block_nodes().push_back(node);
  prepared.value().undo = [&machine, name] {
    std::erase_if(machine.block_nodes(), [&](const BlockNode& each) { return each.name == name; });
  };
  return prepared;
}

CommandReply at_once(Result<Prepared> prepared) {
  if (!prepared) return prepared.error();
  prepared.value().carry_out();
  return Json::object();
}
CommandReply blockdev_snapshot(Machine& machine, const Arguments& arguments) {
  return at_once(prepare_snapshot(machine, arguments));
}
CommandReply blockdev_snapshot_sync(Machine& machine, const Arguments& arguments) {
  return at_once(prepare_snapshot_sync(machine, arguments));
}

// A copy begins, and is given up if the transaction fails.
Result<Prepared> prepare_job(Machine& machine, const std::string& command, const Json& data) {
  const auto begun = run_command(command, machine, data);
  if (!begun) return Error{begun.error().message};
  const std::string id =
      data.contains("job-id") ? data["job-id"].get<std::string>() : data["device"].get<std::string>();
  return Prepared{.carry_out = [] {}, .undo = [&machine, id] { (void)machine.block_jobs().cancel(id, true); }};
}

Result<Prepared> prepare(Machine& machine, const std::string& type, const Json& data) {
  const Arguments arguments(data);
  const auto checked = [&](std::string_view members) { return check_members(members, data, ""); };
  if (type == "blockdev-snapshot") {
    if (auto right = checked("node:str overlay:str"); !right) return right.error();
    return prepare_snapshot(machine, arguments);
  }
  if (type == "blockdev-snapshot-sync") {
    if (auto right = checked(
            "*device:str *node-name:str snapshot-file:str *snapshot-node-name:str *format:str *mode:NewImageMode");
        !right)
      return right.error();
    return prepare_snapshot_sync(machine, arguments);
  }
  if (type == "blockdev-backup" || type == "drive-backup") return prepare_job(machine, type, data);
  if (type == "abort") return Error{"Transaction aborted using Abort action"};
  return Error{
      fmt::format("action '{}' does not exist here; blockdev-snapshot, blockdev-snapshot-sync, blockdev-backup, "
                  "drive-backup and abort do",
                  type)};
}

// All of it, or nothing.
CommandReply transaction(Machine& machine, const Arguments& arguments) {
  std::vector<Prepared> ready;
  for (const Json& action : arguments.value("actions")) {
    const Json data = action.contains("data") ? action["data"] : Json::object();
    auto prepared = prepare(machine, action["type"].get<std::string>(), data);
    if (prepared) {
      ready.push_back(std::move(prepared).value());
      continue;
    }
    for (auto at = ready.rbegin(); at != ready.rend(); ++at) {
      if (at->undo) at->undo();
    }
    return prepared.error();
  }
  for (const Prepared& each : ready) each.carry_out();
  return Json::object();
}

// Of what a node says only this can change while it is in use: whether it is written to, and what lies below it.
CommandReply blockdev_reopen(Machine& machine, const Arguments& arguments) {
  for (const Json& options : arguments.value("options")) {
    const auto name_at = options.find("node-name");
    BlockNode* const node =
        name_at != options.end() && name_at->is_string() ? find_node(machine, name_at->get<std::string>()) : nullptr;
    if (node == nullptr) return CommandError{.message = "node-name not specified, or there is no such node"};
    if (const auto at = options.find("driver"); at == options.end() || *at != node->driver)
      return CommandError{.message = fmt::format("node '{}': the driver stays {}", node->name, node->driver)};
    const auto read_only_at = options.find("read-only");
    const bool read_only = read_only_at != options.end() && read_only_at->is_boolean() && read_only_at->get<bool>();
    const auto drive = drive_of_node(machine, node->name);
    if (drive && !node->below.empty()) {
      auto found = images_of(machine, drive->name);
      if (!found) return found.error();
      const auto index = index_of_node(machine, found.value(), node->name);
      const bool changes =
          index && *index > 0 && chain_place(found.value().top, *index).image->read_only() != read_only;
      if (changes) {
        if (auto idle = machine.block_jobs().allow_drive(drive->name); !idle) return idle;
        auto reopened = reopen_below(*chain_place(found.value().top, *index - 1).image,
                                     read_only ? Access::ReadOnly : Access::ReadWrite);
        if (!reopened) return reopened.error();
      }
    }
    node->read_only = read_only;
  }
  return Json::object();
}

CommandReply block_resize(Machine& machine, const Arguments& arguments) {
  if (arguments.has("device") == arguments.has("node-name"))
    return CommandError{.message = "Need exactly one of 'device' and 'node-name'"};
  if (arguments.integer("size") < 0) return CommandError{.message = "Parameter 'size' expects a >0 size"};
  auto found = images_of(machine, arguments.text(arguments.has("device") ? "device" : "node-name"));
  if (!found) return found.error();
  const DriveImages& images = found.value();
  if (images.named != 0) return CommandError{.message = "only what the guest writes to changes its size"};
  if (auto idle = machine.block_jobs().allow_drive(images.drive.name); !idle) return idle;
  constexpr u64 kSector = 512;
  return images.top->resize((arguments.number("size") + kSector - 1) / kSector * kSector);
}

CommandReply change_backing_file(Machine& machine, const Arguments& arguments) {
  auto found = images_of(machine, arguments.text("device"));
  if (!found) return found.error();
  const DriveImages& images = found.value();
  if (auto idle = machine.block_jobs().allow_drive(images.drive.name); !idle) return idle;
  const auto index = index_of_node(machine, images, arguments.text("image-node-name"));
  if (!index || *index + 1 >= images.count) return CommandError{.message = "not an image with a backing file"};
  if (*index > 0) {
    auto opened = reopen_below(*chain_place(images.top, *index - 1).image, Access::ReadWrite);
    if (!opened) return opened.error();
  }
  DiskImage& image = *chain_place(images.top, *index).image;
  auto named = image.name_backing(arguments.text("backing-file"), image.below()->info().format);
  if (*index > 0) (void)reopen_below(*chain_place(images.top, *index - 1).image, Access::ReadOnly);
  return named;
}

constexpr Command kCommands[] = {
    {"blockdev-snapshot", "node:str overlay:str", "", blockdev_snapshot},
    {"blockdev-snapshot-sync",
     "*device:str *node-name:str snapshot-file:str *snapshot-node-name:str *format:str *mode:NewImageMode", "",
     blockdev_snapshot_sync},
    {"transaction", "actions:[TransactionAction] *properties:any", "", transaction},
    {"blockdev-reopen", "options:[BlockdevOptions]", "", blockdev_reopen},
    {"block_resize", "*device:str *node-name:str size:int", "", block_resize},
    {"change-backing-file", "device:str image-node-name:str backing-file:str", "", change_backing_file},
};

}  // namespace

CommandTable snapshot_commands() { return kCommands; }

}  // namespace relic86
