// eXtensible Host Controller Interface for USB, revision 1.0
//
//   configuration
//   00h  4  R    1B36h, 000Dh;  class 0C0330h, INTA#
//   10h  8  RW   16 KiB of registers;  18h 4 RW MSI-X table and pending bits
//   60h  1  R    SBRN 30h: USB 3.0
//   90h          MSI-X, one vector
//
//   registers (chapter 5; doublewords)
//   0000h  R    CAPLENGTH 40h, HCIVERSION 0100h;  04h HCSPARAMS1: 64 slots, 1 interrupter, ports;  08h HCSPARAMS2
//   0010h  R    HCCPARAMS1: 64-bit addresses, contexts of 32 bytes;  14h DBOFF, 18h RTSOFF
//   0020h  R    supported protocols: USB 2, then USB 3, whose ports follow those of USB 2
//   0040h  RW   USBCMD: 2 INTE, 1 HCRST, 0 R/S;  44h RWC USBSTS: 4 port change, 3 event interrupt, 0 R halted
//   0048h  R    PAGESIZE;  54h RW DNCTRL (kept only);  58h CRCR;  70h DCBAAP;  78h CONFIG
//   0440h  RW   PORTSC: 31:25 wake (kept only), 23:17 RWC changes, 16 with 8:5 link state, 13:10 R speed, 9 R power, 4
//               reset, 1 RWC enabled, 0 R connected; +10h a port
//   1000h  R    MFINDEX;  1020h IMAN, 1024h IMOD (kept only), 1028h ERSTSZ, 1030h ERSTBA, 1038h ERDP
//   2000h  W    doorbells: +4 a slot
//
// There is one bus with the time of 12 Mb/s. Not there: streams, isochronous transfers, bandwidth, saved state (CSS).
#include "devices/usb/xhci.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/assert.h"
#include "devices/bus_mastering.h"

namespace relic86 {

using namespace xhci;

namespace {

constexpr unsigned kBar = 0, kMsixBar = 2;
enum Region : RegionId { kRegisters, kMsixRegion };
constexpr u8 kCapabilitiesPointer = 0x34, kSerialBusRelease = 0x60, kMsixCapability = 0x90;
constexpr u16 kStatusCapabilities = 0x0010, kStatusClearsOnes = 0xF900;
constexpr unsigned kVectors = 1;
constexpr u32 kVersion = 0x0100;
constexpr u32 kIsochronousThreshold = 0xF;  // HCSPARAMS2: frames, not used
constexpr u32 kAddresses64 = 1;
constexpr u32 kUsbName = 0x20425355;  // "USB "
constexpr GuestTime kMicroFrame = 125'000;

PciIdentity xhci_identity() {
  PciIdentity identity;
  identity.vendor = 0x1B36;
  identity.device = 0x000D;
  identity.revision = 1;
  identity.class_code = 0x0C0330;
  identity.interrupt_pin = 1;
  return identity;
}

void put_low(u64& number, u32 value) { number = (number & ~u64{0xFFFFFFFF}) | value; }
void put_high(u64& number, u32 value) { number = (number & 0xFFFFFFFF) | u64{value} << 32; }

}  // namespace

Xhci::Xhci(PortCounts ports, MsixTable::Send messages)
    : PciDevice(xhci_identity()), counts_(ports), msix_capability_(kMsixCapability, 0, kMsixBar, kVectors) {
  RELIC86_ASSERT(ports.usb2 > 0 && ports.usb2 <= kMostPorts && ports.usb3 <= kMostPorts);
  declare(kPciStatus, 2, 0, 0, kStatusClearsOnes);
  declare(kSerialBusRelease, 1, 0x30, 0);
  declare_wide_memory_bar(kBar, kRegisterBytes, kRegisters, 4);
  if (messages) declare_msix(std::move(messages));
}

void Xhci::declare_msix(MsixTable::Send sink) {
  msix_.emplace(kVectors, [this, sink = std::move(sink)](u64 address, u32 data) {
    if (!bus_master_enabled()) return;
    const BusMastering moving(moves_);
    sink(address, data);
  });
  declare_memory_bar(kMsixBar, MsixTable::kBarBytes, kMsixRegion, 4);
  declare(kPciStatus, 2, kStatusCapabilities, 0, kStatusClearsOnes);
  declare(kCapabilitiesPointer, 1, kMsixCapability, 0);
  declare(msix_capability_.rows());
}

Result<> Xhci::attach_function(Attachment& board) {
  scheduler_ = &board.scheduler();
  memory_ = &board.memory();
  work_timer_ = board.timer(*this, "work", 0);
  return {};
}

void Xhci::config_written(unsigned offset, unsigned width) {
  if (!msix_ || !msix_capability_.is_control(offset, width)) return;
  msix_->set_control(msix_capability_.control(*this));
  drive_pin();
}

void Xhci::reset_function(ResetKind) {
  if (msix_) msix_->reset();
  reset_controller();
}

void Xhci::reset_controller() {
  command_ = notifications_ = configured_slots_ = 0;
  status_ = kHalted;
  context_array_ = 0;
  commands_ = {};
  commands_run_ = false;
  management_ = moderation_ = segment_count_ = 0;
  segment_table_ = event_dequeue_ = event_ring_ = 0;
  event_ring_size_ = event_index_ = 0;
  event_cycle_ = false;
  bus_busy_until_ = 0;
  slots_.fill({});
  for (unsigned i = 0; i < all_ports(); i++) connect(ports_[i]);
  scheduler_->cancel(work_timer_);
  drive_pin();
}

void Xhci::state_function(StateArchive& archive) {
  archive.field("command", command_);
  archive.field("status", status_);
  archive.field("notifications", notifications_);
  archive.field("configured_slots", configured_slots_);
  archive.field("context_array", context_array_);
  archive.field("commands", commands_.dequeue);
  archive.field("commands_cycle", commands_.cycle);
  archive.field("commands_run", commands_run_);
  archive.field("management", management_);
  archive.field("moderation", moderation_);
  archive.field("segment_count", segment_count_);
  archive.field("segment_table", segment_table_);
  archive.field("event_dequeue", event_dequeue_);
  archive.field("event_ring", event_ring_);
  archive.field("event_ring_size", event_ring_size_);
  archive.field("event_index", event_index_);
  archive.field("event_cycle", event_cycle_);
  archive.field("bus_busy_until", bus_busy_until_);
  if (msix_) archive.group("msix", [&] { msix_->state(archive, msix_capability_.control(*this)); });
  for (unsigned i = 0; i < all_ports(); i++) {
    Port& port = ports_[i];
    archive.group("port" + std::to_string(i + 1), [&] {
      archive.field("status", port.status);
      archive.field("told", port.told);
      if (port.device) archive.group("device", [&] { port.device->state(archive); });
    });
  }
  for (unsigned i = 0; i < kMostSlots; i++)
    archive.group("slot" + std::to_string(i + 1), [&] { state_slot(archive, slots_[i], all_ports()); });
  if (!archive.loading()) return;
  command_ &= kCommandBits;
  status_ &= kStatusClears | kHalted;
  configured_slots_ &= kSlotsBits;
  event_index_ = event_ring_size_ == 0 ? 0 : event_index_ % event_ring_size_;
  for (unsigned i = 0; i < all_ports(); i++) {
    u32& status = ports_[i].status;
    status &= kConnected | kPortEnabled | kPower | kLinkBits | kSpeedBits | kPortChanges | kPortKept;
    if (!ports_[i].device) status &= ~(kConnected | kPortEnabled | kSpeedBits);
  }
  drive_pin();
}

void Xhci::state_slot(StateArchive& archive, Slot& slot, unsigned ports) {
  archive.field("enabled", slot.enabled);
  if (!slot.enabled) {
    if (archive.loading()) slot = {};
    return;
  }
  archive.field("addressed", slot.addressed);
  archive.field("port", slot.port);
  if (slot.port > ports) slot.port = 0;
  for (unsigned i = 1; i < kEndpoints; i++) {
    archive.group("endpoint" + std::to_string(i), [&] {
      Endpoint& endpoint = slot.endpoints[i];
      archive.field("state", endpoint.state);
      if (endpoint.state == kDisabled) return;
      archive.field("type", endpoint.type);
      archive.field("interval", endpoint.interval);
      archive.field("packet", endpoint.packet);
      archive.field("dequeue", endpoint.ring.dequeue);
      archive.field("cycle", endpoint.ring.cycle);
      archive.field("armed", endpoint.armed);
      archive.field("moved", endpoint.moved);
      archive.field("next", endpoint.next);
      if (endpoint.state > kStopped) endpoint.state = kStopped;
      endpoint.type &= 7;
      endpoint.interval = std::min(endpoint.interval, kLongestInterval);
      endpoint.packet = std::clamp<u16>(endpoint.packet, 1, kMostPacket);
    });
  }
}

// --- Registers: doublewords; what is narrower is a part of one ---

u64 Xhci::read(RegionId region, u64 offset, unsigned width) {
  if (moves_) return all_ones(width);
  const u32 at = static_cast<u32>(offset);
  if (region == kMsixRegion) return msix_->read(at, width);
  return read_register(at & ~3u) >> (at % 4 * 8) & all_ones(width);
}

void Xhci::write(RegionId region, u64 offset, unsigned width, u64 value) {
  if (moves_) return;
  const u32 at = static_cast<u32>(offset);
  if (region == kMsixRegion) return msix_->write(at, width, static_cast<u32>(value));
  // Only the capability registers may be read in bytes and words (5.1); writes are whole.
  if (width == 4 && at % 4 == 0) write_register(at, static_cast<u32>(value));
}

u32 Xhci::read_register(u32 offset) const {
  if (offset < kOperational) return read_capability(offset);
  if (offset < kRuntime) return read_operational(offset - kOperational);
  return offset < kDoorbells ? read_runtime(offset - kRuntime) : 0;
}

u32 Xhci::read_capability(u32 offset) const {
  constexpr u32 kHeadBytes = 16;
  const auto protocol = [](u32 at, u32 revision, u32 next, u32 count, u32 first) -> u32 {
    switch (at) {
      case 0: return 2 | next << 8 | revision << 24;
      case 4: return kUsbName;
      case 8: return first | count << 8;
      default: return 0;
    }
  };
  if (offset >= kUsb3Protocol) return protocol(offset - kUsb3Protocol, 3, 0, counts_.usb3, counts_.usb2 + 1);
  if (offset >= kUsb2Protocol)
    return protocol(offset - kUsb2Protocol, 2, counts_.usb3 == 0 ? 0 : kHeadBytes / 4, counts_.usb2, 1);
  switch (offset) {
    case 0x00: return kOperational | kVersion << 16;
    case 0x04: return kMostSlots | 1u << 8 | all_ports() << 24;
    case 0x08: return kIsochronousThreshold;
    case 0x10: return kAddresses64 | kUsb2Protocol / 4 << 16;
    case 0x14: return kDoorbells;
    case 0x18: return kRuntime;
    default: return 0;
  }
}

u32 Xhci::read_operational(u32 offset) const {
  switch (offset) {
    case kCommand: return command_;
    case kStatus: return status_;
    case kPageSizes: return 1;  // of 4 KiB
    case kNotificationControl: return notifications_;
    case kCommandRing: return commands_run_ ? kRingRunning : 0;  // the rest reads 0
    case kContextArray: return static_cast<u32>(context_array_);
    case kContextArray + 4: return static_cast<u32>(context_array_ >> 32);
    case kConfigure: return configured_slots_;
    default: break;
  }
  const u32 port = (offset - kPortRegisters) / kPortBytes;
  const bool is_status = offset >= kPortRegisters && (offset - kPortRegisters) % kPortBytes == 0;
  return is_status && port < all_ports() ? ports_[port].status : 0;
}

u32 Xhci::read_runtime(u32 offset) const {
  constexpr u32 kIndexBits = 0x3FFF;
  switch (offset) {
    case kMicroFrameIndex: return running() ? static_cast<u32>(scheduler_->now() / kMicroFrame) & kIndexBits : 0;
    case kManagement: return management_;
    case kModeration: return moderation_;
    case kSegmentTableSize: return segment_count_;
    case kSegmentTable: return static_cast<u32>(segment_table_);
    case kSegmentTable + 4: return static_cast<u32>(segment_table_ >> 32);
    case kEventDequeue: return static_cast<u32>(event_dequeue_);
    case kEventDequeue + 4: return static_cast<u32>(event_dequeue_ >> 32);
    default: return 0;
  }
}

void Xhci::write_register(u32 offset, u32 value) {
  if (offset < kOperational) return;
  if (offset < kRuntime) return write_operational(offset - kOperational, value);
  if (offset < kDoorbells) return write_runtime(offset - kRuntime, value);
  ring_doorbell((offset - kDoorbells) / 4, value & 0xFF);
}

void Xhci::write_operational(u32 offset, u32 value) {
  switch (offset) {
    case kCommand: return write_command(value);
    case kStatus: status_ &= ~(value & kStatusClears); return drive_pin();
    case kNotificationControl: notifications_ = value & 0xFFFF; return;
    case kCommandRing: return write_command_ring(value);
    case kCommandRing + 4:
      if (!commands_run_) put_high(commands_.dequeue, value);
      return;
    case kContextArray: return put_low(context_array_, value & ~0x3Fu);
    case kContextArray + 4: return put_high(context_array_, value);
    case kConfigure: configured_slots_ = value & kSlotsBits; return;
    default: break;
  }
  const u32 port = (offset - kPortRegisters) / kPortBytes;
  const bool is_status = offset >= kPortRegisters && (offset - kPortRegisters) % kPortBytes == 0;
  if (is_status && port < all_ports()) write_port(ports_[port], value);
}

void Xhci::write_command(u32 value) {
  if ((value & kHostReset) != 0) return reset_controller();
  command_ = value & kCommandBits;
  if (running()) {
    status_ &= ~kHalted;
    tell_of_ports();
  } else {
    status_ |= kHalted;
    commands_run_ = false;
  }
  drive_pin();
  plan();
}

void Xhci::write_command_ring(u32 value) {
  if (!commands_run_) {
    put_low(commands_.dequeue, value & ~0x3Fu);
    commands_.cycle = (value & kRingCycle) != 0;
    return;
  }
  if ((value & (kRingStop | kRingAbort)) == 0) return;
  // Every command is over when its doorbell has been rung: there is none to be stopped.
  commands_run_ = false;
  post({commands_.dequeue, static_cast<u32>(Code::RingStopped) << 24, static_cast<u32>(BlockType::CommandEvent) << 10});
}

void Xhci::write_runtime(u32 offset, u32 value) {
  switch (offset) {
    case kManagement: management_ = (management_ & kPending & ~value) | (value & kEnabledInterrupt); return drive_pin();
    case kModeration: moderation_ = value; return;
    case kSegmentTableSize: segment_count_ = value & 0xFFFF; return;
    case kSegmentTable: return put_low(segment_table_, value & ~0x3Fu);
    case kSegmentTable + 4: put_high(segment_table_, value); return find_event_ring();
    case kEventDequeue:
      put_low(event_dequeue_, (value & ~kHandlerBusy) | (event_dequeue_ & ~value & kHandlerBusy));
      return event_dequeue_written();
    case kEventDequeue + 4: return put_high(event_dequeue_, value);
    default: return;
  }
}

void Xhci::ring_doorbell(u32 slot, u32 target) {
  if (!running() || slot > kMostSlots) return;
  if (slot == 0) {
    if (target != 0) return;
    commands_run_ = true;
    return run_commands();
  }
  if (target == 0 || target >= kEndpoints) return;
  Endpoint& endpoint = slots_[slot - 1].endpoints[target];
  if (!slots_[slot - 1].enabled || (endpoint.state != kRunning && endpoint.state != kStopped)) return;
  if (endpoint.state == kStopped) {
    endpoint.state = kRunning;
    show_endpoint(slot, target);
  }
  if (!endpoint.armed) endpoint.next = std::max(endpoint.next, scheduler_->now() + kMicroFrame);
  endpoint.armed = true;
  plan();
}

// --- Ports ---

void Xhci::plug(unsigned port, std::unique_ptr<UsbDevice> device) {
  RELIC86_ASSERT(port < counts_.usb2 && ports_[port].device == nullptr);
  device->set_host(this);
  ports_[port].device = std::move(device);
  connect(ports_[port]);
}

void Xhci::unplug(unsigned port) {
  RELIC86_ASSERT(port < counts_.usb2 && ports_[port].device != nullptr);
  ports_[port].device.reset();
  ports_[port].status &= kPortChanges | kPortKept;
  ports_[port].status |= kPower | kLinkDetects << kLinkAt;
  change(ports_[port], kConnectChanged);
}

// The driver is to see the device come, and to reset the port, which enables it.
void Xhci::connect(Port& port) {
  port.status = kPower | kLinkDetects << kLinkAt;
  port.told = true;
  if (port.device == nullptr) return;
  port.device->bus_reset();
  port.status = kPower | kConnected | kLinkPolls << kLinkAt | kFullSpeed << kSpeedAt;
  change(port, kConnectChanged);
}

// One event tells that the first of several changes has come (4.19.2).
void Xhci::change(Port& port, u32 bits) {
  if ((port.status & kPortChanges) == 0) port.told = false;
  port.status |= bits;
  tell_of_ports();
}

void Xhci::tell_of_ports() {
  for (unsigned i = 0; i < all_ports() && running() && event_room() != 0; i++) {
    if (std::exchange(ports_[i].told, true)) continue;
    status_ |= kPortChange;
    post({u64{i + 1} << 24, static_cast<u32>(Code::Success) << 24, static_cast<u32>(BlockType::PortEvent) << 10});
  }
}

void Xhci::write_port(Port& port, u32 value) {
  port.status &= ~(value & kPortChanges);
  port.status = (port.status & ~kPortKept) | (value & kPortKept);
  if (port.device == nullptr) return;
  if ((value & kPortReset) != 0) {
    port.device->bus_reset();
    port.status = (port.status & ~kLinkBits) | kPortEnabled | kLinkOn << kLinkAt;
    return change(port, kResetChanged);
  }
  if ((value & kPortEnabled) != 0 && (port.status & kPortEnabled) != 0)
    port.status = (port.status & ~(kPortEnabled | kLinkBits)) | kLinkPolls << kLinkAt;
  if ((value & kLinkWrite) != 0 && (port.status & kPortEnabled) != 0) set_link(port, (value & kLinkBits) >> kLinkAt);
}

// The end of a resume is told of (4.15.2).
void Xhci::set_link(Port& port, u32 link) {
  const u32 before = (port.status & kLinkBits) >> kLinkAt;
  if (link != kLinkOn && link != kLinkSuspended && link != kLinkResumes) return;
  port.status = (port.status & ~kLinkBits) | link << kLinkAt;
  if (link == kLinkOn && before != kLinkOn) change(port, kLinkChanged);
}

GuestTime Xhci::usb_time() const { return scheduler_ == nullptr ? 0 : scheduler_->now(); }

void Xhci::usb_wake(UsbDevice& device) {
  for (Port& port : ports_) {
    if (port.device.get() != &device || (port.status & kLinkBits) != kLinkSuspended << kLinkAt) continue;
    port.status = (port.status & ~kLinkBits) | kLinkResumes << kLinkAt;
    change(port, kLinkChanged);
  }
}

}  // namespace relic86
