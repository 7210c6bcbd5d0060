#include "options/scsi_buses.h"

#include <fmt/format.h>

#include <algorithm>

#include "options/virtio_option.h"

namespace relic86 {

Result<std::vector<std::string>> scsi_buses(std::span<const DeviceOption> devices) {
  std::vector<std::string> buses;
  unsigned without_id = 0;
  for (const DeviceOption& device : devices) {
    VirtioOption ignored;
    if (virtio_base_name(device.name, ignored) != "virtio-scsi") continue;
    const std::string id(device.property("id"));
    std::string name = id.empty() ? fmt::format("scsi.{}", without_id++) : id + ".0";
    if (std::find(buses.begin(), buses.end(), name) != buses.end())
      return Error{
          fmt::format("-device {}: there are two SCSI buses {}; give each controller another id", device.name, name)};
    buses.push_back(std::move(name));
  }
  return buses;
}

Result<std::string> find_scsi_bus(std::span<const DeviceOption> devices, const DeviceOption& disk) {
  const auto buses = scsi_buses(devices);
  if (!buses) return buses.error();
  const std::string wanted(disk.property("bus"));
  for (const std::string& bus : buses.value()) {
    if (wanted.empty() || bus == wanted) return bus;
  }
  return Error{fmt::format("-device {}: there is no SCSI bus{}; -device virtio-scsi-pci,id=scsi0 makes scsi0.0",
                           disk.name, wanted.empty() ? "" : " " + wanted)};
}

}  // namespace relic86
