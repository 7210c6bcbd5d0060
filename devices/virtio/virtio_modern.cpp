// Common configuration (virtio 1.0, 4.1.4.3)
//
//   offset  width  R/W  bits
//   00h     4      RW   which half of 04h R, the features that the device offers;  08h RW, 0Ch RW the driver's
//   10h     2      RW   MSI-X vector of configuration changes, FFFFh: none;  1Ah RW that of a queue
//   12h     2      R    number of queues
//   14h     1      RW   device status, 0 resets;  15h R generation of the device's configuration
//   16h     2      RW   which queue is selected;  18h RW its size;  1Ch RW 1: enabled;  1Eh R its notification's place
//   20h     8      RW   its descriptors;  28h available ring;  30h used ring
#include <array>

#include "devices/virtio/virtio_pci.h"
#include "devices/virtio/virtio_pci_layout.h"
#include "devices/virtio/virtio_registers.h"

namespace relic86 {

using namespace virtio;

namespace {
// What belongs to the legacy interface alone.
constexpr u64 kLegacyFeatures = u64{1} << kNotifyOnEmpty | u64{1} << kAnyLayout;

u64 with_half(u64 whole, unsigned half, u32 value) {
  const unsigned shift = half * 32;
  return (whole & ~(u64{0xFFFFFFFF} << shift)) | u64{value} << shift;
}
}  // namespace

u32 VirtioPci::read_modern(u32 offset, unsigned width) {
  const u32 within = offset % kModernPartBytes;
  switch (offset / kModernPartBytes) {
    case kCommonPart: return read_common(within);
    case kInterruptPart: return within == 0 ? take_interrupt_status() : 0u;
    case kDevicePart: return read_config(within, width);
    default: return 0;
  }
}

void VirtioPci::write_modern(u32 offset, unsigned width, u32 value) {
  const u32 within = offset % kModernPartBytes;
  switch (offset / kModernPartBytes) {
    case kCommonPart: return write_common(within, value);
    case kDevicePart: return write_config(within, width, value);
    case kNotifyPart: return notify(within / kNotifyMultiplier);
    default: return;
  }
}

u32 VirtioPci::read_common(u32 offset) {
  const Virtqueue* const queue = selected();
  switch (offset) {
    case kDeviceFeatureSelect: return device_feature_select_;
    case kDeviceFeature:
      return device_feature_select_ > 1
                 ? 0
                 : static_cast<u32>((offered() & ~kLegacyFeatures) >> (device_feature_select_ * 32));
    case kDriverFeatureSelect: return driver_feature_select_;
    case kDriverFeature:
      return driver_feature_select_ > 1 ? 0 : static_cast<u32>(driver_features_ >> (driver_feature_select_ * 32));
    case kConfigVector: return config_vector_;
    case kQueueVector: return queue_vector();
    case kQueueCount: return static_cast<u32>(queues_.size());
    case kStatus: return status_;
    case kConfigGeneration: return generation_;
    case kQueueSelect: return queue_select_;
    default: break;
  }
  if (queue == nullptr) return 0;
  switch (offset) {
    case kQueueSize: return queue->size();
    case kQueueEnable: return queue->enabled() ? 1 : 0;
    case kQueueNotifyOffset: return queue_select_;
    case kQueueDescriptors: return static_cast<u32>(queue->descriptors());
    case kQueueDescriptors + 4: return static_cast<u32>(queue->descriptors() >> 32);
    case kQueueAvailable: return static_cast<u32>(queue->available());
    case kQueueAvailable + 4: return static_cast<u32>(queue->available() >> 32);
    case kQueueUsed: return static_cast<u32>(queue->used());
    case kQueueUsed + 4: return static_cast<u32>(queue->used() >> 32);
    default: return 0;
  }
}

void VirtioPci::write_common(u32 offset, u32 value) {
  switch (offset) {
    case kDeviceFeatureSelect: device_feature_select_ = value; return;
    case kDriverFeatureSelect: driver_feature_select_ = value; return;
    case kDriverFeature:
      if (driver_feature_select_ <= 1 && (status_ & kFeaturesOk) == 0)
        driver_features_ = with_half(driver_features_, driver_feature_select_, value);
      return;
    case kStatus: return write_status(static_cast<u8>(value));
    case kConfigVector: config_vector_ = kept_vector(value & 0xFFFF); return;
    case kQueueVector: return set_queue_vector(value & 0xFFFF);
    case kQueueSelect: queue_select_ = static_cast<u16>(value); return;
    default: return write_queue(offset, value);
  }
}

// A driver that sees FEATURES_OK gone again knows that it asked for what is not there (3.1.1).
void VirtioPci::write_status(u8 status) {
  if ((status & kFeaturesOk) != 0 && (status_ & kFeaturesOk) == 0) {
    const bool known = (driver_features_ & ~(offered() & ~kLegacyFeatures)) == 0;
    if (known && (driver_features_ >> kVersion1 & 1) != 0)
      accept_features(driver_features_);
    else
      status &= static_cast<u8>(~kFeaturesOk);
  }
  set_status(status);
}

// Once a queue is enabled its place is settled (4.1.4.3.2).
void VirtioPci::write_queue(u32 offset, u32 value) {
  Virtqueue* const queue = selected();
  if (queue == nullptr || queue->enabled()) return;
  switch (offset) {
    case kQueueSize: queue->set_size(value & 0xFFFF); return;
    case kQueueEnable: queue->enable((value & 0xFFFF) == 1); return;
    case kQueueDescriptors:
    case kQueueDescriptors + 4:
      return queue->set_descriptors(with_half(queue->descriptors(), (offset >> 2) & 1, value));
    case kQueueAvailable:
    case kQueueAvailable + 4: return queue->set_available(with_half(queue->available(), (offset >> 2) & 1, value));
    case kQueueUsed:
    case kQueueUsed + 4: return queue->set_used(with_half(queue->used(), (offset >> 2) & 1, value));
    default: return;
  }
}

// --- The window in configuration space (4.1.4.7): 1, 2 or 4 bytes of BAR 4 ---

std::optional<VirtioPci::Window> VirtioPci::window() const {
  const u32 offset = config(kWindowCapability + kCapabilityOffset, 4);
  const u32 length = config(kWindowCapability + kCapabilityLength, 4);
  if (config(kWindowCapability + kCapabilityBar, 1) != kModernBar) return std::nullopt;
  if ((length != 1 && length != 2 && length != 4) || offset % length != 0) return std::nullopt;
  if (offset >= kModernParts * kModernPartBytes) return std::nullopt;
  return Window{offset, length};
}

void VirtioPci::read_window() {
  if (const auto at = window(); at && !bus_mastering_)
    set_config(kWindowCapability + kCapabilityExtra, 4,
               read_modern(at->offset, at->width) & static_cast<u32>(all_ones(at->width)));
}

void VirtioPci::write_window() {
  if (const auto at = window(); at && !bus_mastering_)
    write_modern(at->offset, at->width,
                 config(kWindowCapability + kCapabilityExtra, 4) & static_cast<u32>(all_ones(at->width)));
}

}  // namespace relic86
