// PCI configuration of a virtio device (virtio 1.0, 4.1)
//
//   00h  1AF4h, 1000h + n with the legacy interface or 1040h + type without; revision 0 or 1
//   BAR0 I/O       legacy registers, then the device's configuration
//   BAR1 memory    MSI-X table and pending bits (devices/msix.cpp), if the device has vectors
//   BAR4 memory    64 bits, prefetchable, 16 KiB: 0000h common, 1000h interrupt status, 2000h device,
//                  3000h notifications
//   40h to 97h     vendor-specific capabilities: common, interrupt status, device, notifications, window
//   98h            MSI-X capability (devices/msix.cpp); at 40h where there is no modern interface
//   A4h            PCI Express capability (PCI Express 3.0, 7.8) of a device behind a root port: version 2, endpoint,
//                  a link of 2.5 GT/s and one lane
#include "devices/virtio/virtio_pci.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "devices/bus_mastering.h"
#include "devices/virtio/virtio_pci_layout.h"
#include "devices/virtio/virtio_registers.h"

namespace relic86 {

using namespace virtio;

namespace {
constexpr u32 kServeEvent = 0;
constexpr GuestTime kServeDelay = 20'000;  // ns until the rest of a long queue is served
constexpr std::size_t kMostQueues = 64;
constexpr u16 kVendor = 0x1AF4, kFirstModernDevice = 0x1040, kOtherSubsystem = 0x1100;
constexpr u8 kCapabilitiesPointer = 0x34, kVendorCapability = 0x09;
constexpr u16 kBusMaster = 4;

PciIdentity pci_identity(const VirtioIdentity& identity, const VirtioInterfaces& interfaces) {
  const bool legacy = interfaces.legacy;
  return {.vendor = kVendor,
          .device = legacy ? identity.transitional_device : static_cast<u16>(kFirstModernDevice + identity.type),
          .revision = static_cast<u8>(legacy ? 0 : 1),
          .class_code = identity.class_code,
          .subsystem_vendor = kVendor,
          .subsystem = legacy ? identity.type : kOtherSubsystem,
          .interrupt_pin = 1};
}
}  // namespace

VirtioPci::VirtioPci(std::string name, const VirtioIdentity& identity, const VirtioInterfaces& interfaces,
                     const std::vector<u16>& queues, u32 config_bytes)
    : PciDevice(pci_identity(identity, interfaces)),
      name_(std::move(name)),
      interfaces_(interfaces),
      config_bytes_(config_bytes),
      config_vector_(kNoVector),
      queue_vectors_(queues.size(), kNoVector) {
  RELIC86_ASSERT(interfaces.legacy || interfaces.modern);
  RELIC86_ASSERT(queues.size() <= kMostQueues && config_bytes <= kModernPartBytes);
  for (const u16 size : queues) queues_.emplace_back(size);
  constexpr u16 kStatusCapabilities = 0x0010, kWriteOneClears = 0xF900;
  const bool capabilities = interfaces_.modern || interfaces_.vectors != 0 || interfaces_.express;
  declare(kPciStatus, 2, capabilities ? kStatusCapabilities : 0, 0, kWriteOneClears);
  if (interfaces_.legacy) declare_legacy();
  if (interfaces_.modern) declare_modern();
  if (interfaces_.vectors != 0) declare_msix(interfaces_.modern ? kWindowCapability : u8{0});
  if (interfaces_.express) declare_express();
}

void VirtioPci::declare_express() {
  constexpr u8 kId = 0x10;
  constexpr u16 kVersion = 2;
  constexpr u32 kRoleBasedErrors = 1u << 15, kSlowest = 1, kOneLane = 1u << 4;
  const u8 at = kExpressCapability;
  const u8 next = msix_capability_ ? msix_capability_->at() : interfaces_.modern ? kWindowCapability : u8{0};
  declare(at, 2, kId | u32{next} << 8, 0);
  declare(at + 0x02, 2, kVersion, 0);
  declare(at + 0x04, 4, kRoleBasedErrors, 0);
  declare(at + 0x08, 2, 0, 0x000F);     // device control: which errors are told
  declare(at + 0x0A, 2, 0, 0, 0x000F);  // its status
  declare(at + 0x0C, 4, kSlowest | kOneLane, 0);
  declare(at + 0x10, 2, 0, 0x00C0);  // link control
  declare(at + 0x12, 2, kSlowest | kOneLane, 0);
  declare(kCapabilitiesPointer, 1, at, 0);
}

void VirtioPci::declare_legacy() {
  constexpr u32 kVectorBytes = 4;
  const u32 head = kLegacyConfig + (interfaces_.vectors != 0 ? kVectorBytes : 0);
  declare_io_bar(0, std::bit_ceil(head + config_bytes_), kLegacyRegion, 4);
}

void VirtioPci::declare_modern() {
  declare_wide_memory_bar(kModernBar, kModernParts * kModernPartBytes, kModernRegion, 4);
  struct Capability {
    CapabilityType type;
    u8 at;
    u8 bytes;
    u32 offset;
  };
  constexpr Capability kCapabilities[] = {
      {kCommonConfig, 0x40, 0x10, kCommonPart * kModernPartBytes},
      {kInterruptStatus, 0x50, 0x10, kInterruptPart * kModernPartBytes},
      {kDeviceConfig, 0x60, 0x10, kDevicePart * kModernPartBytes},
      {kNotify, 0x70, 0x14, kNotifyPart * kModernPartBytes},
      {kPciConfig, kWindowCapability, 0x14, 0},
  };
  u8 next = 0;
  for (const Capability& row : kCapabilities) {
    const bool window = row.type == kPciConfig;
    declare(row.at, 4, kVendorCapability | u32{next} << 8 | u32{row.bytes} << 16 | u32{row.type} << 24, 0);
    declare(row.at + kCapabilityBar, 1, window ? 0 : kModernBar, window ? 0xFF : 0);
    declare(row.at + kCapabilityOffset, 4, row.offset, window ? ~u32{0} : 0);
    declare(row.at + kCapabilityLength, 4, window ? 0 : kModernPartBytes, window ? ~u32{0} : 0);
    if (row.type == kNotify) declare(row.at + kCapabilityExtra, 4, kNotifyMultiplier, 0);
    if (window) declare(row.at + kCapabilityExtra, 4, 0, ~u32{0});
    next = row.at;
  }
  declare(kCapabilitiesPointer, 1, next, 0);
}

Result<> VirtioPci::attach_function(Attachment& board) {
  memory_.attach(board.memory());
  scheduler_ = &board.scheduler();
  timer_ = board.timer(*this, "queues", kServeEvent);
  attach_device(board);
  return {};
}

void VirtioPci::reset_function(ResetKind) {
  if (msix_) msix_->reset();
  reset_virtio();
}

void VirtioPci::reset_virtio() {
  for (Virtqueue& each : queues_) each.reset();
  status_ = 0;
  driver_features_ = negotiated_ = 0;
  device_feature_select_ = driver_feature_select_ = 0;
  queue_select_ = 0;
  notified_ = 0;
  broken_ = early_ = false;
  forget_vectors();
  scheduler_->cancel(timer_);
  take_interrupt_status();
  reset_device();
}

void VirtioPci::state_function(StateArchive& archive) {
  archive.field("status", status_);
  archive.field("interrupt_status", interrupt_status_);
  archive.field("generation", generation_);
  archive.field("driver_features", driver_features_);
  archive.field("negotiated", negotiated_);
  archive.field("device_feature_select", device_feature_select_);
  archive.field("driver_feature_select", driver_feature_select_);
  archive.field("queue_select", queue_select_);
  archive.field("notified", notified_);
  archive.field("broken", broken_);
  archive.field("early", early_);
  for (std::size_t i = 0; i < queues_.size(); i++)
    archive.group("queue" + std::to_string(i), [&] { queues_[i].state(archive); });
  if (archive.loading()) {
    interrupt_status_ &= kQueueInterrupt | kConfigInterrupt;
    negotiated_ &= offered();
    notified_ &= all_queues();
    for (Virtqueue& each : queues_) each.set_event_index(negotiated(kEventIndex));
  }
  if (msix_) state_msix(archive);
  if (archive.loading()) drive_pin();
  archive.group("device", [&] { state_device(archive); });
}

u64 VirtioPci::all_queues() const { return queues_.size() == kMostQueues ? ~u64{0} : (u64{1} << queues_.size()) - 1; }

u64 VirtioPci::offered() const {
  u64 features = device_features() | u64{1} << kNotifyOnEmpty | u64{1} << kAnyLayout;
  if (interfaces_.indirect) features |= u64{1} << kIndirect;
  if (interfaces_.event_index) features |= u64{1} << kEventIndex;
  if (interfaces_.modern) features |= u64{1} << kVersion1;
  return features;
}

void VirtioPci::accept_features(u64 features) {
  negotiated_ = features & offered();
  for (Virtqueue& each : queues_) each.set_event_index(negotiated(kEventIndex));
}

void VirtioPci::enable_bus_master() { set_config(kPciCommand, 2, config(kPciCommand, 2) | kBusMaster); }

void VirtioPci::set_status(u8 status) {
  if (status == 0) return reset_virtio();
  status_ = static_cast<u8>(status | (status_ & kNeedsReset));
  serve_notified();
}

u8 VirtioPci::take_interrupt_status() {
  const u8 status = interrupt_status_;
  interrupt_status_ = 0;
  drive_pin();
  return status;
}

void VirtioPci::drive_pin() { set_interrupt(interrupt_status_ != 0 && !sends_messages()); }

// With MSI-X the message says which queue it is, and the status is not used for it (4.1.4.5.1).
void VirtioPci::interrupt_for_queue(unsigned number) {
  if (sends_messages()) return msix_->notify(queue_vectors_[number]);
  interrupt_status_ |= kQueueInterrupt;
  drive_pin();
}

void VirtioPci::interrupt_for_config() {
  interrupt_status_ |= kConfigInterrupt;
  if (sends_messages()) return msix_->notify(config_vector_);
  drive_pin();
}

// --- Queues ---

bool VirtioPci::running() const { return !broken_ && bus_master_enabled() && ((status_ & kDriverOk) != 0 || early_); }

Virtqueue* VirtioPci::selected() { return queue_select_ < queues_.size() ? &queues_[queue_select_] : nullptr; }

void VirtioPci::notify(u32 number) {
  if (number >= queues_.size()) return;
  notified_ |= u64{1} << number;
  serve_notified();
}

void VirtioPci::serve_notified() {
  if (notified_ == 0 || !running()) return;
  const BusMastering moving(bus_mastering_);
  for (u64 now = std::exchange(notified_, 0); now != 0; now &= now - 1) {
    if (!running()) return;
    serve(static_cast<unsigned>(std::countr_zero(now)));
  }
}

void VirtioPci::serve_later(unsigned number) {
  notified_ |= u64{1} << number;
  scheduler_->schedule_in(timer_, kServeDelay);
}

void VirtioPci::event(u32, GuestTime) { serve_notified(); }

// Bus mastering may have been switched on, or a saved machine been loaded.
void VirtioPci::config_written(unsigned offset, unsigned width) {
  if (msix_) msix_written(offset, width);
  if (offset == 0 && width > 4) return;
  if (interfaces_.modern && offset + width > kWindowCapability + kCapabilityExtra &&
      offset < kWindowCapability + kCapabilityExtra + 4)
    write_window();
  if (offset <= kPciCommand && offset + width > kPciCommand) serve_notified();
}

void VirtioPci::config_reading(unsigned offset, unsigned width) {
  if (interfaces_.modern && offset + width > kWindowCapability + kCapabilityExtra &&
      offset < kWindowCapability + kCapabilityExtra + 4)
    read_window();
}

bool VirtioPci::check(unsigned number) {
  const std::string_view trouble = queues_[number].trouble();
  if (trouble.empty()) return true;
  fail(trouble);
  return false;
}

std::optional<DescriptorChain> VirtioPci::take(unsigned number) {
  if (!running()) return std::nullopt;
  auto chain = queues_[number].take(memory_);
  if (!check(number)) return std::nullopt;
  return chain;
}

std::optional<DescriptorChain> VirtioPci::taken(unsigned number, u16 head) {
  if (!running()) return std::nullopt;
  auto chain = queues_[number].taken(memory_, head);
  if (!check(number)) return std::nullopt;
  return chain;
}

std::optional<DescriptorChain> VirtioPci::look(unsigned number) {
  if (!running()) return std::nullopt;
  auto chain = queues_[number].peek(memory_);
  if (!check(number)) return std::nullopt;
  return chain;
}

u16 VirtioPci::waiting(unsigned number) {
  if (!running()) return 0;
  const u16 count = queues_[number].waiting(memory_);
  return check(number) ? count : u16{0};
}

void VirtioPci::give_back(unsigned number, const DescriptorChain& chain, u64 written) {
  queues_[number].fill(memory_, chain, written);
  queues_[number].publish(memory_, 1);
  check(number);
}

void VirtioPci::interrupt(unsigned number) {
  using WhenEmpty = Virtqueue::WhenEmpty;
  const auto when_empty = negotiated(kNotifyOnEmpty) ? WhenEmpty::Always : WhenEmpty::AsTheDriverSays;
  const bool wanted = queues_[number].interrupt_wanted(memory_, when_empty);
  if (check(number) && wanted) interrupt_for_queue(number);
}

void VirtioPci::config_changed() {
  generation_++;
  if ((status_ & kDriverOk) != 0) interrupt_for_config();
}

void VirtioPci::fail(std::string_view what) {
  if (broken_) return;
  broken_ = true;
  log::once(log::Channel::GuestErrors, "{}: {}; the device waits for a reset", name_, what);
  if (!negotiated(kVersion1)) return;
  status_ |= kNeedsReset;
  config_changed();
}

// --- Accesses ---

u64 VirtioPci::read(RegionId region, u64 offset, unsigned width) {
  if (bus_mastering_) return all_ones(width);
  const auto at = static_cast<u32>(offset);
  if (region == kMsixRegion) return msix_->read(at, width);
  return (region == kLegacyRegion ? read_legacy(at, width) : read_modern(at, width)) & all_ones(width);
}

void VirtioPci::write(RegionId region, u64 offset, unsigned width, u64 value) {
  if (bus_mastering_) return;
  const auto at = static_cast<u32>(offset);
  const auto dword = static_cast<u32>(value & all_ones(width));
  if (region == kMsixRegion)
    msix_->write(at, width, dword);
  else if (region == kLegacyRegion)
    write_legacy(at, width, dword);
  else
    write_modern(at, width, dword);
}

u32 VirtioPci::read_config(u32 offset, unsigned width) const {
  std::array<u8, kModernPartBytes> bytes;
  const std::span<u8> config = std::span(bytes).first(config_bytes_);
  std::fill(config.begin(), config.end(), u8{0});
  fill_config(config);
  u32 value = 0;
  for (unsigned i = 0; i < width && offset + i < config_bytes_; i++) value |= u32{config[offset + i]} << (i * 8);
  return value;
}

void VirtioPci::write_config(u32 offset, unsigned width, u32 value) {
  if (offset + width > config_bytes_) return;
  std::array<u8, 4> bytes{};
  for (unsigned i = 0; i < width; i++) bytes[i] = static_cast<u8>(value >> (i * 8));
  config_bytes_written(offset, std::span(bytes).first(width));
}

}  // namespace relic86
