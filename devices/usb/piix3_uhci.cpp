// Intel 82371SB PIIX3 (datasheet 290550), function 2; Universal Host Controller Interface Design Guide 1.1
//
//   configuration
//   00h  4  R    8086h, 7020h;  class 0C0300h, INTD#
//   04h  2  RW   command: 0 I/O space, 2 bus master
//   20h  4  RW   USBBA: 32 ports
//   60h  1  R    SBRNUM 10h: USB 1.0
//   C0h  2  RW   LEGSUP: 13 USBPIRQDEN lets the interrupt out; 15, 11:8 RWC and the rest are kept only, for there is no
//                keyboard emulation
//
//   port  width  R/W  bits (UHCI 1.1, chapter 2)
//   00h   2      RW   USBCMD: 7 MAXP, 6 CF, 5 SWDBG (kept only), 4 FGR, 3 EGSM, 2 GRESET, 1 HCRESET, 0 RS
//   02h   2      RWC  USBSTS: 5 halted, 4 process error, 3 host system error, 2 resume detect, 1 error, 0 USBINT
//   04h   2      RW   USBINTR: 3 short packet, 2 IOC, 1 resume, 0 timeout and CRC
//   06h   2      RW   FRNUM: 10:0, while stopped
//   08h   4      RW   FLBASEADD: 31:12
//   0Ch   1      RW   SOFMOD
//   10h, 12h  2  RW   PORTSC: 12 suspend, 9 reset, 8 R low speed, 7 R one, 6 resume detect, 5:4 R lines, 3 RWC enable
//                     changed, 2 enabled, 1 RWC connect changed, 0 R connected
#include "devices/usb/piix3_uhci.h"

#include <string>
#include <utility>

#include "base/assert.h"
#include "devices/usb/uhci_registers.h"

namespace relic86 {

using namespace uhci;

namespace {
struct ModelRow {
  std::string_view name;
  u16 device;
  u8 revision, interrupt_pin;
  bool multifunction = false;
};
constexpr ModelRow kModels[] = {
    {"piix3_uhci", 0x7020, 1, 4}, {"piix3_uhci", 0x2934, 3, 1}, {"ich9_uhci1", 0x2934, 3, 1, true},
    {"ich9_uhci2", 0x2935, 3, 2}, {"ich9_uhci3", 0x2936, 3, 3},
};

const ModelRow& row_of(Piix3Uhci::Model model) { return kModels[static_cast<std::size_t>(model)]; }

PciIdentity uhci_identity(Piix3Uhci::Model model) {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = row_of(model).device;
  identity.revision = row_of(model).revision;
  identity.class_code = 0x0C0300;
  identity.interrupt_pin = row_of(model).interrupt_pin;
  identity.multifunction = row_of(model).multifunction;
  return identity;
}
}  // namespace

Piix3Uhci::Piix3Uhci(Model model) : PciDevice(uhci_identity(model)), model_(model) {
  declare(kPciCommand, 2, 0, 0x0005);
  declare(kPciStatus, 2, 0x0280, 0, 0x3800);
  declare(kSerialBusRelease, 1, 0x10, 0);
  declare(kLegacySupport, 2, kInterruptOut, 0x20BF, 0x8F00);
  declare_io_bar(kBar, kPortCount, 0, 4);
}

std::string_view Piix3Uhci::name() const { return row_of(model_).name; }

void Piix3Uhci::plug(unsigned port, std::unique_ptr<UsbDevice> device) {
  RELIC86_ASSERT(port < kPorts && ports_[port].device == nullptr);
  device->set_host(this);
  ports_[port].device = std::move(device);
  if (owner_ != nullptr) owner_->device_came_or_went(*this, port);
  if (!ports_[port].here) return;
  connect(ports_[port]);
  notice_change();
}

void Piix3Uhci::unplug(unsigned port) {
  RELIC86_ASSERT(port < kPorts && ports_[port].device != nullptr);
  const bool was_here = ports_[port].here;
  ports_[port].device.reset();
  if (was_here) take_away(ports_[port]);
  if (owner_ != nullptr) owner_->device_came_or_went(*this, port);
}

void Piix3Uhci::take_away(Port& port) {
  const u16 disabled = (port.status & kEnabled) != 0 ? kEnableChanged : u16{0};
  port.status = kConnectChanged | disabled;
  notice_change();
}

void Piix3Uhci::route(unsigned port, bool here) {
  Port& routed = ports_[port];
  if (std::exchange(routed.here, here) == here || routed.device == nullptr) return;
  if (!here) return take_away(routed);
  connect(routed);
  notice_change();
}

// A device that comes or goes wakes a bus that sleeps (2.1.2, resume detect).
void Piix3Uhci::notice_change() {
  if ((command_ & kGlobalSuspend) == 0) return;
  status_ |= kResumeDetected;
  update_interrupt();
}

Result<> Piix3Uhci::attach_function(Attachment& board) {
  scheduler_ = &board.scheduler();
  memory_ = &board.memory();
  frame_timer_ = board.timer(*this, "frame", 0);
  return {};
}

void Piix3Uhci::reset_function(ResetKind) { reset_controller(); }

void Piix3Uhci::reset_controller() {
  command_ = interrupts_ = frame_ = 0;
  status_ = kHalted;
  list_ = 0;
  start_of_frame_ = kDefaultStartOfFrame;
  causes_ = 0;
  for (Port& port : ports_) connect(port);
  start_or_stop();
  update_interrupt();
}

// The port sees its device come: the driver is to reset and enable it.
void Piix3Uhci::connect(Port& port) {
  port.status = 0;
  if (!port.occupied()) return;
  port.status = kConnected | kConnectChanged;
  port.device->bus_reset();
}

void Piix3Uhci::state_function(StateArchive& archive) {
  archive.field("command", command_);
  archive.field("status", status_);
  archive.field("interrupts", interrupts_);
  archive.field("frame", frame_);
  archive.field("list", list_);
  archive.field("start_of_frame", start_of_frame_);
  archive.field("causes", causes_);
  for (unsigned i = 0; i < kPorts; i++) {
    Port& port = ports_[i];
    archive.group("port" + std::to_string(i), [&] {
      archive.field("status", port.status);
      if (owner_ != nullptr) archive.field("here", port.here);
      if (port.device) archive.group("device", [&] { port.device->state(archive); });
    });
    port.status &= kPortBits;
    port.status = static_cast<u16>(port.occupied() ? port.status | kConnected : port.status & ~(kConnected | kEnabled));
  }
  if (!archive.loading()) return;
  command_ &= kCommandBits & static_cast<u16>(~kHostReset);
  status_ &= kStatusBits;
  interrupts_ &= kInterruptBits;
  frame_ &= kFrameBits;
  list_ &= kListBits;
  causes_ &= kOnCompletion | kShortPacket;
  update_interrupt();
}

void Piix3Uhci::config_written(unsigned offset, unsigned width) {
  if (offset < kLegacySupport + 2u && offset + width > kLegacySupport) update_interrupt();
}

// --- Registers: words; a byte is a part of its word, a dword two of them ---

u16 Piix3Uhci::register_at(unsigned index) const {
  switch (index) {
    case kCommand: return command_;
    case kStatus: return status_;
    case kInterruptEnable: return interrupts_;
    case kFrameNumber: return frame_;
    case kListBase: return static_cast<u16>(list_);
    case kListBase + 2: return static_cast<u16>(list_ >> 16);
    case kStartOfFrame: return start_of_frame_;
    case kPort0:
    case kPort0 + 2: {
      const Port& port = ports_[(index - kPort0) / 2];
      const bool idle = port.occupied() && (port.status & kPortReset) == 0;
      return static_cast<u16>(port.status | kAlwaysOne | (idle ? kLinePlus : 0));
    }
    // What looks for more ports finds that bit 7 is not one.
    default: return index > kPort0 + 2 ? 0 : u16{0xFFFF};
  }
}

u64 Piix3Uhci::read(RegionId, u64 offset, unsigned width) {
  const unsigned index = static_cast<unsigned>(offset) & ~1u;
  const u64 value = register_at(index) | u64{register_at(index + 2)} << 16;
  return value >> (offset % 2 * 8) & all_ones(width);
}

void Piix3Uhci::write(RegionId, u64 offset, unsigned width, u64 value) {
  const unsigned index = static_cast<unsigned>(offset) & ~1u;
  const unsigned shift = static_cast<unsigned>(offset % 2) * 8;
  const u64 placed = value << shift, written = all_ones(width) << shift;
  for (unsigned i = 0; i < 2; i++) {
    const u16 part = static_cast<u16>(written >> (i * 16));
    if (part != 0) write_register(index + i * 2, static_cast<u16>(placed >> (i * 16)), part);
  }
}

// written: the bits that the access brings; the others stay as they are, and clear nothing.
void Piix3Uhci::write_register(unsigned index, u16 value, u16 written) {
  value &= written;
  const auto merge = [&](u16 old) { return static_cast<u16>((old & ~written) | value); };
  switch (index) {
    case kCommand: return write_command(merge(command_));
    case kStatus:
      status_ &= static_cast<u16>(~(value & kStatusClears));
      if ((value & kTransferDone) != 0) causes_ = 0;
      return update_interrupt();
    case kInterruptEnable: interrupts_ = merge(interrupts_) & kInterruptBits; return update_interrupt();
    case kFrameNumber:
      if (!running()) frame_ = merge(frame_) & kFrameBits;
      return;
    case kListBase: list_ = (list_ & 0xFFFF0000u) | (merge(static_cast<u16>(list_)) & kListBits); return;
    case kListBase + 2: list_ = (list_ & 0xFFFFu) | u32{merge(static_cast<u16>(list_ >> 16))} << 16; return;
    case kStartOfFrame: start_of_frame_ = static_cast<u8>(merge(start_of_frame_)) & kStartOfFrameBits; return;
    case kPort0:
    case kPort0 + 2: {
      Port& port = ports_[(index - kPort0) / 2];
      const u16 kept = port.status & static_cast<u16>(~kPortClears) & static_cast<u16>(~written);
      return write_port(port, static_cast<u16>(kept | value));
    }
    default: return;
  }
}

void Piix3Uhci::write_command(u16 value) {
  if ((value & kHostReset) != 0) return reset_controller();
  if ((value & kGlobalReset) != 0) {
    // Every device hears the reset, and the controller's registers are as after HCRESET (2.1.1).
    reset_controller();
    command_ = kGlobalReset;
    return;
  }
  command_ = value & kCommandBits;
  if ((command_ & kRun) != 0) status_ &= static_cast<u16>(~kHalted);
  start_or_stop();
}

void Piix3Uhci::write_port(Port& port, u16 value) {
  const bool resets = (value & kPortReset) != 0 && (port.status & kPortReset) == 0;
  const bool resumes = (value & kPortResume) == 0 && (port.status & kPortResume) != 0;
  port.status &= static_cast<u16>(~(value & kPortClears));
  port.status = static_cast<u16>((port.status & ~kPortWritable) | (value & kPortWritable));
  if (resets && port.occupied()) port.device->bus_reset();
  if (resumes) port.status &= static_cast<u16>(~kPortSuspend);
  if (!port.occupied() || (port.status & kPortReset) != 0) port.status &= static_cast<u16>(~kEnabled);
}

// --- Time and interrupts ---

GuestTime Piix3Uhci::usb_time() const { return scheduler_ == nullptr ? 0 : scheduler_->now(); }

bool Piix3Uhci::running() const { return (command_ & kRun) != 0; }

void Piix3Uhci::start_or_stop() {
  if (!running()) {
    status_ |= kHalted;
    return scheduler_->cancel(frame_timer_);
  }
  if (scheduler_->deadline(frame_timer_) == Scheduler::kNever) scheduler_->schedule_in(frame_timer_, kFrame);
}

// A controller that is far behind (its machine was stopped) leaves frames out: nothing on the bus has waited for them.
void Piix3Uhci::event(u32, GuestTime late) {
  if (!running()) return;
  constexpr GuestTime kMostBehind = 8 * kFrame;
  run_frame();
  const GuestTime skipped = late > kMostBehind ? late / kFrame : 0;
  frame_ = static_cast<u16>((frame_ + 1 + skipped) & kFrameBits);
  update_interrupt();
  if (!running()) return;
  scheduler_->schedule_at(frame_timer_, scheduler_->now() - late + (1 + skipped) * kFrame);
}

void Piix3Uhci::update_interrupt() {
  const bool wanted = ((causes_ & kOnCompletion) != 0 && (interrupts_ & kCompletionEnable) != 0) ||
                      ((causes_ & kShortPacket) != 0 && (interrupts_ & kShortEnable) != 0) ||
                      ((status_ & kTransferFailed) != 0 && (interrupts_ & kFailureEnable) != 0) ||
                      ((status_ & kResumeDetected) != 0 && (interrupts_ & kResumeEnable) != 0) ||
                      (status_ & (kSystemError | kProcessError)) != 0;
  set_interrupt(wanted && (config(kLegacySupport, 2) & kInterruptOut) != 0);
}

void Piix3Uhci::usb_wake(UsbDevice& device) {
  for (Port& port : ports_) {
    if (port.device.get() != &device || (port.status & kEnabled) == 0) continue;
    const bool bus_sleeps = (command_ & kGlobalSuspend) != 0;
    if (!bus_sleeps && (port.status & kPortSuspend) == 0) return;
    port.status |= kPortResume;
    status_ |= kResumeDetected;
    update_interrupt();
  }
}

}  // namespace relic86
