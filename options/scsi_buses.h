// The SCSI buses of a machine: every virtio-scsi controller makes one.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "options/options.h"

namespace relic86 {

// The names of the buses, in the order of their controllers: "ID.0" after the controller's id, and "scsi.0", "scsi.1"
// and so on where it has none, as QEMU has them. Two buses of one name are an error.
Result<std::vector<std::string>> scsi_buses(std::span<const DeviceOption> devices);

// The bus that a disk's bus= names; empty: the first one.
Result<std::string> find_scsi_bus(std::span<const DeviceOption> devices, const DeviceOption& disk);

}  // namespace relic86
