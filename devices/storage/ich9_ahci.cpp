// Intel ICH9 SATA controller (datasheet 316972, chapter 15; AHCI 1.3, chapters 2 and 3)
//
//   configuration
//   offset  width  R/W  bits
//   00h     4      R    8086h, 2922h;  class 010601h
//   20h     4      RW   LIDPBA: 32 ports, of which the index and data pair is at 10h and 14h
//   24h     4      RW   ABAR: 4 KiB
//   34h     1      R    A8h: the SATA capability alone; there are no messages
//   90h     1      RW   MAP 40h (AHCI), 92h 2 PCS: kept only
//
//   registers
//   00h     4      R    CAP: 31 S64A, 24 SCLO, 18 SAM, 23:20 ISS (1: 1.5 Gb/s), 12:8 NCS (32), 4:0 NP (6)
//   04h     4      RW   GHC: 31 AE (1), 1 IE, 0 HR: resets, and reads 0 again
//   08h     4      RWC  IS: a bit a port
//   0Ch     4      R    PI: all ports;  10h R VS: 1.3
//   100h +80h a port    devices/storage/ahci_port.cpp.  Others read 0.
//
// Commands are not queued by the drives (no NCQ): CAP.SNCQ is 0.
#include "devices/storage/ich9_ahci.h"

#include "devices/bus_mastering.h"

namespace relic86 {

namespace {
constexpr unsigned kIndexBar = 4, kRegistersBar = 5;
constexpr u32 kIndexPorts = 32, kRegisterBytes = 4096;
constexpr u8 kCapabilities = 0x34, kSataCapability = 0xA8;
constexpr u32 kFirstPort = 0x100, kPortShift = 7, kPortBytes = 1u << kPortShift;
enum Register : u32 { kCap = 0x00, kControl = 0x04, kStatus = 0x08, kImplemented = 0x0C, kVersion = 0x10 };
enum ControlBit : u32 { kReset = 1u << 0, kInterruptEnable = 1u << 1, kAhciEnable = 1u << 31 };
constexpr u32 kCapValue = 1u << 31 | 1u << 24 | 1u << 20 | 1u << 18 | 31u << 8 | (Ich9Ahci::kPorts - 1);
constexpr u32 kAllPorts = (1u << Ich9Ahci::kPorts) - 1;
constexpr u32 kVersion13 = 0x00010300;
constexpr u64 kIndexOffset = 0x10, kDataOffset = 0x14;

PciIdentity sata_function() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x2922;
  identity.revision = 2;
  identity.class_code = 0x010601;
  identity.interrupt_pin = 1;
  return identity;
}
}  // namespace

Ich9Ahci::Ich9Ahci(std::string name) : PciDevice(sata_function()), name_(std::move(name)) {
  constexpr u32 kListOfCapabilities = 0x0010;
  declare(kPciStatus, 2, 0x0280 | kListOfCapabilities, 0, 0xF900);
  declare(kCapabilities, 1, kSataCapability, 0);
  declare(0x90, 1, 0x40, 0xC0);
  declare(0x92, 2, 0, 0x3F3F);
  // SATA 1.0 capability: the index and data pair is in BAR 4, at 10h.
  declare(kSataCapability, 4, 0x00100012, 0);
  declare(kSataCapability + 4, 4, 0x00000048, 0);
  declare_io_bar(kIndexBar, kIndexPorts, kIndexed, 4);
  declare_memory_bar(kRegistersBar, kRegisterBytes, kRegisters, 4);
}

void Ich9Ahci::plug(unsigned port, std::unique_ptr<AtaDevice> drive) { ports_[port].plug(std::move(drive)); }

Result<> Ich9Ahci::attach_function(Attachment& board) {
  memory_.emplace(board.memory());
  constexpr std::array<std::string_view, AhciPort::kTimers> kNames = {"drive", "look"};
  for (u32 i = 0; i < kPorts; i++) {
    std::array<TimerId, AhciPort::kTimers> timers{};
    for (u32 timer = 0; timer < timers.size(); timer++) {
      const std::string what = "port" + std::to_string(i) + "." + std::string(kNames[timer]);
      timers[timer] = board.timer(*this, what, i * AhciPort::kTimers + timer);
    }
    ports_[i].attach(*this, board.scheduler(), timers);
  }
  return {};
}

void Ich9Ahci::reset_function(ResetKind kind) {
  control_ = interrupt_status_ = index_ = 0;
  for (AhciPort& port : ports_) port.reset(kind);
  update_interrupt();
}

void Ich9Ahci::reset_by_guest() {
  control_ = interrupt_status_ = 0;
  for (AhciPort& port : ports_) port.reset_by_host();
}

void Ich9Ahci::state_function(StateArchive& archive) {
  archive.field("control", control_);
  archive.field("interrupt_status", interrupt_status_);
  archive.field("index", index_);
  for (unsigned i = 0; i < kPorts; i++) archive.group("port" + std::to_string(i), [&] { ports_[i].state(archive); });
  if (!archive.loading()) return;
  control_ &= kInterruptEnable;
  interrupt_status_ &= kAllPorts;
  index_ %= kRegisterBytes;
}

void Ich9Ahci::config_written(unsigned offset, unsigned) {
  if (offset > kPciCommand || !memory_ || !bus_master_enabled()) return;
  for (AhciPort& port : ports_) port.look_soon();
}

void Ich9Ahci::event(u32 id, GuestTime) {
  if (id >= kPorts * AhciPort::kTimers) return;
  const BusMastering moving(bus_mastering_);
  ports_[id / AhciPort::kTimers].event(static_cast<AhciPort::Timer>(id % AhciPort::kTimers));
}

// A port's bit comes back while its causes are not cleared (AHCI 1.3, 10.7.2.1).
void Ich9Ahci::update_interrupt() {
  for (unsigned i = 0; i < kPorts; i++) {
    if (ports_[i].interrupt()) interrupt_status_ |= 1u << i;
  }
  set_interrupt((control_ & kInterruptEnable) != 0 && interrupt_status_ != 0);
}

// --- Registers ---

u32 Ich9Ahci::read_register(u32 offset) const {
  if (offset >= kFirstPort) {
    const u32 port = (offset - kFirstPort) >> kPortShift;
    return port < kPorts ? ports_[port].read(offset % kPortBytes) : 0;
  }
  switch (offset) {
    case kCap: return kCapValue;
    case kControl: return control_ | kAhciEnable;
    case kStatus: return interrupt_status_;
    case kImplemented: return kAllPorts;
    case kVersion: return kVersion13;
    default: return 0;
  }
}

void Ich9Ahci::write_register(u32 offset, u32 value) {
  if (offset >= kFirstPort) {
    const u32 port = (offset - kFirstPort) >> kPortShift;
    if (port < kPorts) ports_[port].write(offset % kPortBytes, value);
    return;
  }
  if (offset == kControl) {
    if ((value & kReset) != 0) {
      reset_by_guest();
    } else {
      control_ = value & kInterruptEnable;
    }
  }
  if (offset == kStatus) interrupt_status_ &= ~value;
  update_interrupt();
}

// Accesses narrower than a register see a part of it; writes of them are not defined (AHCI 1.3, 3), and none is made.
u64 Ich9Ahci::read(RegionId region, u64 offset, unsigned width) {
  if (bus_mastering_) return all_ones(width);
  if (region == kIndexed) {
    if (offset == kIndexOffset) return index_;
    return offset == kDataOffset ? read_register(index_) : 0;
  }
  const u64 low = read_register(static_cast<u32>(offset) & ~3u);
  return low >> (offset % 4 * 8) & all_ones(width);
}

void Ich9Ahci::write(RegionId region, u64 offset, unsigned width, u64 value) {
  if (bus_mastering_ || width != 4 || offset % 4 != 0) return;
  const u32 dword = static_cast<u32>(value);
  if (region == kRegisters) return write_register(static_cast<u32>(offset), dword);
  constexpr u32 kAligned = ~u32{3};
  if (offset == kIndexOffset) index_ = dword % kRegisterBytes & kAligned;
  if (offset == kDataOffset) write_register(index_, dword);
}

}  // namespace relic86
