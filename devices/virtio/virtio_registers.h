// Numbers of the Virtual I/O Device specification (OASIS virtio 1.0; the legacy interface is that of virtio 0.9.5).
#pragma once

#include "base/types.h"

namespace relic86::virtio {

// Device status (2.1).
inline constexpr u8 kAcknowledge = 1, kDriver = 2, kDriverOk = 4, kFeaturesOk = 8, kNeedsReset = 64, kFailed = 128;

// Feature bits that belong to the queues and the transport (6).
inline constexpr unsigned kNotifyOnEmpty = 24, kAnyLayout = 27, kIndirect = 28, kEventIndex = 29, kVersion1 = 32;

// Interrupt status (4.1.4.5).
inline constexpr u8 kQueueInterrupt = 1, kConfigInterrupt = 2;

// Split queues (2.4).
inline constexpr u32 kDescriptorBytes = 16, kUsedElementBytes = 8, kRingHeaderBytes = 4;
inline constexpr u16 kDescriptorNext = 1, kDescriptorWritable = 2, kDescriptorIndirect = 4;
inline constexpr u16 kNoInterrupt = 1;  // flags of the available ring
inline constexpr u32 kLegacyAlignment = 4096;

// Legacy registers (4.1.4.8), offsets in BAR 0.
enum LegacyRegister : u8 {
  kLegacyDeviceFeatures = 0x00,
  kLegacyDriverFeatures = 0x04,
  kLegacyQueueAddress = 0x08,
  kLegacyQueueSize = 0x0C,
  kLegacyQueueSelect = 0x0E,
  kLegacyQueueNotify = 0x10,
  kLegacyStatus = 0x12,
  kLegacyInterruptStatus = 0x13,
  kLegacyConfig = 0x14,  // of the device; 4 bytes later while MSI-X is enabled
  kLegacyConfigVector = 0x14,
  kLegacyQueueVector = 0x16,
};

// Common configuration (4.1.4.3).
enum CommonRegister : u8 {
  kDeviceFeatureSelect = 0x00,
  kDeviceFeature = 0x04,
  kDriverFeatureSelect = 0x08,
  kDriverFeature = 0x0C,
  kConfigVector = 0x10,
  kQueueCount = 0x12,
  kStatus = 0x14,
  kConfigGeneration = 0x15,
  kQueueSelect = 0x16,
  kQueueSize = 0x18,
  kQueueVector = 0x1A,
  kQueueEnable = 0x1C,
  kQueueNotifyOffset = 0x1E,
  kQueueDescriptors = 0x20,
  kQueueAvailable = 0x28,
  kQueueUsed = 0x30,
};
inline constexpr u16 kNoVector = 0xFFFF;

// Types of the vendor-specific capabilities (4.1.4).
enum CapabilityType : u8 { kCommonConfig = 1, kNotify = 2, kInterruptStatus = 3, kDeviceConfig = 4, kPciConfig = 5 };

}  // namespace relic86::virtio
