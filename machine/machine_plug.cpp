// Devices on USB that come and go while the machine runs.
#include "machine/machine_usb.h"

#include <fmt/format.h>

#include <algorithm>

#include "devices/board/usb_board.h"
#include "machine/guest_inputs.h"
#include "machine/machine.h"
#include "machine/usb_options.h"

namespace relic86 {

namespace {

Error recorded() {
  return Error{"a recorded run, or its replay, keeps the devices that it began with; name them on the command line"};
}

}  // namespace

Result<> Machine::plug_usb(const DeviceOption& device) {
  auto config = usb_device_config(options_, device, media_);
  if (!config) return config.error();
  if (!config.value()) return Error{fmt::format("{} cannot be plugged in while the machine exists", device.name)};
  if (board_->usb() == nullptr)
    return Error{fmt::format("{}: there is no USB controller; start the machine with -usb", device.name)};
  if (inputs_->repeatable()) return recorded();
  const std::string id(device.property("id"));
  if (!id.empty() && std::any_of(options_.all_devices.begin(), options_.all_devices.end(),
                                 [&](const DeviceOption& each) { return each.property("id") == id; }))
    return Error{fmt::format("Duplicate device ID '{}'", id)};
  if (auto plugged = board_->usb()->plug(std::move(*config.value())); !plugged)
    return Error{fmt::format("{}: {}", device.name, plugged.message())};
  options_.all_devices.push_back(device);
  return {};
}

Result<> Machine::unplug_usb(const std::string& id) {
  if (inputs_->repeatable()) return recorded();
  if (board_->usb() != nullptr) {
    if (auto flushed = board_->usb()->flush(); !flushed) return flushed;
  }
  const std::vector<std::string> gone =
      board_->usb() == nullptr ? std::vector<std::string>() : board_->usb()->unplug(id);
  if (gone.empty()) return Error{fmt::format("Device '{}' cannot be unplugged", id)};
  for (const std::string& name : gone) {
    if (name.empty()) continue;  // a hub that the machine put there by itself
    std::erase_if(options_.all_devices, [&](const DeviceOption& each) { return each.property("id") == name; });
    deleted_device_ = name;
    announce(MachineEvent::DeviceDeleted);
  }
  return {};
}

std::string describe_usb(Machine& machine) {
  const UsbBoard* const usb = machine.board().usb();
  return usb != nullptr ? usb->describe() : "Error: USB support not enabled\n";
}

}  // namespace relic86
