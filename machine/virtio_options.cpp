#include "machine/virtio_options.h"

#include <fmt/format.h>

namespace relic86 {

VirtioInterfaces virtio_interfaces(const VirtioOption& option) {
  return {
      .legacy = option.legacy, .modern = option.modern, .indirect = option.indirect, .event_index = option.event_index};
}

VirtioConfig virtio_disk(const DriveOption& drive, std::unique_ptr<BlockDevice> image) {
  VirtioConfig disk;
  disk.kind = VirtioConfig::Kind::Block;
  // Saved machines know it by this name, whatever the user calls it.
  disk.name = fmt::format("virtio-blk-pci.{}", drive.index);
  disk.slot = drive.virtio.slot;
  disk.boot_index = drive.boot_index;
  disk.interfaces = virtio_interfaces(drive.virtio);
  disk.image = std::move(image);
  if (drive.geometry) disk.geometry = DiskGeometry{(*drive.geometry)[0], (*drive.geometry)[1], (*drive.geometry)[2]};
  disk.serial = drive.serial;
  return disk;
}

}  // namespace relic86
