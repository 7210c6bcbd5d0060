// Legacy registers (virtio 1.0, 4.1.4.8; virtio 0.9.5, 2.1 and 2.3)
//
//   offset  width  R/W  bits
//   00h     4      R    features that the device offers, 0 to 31;  04h RW those that the driver accepts
//   08h     4      RW   page of the selected queue; 0 takes it out of use
//   0Ch     2      R    its size, 0: there is no such queue;  0Eh RW which queue is selected
//   10h     2      W    notification of this queue
//   12h     1      RW   device status, 0 resets;  13h RC interrupt status
//   14h     2      RW   while MSI-X is enabled: vector of configuration changes, FFFFh: none;  16h RW of the queue
//   14h            -    the device's own configuration; from 18h on while MSI-X is enabled
#include "devices/virtio/virtio_pci.h"
#include "devices/virtio/virtio_registers.h"

namespace relic86 {

using namespace virtio;

u32 VirtioPci::read_legacy(u32 offset, unsigned width) {
  const Virtqueue* const queue = selected();
  switch (offset) {
    case kLegacyDeviceFeatures: return static_cast<u32>(offered());
    case kLegacyDriverFeatures: return static_cast<u32>(negotiated_);
    case kLegacyQueueAddress:
      return queue == nullptr || !queue->enabled() ? 0 : static_cast<u32>(queue->descriptors() >> kPageShift);
    case kLegacyQueueSize: return queue == nullptr ? 0u : queue->most();
    case kLegacyQueueSelect: return queue_select_;
    case kLegacyStatus: return status_;
    case kLegacyInterruptStatus: return take_interrupt_status();
    default: break;
  }
  if (offset >= legacy_config()) return read_config(offset - legacy_config(), width);
  if (offset == kLegacyConfigVector) return config_vector_ | (width == 4 ? u32{queue_vector()} << 16 : 0);
  return offset == kLegacyQueueVector ? queue_vector() : 0u;
}

void VirtioPci::write_legacy(u32 offset, unsigned width, u32 value) {
  Virtqueue* const queue = selected();
  switch (offset) {
    case kLegacyDriverFeatures: return accept_features(value);
    case kLegacyQueueAddress:
      if (queue != nullptr) queue->set_legacy_page(value);
      return;
    case kLegacyQueueSelect: queue_select_ = static_cast<u16>(value); return;
    case kLegacyQueueNotify:
      // Drivers of the time use the device while they start, and some never ask to be bus master.
      if ((status_ & kDriver) != 0 && !negotiated(kVersion1)) {
        early_ = true;
        enable_bus_master();
      }
      return notify(value);
    case kLegacyStatus:
      if ((value & kDriverOk) != 0) enable_bus_master();
      return set_status(static_cast<u8>(value));
    default: break;
  }
  if (offset >= legacy_config()) return write_config(offset - legacy_config(), width, value);
  if (offset == kLegacyConfigVector) config_vector_ = kept_vector(value & 0xFFFF);
  if (offset == kLegacyConfigVector && width == 4) set_queue_vector(value >> 16);
  if (offset == kLegacyQueueVector) set_queue_vector(value & 0xFFFF);
}

}  // namespace relic86
