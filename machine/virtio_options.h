// From the command line's virtio devices to the board's.
#pragma once

#include <memory>

#include "devices/board/board_config.h"
#include "options/options.h"

namespace relic86 {

// vectors: of MSI-X, where the option does not say how many.
VirtioInterfaces virtio_interfaces(const VirtioOption& option, unsigned vectors);
VirtioConfig virtio_disk(const DriveOption& drive, std::string name, std::unique_ptr<BlockDevice> image);

// Puts a virtio device that is no disk and no network card, or a port of one, into the board's configuration. False:
// the -device is none. random: where entropy devices have their numbers from; null: from themselves.
Result<bool> add_virtio_device(const Options& options, const DeviceOption& device, RandomSource* random,
                               BoardConfig& config);

// Once every controller is there: what the disks call their buses.
Result<> name_scsi_buses(const Options& options, BoardConfig& config);
// Puts a disk on the bus that it names, which is there.
void add_scsi_disk(const DriveOption& drive, ScsiUnitConfig unit, BoardConfig& config);

// The properties of such a device, separated by blanks; empty: it is none.
std::string_view virtio_device_properties(std::string_view name);

// The chardev= of every port, in the order of BoardConfig's ports.
std::vector<std::string> virtio_port_backends(const Options& options);

}  // namespace relic86
