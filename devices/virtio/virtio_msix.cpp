// MSI-X of a virtio device (virtio 1.0, 4.1.5.1.2): which vector each queue and the configuration have. The table is in
// BAR 1 (devices/msix.cpp).
#include "devices/bus_mastering.h"
#include "devices/virtio/virtio_pci.h"
#include "devices/virtio/virtio_pci_layout.h"
#include "devices/virtio/virtio_registers.h"

namespace relic86 {

using namespace virtio;

namespace {
constexpr u8 kCapabilitiesPointer = 0x34;
}  // namespace

void VirtioPci::declare_msix(u8 next) {
  msix_capability_.emplace(interfaces_.modern ? kMsixCapability : kFirstCapability, next, kMsixBar,
                           interfaces_.vectors);
  // Only a bus master writes, and the message may lead to a register of this very device.
  msix_.emplace(interfaces_.vectors, [this](u64 address, u32 data) {
    if (!message_sink_ || !bus_master_enabled()) return;
    const BusMastering moving(bus_mastering_);
    message_sink_(address, data);
  });
  declare_memory_bar(kMsixBar, MsixTable::kBarBytes, kMsixRegion, 4);
  declare(msix_capability_->rows());
  declare(kCapabilitiesPointer, 1, msix_capability_->at(), 0);
}

void VirtioPci::msix_written(unsigned offset, unsigned width) {
  if (!msix_capability_->is_control(offset, width)) return;
  msix_->set_control(msix_capability_->control(*this));
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
  archive.group("msix", [&] { msix_->state(archive, msix_capability_->control(*this)); });
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
