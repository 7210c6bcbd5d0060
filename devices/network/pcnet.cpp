// Am79C970A PCnet-PCI II (AMD publication 19436)
//
//   BAR0 (32 ports) and BAR1 (32 bytes):
//   00h-0Fh      RW address PROM: 0-5 station address, 12-13 checksum, 14-15 57h
//   10h  word    RW RDP: the CSR that RAP names    12h RAP   14h RESET (reading resets)   16h BDP: the BCR that RAP
//   names 10h  dword   RW the same at 10h, 14h, 18h, 1Ch, from the first dword write to 10h on (BCR18 bit 7)
//
//   CSR0   RWC 0 INIT, 1 STRT, 2 STOP, 3 TDMD, 4 TXON, 5 RXON, 6 IENA, 7 INTR, 8 IDON, 9 TINT, 10 RINT, 12 MISS, 15 ERR
//   CSR1,2 RW  address of the initialization block     CSR3 RW interrupt masks (14, 12:8)
//   CSR8-11 RW logical address filter    CSR12-14 RW physical address    CSR15 RW mode
//   CSR58  RW  software style: 0 16-bit structures, 2 and 3 32-bit ones (8 SSIZE32);  BCR20 is the same
//   CSR72, 74  R  counters of the rings   CSR76, 78 RW their lengths   CSR88, 89 R chip 0262h 1003h   CSR112 R missed
//   frames BCR4   RW  link LED: bit 15 says that the link is up
//
// The chip looks for transmit descriptors when it is told to (TDMD), not by its poll timer: drivers tell it.
#include "devices/network/pcnet.h"

#include <algorithm>

#include "devices/network/ethernet.h"
#include "devices/network/pcnet_registers.h"

namespace relic86 {

using namespace pcnet;

namespace {
constexpr RegionId kRegion = 0;
constexpr u32 kPorts = 32, kMemorySpace = 4096;
constexpr u16 kDwordIo = 0x80, kLedOut = 0x8000, kCsrPcnet = 0x200;
constexpr u32 kLongestRing = 512;

u32 load16(std::span<const u8> bytes, std::size_t at) { return bytes[at] | u32{bytes[at + 1]} << 8; }
u32 load32(std::span<const u8> bytes, std::size_t at) { return load16(bytes, at) | load16(bytes, at + 2) << 16; }
}  // namespace

Pcnet::Pcnet(std::string name, NetworkLink& link, const MacAddress& address)
    : PciDevice({.vendor = 0x1022, .device = 0x2000, .revision = 0x10, .class_code = 0x020000, .interrupt_pin = 1}),
      name_(std::move(name)),
      link_(link) {
  declare_io_bar(0, kPorts, kRegion, 4);
  declare_memory_bar(1, kMemorySpace, kRegion, 4);
  std::copy(address.begin(), address.end(), prom_.begin());
  constexpr u8 kHardwareId = 0x11, kMark = 0x57;
  prom_[9] = kHardwareId;
  prom_[14] = prom_[15] = kMark;
  u32 sum = 0;
  for (const u8 byte : prom_) sum += byte;
  prom_[12] = static_cast<u8>(sum);
  prom_[13] = static_cast<u8>(sum >> 8);
  link_.connect(this);
}

Result<> Pcnet::attach_function(Attachment& board) {
  memory_ = &board.memory();
  scheduler_ = &board.scheduler();
  resume_timer_ = board.timer(*this, "resume", 0);
  return {};
}

void Pcnet::reset_function(ResetKind) {
  bcr_ = {};
  bcr_[0] = bcr_[1] = 0x0005;
  bcr_[2] = 0x0002;
  bcr_[kBcrLink] = 0x00C0;
  bcr_[5] = 0x0084;
  bcr_[6] = 0x0088;
  bcr_[7] = 0x0090;
  bcr_[kBcrBus] = 0x9001;
  bcr_[19] = 0x0002;
  bcr_[22] = 0xFF06;
  dword_io_ = false;
  reset_chip();
}

// S_RESET leaves the addresses and the bus configuration alone.
void Pcnet::reset_chip() {
  csr_ = {};
  csr_[0] = kStop;
  csr_[4] = 0x0115;
  for (unsigned i = 0; i < kMacBytes / 2; i++) csr_[12 + i] = static_cast<u16>(prom_[i * 2] | prom_[i * 2 + 1] << 8);
  csr_[76] = csr_[78] = 1;
  csr_[82] = 1;
  csr_[88] = 0x1003;
  csr_[89] = 0x0262;
  csr_[94] = 0;
  csr_[100] = 0x0200;
  csr_[kCsrStyle] = kCsrPcnet;
  address_ = 0;
  receive_base_ = transmit_base_ = 0;
  receive_count_ = transmit_count_ = 1;
  receive_index_ = transmit_index_ = 0;
  packet_.clear();
  packet_started_ = false;
  scheduler_->cancel(resume_timer_);
  update_interrupt();
}

void Pcnet::state_function(StateArchive& archive) {
  archive.bytes("prom", prom_);
  archive.bytes("csr", csr_);
  archive.bytes("bcr", bcr_);
  archive.field("address", address_);
  archive.field("dword_io", dword_io_);
  archive.field("receive_base", receive_base_);
  archive.field("transmit_base", transmit_base_);
  archive.field("receive_count", receive_count_);
  archive.field("transmit_count", transmit_count_);
  archive.field("receive_index", receive_index_);
  archive.field("transmit_index", transmit_index_);
  archive.resizable("packet", packet_);
  archive.field("packet_started", packet_started_);
  if (!archive.loading()) return;
  receive_count_ = std::clamp<u32>(receive_count_, 1, 0x10000);
  transmit_count_ = std::clamp<u32>(transmit_count_, 1, 0x10000);
  receive_index_ %= receive_count_;
  transmit_index_ %= transmit_count_;
  if (packet_.size() > kMostPacketBytes) packet_.resize(kMostPacketBytes);
}

void Pcnet::config_written(unsigned, unsigned) { link_.receiver_ready(); }

// --- Ports ---

Pcnet::Port Pcnet::port_at(unsigned offset) const {
  constexpr std::array kPortsInOrder = {Port::Data, Port::Address, Port::Reset, Port::BusData};
  const unsigned step = dword_io_ ? 4 : 2;
  const unsigned index = (offset - kPromBytes) / step;
  return (offset - kPromBytes) % step == 0 && index < kPortsInOrder.size() ? kPortsInOrder[index] : Port::None;
}

u32 Pcnet::read_port(Port port) {
  switch (port) {
    case Port::Data: return read_csr(address_);
    case Port::Address: return address_;
    case Port::Reset: reset_chip(); return 0;
    case Port::BusData: return read_bcr(address_);
    default: return 0xFFFF;
  }
}

void Pcnet::write_port(Port port, u16 value) {
  switch (port) {
    case Port::Data: return write_csr(address_, value);
    case Port::Address: address_ = value & 0x7F; return;
    case Port::BusData: return write_bcr(address_, value);
    default: return;
  }
}

u64 Pcnet::read(RegionId, u64 offset, unsigned width) {
  if (bus_mastering_) return all_ones(width);
  const auto at = static_cast<unsigned>(offset) % kPorts;
  if (at < kPromBytes) {
    u64 value = 0;
    for (unsigned i = 0; i < width && at + i < kPromBytes; i++) value |= u64{prom_[at + i]} << (i * 8);
    return value;
  }
  // Dwords are for the dword mode, narrower ones for the word mode (a byte gets the lower half).
  if ((width == 4) != dword_io_) return all_ones(width);
  return read_port(port_at(at)) & all_ones(width);
}

void Pcnet::write(RegionId, u64 offset, unsigned width, u64 value) {
  if (bus_mastering_) return;
  const auto at = static_cast<unsigned>(offset) % kPorts;
  if (at < kPromBytes) {
    // BCR2 bit 8 (APROMWE) lets drivers change the PROM's copy.
    constexpr u16 kPromWriteEnable = 0x100;
    for (unsigned i = 0; i < width && at + i < kPromBytes && (bcr_[2] & kPromWriteEnable) != 0; i++)
      prom_[at + i] = static_cast<u8>(value >> (i * 8));
    return;
  }
  if (width == 4 && at == kPromBytes && !dword_io_) {
    dword_io_ = true;
    bcr_[kBcrBus] |= kDwordIo;
  }
  if (width == 1 || (width == 4) != dword_io_) return;
  write_port(port_at(at), static_cast<u16>(value));
}

// --- Registers ---

u16 Pcnet::read_csr(unsigned index) const {
  switch (index) {
    case 0: {
      const u16 status = csr_[0];
      return static_cast<u16>(status | ((status & kErrors) != 0 ? 0x8000 : 0));
    }
    case 16: return csr_[1];
    case 17: return csr_[2];
    case 24: return static_cast<u16>(receive_base_);
    case 25: return static_cast<u16>(receive_base_ >> 16);
    case 30: return static_cast<u16>(transmit_base_);
    case 31: return static_cast<u16>(transmit_base_ >> 16);
    case 72: return static_cast<u16>(receive_count_ - receive_index_);
    case 74: return static_cast<u16>(transmit_count_ - transmit_index_);
    default: return index < csr_.size() ? csr_[index] : u16{0};
  }
}

void Pcnet::write_csr(unsigned index, u16 value) {
  const auto ring_length = [](u16 written) { return written == 0 ? u32{0x10000} : u32{0x10000} - written; };
  switch (index) {
    case 0: return write_status(value);
    case 1:
    case 2:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
    case 14:
    case kCsrMode:
    case 47: csr_[index] = value; return;
    case 16: csr_[1] = value; return;
    case 17: csr_[2] = value; return;
    case kCsrMasks: csr_[kCsrMasks] = value & 0x5F7C; return update_interrupt();
    case 4: {
      constexpr u16 kClearedByOnes = 0x022A;
      csr_[4] = static_cast<u16>((value & ~kClearedByOnes) | (csr_[4] & kClearedByOnes & ~value));
      return;
    }
    case 5: csr_[5] = value & 0x8155; return;
    case 24: receive_base_ = (receive_base_ & 0xFFFF0000) | value; return;
    case 25: receive_base_ = (receive_base_ & 0xFFFF) | u32{value} << 16; return;
    case 30: transmit_base_ = (transmit_base_ & 0xFFFF0000) | value; return;
    case 31: transmit_base_ = (transmit_base_ & 0xFFFF) | u32{value} << 16; return;
    case kCsrStyle: return write_bcr(kBcrStyle, value);
    // Lengths in two's complement.
    case 76:
      csr_[76] = value;
      receive_count_ = ring_length(value);
      receive_index_ = 0;
      return;
    case 78:
      csr_[78] = value;
      transmit_count_ = ring_length(value);
      transmit_index_ = 0;
      return;
    default: return;
  }
}

u16 Pcnet::read_bcr(unsigned index) const {
  if (index >= bcr_.size()) return 0;
  if (index == kBcrLink) {
    constexpr u16 kLinkStatusEnable = 0x40;
    return static_cast<u16>((bcr_[kBcrLink] & ~kLedOut) |
                            ((bcr_[kBcrLink] & kLinkStatusEnable) != 0 && link_.up() ? kLedOut : 0));
  }
  return index == kBcrStyle ? csr_[kCsrStyle] : bcr_[index];
}

void Pcnet::write_bcr(unsigned index, u16 value) {
  switch (index) {
    case 2:
    case kBcrLink:
    case 5:
    case 6:
    case 7:
    case 9:
    case kBcrBus:
    case 19:
    case 22:
      bcr_[index] = index == kBcrBus ? static_cast<u16>((value & ~kDwordIo) | (dword_io_ ? kDwordIo : 0)) : value;
      return;
    case kBcrStyle: {
      // The style decides the other bits: 0 is the LANCE's, 2 and 3 have structures of 32 bits.
      const u16 style = value & 0xFF;
      constexpr u16 kLance = 0, kPci = 2, kPciReordered = 3;
      if (style == kLance) csr_[kCsrStyle] = kCsrPcnet | style;
      if (style == kPci || style == kPciReordered)
        csr_[kCsrStyle] = static_cast<u16>(kCsrPcnet | kWideStructures | style);
      return;
    }
    default: return;
  }
}

void Pcnet::write_status(u16 value) {
  constexpr u16 kClearedByOnes = 0x7F00;
  u16& status = csr_[0];
  status = static_cast<u16>(status & ~(value & kClearedByOnes) & ~kInterruptEnable);
  status |= value & kInterruptEnable;
  if ((value & kStop) != 0) {
    stop();
  } else {
    if ((value & kInit) != 0 && (status & kInit) == 0) initialize();
    if ((value & kStart) != 0 && (status & kStart) == 0) start();
    if ((value & kDemand) != 0) transmit();
  }
  update_interrupt();
  link_.receiver_ready();
}

void Pcnet::stop() {
  csr_[0] = kStop;
  packet_.clear();
  packet_started_ = false;
  scheduler_->cancel(resume_timer_);
}

void Pcnet::start() {
  u16& status = csr_[0];
  status = static_cast<u16>((status & ~(kStop | kTransmitOn | kReceiveOn)) | kStart);
  if ((csr_[kCsrMode] & kDisableTransmitter) == 0) status |= kTransmitOn;
  if ((csr_[kCsrMode] & kDisableReceiver) == 0) status |= kReceiveOn;
}

// The initialization block: mode, addresses, rings.
void Pcnet::initialize() {
  if (!bus_master_enabled()) return;
  constexpr std::size_t kWideBytes = 28, kNarrowBytes = 24;
  std::array<u8, kWideBytes> block{};
  const u32 where = csr_[1] | u32{csr_[2]} << 16;
  {
    bus_mastering_ = true;
    memory_->read_block(PhysAddr(wide() ? where : where & 0xFFFFFF),
                        std::span(block).first(wide() ? kWideBytes : kNarrowBytes));
    bus_mastering_ = false;
  }
  const std::size_t address = wide() ? 4 : 2, filter = wide() ? 12 : 8, rings = wide() ? 20 : 16;
  csr_[kCsrMode] = static_cast<u16>(load16(block, 0));
  for (unsigned i = 0; i < 3; i++) csr_[12 + i] = static_cast<u16>(load16(block, address + i * 2));
  for (unsigned i = 0; i < 4; i++) csr_[8 + i] = static_cast<u16>(load16(block, filter + i * 2));
  const u32 receive = load32(block, rings), transmit = load32(block, rings + 4);
  constexpr unsigned kNarrowLengthShift = 29, kWideLengthShift = 4;
  const unsigned receive_length = wide() ? block[2] >> kWideLengthShift : receive >> kNarrowLengthShift;
  const unsigned transmit_length = wide() ? block[3] >> kWideLengthShift : transmit >> kNarrowLengthShift;
  const u32 mask = wide() ? 0xFFFFFFF0 : 0xFFFFF8;
  receive_base_ = receive & mask;
  transmit_base_ = transmit & mask;
  receive_count_ = std::min(1u << receive_length, kLongestRing);
  transmit_count_ = std::min(1u << transmit_length, kLongestRing);
  csr_[76] = static_cast<u16>(0x10000 - receive_count_);
  csr_[78] = static_cast<u16>(0x10000 - transmit_count_);
  receive_index_ = transmit_index_ = 0;
  csr_[0] = static_cast<u16>((csr_[0] & ~kStop) | kInit | kInitDone);
}

// --- Interrupts ---

void Pcnet::cause(u16 bits) {
  csr_[0] |= bits;
  update_interrupt();
}

void Pcnet::update_interrupt() {
  const bool pending = (csr_[0] & kCauses & ~csr_[kCsrMasks]) != 0;
  csr_[0] = static_cast<u16>((csr_[0] & ~kInterrupt) | (pending ? kInterrupt : 0));
  set_interrupt(pending && (csr_[0] & kInterruptEnable) != 0);
}

void Pcnet::event(u32, GuestTime) {
  transmit();
  update_interrupt();
}

ReceiveFilter Pcnet::receive_filter() const {
  MacAddress address{};
  for (std::size_t i = 0; i < address.size(); i++) address[i] = static_cast<u8>(csr_[12 + i / 2] >> (i % 2 * 8));
  const u16 mode = csr_[kCsrMode];
  return {(mode & kPromiscuous) != 0, (mode & kNoBroadcast) == 0,
          std::all_of(csr_.begin() + 8, csr_.begin() + 12, [](u16 word) { return word == 0xFFFF; }), address};
}

}  // namespace relic86
