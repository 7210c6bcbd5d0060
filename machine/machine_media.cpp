// The media in a machine's drives: who carries requests out, what becomes of those that the host fails, and what is
// changed while the machine runs.
#include <fmt/format.h>

#include <utility>

#include "devices/storage/atapi_cdrom.h"
#include "machine/block_jobs.h"
#include "machine/board_options.h"
#include "machine/disk_exports.h"
#include "machine/host_time.h"
#include "machine/machine.h"
#include "machine/machine_tasks.h"
#include "machine/saved_machine.h"

namespace relic86 {

void Machine::note_medium(const std::string& drive, std::shared_ptr<DriveMedium> medium) {
  watch_failures(drive, *medium);
  serve_medium(medium);
  media_[drive] = std::move(medium);
  attach_journals(*this);
}

void Machine::serve_medium(const std::shared_ptr<DriveMedium>& medium) {
  if (!disk_workers_) return;
  const auto wake = [this, served = std::weak_ptr(medium)] {
    tasks_->add(tasks_->deliveries, [served] {
      if (const auto alive = served.lock()) alive->deliver();
    });
    poller_.wake();
  };
  medium->serve_with({disk_workers_.get(), wake, host_monotonic_ns});
}

void Machine::put_node(const std::string& drive, const std::string& node) {
  drive_nodes_.erase(drive);
  if (!node.empty()) drive_nodes_[drive] = node;
}

// No device waits for the host afterwards, so that a state has all that there is of it.
void Machine::drain_disks() {
  for (const auto& [drive, medium] : media_) medium->drain();
}

Result<> Machine::change_medium(const std::string& given, const MediumChange& change) {
  const auto known = find_drive(given);
  const std::string device = known ? known->name : given;
  const std::string& file = change.file;
  if (auto idle = block_jobs_->allow_drive(device); !idle) return idle;
  if (auto alone = exports_->allow_drive(device); !alone) return alone;
  const ImageSource source = image_source(block_nodes(), change.node, file, change.format);
  if (device.starts_with("floppy") && device.size() == 7 && (device[6] == '0' || device[6] == '1')) {
    const unsigned number = static_cast<unsigned>(device[6] - '0');
    drive_nodes_.erase(device);
    if (file.empty()) {
      board_->eject_floppy(number);
      media_.erase(device);
      return {};
    }
    auto medium = open_medium(device, source, change.read_only, options_.snapshot);
    if (!medium) return medium.error();
    auto inserted = board_->insert_floppy(number, DriveMedium::device(medium.value()), file, false);
    if (inserted) note_medium(device, std::move(medium).value());
    if (inserted && !change.node.empty()) drive_nodes_[device] = change.node;
    return inserted;
  }
  for (unsigned unit = 0; unit < PcBoard::kDrivePlaces; unit++) {
    AtapiCdrom* drive = board_->cdrom(unit);
    if (drive == nullptr || device != drive_place_name(options_, unit, DriveOption::Media::Cdrom)) continue;
    if (file.empty()) {
      const bool was_open = drive->tray_open();
      auto ejected = drive->eject(change.force);
      if (!ejected) return ejected;
      if (was_open) (void)drive->open_tray(true);  // it stays out; an unlocked tray never refuses
      media_.erase(device);
      drive_nodes_.erase(device);
      return ejected;
    }
    auto medium = open_medium(device, source, true, false);
    if (!medium) return medium.error();
    const bool was_open = drive->tray_open();
    drive->insert(DriveMedium::device(medium.value()));
    note_medium(device, std::move(medium).value());
    drive_nodes_.erase(device);
    if (!change.node.empty()) drive_nodes_[device] = change.node;
    if (was_open && !drive->tray_open()) tell_tray(device, false);
    return {};
  }
  return Error{fmt::format("Device '{}' not found; 'info block' lists the drives", device)};
}

AtapiCdrom* Machine::find_cdrom(const std::string& name) {
  const auto known = find_drive(name);
  for (unsigned unit = 0; unit < PcBoard::kDrivePlaces && known; unit++) {
    AtapiCdrom* const drive = board_->cdrom(unit);  // a q35 has none on IDE, whose names are those of its ports
    if (drive != nullptr && known->name == drive_place_name(options_, unit, DriveOption::Media::Cdrom)) return drive;
  }
  return nullptr;
}

void Machine::tell_tray(const std::string& name, bool open) {
  const auto known = find_drive(name);
  tray_move_ = {name, known ? known->device_id : "", open};
  announce(MachineEvent::TrayMoved);
}

Result<> Machine::open_tray(const std::string& name, bool force) {
  AtapiCdrom* drive = find_cdrom(name);
  if (drive == nullptr) return Error{fmt::format("Device '{}' does not have a tray", name)};
  if (drive->tray_open()) return {};
  auto opened = drive->open_tray(force);
  if (opened) tell_tray(name, true);
  return opened;
}

Result<> Machine::close_tray(const std::string& name) {
  AtapiCdrom* drive = find_cdrom(name);
  if (drive == nullptr) return Error{fmt::format("Device '{}' does not have a tray", name)};
  if (!drive->tray_open()) return {};
  drive->close_tray();
  tell_tray(name, false);
  return {};
}

std::vector<Machine::Drive> Machine::drives() {
  std::vector<Drive> list;
  const auto add = [&](Drive drive, DriveOption::Interface interface, unsigned index) {
    for (const DriveOption& option : options_.drives) {
      if (option.interface != interface || option.index != index) continue;
      drive.id = option.id;
      drive.device_id = option.device_id;
    }
    if (const auto node = drive_nodes_.find(drive.name); node != drive_nodes_.end()) drive.node = node->second;
    list.push_back(std::move(drive));
  };
  for (unsigned unit = 0; unit < PcBoard::kDrivePlaces; unit++) {
    const AtapiCdrom* const cdrom = board_->cdrom(unit);
    const DriveOption::Interface interface = interface_of_place(options_, unit);
    const unsigned index = unit < PcBoard::kIdePlaces ? unit : unit - PcBoard::kIdePlaces;
    if (board_->disk(unit) != nullptr)
      add({drive_place_name(options_, unit, DriveOption::Media::Disk), ""}, interface, index);
    if (cdrom != nullptr)
      add({drive_place_name(options_, unit, DriveOption::Media::Cdrom), "", true, cdrom->locked(), cdrom->tray_open()},
          interface, index);
  }
  for (const DriveOption& option : options_.drives) {
    if (option.interface == DriveOption::Interface::Virtio || option.interface == DriveOption::Interface::Usb ||
        option.interface == DriveOption::Interface::Scsi || option.interface == DriveOption::Interface::Flash)
      add({drive_name(options_, option), ""}, option.interface, option.index);
  }
  for (unsigned n = 0; n < 2; n++) {
    if (board_->floppy_present(n)) add({fmt::format("floppy{}", n), "", true}, DriveOption::Interface::Floppy, n);
  }
  return list;
}

std::optional<Machine::Drive> Machine::find_drive(const std::string& given) {
  // A path in the object tree names the device, or a part of it.
  constexpr std::string_view kDevices = "/machine/peripheral/";
  const std::string name = given.starts_with(kDevices)
                               ? given.substr(kDevices.size(), given.find('/', kDevices.size()) - kDevices.size())
                               : given;
  if (name.empty()) return std::nullopt;
  for (Drive& drive : drives()) {
    if (drive.name == name || drive.id == name || drive.device_id == name) return drive;
  }
  return std::nullopt;
}

std::string Machine::describe_drives() {
  std::string text;
  for (const Drive& drive : drives()) {
    const auto medium = media_.find(drive.name);
    text += drive.name + (drive.id.empty() ? "" : " (" + drive.id + ")") + ": ";
    text += medium == media_.end() ? "[not inserted]\n" : medium->second->describe() + "\n";
    if (medium != media_.end() && medium->second->condition() != DriveMedium::Condition::Good)
      text += fmt::format("    I/O status:       {}\n",
                          medium->second->condition() == DriveMedium::Condition::HostIsFull ? "nospace" : "failed");
    if (drive.removable)
      text += fmt::format("    Removable device: {}locked, tray {}\n", drive.locked ? "" : "not ",
                          drive.tray_open ? "open" : "closed");
  }
  return text.empty() ? "no drives\n" : text;
}

Result<> Machine::flush_disks() { return board_->flush_media(); }

// --- Failures of the host's ---

namespace {

OnError on_error(const std::string& word, OnError otherwise) {
  constexpr std::pair<std::string_view, OnError> kWords[] = {{"report", OnError::Report},
                                                             {"ignore", OnError::Ignore},
                                                             {"enospc", OnError::StopIfFull},
                                                             {"stop", OnError::Stop}};
  for (const auto& [known, policy] : kWords) {
    if (word == known) return policy;
  }
  return otherwise;
}

}  // namespace

// Floppies and flash memory tell the guest of every failure: it tries again itself.
void Machine::watch_failures(const std::string& drive, DriveMedium& medium) {
  for (const DriveOption& option : options_.drives) {
    using Interface = DriveOption::Interface;
    const bool watched = option.interface == Interface::Ide || option.interface == Interface::Ahci ||
                         option.interface == Interface::Virtio || option.interface == Interface::Scsi ||
                         option.interface == Interface::Usb;
    if (!watched || drive_name(options_, option) != drive) continue;
    const ErrorPolicy defaults;
    medium.set_error_policy(
        {.write = on_error(option.write_error, defaults.write), .read = on_error(option.read_error, defaults.read)},
        [this, drive](const DriveMedium::Failure& failure) {
          tasks_->add(tasks_->list, [this, drive, failure] { disk_failed({drive, failure}); });
          poller_.wake();
        });
  }
}

void Machine::disk_failed(const DiskFailure& failure) {
  disk_failure_ = failure;
  announce(MachineEvent::DiskFailed);
  if (failure.failure.action != ErrorAction::Stop) return;
  stop_cause_ = StopCause::DiskError;
  pause();
}

void Machine::retry_disks() {
  tasks_->add(tasks_->deliveries, [this] {
    for (const auto& [drive, medium] : media_) medium->retry();
  });
  poller_.wake();
}

}  // namespace relic86
