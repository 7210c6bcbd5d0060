// From the command line's virtio devices to the board's.
#pragma once

#include <memory>

#include "devices/board/board_config.h"
#include "options/options.h"

namespace relic86 {

VirtioInterfaces virtio_interfaces(const VirtioOption& option);
VirtioConfig virtio_disk(const DriveOption& drive, std::unique_ptr<BlockDevice> image);

}  // namespace relic86
