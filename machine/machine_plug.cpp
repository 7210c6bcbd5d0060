// Devices that come and go while the machine runs: on USB at once, cards of the PCI bus when the guest lets go of them.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "devices/board/usb_board.h"
#include "devices/virtio/virtio_block.h"
#include "devices/virtio/virtio_scsi.h"
#include "machine/block_jobs.h"
#include "machine/board_options.h"
#include "machine/disk_exports.h"
#include "machine/guest_inputs.h"
#include "machine/machine.h"
#include "machine/machine_usb.h"
#include "machine/migration.h"
#include "machine/network_options.h"
#include "machine/usb_options.h"
#include "machine/virtio_options.h"
#include "options/drive_option.h"
#include "options/network_option.h"
#include "options/root_ports.h"
#include "options/scsi_buses.h"

namespace relic86 {

namespace {

using Interface = DriveOption::Interface;

Error recorded() {
  return Error{"a recorded run, or its replay, keeps the devices that it began with; name them on the command line"};
}

bool is_virtio(const DeviceOption& device, std::string_view base) {
  VirtioOption ignored;
  return virtio_base_name(device.name, ignored) == base;
}

VirtioScsi* scsi_controller(const PciCard& card) { return dynamic_cast<VirtioScsi*>(card.device); }

// The controller whose bus a disk names.
VirtioScsi* scsi_bus(const PcBoard& board, std::string_view bus) {
  for (const auto& [slot, card] : board.cards()) {
    VirtioScsi* const controller = scsi_controller(card);
    if (controller != nullptr && controller->bus() == bus) return controller;
  }
  return nullptr;
}

bool is_on(const DriveOption& drive, const VirtioScsi& controller) {
  return drive.interface == Interface::Scsi && drive.scsi_place->bus == controller.bus();
}

Result<> plug_scsi_disk(const PcBoard& board, const DriveOption& drive, std::unique_ptr<BlockDevice> image) {
  const auto& [bus, target, unit] = *drive.scsi_place;
  VirtioScsi* const controller = scsi_bus(board, bus);
  if (controller == nullptr)  // one without an id, which the guest has thrown out
    return Error{
        fmt::format("there is no SCSI bus {} any more; device_add virtio-scsi-pci,id=scsi0 makes scsi0.0", bus)};
  controller->plug(
      {target, unit, std::make_unique<ScsiDisk>(std::move(image), ScsiDiskOptions{.serial = drive.serial})});
  return {};
}

// What a machine knows of the drives whose devices go.
struct LeavingDrives {
  BlockJobs& jobs;
  DiskExports& exports;
  DriveMedia& media;
  std::map<std::string, std::string>& nodes;
  Options& options;

  // While the device is there.
  void settle(const std::string& name) const {
    if (const auto* const job = jobs.of_drive(name); job != nullptr) (void)jobs.cancel(job->plan.id, true);
    exports.forget_drive(name);
    media.at(name)->drain();
    if (auto flushed = media.at(name)->flush(); !flushed) log::warning(flushed.message());
  }
  // After that.
  void forget(const std::string& name) const {
    media.at(name)->stop_serving();
    media.erase(name);
    nodes.erase(name);
    std::erase_if(options.drives, [&](const DriveOption& drive) {
      const bool card = drive.interface == Interface::Virtio || drive.interface == Interface::Scsi;
      return card && drive_name(options, drive) == name;
    });
  }
};

// The disks of a controller: the machine's names for the drives, and the user's for the devices.
std::vector<std::pair<std::string, std::string>> disks_of(const VirtioScsi& controller, const Options& options) {
  std::vector<std::pair<std::string, std::string>> disks;
  for (const DriveOption& drive : options.drives) {
    if (is_on(drive, controller)) disks.emplace_back(drive_name(options, drive), drive.device_id);
  }
  return disks;
}

bool has_id(const DriveOption& drive, std::string_view id) {
  return !id.empty() && (drive.id == id || drive.node == id);
}

// One that waits for usb-storage has none.
bool has_device(PcBoard& board, const Options& options, const DriveOption& drive) {
  if (drive.interface != Interface::Usb) return true;
  return board.usb() != nullptr && !board.usb()->boot_path(drive_name(options, drive)).empty();
}

// An error where a job or an export uses the drive.
Result<> unused_drive(Machine& machine, const std::string& drive) {
  auto idle = machine.block_jobs().allow_drive(drive);
  return idle ? machine.exports().allow_drive(drive) : idle;
}

}  // namespace

// --- They come ---

Result<> Machine::plug(const DeviceOption& device) {
  if (inputs_->repeatable()) return recorded();
  if (migration_->under_way()) return Error{"device_add not allowed while migrating"};
  const std::string id(device.property("id"));
  if (!id.empty() && std::any_of(options_.all_devices.begin(), options_.all_devices.end(),
                                 [&](const DeviceOption& each) { return each.property("id") == id; }))
    return Error{fmt::format("Duplicate device ID '{}'", id)};
  const auto resolved = resolve_root_port(options_, device);
  if (!resolved) return resolved.error();
  const DeviceOption& placed = resolved.value();
  const auto plug_it = [&] {
    if (!usb_device_properties(placed.name).empty()) return plug_usb(placed);
    if (!network_device_properties(placed.name).empty()) return plug_network_card(placed);
    const bool disk = is_virtio(placed, "virtio-blk") || placed.name == "scsi-hd" || placed.name == "scsi-disk";
    return disk ? plug_disk(placed) : plug_other(placed);
  };
  if (auto plugged = plug_it(); !plugged) return plugged;
  options_.all_devices.push_back(device);
  return {};
}

Result<> Machine::plug_usb(const DeviceOption& device) {
  auto config = usb_device_config(options_, device, media_);
  if (!config) return config.error();
  if (!config.value()) return Error{fmt::format("{} cannot be plugged in while the machine exists", device.name)};
  if (board_->usb() == nullptr)
    return Error{fmt::format("{}: there is no USB controller; start the machine with -usb", device.name)};
  auto plugged = board_->usb()->plug(std::move(*config.value()));
  return plugged ? Result<>() : Error{fmt::format("{}: {}", device.name, plugged.message())};
}

Result<> Machine::plug_disk(const DeviceOption& device) {
  const std::vector<DriveOption> before = options_.drives;
  const auto refuse = [&](const Error& why) {
    options_.drives = before;
    return why;
  };
  const std::string_view named = device.property("drive");
  // A drive that waits for usb-storage does as well, with the medium that is in it.
  std::string waited_as;
  for (DriveOption& drive : options_.drives) {
    if (drive.interface != Interface::Usb || !has_id(drive, named) || has_device(*board_, options_, drive)) continue;
    waited_as = drive_name(options_, drive);
    if (auto unused = unused_drive(*this, waited_as); !unused)
      return Error{fmt::format("{}: {}", device.name, unused.message())};
    drive.interface = Interface::None;
  }
  if (auto attached = attach_drive_device(options_, device); !attached) return refuse(attached.error());
  const auto drive = std::find_if(options_.drives.begin(), options_.drives.end(), [&](const DriveOption& each) {
    return (each.interface == Interface::Virtio || each.interface == Interface::Scsi) && has_id(each, named);
  });
  if (drive->file.empty()) return refuse(Error{fmt::format("{}: a disk needs a file; name an image", drive->option)});
  const auto waiting = media_.find(waited_as);
  using Opened = Result<std::shared_ptr<DriveMedium>>;
  const Opened medium =
      waiting != media_.end()
          ? Opened(waiting->second)
          : open_medium(drive->option, image_source(options_.block_nodes, drive->node, drive->file, drive->format),
                        drive->read_only, drive->snapshot || options_.snapshot);
  if (!medium) return refuse(medium.error());
  const std::string name = drive_name(options_, *drive);
  auto image = DriveMedium::device(medium.value());
  auto plugged = drive->interface == Interface::Scsi ? plug_scsi_disk(*board_, *drive, std::move(image))
                                                     : board_->plug(virtio_disk(*drive, name, std::move(image)));
  if (!plugged) return refuse(Error{fmt::format("{}: {}", device.name, plugged.message())});
  if (waiting != media_.end()) {
    medium.value()->drain();
    media_.erase(waiting);
    drive_nodes_.erase(waited_as);
  }
  note_medium(name, medium.value());
  put_node(name, drive->node);
  return {};
}

Result<> Machine::plug_network_card(const DeviceOption& device) {
  std::vector<NicOption>& nics = options_.network.nics;
  if (auto attached = attach_network_device(options_, device); !attached) return attached.error();
  const auto refuse = [&](const std::string& why) {
    nics.pop_back();
    return Error{fmt::format("{}: {}", device.name, why)};
  };
  give_addresses(options_.network);
  const NicOption& nic = nics.back();
  if (nic.model == "ne2k_isa") return refuse("its bus does not support hotplugging");
  auto port = network_->add_card(nic);
  if (!port) return refuse(port.message());
  // Firmware has run its ROMs already.
  NetworkCardConfig card = network_card(nic, *port.value());
  if (auto plugged = board_->plug(std::move(card)); !plugged) {
    network_->remove_card(port.value()->id());
    return refuse(plugged.message());
  }
  return {};
}

Result<> Machine::plug_other(const DeviceOption& device) {
  BoardConfig config;
  if (!is_virtio(device, "virtio-rng") && !is_virtio(device, "virtio-scsi"))
    return Error{fmt::format("Device '{}' cannot be plugged in while the machine exists", device.name)};
  auto made = add_virtio_device(options_, device, options_.icount ? nullptr : &random_, config);
  if (!made) return made.error();
  VirtioConfig& card = config.virtio.front();
  if (card.kind == VirtioConfig::Kind::Scsi) {
    std::vector<DeviceOption> devices = options_.all_devices;
    devices.push_back(device);
    const auto buses = scsi_buses(devices);
    if (!buses) return buses.error();
    card.default_bus = buses.value().back();
  }
  auto plugged = board_->plug(std::move(card));
  return plugged ? Result<>() : Error{fmt::format("{}: {}", device.name, plugged.message())};
}

Result<> Machine::add_drive(const std::string& words) {
  Options next = options_;
  if (auto added = add_drive_option(next, words); !added) return added;
  const DriveOption& drive = next.drives.back();
  if (drive.interface != Interface::None)
    return Error{"a drive that comes while the machine exists needs if=none; device_add gives it its place"};
  if (drive.file.empty() || drive.id.empty()) return Error{"file= and id= are needed"};
  // What is wrong with the image is told now.
  auto medium = open_medium("drive_add", image_source(options_.block_nodes, "", drive.file, drive.format),
                            drive.read_only, drive.snapshot || options_.snapshot);
  if (!medium) return medium.error();
  options_.drives = std::move(next.drives);
  return {};
}

Result<> Machine::remove_drive(const std::string& id) {
  if (inputs_->repeatable()) return recorded();
  if (migration_->under_way()) return Error{"drive_del not allowed while migrating"};
  const auto drive = std::find_if(options_.drives.begin(), options_.drives.end(),
                                  [&](const DriveOption& each) { return !id.empty() && each.id == id; });
  if (drive == options_.drives.end()) return Error{fmt::format("Device '{}' not found", id)};
  // Without a place there is no medium yet.
  if (drive->interface == Interface::None) {
    options_.drives.erase(drive);
    return {};
  }
  const std::string name = drive_name(options_, *drive);
  if (auto unused = unused_drive(*this, name); !unused) return unused;
  if (!has_device(*board_, options_, *drive)) {
    media_.erase(name);
    drive_nodes_.erase(name);
    options_.drives.erase(drive);
    return {};
  }
  const auto medium = media_.find(name);
  return medium == media_.end() ? Result<>() : medium->second->withdraw();
}

// --- They go ---

Result<> Machine::unplug(const std::string& id) {
  if (inputs_->repeatable()) return recorded();
  if (migration_->under_way()) return Error{"device_del not allowed while migrating"};
  for (const auto& [slot, card] : board_->cards()) {
    if (card.id != id || id.empty() || !board_->can_unplug(slot)) continue;
    if (auto idle = block_jobs_->allow_drive(card.kind == PciCard::Kind::Disk ? card.key : ""); !idle) return idle;
    if (const VirtioScsi* const controller = scsi_controller(card); controller != nullptr) {
      for (const auto& [name, device] : disks_of(*controller, options_)) {
        if (auto idle = block_jobs_->allow_drive(name); !idle) return idle;
      }
    }
    board_->request_unplug(slot);
    return {};
  }
  // Its controller tells the guest, which is not asked.
  for (const DriveOption& drive : options_.drives) {
    if (drive.interface != Interface::Scsi || id.empty() || drive.device_id != id) continue;
    const std::string name = drive_name(options_, drive);
    if (auto idle = block_jobs_->allow_drive(name); !idle) return idle;
    const LeavingDrives leaving{*block_jobs_, *exports_, media_, drive_nodes_, options_};
    const auto [bus, target, unit] = *drive.scsi_place;
    leaving.settle(name);
    scsi_bus(*board_, bus)->unplug(target, unit);
    leaving.forget(name);
    forget_device(id);
    return {};
  }
  if (board_->usb() == nullptr) return Error{fmt::format("Device '{}' cannot be unplugged", id)};
  if (auto flushed = board_->usb()->flush(); !flushed) return flushed;
  const std::vector<std::string> gone = board_->usb()->unplug(id);
  if (gone.empty()) return Error{fmt::format("Device '{}' cannot be unplugged", id)};
  for (const std::string& name : gone) forget_device(name);
  return {};
}

void Machine::forget_device(const std::string& id) {
  if (id.empty()) return;  // a hub that the machine put there by itself, or one that the user gave no name
  std::erase_if(options_.all_devices, [&](const DeviceOption& each) { return each.property("id") == id; });
  deleted_device_ = id;
  announce(MachineEvent::DeviceDeleted);
}

void Machine::carry_out_ejections() {
  ejected_ = false;
  for (PcBoard::EjectedCard& gone : board_->take_ejected()) {
    const std::string key = gone.card.key;
    std::vector<std::pair<std::string, std::string>> disks;
    if (gone.card.kind == PciCard::Kind::Disk) disks.emplace_back(key, "");
    if (const VirtioScsi* const controller = scsi_controller(gone.card); controller != nullptr)
      disks = disks_of(*controller, options_);
    const LeavingDrives leaving{*block_jobs_, *exports_, media_, drive_nodes_, options_};
    for (const auto& [name, device] : disks) leaving.settle(name);
    gone.device.reset();
    for (const auto& [name, device] : disks) {
      leaving.forget(name);
      forget_device(device);
    }
    if (gone.card.kind == PciCard::Kind::Network) {
      const MacAddress address = network_->remove_card(key);
      std::erase_if(options_.network.nics,
                    [&](const NicOption& nic) { return nic.mac == address && nic.id == gone.card.id; });
    }
    forget_device(gone.card.id);
  }
}

std::string describe_usb(Machine& machine) {
  const UsbBoard* const usb = machine.board().usb();
  return usb != nullptr ? usb->describe() : "Error: USB support not enabled\n";
}

}  // namespace relic86
