// Intel 82801I ICH9 (datasheet 316972, chapter 17), Enhanced Host Controller Interface Specification 1.0, chapter 2
//
//   configuration
//   00h  4  R    8086h, 293Ah;  class 0C0320h, INTD#
//   10h  4  RW   USBBASE: 4 KiB
//   60h  1  R    SBRN 20h: USB 2.0;  61h 1 RW FLADJ, 62h 2 RW PORTWAKECAP: kept only
//
//   registers
//   00h  1  R    CAPLENGTH 20h;  02h 2 R HCIVERSION 0100h
//   04h  4  R    HCSPARAMS: 15:12 N_CC, 11:8 N_PCC (2), 3:0 N_PORTS;  08h 4 R HCCPARAMS: no 64 bits, lists of one length
//   20h  4  RW   USBCMD: 23:16 interrupt threshold, 6 doorbell, 5 async, 4 periodic, 1 HCRESET, 0 RS
//   24h  4  RWC  USBSTS: R 15 async, 14 periodic, 12 halted; 5 async advance, 4 system error, 3 rollover, 2 port change,
//                1 error, 0 USBINT
//   28h  4  RW   USBINTR: 5:0
//   2Ch  4  RW   FRINDEX: 13:0, while halted;  34h 4 RW PERIODICLISTBASE: 31:12;  38h 4 RW ASYNCLISTADDR: 31:5
//   60h  4  RW   CONFIGFLAG: 0
//   64h +4 a port  PORTSC: 22:20 wake and 19:16 test (kept only), 13 owner, 12 R power (1), 11:10 R lines, 8 reset,
//                7 suspend, 6 resume, 3 RWC enable changed, 2 enabled, 1 RWC connect changed, 0 R connected
//
// Devices here are of USB 1.1. After the reset of its port such a device does not chirp, so the port is not enabled and
// the driver gives it to the companion (4.2): nothing is ever addressed by the schedules, which therefore are not read.
#include "devices/usb/ich9_ehci.h"

#include <algorithm>
#include <string>

#include "base/assert.h"

namespace relic86 {

namespace {

constexpr unsigned kBar = 0;
constexpr u32 kRegisterBytes = 4096;
constexpr u8 kSerialBusRelease = 0x60, kFrameLength = 0x61, kPortWake = 0x62;
constexpr u32 kOperational = 0x20, kVersion = 0x0100, kStructureAt = 0x04;
enum Operational : u32 {
  kCommand = 0x00,
  kStatus = 0x04,
  kInterruptEnable = 0x08,
  kFrameIndex = 0x0C,
  kPeriodicList = 0x14,
  kAsyncList = 0x18,
  kConfigFlag = 0x40,
  kFirstPort = 0x44
};
constexpr u32 kRun = 1, kHostReset = 2, kPeriodicOn = 1u << 4, kAsyncOn = 1u << 5, kDoorbell = 1u << 6,
              kThreshold = 0xFFu << 16, kDefaultThreshold = 8u << 16,
              kCommandBits = kRun | kPeriodicOn | kAsyncOn | kThreshold;
constexpr u32 kPortChanged = 1u << 2, kRollover = 1u << 3, kAsyncAdvance = 1u << 5, kStatusClears = 0x3F,
              kHalted = 1u << 12, kPeriodicRuns = 1u << 14, kAsyncRuns = 1u << 15;
constexpr u32 kInterruptBits = 0x3F, kFrameIndexBits = 0x3FFF, kPeriodicListBits = 0xFFFFF000u,
              kAsyncListBits = 0xFFFFFFE0u;
constexpr u32 kConnected = 1, kConnectChanged = 2, kReset = 1u << 8, kLineJ = 2u << 10, kPower = 1u << 12,
              kOwner = 1u << 13, kKept = 7u << 20 | 0xFu << 16;
constexpr GuestTime kMicroFrame = 125'000;
// The periodic list has 1024 frames of eight micro-frames; the counter is twice as long.
constexpr u32 kListMicroFrames = 1024 * 8;

PciIdentity ehci_identity() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x293A;
  identity.revision = 3;
  identity.class_code = 0x0C0320;
  identity.interrupt_pin = 4;
  return identity;
}

}  // namespace

Ich9Ehci::Ich9Ehci(std::span<Piix3Uhci* const> companions)
    : PciDevice(ehci_identity()), companions_(companions.begin(), companions.end()) {
  RELIC86_ASSERT(port_count() > 0 && port_count() <= kMostPorts);
  declare(kPciStatus, 2, 0x0280, 0, 0xF900);
  declare(kSerialBusRelease, 1, 0x20, 0);
  declare(kFrameLength, 1, 0x20, 0x3F);
  declare(kPortWake, 2, 0x007F, 0x007F);
  declare_memory_bar(kBar, kRegisterBytes, 0, 4);
  for (Piix3Uhci* companion : companions_) companion->set_owner(this);
}

Result<> Ich9Ehci::attach_function(Attachment& board) {
  scheduler_ = &board.scheduler();
  rollover_timer_ = board.timer(*this, "rollover", 0);
  return {};
}

void Ich9Ehci::reset_function(ResetKind) { reset_controller(); }

void Ich9Ehci::reset_controller() {
  command_ = kDefaultThreshold;
  status_ = interrupts_ = periodic_list_ = async_list_ = 0;
  counted_ = 0;
  ports_.fill(0);
  route(false);
  watch_rollover();
  update_interrupt();
}

void Ich9Ehci::state_function(StateArchive& archive) {
  archive.field("command", command_);
  archive.field("status", status_);
  archive.field("interrupts", interrupts_);
  archive.field("periodic_list", periodic_list_);
  archive.field("async_list", async_list_);
  archive.field("configured", configured_);
  archive.field("counted", counted_);
  archive.field("counted_since", counted_since_);
  for (unsigned port = 0; port < port_count(); port++) archive.field("port" + std::to_string(port), ports_[port]);
  if (!archive.loading()) return;
  command_ &= kCommandBits;
  status_ &= kStatusClears;
  interrupts_ &= kInterruptBits;
  periodic_list_ &= kPeriodicListBits;
  async_list_ &= kAsyncListBits;
  counted_ &= kFrameIndexBits;
  counted_since_ = std::clamp<GuestTime>(counted_since_, 0, scheduler_->now());
  for (u32& port : ports_) port &= kConnectChanged | kReset | kKept;
  // The companions, which are loaded before, know whose each port is; without CONFIGFLAG all are theirs.
  for (unsigned port = 0; !configured_ && port < port_count(); port++)
    companion_of(port).route(port % Piix3Uhci::kPorts, true);
  update_interrupt();
}

// --- Ports: a device is seen here or by the companion ---

void Ich9Ehci::route(bool here) {
  configured_ = here;
  for (unsigned port = 0; port < port_count(); port++) give(port, here);
}

bool Ich9Ehci::has(unsigned port) const { return !companion_of(port).has(port % Piix3Uhci::kPorts); }

void Ich9Ehci::give(unsigned port, bool here) {
  const bool was_here = has(port);
  ports_[port] &= ~kReset;
  companion_of(port).route(port % Piix3Uhci::kPorts, !here);
  if (here != was_here && device_at(port) != nullptr) note_change(port);
}

void Ich9Ehci::note_change(unsigned port) {
  if (!has(port)) return;
  ports_[port] |= kConnectChanged;
  status_ |= kPortChanged;
  update_interrupt();
}

// A port that its device has left comes back from the companion (4.2.2).
void Ich9Ehci::device_came_or_went(const Piix3Uhci& companion, unsigned port) {
  const auto at = std::find(companions_.begin(), companions_.end(), &companion);
  const unsigned number = static_cast<unsigned>(at - companions_.begin()) * Piix3Uhci::kPorts + port;
  if (has(number)) {
    ports_[number] &= ~kReset;
    note_change(number);
  } else if (configured_ && device_at(number) == nullptr) {
    give(number, true);
  }
}

u32 Ich9Ehci::read_port(unsigned port) const {
  const u32 value = ports_[port] | kPower | (has(port) ? 0 : kOwner);
  if (!has(port) || device_at(port) == nullptr) return value;
  return value | kConnected | ((value & kReset) == 0 ? kLineJ : 0);
}

void Ich9Ehci::write_port(unsigned port, u32 value, u32 written) {
  u32& status = ports_[port];
  status &= ~(value & written & kConnectChanged);
  const u32 changing = written & (kReset | kKept);
  const bool resets = (value & changing & kReset) != 0 && (status & kReset) == 0;
  status = (status & ~changing) | (value & changing);
  if (resets && has(port) && device_at(port) != nullptr) device_at(port)->bus_reset();
  const bool wanted = (value & kOwner) == 0;
  if (configured_ && (written & kOwner) != 0 && wanted != has(port)) give(port, wanted);
}

// --- Registers ---

u32 Ich9Ehci::read_register(u32 offset) const {
  if (offset >= kOperational) return read_operational(offset - kOperational);
  switch (offset) {
    case 0: return kVersion << 16 | kOperational;
    case kStructureAt: return static_cast<u32>(companions_.size()) << 12 | Piix3Uhci::kPorts << 8 | port_count();
    default: return 0;
  }
}

u32 Ich9Ehci::read_operational(u32 offset) const {
  switch (offset) {
    case kCommand: return command_;
    case kStatus: return status();
    case kInterruptEnable: return interrupts_;
    case kFrameIndex: return micro_frame();
    case kPeriodicList: return periodic_list_;
    case kAsyncList: return async_list_;
    case kConfigFlag: return configured_ ? 1 : 0;
    default: break;
  }
  const u32 port = (offset - kFirstPort) / 4;
  return offset >= kFirstPort && port < port_count() ? read_port(port) : 0;
}

u64 Ich9Ehci::read(RegionId, u64 offset, unsigned width) {
  const u32 at = static_cast<u32>(offset) & ~3u;
  return read_register(at) >> (offset % 4 * 8) & all_ones(width);
}

void Ich9Ehci::write(RegionId, u64 offset, unsigned width, u64 value) {
  const u32 at = static_cast<u32>(offset) & ~3u;
  const unsigned shift = static_cast<unsigned>(offset % 4) * 8;
  if (at < kOperational) return;
  write_operational(at - kOperational, static_cast<u32>(value << shift), static_cast<u32>(all_ones(width) << shift));
}

void Ich9Ehci::write_operational(u32 offset, u32 value, u32 written) {
  value &= written;
  const auto merge = [&](u32 old) { return (old & ~written) | value; };
  switch (offset) {
    case kCommand: return write_command(merge(command_));
    case kStatus: status_ &= ~(value & kStatusClears); return update_interrupt();
    case kInterruptEnable:
      interrupts_ = merge(interrupts_) & kInterruptBits;
      watch_rollover();
      return update_interrupt();
    case kFrameIndex:
      if (!running()) counted_ = merge(counted_) & kFrameIndexBits;
      return;
    case kPeriodicList: periodic_list_ = merge(periodic_list_) & kPeriodicListBits; return;
    case kAsyncList: async_list_ = merge(async_list_) & kAsyncListBits; return;
    case kConfigFlag:
      if ((written & 1) != 0 && (value & 1) != (configured_ ? 1u : 0u)) route((value & 1) != 0);
      return;
    default: break;
  }
  const u32 port = (offset - kFirstPort) / 4;
  if (offset >= kFirstPort && port < port_count()) write_port(port, value, written);
}

void Ich9Ehci::write_command(u32 value) {
  if ((value & kHostReset) != 0) return reset_controller();
  const u32 counted = micro_frame();
  const bool was_running = running();
  command_ = value & kCommandBits;
  if (running() != was_running) count_from(counted);
  watch_rollover();
  // Nothing of the asynchronous list is ever kept, so that whatever the driver has taken out of it is unused at once.
  if ((value & kDoorbell) != 0 && running() && (command_ & kAsyncOn) != 0) {
    status_ |= kAsyncAdvance;
    update_interrupt();
  }
}

// --- Time and interrupts ---

bool Ich9Ehci::running() const { return (command_ & kRun) != 0; }

u32 Ich9Ehci::status() const {
  if (!running()) return status_ | kHalted;
  return status_ | ((command_ & kPeriodicOn) != 0 ? kPeriodicRuns : 0) | ((command_ & kAsyncOn) != 0 ? kAsyncRuns : 0);
}

u64 Ich9Ehci::micro_frames_passed() const {
  return running() ? static_cast<u64>((scheduler_->now() - counted_since_) / kMicroFrame) : 0;
}

u32 Ich9Ehci::micro_frame() const { return static_cast<u32>(counted_ + micro_frames_passed()) & kFrameIndexBits; }

void Ich9Ehci::count_from(u32 micro_frame) {
  counted_ = micro_frame;
  counted_since_ = scheduler_->now();
}

// The end of the list is looked for only while somebody wants to be told.
void Ich9Ehci::watch_rollover() {
  if (!running() || (interrupts_ & kRollover) == 0) return scheduler_->cancel(rollover_timer_);
  if (scheduler_->deadline(rollover_timer_) != Scheduler::kNever) return;
  const u64 end = micro_frames_passed() + kListMicroFrames - micro_frame() % kListMicroFrames;
  scheduler_->schedule_at(rollover_timer_, counted_since_ + static_cast<GuestTime>(end) * kMicroFrame);
}

void Ich9Ehci::event(u32, GuestTime) {
  status_ |= kRollover;
  watch_rollover();
  update_interrupt();
}

void Ich9Ehci::update_interrupt() { set_interrupt((status_ & interrupts_) != 0); }

}  // namespace relic86
