// MSI-X of a virtio device (virtio 1.0, 4.1.5.1.2; PCI Local Bus Specification 3.0, 6.8.2)
//
//   capability  width  R/W  bits
//   + 0         1      R    11h, MSI-X;  + 1 R the next capability
//   + 2         2      RW   message control: 10:0 R vectors less one, 14 function mask, 15 enable
//   + 4         4      R    table: 2:0 BAR 1, 31:3 offset 0;  + 8 R pending bits: BAR 1, offset 800h
#include "devices/bus_mastering.h"
#include "devices/virtio/virtio_pci.h"
#include "devices/virtio/virtio_pci_layout.h"
#include "devices/virtio/virtio_registers.h"

namespace relic86 {

using namespace virtio;

namespace {
constexpr u8 kMsixId = 0x11, kCapabilitiesPointer = 0x34;
constexpr u8 kControl = 2, kTable = 4, kPending = 8;
}  // namespace

void VirtioPci::declare_msix(u8 next) {
  msix_capability_ = interfaces_.modern ? kMsixCapability : kFirstCapability;
  // Only a bus master writes, and the message may lead to a register of this very device.
  msix_.emplace(interfaces_.vectors, [this](u64 address, u32 data) {
    if (!message_sink_ || !bus_master_enabled()) return;
    const BusMastering moving(bus_mastering_);
    message_sink_(address, data);
  });
  declare_memory_bar(kMsixBar, MsixTable::kBarBytes, kMsixRegion, 4);
  declare(msix_capability_, 2, kMsixId | u32{next} << 8, 0);
  declare(msix_capability_ + kControl, 2, interfaces_.vectors - 1, MsixTable::kEnable | MsixTable::kFunctionMask);
  declare(msix_capability_ + kTable, 4, kMsixBar, 0);
  declare(msix_capability_ + kPending, 4, MsixTable::kPendingOffset | kMsixBar, 0);
  declare(kCapabilitiesPointer, 1, msix_capability_, 0);
}

u16 VirtioPci::msix_control() const { return static_cast<u16>(config(msix_capability_ + kControl, 2)); }

void VirtioPci::msix_written(unsigned offset, unsigned width) {
  if (offset + width <= u32{msix_capability_} + kControl || offset >= u32{msix_capability_} + kTable) return;
  msix_->set_control(msix_control());
  drive_pin();
}

void VirtioPci::forget_vectors() {
  config_vector_ = kNoVector;
  for (u16& vector : queue_vectors_) vector = kNoVector;
  if (msix_) msix_->forget_pending();
}

void VirtioPci::state_msix(StateArchive& archive) {
  archive.field("config_vector", config_vector_);
  archive.bytes("queue_vectors", queue_vectors_);
  archive.group("msix", [&] { msix_->state(archive, msix_control()); });
  if (!archive.loading()) return;
  config_vector_ = kept_vector(config_vector_);
  for (u16& vector : queue_vectors_) vector = kept_vector(vector);
}

// A driver reads it back to see whether the device has taken it (4.1.5.1.2.1).
u16 VirtioPci::kept_vector(u32 wanted) const {
  return msix_ && wanted < msix_->vectors() ? static_cast<u16>(wanted) : kNoVector;
}

u32 VirtioPci::legacy_config() const {
  constexpr u32 kVectorBytes = 4;
  return sends_messages() ? kLegacyConfig + kVectorBytes : u32{kLegacyConfig};
}

u16 VirtioPci::queue_vector() const {
  return queue_select_ < queue_vectors_.size() ? queue_vectors_[queue_select_] : kNoVector;
}

void VirtioPci::set_queue_vector(u32 wanted) {
  if (queue_select_ < queue_vectors_.size()) queue_vectors_[queue_select_] = kept_vector(wanted);
}

}  // namespace relic86
